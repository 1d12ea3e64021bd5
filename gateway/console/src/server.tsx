// The state of the server and its ensemble, with plots.
import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import * as api from './api';
import { count, duration, hexZxid, size, time } from './format';
import { Failure } from './parts';

const everyMS = 2000;
const points = 150;

const word = (s: string): string => s.replace(/^(SERVER_STATE|SERVER_MODE|MEMBER_ROLE)_/, '').toLowerCase().replace(/_/g, '-').replace('unspecified', 'unknown');

interface Sample { at: number; received: number; sent: number; mean: number; max: number; outstanding: number }

export function Server() {
  const [status, setStatus] = useState<api.Status>();
  const [failure, setFailure] = useState('');
  const [samples, setSamples] = useState<Sample[]>([]);
  useEffect(() => {
    let over = false;
    const one = async () => {
      try {
        const s = await api.status();
        if (over) return;
        setStatus(s);
        setFailure('');
        setSamples((old) => [...old, {
          at: Date.now() / 1000, received: Number(s['packetsReceived']), sent: Number(s['packetsSent']), mean: Number(s['latency']?.meanUs ?? 0) / 1000,
          max: Number(s['latency']?.maxUs ?? 0) / 1000, outstanding: Number(s['outstandingRequests']),
        }].slice(-points - 1));
      } catch (e) { if (!over) setFailure((e as Error).message); }
    };
    one();
    const timer = setInterval(one, everyMS);
    return () => { over = true; clearInterval(timer); };
  }, []);
  const rate = (field: 'received' | 'sent') => samples.slice(1).map((s, i) => Math.max(0, s[field] - samples[i]![field]) / Math.max(0.001, s.at - samples[i]!.at));
  const at = samples.slice(1).map((s) => s.at);
  return <section class="scroll">
    <h1>Server {status && <><span class={'tag ' + word(status['state'])}>{word(status['state'])}</span> <span class="tag">{word(status['mode'])}</span></>}</h1>
    {failure && <Failure text={failure} />}
    {status?.['refusal'] && <Failure text={status['refusal']} />}
    {status?.['warnings']?.map((w: string) => <p class="warning">{w}</p>)}
    <div class="plots">
      <Plot title="requests and answers a second" at={at} lines={[['received', rate('received')], ['sent', rate('sent')]]} />
      <Plot title="latency since the start or reset, ms" at={at} lines={[['mean', samples.slice(1).map((s) => s.mean)]]} />
      <Plot title="requests not yet answered" at={at} lines={[['outstanding', samples.slice(1).map((s) => s.outstanding)]]} />
    </div>
    {status && <div class="columns">
      <table class="facts"><tbody>
        {([['version', status['version']], ['id', status['serverId']], ['zxid', hexZxid(status['zxid'])], ['up', duration(status['uptimeMs'])], ['process', status['pid']],
          ['data directory', status['dataDir']], ['client addresses', (status['clientAddresses'] ?? []).join(', ')], ['connections', count(status['connections'])],
          ['sessions', count(status['sessions'])], ['watches', count(status['watches'])], ['znodes', count(status['znodes'])], ['ephemerals', count(status['ephemerals'])],
          ['data', size(status['approximateDataBytes'])], ['slowest request', (Number(status['latency']?.maxUs ?? 0) / 1000).toFixed(1) + ' ms']] as const).map(([k, v]) => <tr><th>{k}</th><td>{v}</td></tr>)}
      </tbody></table>
      <table class="facts"><tbody>
        {([['snapshots', `${status['storage']?.snapshots}, ${size(status['storage']?.snapshotBytes ?? 0)}`], ['newest snapshot', hexZxid(status['storage']?.newestSnapshotZxid ?? '0')],
          ['logs', `${status['storage']?.logs}, ${size(status['storage']?.logBytes ?? 0)}`], ['disk free', `${size(status['storage']?.diskFreeBytes ?? 0)} of ${size(status['storage']?.diskTotalBytes ?? 0)}`],
          ['last purge', time(status['storage']?.lastPurgeUnixMs ?? 0)]] as const).map(([k, v]) => <tr><th>{k}</th><td>{v}</td></tr>)}
      </tbody></table>
    </div>}
    {status?.['ensemble'] && <Ensemble e={status['ensemble']} />}
  </section>;
}

function Ensemble({ e }: { e: any }) {
  return <>
    <h2>Ensemble</h2>
    <p>Epoch {e.epoch}, stage {e.stage} since {time(e.sinceUnixMs)}, {e.quorumReached ? 'a quorum is reached' : 'no quorum is reached'}, committed {hexZxid(e.committedZxid)}</p>
    <table class="list">
      <thead><tr><th>id</th><th>role</th><th>votes</th><th>addresses</th><th>connected</th><th>behind</th></tr></thead>
      <tbody>{e.members.map((m: any) => <tr><td>{m.serverId}{m.self && ' (this)'}</td><td>{word(m.role)}</td><td>{m.voter ? 'yes' : 'no'}</td><td>{m.addresses.join(', ')}</td>
        <td>{m.self ? '–' : m.connected ? 'since ' + time(m.sinceUnixMs) : <span class="failure">{m.problem || 'no'}</span>}</td><td>{m.behind === '-1' ? '–' : count(m.behind)}</td></tr>)}</tbody>
    </table>
  </>;
}

const colours = ['#3b7d4f', '#c2703d'];

function Plot({ title, at, lines }: { title: string; at: number[]; lines: [string, number[]][] }) {
  const ref = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const data = (): uPlot.AlignedData => [at, ...lines.map(([, v]) => v)];
  useEffect(() => {
    const ink = () => ref.current ? getComputedStyle(ref.current).color : '#888'; // it may be gone by the time it is drawn
    const axis = { stroke: ink, grid: { stroke: '#8883', width: 1 }, ticks: { show: false } };
    plot.current = new uPlot({
      width: ref.current!.clientWidth || 400, height: 180, cursor: { y: false }, legend: { show: lines.length > 1 },
      series: [{}, ...lines.map(([label], i) => ({ label, stroke: colours[i]!, width: 2, points: { show: false } }))],
      axes: [axis, { ...axis, size: 60 }], scales: { y: { range: (_u, _min, max) => [0, Math.max(max || 0, 1)] } },
    }, data(), ref.current!);
    const watcher = new ResizeObserver(() => plot.current?.setSize({ width: ref.current?.clientWidth || 400, height: 180 }));
    watcher.observe(ref.current!);
    return () => { watcher.disconnect(); plot.current?.destroy(); };
  }, []);
  useEffect(() => { plot.current?.setData(data()); }, [at.length, at[at.length - 1]]);
  return <figure><figcaption>{title}</figcaption><div ref={ref} /></figure>;
}
