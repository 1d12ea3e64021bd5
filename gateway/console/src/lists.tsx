// Lists of sessions, watches and connections of the server that is asked.
import { useState } from 'preact/hooks';
import * as api from './api';
import { count, duration, hexSession, time } from './format';
import { Failure, usePolled } from './parts';
import { link } from './route';

export function Sessions({ writing }: { writing: boolean }) {
  const { value, failure, again } = usePolled(() => api.all<api.Session>('/v1/sessions?withEphemerals=true', 'sessions'), 3000);
  const [told, setTold] = useState('');
  return <section class="scroll">
    <h1>Sessions {value && <span class="badge">{count(value.length)}</span>}</h1>
    {(failure || told) && <Failure text={failure || told} />}
    <table class="list">
      <thead><tr><th>id</th><th>client</th><th>timeout</th><th>ephemerals</th><th /></tr></thead>
      <tbody>{value?.map((s) => <tr key={s.sessionId} data-session={s.sessionId}>
        <td><code>{hexSession(s.sessionId)}</code>{s.local && <span class="tag">local</span>}</td>
        <td>{s.attached ? s.address || 'here' : <span class="hint">elsewhere, or nowhere</span>}</td><td>{duration(s.timeoutMs)}</td>
        <td>{s.ephemeralPaths.slice(0, 20).map((p) => <a class="chip" href={link('tree', p)}>{p}</a>)}{s.ephemeralPaths.length > 20 && ` and ${s.ephemeralPaths.length - 20} more`}</td>
        <td>{writing && <button class="danger" onClick={() => api.expire(s.sessionId).then(() => { setTold(''); again(); }, (e) => setTold(e.message))}>Expire</button>}</td>
      </tr>)}</tbody>
    </table>
  </section>;
}

export function Watches() {
  const { value, failure } = usePolled(() => api.all<api.WatchedPath>('/v1/watches', 'paths'), 3000);
  return <section class="scroll">
    <h1>Watches {value && <span class="badge">{count(value.length)} paths</span>}</h1>
    {failure && <Failure text={failure} />}
    <table class="list">
      <thead><tr><th>path</th><th>of sessions</th><th>of streams</th><th>sessions</th></tr></thead>
      <tbody>{value?.map((w) => <tr key={w.path}><td><a href={link('tree', w.path)}>{w.path}</a></td><td>{count(w.watches)}</td><td>{count(w.streams)}</td>
        <td>{w.sessionIds.slice(0, 5).map((s) => <code class="chip">{hexSession(s)}</code>)}{w.sessionIds.length > 5 && ' …'}</td></tr>)}</tbody>
    </table>
  </section>;
}

export function Connections() {
  const { value, failure } = usePolled(() => api.all<api.Connection>('/v1/connections', 'connections'), 3000);
  return <section class="scroll">
    <h1>Connections {value && <span class="badge">{count(value.length)}</span>}</h1>
    {failure && <Failure text={failure} />}
    <table class="list">
      <thead><tr><th>door</th><th>client</th><th>session</th><th>since</th><th>received</th><th>sent</th><th>outstanding</th></tr></thead>
      <tbody>{value?.map((c) => <tr key={c.door + c.address}><td>{c.door}</td><td>{c.address}</td><td>{c.sessionId !== '0' && <code>{hexSession(c.sessionId)}</code>}</td>
        <td>{time(c.sinceUnixMs)}</td><td>{count(c.received)}</td><td>{count(c.sent)}</td><td>{count(c.outstanding)}</td></tr>)}</tbody>
    </table>
  </section>;
}
