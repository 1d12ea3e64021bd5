// One znode: data, stat, access list, changes.
import { useEffect, useRef, useState } from 'preact/hooks';
import * as api from './api';
import { bytesOf } from './api';
import { fromHex, hexSession, hexZxid, join, kind, nameOf, parentOf, size, text, time, toHex } from './format';
import { Dialog, Failure } from './parts';
import { go, link } from './route';

const tabs = [['', 'Data'], ['stat', 'Stat'], ['acl', 'Access'], ['changes', 'Changes']] as const;

export function Node({ path, tab, writing, identities }: { path: string; tab: string; writing: boolean; identities: api.Identity[] }) {
  const [node, setNode] = useState<api.Znode>();
  const [newer, setNewer] = useState<api.Znode>();
  const [failure, setFailure] = useState('');
  const [changes, setChanges] = useState<api.Change[]>([]);
  const [lists, setLists] = useState(0); // how often the access list was another
  const [lost, setLost] = useState('');
  const [dialog, setDialog] = useState<'' | 'create' | 'delete'>('');
  const dirty = useRef(false);

  const reload = async () => {
    try {
      const got = await api.get(path);
      setFailure('');
      if (dirty.current) setNewer(got);
      else { setNode(got); setNewer(undefined); }
    } catch (e) {
      setFailure(e instanceof api.Problem && e.reason === 'NONODE' ? 'There is no such znode.' : e instanceof Error ? e.message : String(e));
      if (e instanceof api.Problem && e.reason === 'NONODE' && !dirty.current) setNode(undefined);
    }
  };
  useEffect(() => {
    reload();
    const stop = new AbortController();
    api.follow(path, true, (told) => {
      setChanges((old) => [...told.slice().reverse(), ...old].slice(0, 500));
      if (told.some((c) => c.path === path || parentOf(c.path) === path)) reload();
      if (told.some((c) => c.path === path && c.type !== 'data_changed')) setLists((n) => n + 1);
    }, setLost, stop.signal);
    return () => stop.abort();
  }, [path, identities]);

  return <section class="node">
    <h1>{path.split('/').slice(1).filter(Boolean).reduce<{ crumbs: any[]; at: string }>((a, name) => {
      const at = join(a.at, name);
      return { at, crumbs: [...a.crumbs, <span class="slash">/</span>, <a href={link('tree', at, tab)}>{name}</a>] };
    }, { at: '/', crumbs: [<a href={link('tree', '/', tab)} aria-label="root">⌂</a>] }).crumbs}
      {node && <span class={'tag ' + kind(node.stat.ephemeralOwner)}>{kind(node.stat.ephemeralOwner)}</span>}
    </h1>
    <div class="tabs" role="tablist">
      {tabs.map(([key, title]) => <a role="tab" aria-selected={tab === key} href={link('tree', path, key)}>{title}
        {key === 'changes' && changes.length > 0 && <span class="badge">{changes.length}</span>}</a>)}
      <span class="spacer" />
      {writing && <button onClick={() => setDialog('create')} data-test="create">New child …</button>}
      {writing && path !== '/' && <button class="danger" onClick={() => setDialog('delete')} data-test="delete">Delete …</button>}
    </div>
    {failure && <Failure text={failure} />}
    {node && tab === '' && <Data path={path} node={node} newer={newer} writing={writing} dirty={dirty}
      take={(n) => { dirty.current = false; setNewer(undefined); setNode(n); }} saved={() => { dirty.current = false; reload(); }} />}
    {node && tab === 'stat' && <StatTable node={node} />}
    {tab === 'acl' && <AclTable path={path} writing={writing} identities={identities} lists={lists} />}
    {tab === 'changes' && <Changes changes={changes} lost={lost} path={path} />}
    {dialog === 'create' && <Create parent={path} close={() => setDialog('')} />}
    {dialog === 'delete' && node && <Delete path={path} node={node} close={() => setDialog('')} />}
  </section>;
}

type Form = 'text' | 'json' | 'hex';

// show is the data in a form; undefined if it has none there.
function show(data: Uint8Array, form: Form): string | undefined {
  if (form === 'hex') return toHex(data);
  const t = text(data);
  if (form === 'text' || t === undefined) return t;
  try { return JSON.stringify(JSON.parse(t), null, 2); } catch { return undefined; }
}

// read is the inverse of show, or why it cannot be.
function read(shown: string, form: Form): Uint8Array | string {
  if (form === 'hex') return fromHex(shown) ?? 'These are not pairs of hexadecimal digits.';
  if (form === 'json') {
    try { JSON.parse(shown); } catch (e) { return 'This is not JSON: ' + (e as Error).message; }
  }
  return new TextEncoder().encode(shown);
}

function guess(data: Uint8Array): Form {
  const t = text(data);
  if (t === undefined) return 'hex';
  return /^\s*[{[]/.test(t) && show(data, 'json') !== undefined ? 'json' : 'text';
}

function Data({ path, node, newer, writing, dirty, take, saved }: {
  path: string; node: api.Znode; newer?: api.Znode; writing: boolean; dirty: { current: boolean }; take: (n: api.Znode) => void; saved: () => void;
}) {
  const [form, setForm] = useState<Form>(() => guess(node.data));
  const [shown, setShown] = useState(() => show(node.data, guess(node.data)) ?? '');
  const [told, setTold] = useState('');
  const [conflict, setConflict] = useState(false);
  useEffect(() => {
    const f = show(node.data, form) === undefined ? guess(node.data) : form;
    setForm(f);
    setShown(show(node.data, f) ?? '');
    setConflict(false);
  }, [node]);
  const turn = (to: Form) => {
    const data = dirty.current ? read(shown, form) : node.data;
    if (typeof data === 'string') { setTold(data); return; }
    const s = show(data, to);
    if (s === undefined) { setTold(`The data is not ${to === 'json' ? 'JSON' : 'text'}.`); return; }
    setTold('');
    setForm(to);
    setShown(s);
  };
  const save = async (etag: string) => {
    const data = read(shown, form);
    if (typeof data === 'string') { setTold(data); return; }
    try {
      await api.put(path, data, etag);
      setTold('Saved.');
      setConflict(false);
      saved();
    } catch (e) {
      setConflict(e instanceof api.Problem && e.status === 412);
      setTold(e instanceof api.Problem && e.status === 412 ? 'Somebody else has changed it meanwhile.' : (e as Error).message);
    }
  };
  const label = `${size(node.data.length)}, version ${node.stat.version}`;
  return <div class="data">
    <div class="bar">
      {(['text', 'json', 'hex'] as const).map((f) => <button aria-pressed={form === f} onClick={() => turn(f)} data-test={'form-' + f}>{f === 'json' ? 'JSON' : f}</button>)}
      <span class="hint">{label}</span>
      <span class="spacer" />
      <a class="button" href={'/v1/znodes' + api.encodePath(path)} download={nameOf(path)}>Download</a>
      {writing && <button class="primary" onClick={() => save(node.etag)} data-test="save">Save</button>}
    </div>
    {told && <p class={conflict ? 'failure' : 'hint'} role="status" data-test="told">{told}
      {conflict && newer && <> <button onClick={() => take(newer)} data-test="theirs">Take theirs</button> <button class="danger" onClick={() => save(newer.etag)} data-test="mine">Overwrite with mine</button></>}</p>}
    {newer && !conflict && <p class="hint" role="status">It has changed meanwhile. <button onClick={() => take(newer)} data-test="theirs">Show</button></p>}
    <textarea spellcheck={false} readOnly={!writing} value={shown} aria-label="data" data-test="data" class={form}
      onInput={(e) => { dirty.current = true; setShown(e.currentTarget.value); setTold(''); }}
      onKeyDown={(e) => { if (writing && e.key === 's' && (e.ctrlKey || e.metaKey)) { e.preventDefault(); save(node.etag); } }} />
  </div>;
}

function StatTable({ node }: { node: api.Znode }) {
  const s = node.stat;
  const rows: [string, string, string][] = [
    ['created', time(s.ctimeMs), `czxid ${hexZxid(s.czxid)}`], ['data changed', time(s.mtimeMs), `mzxid ${hexZxid(s.mzxid)}`],
    ['children changed', '', `pzxid ${hexZxid(s.pzxid)}`], ['version', String(s.version), 'of the data'], ['cversion', String(s.cversion), 'of the children'],
    ['aversion', String(s.aversion), 'of the access list'], ['owner', kind(s.ephemeralOwner) === 'ephemeral' ? hexSession(s.ephemeralOwner) : '–', kind(s.ephemeralOwner)],
    ['data', size(s.dataLength), ''], ['children', String(s.numChildren), ''], ['true at', hexZxid(node.zxid), 'zxid of the answer'],
  ];
  return <table class="facts">{rows.map(([k, v, note]) => <tr><th>{k}</th><td>{k === 'owner' && v !== '–' ? <a href={link('sessions')}>{v}</a> : v}</td><td class="hint">{note}</td></tr>)}</table>;
}

const rights = ['READ', 'WRITE', 'CREATE', 'DELETE', 'ADMIN'] as const;

// listText is an access list as zkCli writes it.
const listText = (list: api.Acl[]): string =>
  list.map((a) => `${a.scheme}:${a.id}:${rights.filter((r) => a.permissions.includes('PERMISSION_' + r)).map((r) => r[0]!.toLowerCase()).join('')}`).join(', ');

function AclTable({ path, writing, identities, lists }: { path: string; writing: boolean; identities: api.Identity[]; lists: number }) {
  const [list, setList] = useState<api.Acl[]>();
  const [version, setVersion] = useState(0);
  const [told, setTold] = useState('');
  const [newer, setNewer] = useState(false);
  const [failure, setFailure] = useState('');
  const dirty = useRef(false);
  const load = () => api.getAcl(path).then((m) => {
    dirty.current = false;
    setNewer(false);
    setFailure('');
    setList(m.acl);
    setVersion(m.stat.aversion);
  }, (e) => { setList(undefined); setFailure(e.message); });
  useEffect(() => {
    if (dirty.current) setNewer(true);
    else load();
  }, [identities, lists]);
  const edit = (to: (old: api.Acl[]) => api.Acl[]) => { dirty.current = true; setTold(''); setList((old) => to(old!)); };
  const change = (i: number, a: api.Acl) => edit((old) => old.map((o, n) => n === i ? a : o));
  if (!list) return failure ? <Failure text={failure} /> : null;
  return <div>
    <table class="acl">
      <thead><tr><th>scheme</th><th>id</th>{rights.map((r) => <th>{r.toLowerCase()}</th>)}<th /></tr></thead>
      <tbody>{list.map((a, i) => <tr>
        <td><input value={a.scheme} readOnly={!writing} size={8} aria-label="scheme" onInput={(e) => change(i, { ...a, scheme: e.currentTarget.value })} /></td>
        <td><input value={a.id} readOnly={!writing} size={40} aria-label="id" onInput={(e) => change(i, { ...a, id: e.currentTarget.value })} /></td>
        {rights.map((r) => <td><input type="checkbox" aria-label={r.toLowerCase()} disabled={!writing} checked={a.permissions.includes('PERMISSION_' + r)}
          onChange={(e) => change(i, { ...a, permissions: e.currentTarget.checked ? [...a.permissions, 'PERMISSION_' + r] : a.permissions.filter((p) => p !== 'PERMISSION_' + r) })} /></td>)}
        <td>{writing && <button aria-label="remove" onClick={() => edit((old) => old.filter((_, n) => n !== i))}>×</button>}</td>
      </tr>)}</tbody>
    </table>
    {writing && <div class="bar">
      <button onClick={() => edit((old) => [...old, { scheme: 'digest', id: '', permissions: ['PERMISSION_READ'] }])}>Add</button>
      <button class="primary" data-test="save-acl" onClick={() => api.setAcl(path, list, version).then(() => { load().then(() => setTold('Saved.')); }, (e) => setTold(e.message))}>Save</button>
    </div>}
    {newer && <p class="hint" role="status">It has changed meanwhile. <button onClick={() => { setTold(''); load(); }} data-test="their-acl">Show</button></p>}
    {told && <p class="hint" role="status">{told}</p>}
  </div>;
}

const brief = (t: string | undefined, data: string | undefined): string => {
  if (t === undefined && data === undefined) return '';
  const s = t ?? toHex(bytesOf(data!));
  return s.length > 200 ? s.slice(0, 200) + '…' : s;
};

// before and after are what a change tells of data, or of access lists.
const before = (c: api.Change): string => c.type === 'acl_changed' ? listText(c.previousAcl ?? []) : brief(c.previousText, c.previousData);
const after = (c: api.Change): string => c.type === 'acl_changed' ? listText(c.acl ?? []) : brief(c.text, c.data);

function Changes({ changes, lost, path }: { changes: api.Change[]; lost: string; path: string }) {
  return <div class="scroll">
    {lost && <Failure text={lost} />}
    <p class="hint">What changes at and below {path} while this is open, the latest first.</p>
    <table class="list"><tbody>{changes.map((c) => <tr>
      <td class={'tag ' + c.type}>{c.type === 'acl_changed' ? 'access' : c.type.replace('data_', '')}</td><td><code>{hexZxid(c.zxid)}</code></td>
      <td><a href={link('tree', c.path)}>{c.path}</a></td>
      <td class="value">{before(c) && <del>{before(c)}</del>} {after(c)}</td>
    </tr>)}</tbody></table>
  </div>;
}

function Create({ parent, close }: { parent: string; close: () => void }) {
  const [name, setName] = useState('');
  const [mode, setMode] = useState('persistent');
  const [data, setData] = useState('');
  const [told, setTold] = useState('');
  const submit = async (e: Event) => {
    e.preventDefault();
    try {
      const made = await api.create(join(parent, name), new TextEncoder().encode(data), mode);
      close();
      go('tree', made.path);
    } catch (err) { setTold((err as Error).message); }
  };
  return <Dialog title={'New child of ' + parent} close={close}>
    <form onSubmit={submit}>
      <label>Name <input value={name} onInput={(e) => setName(e.currentTarget.value)} autofocus required={!mode.includes('sequential')} data-test="name" /></label>
      <p class="hint">With slashes in it, missing parents are made too.</p>
      <label>Kind <select value={mode} onChange={(e) => setMode(e.currentTarget.value)}>
        <option value="persistent">persistent</option><option value="sequential">persistent, numbered</option><option value="container">container</option>
      </select></label>
      <label>Data <textarea rows={5} value={data} onInput={(e) => setData(e.currentTarget.value)} /></label>
      {told && <Failure text={told} />}
      <button class="primary" data-test="create-ok">Create</button>
    </form>
  </Dialog>;
}

function Delete({ path, node, close }: { path: string; node: api.Znode; close: () => void }) {
  const [recursive, setRecursive] = useState(false);
  const [told, setTold] = useState('');
  const submit = async (e: Event) => {
    e.preventDefault();
    try {
      await api.remove(path, recursive, node.stat.version);
      close();
      go('tree', parentOf(path));
    } catch (err) { setTold((err as Error).message); }
  };
  return <Dialog title={'Delete ' + path} close={close}>
    <form onSubmit={submit}>
      {node.stat.numChildren > 0 && <label class="switch"><input type="checkbox" checked={recursive} onChange={(e) => setRecursive(e.currentTarget.checked)} data-test="recursive" />
        and everything below it ({node.stat.numChildren} children), at most 1,000 znodes</label>}
      {told && <Failure text={told} />}
      <button class="danger" data-test="delete-ok">Delete</button>
    </form>
  </Dialog>;
}
