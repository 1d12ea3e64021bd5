// The tree: what there is on the left, one znode on the right.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import * as api from './api';
import { count, join, kind, nameOf, parentOf } from './format';
import { Rows } from './parts';
import { go, here, type Route } from './route';
import { Node } from './node';

// Branch is what is known of the children of one znode.
interface Branch { entries: api.Entry[]; token: string; busy: boolean; failure: string }
type Row = { path: string; depth: number; stat?: api.Stat; more?: boolean; failure?: string };

// What was unfolded stays so while another view is shown.
let kept: { branches: Map<string, Branch>; open: Set<string> } = { branches: new Map(), open: new Set(['/']) };

const nothing: Branch = { entries: [], token: '', busy: false, failure: '' };

export function Tree({ route, writing, identities }: { route: Route; writing: boolean; identities: api.Identity[] }) {
  const [branches, setBranches] = useState<Map<string, Branch>>(() => new Map([...kept.branches].map(([p, b]) => [p, { ...b, busy: false }])));
  const [open, setOpen] = useState<Set<string>>(kept.open);
  const [found, setFound] = useState<{ glob: string; rows: api.Entry[]; more: boolean; failure: string }>();
  const latest = useRef(branches);
  const stale = useRef(new Set<string>()); // they changed while they were being loaded
  kept = { branches, open };

  // The newest of each branch, which is rendered a moment later.
  const update = (path: string, branch: Branch) => {
    latest.current = new Map(latest.current).set(path, branch);
    setBranches(latest.current);
  };
  const forget = (path: string) => {
    stale.current.delete(path);
    latest.current = new Map([...latest.current].filter(([p]) => p !== path));
    setBranches(latest.current);
    fold(path);
  };
  // load asks for the next page, or afresh for as much as is shown, which stays until its successor has come.
  const load = async (path: string, afresh: boolean) => {
    const before = latest.current.get(path) ?? nothing;
    if (before.busy) { if (afresh) stale.current.add(path); return; }
    update(path, { ...before, busy: true, failure: '' });
    const want = afresh ? before.entries.length : before.entries.length + 1;
    let entries = afresh ? [] : before.entries, token = afresh ? '' : before.token, failure = '';
    try {
      do {
        const page = await api.children(path, '', token);
        entries = entries.concat(page.children);
        token = page.nextPageToken;
      } while (token && entries.length < want);
    } catch (e) {
      const reason = e instanceof api.Problem ? e.reason : '';
      if (reason === 'NONODE' && path !== '/') { forget(path); return; }
      if (reason === 'PAGE_GONE') stale.current.add(path);
      else failure = e instanceof Error ? e.message : String(e);
      ({ entries, token } = before);
    }
    update(path, { entries, token, busy: false, failure });
    if (stale.current.delete(path)) load(path, true);
  };
  const unfold = (path: string) => {
    setOpen((old) => new Set(old).add(path));
    if (!latest.current.has(path)) load(path, true);
  };
  const fold = (path: string) => setOpen((old) => { const next = new Set(old); next.delete(path); return next; });

  // What a link leads to is unfolded, and what is unfolded follows the tree.
  useEffect(() => {
    for (let p = parentOf(route.path); ; p = parentOf(p)) {
      unfold(p);
      if (p === '/') break;
    }
  }, [route.path]);
  useEffect(() => {
    for (const p of kept.open) if (latest.current.has(p)) load(p, true);
    const stop = new AbortController();
    let due = new Set<string>();
    let timer = 0;
    const refresh = () => {
      timer = 0;
      for (const p of due) if (latest.current.has(p)) load(p, true);
      due = new Set();
    };
    api.follow('/', false, (changes) => {
      for (const c of changes) if (c.type !== 'data_changed') { due.add(parentOf(c.path)); due.add(parentOf(parentOf(c.path))); }
      if (!timer && due.size) timer = window.setTimeout(refresh, 500);
    }, () => {}, stop.signal);
    return () => { stop.abort(); clearTimeout(timer); };
  }, []);

  const rows = useMemo(() => {
    const list: Row[] = [{ path: '/', depth: 0 }];
    const walk = (path: string, depth: number) => {
      const b = branches.get(path);
      if (!open.has(path) || !b) return;
      for (const e of b.entries) {
        const child = join(path, e.path);
        list.push({ path: child, depth, stat: e.stat });
        if (open.has(child)) walk(child, depth + 1);
      }
      if (b.failure) list.push({ path, depth, failure: b.failure });
      else if (b.token || (b.busy && b.entries.length === 0)) list.push({ path, depth, more: true });
    };
    walk('/', 1);
    return list;
  }, [branches, open]);

  const find = (path: string) => rows.findIndex((r) => r.path === path && !r.more && !r.failure);
  const at = find(route.path);
  const seen = (last: number) => {
    for (const r of rows.slice(Math.max(0, last - 60), last)) if (r.more && latest.current.get(r.path)?.token) load(r.path, false);
  };
  const move = (e: KeyboardEvent, perPage: number) => {
    const at = find(here().path); // a key may come before what the last one chose is drawn
    const r = rows[at];
    const to = (i: number) => { const t = rows[Math.max(0, Math.min(rows.length - 1, i))]; if (t) go('tree', t.path, route.tab); };
    switch (e.key) {
      case 'ArrowDown': to(at + 1); break;
      case 'ArrowUp': to(at - 1); break;
      case 'PageDown': to(at + perPage); break;
      case 'PageUp': to(at - perPage); break;
      case 'Home': to(0); break;
      case 'End': to(rows.length - 1); break;
      case 'ArrowRight': if (r) unfold(r.path); break;
      case 'ArrowLeft': if (r) { if (open.has(r.path) && r.path !== '/') fold(r.path); else go('tree', parentOf(r.path), route.tab); } break;
      default: return;
    }
    e.preventDefault();
  };

  const search = async (glob: string) => {
    if (glob === '') { setFound(undefined); return; }
    const pattern = /[*?[]/.test(glob) ? glob : `*${glob}*`;
    const gathered: api.Entry[] = [];
    let token = '', failure = '';
    try {
      do {
        const page = await api.search('/', pattern, token);
        gathered.push(...page.znodes);
        token = page.nextPageToken;
      } while (token && gathered.length < 1000);
    } catch (e) { failure = e instanceof Error ? e.message : String(e); }
    setFound({ glob, rows: gathered, more: token !== '', failure });
  };

  return <div class="split">
    <section class="side">
      <form class="search" onSubmit={(e) => { e.preventDefault(); search((e.currentTarget.elements[0] as HTMLInputElement).value.trim()); }}>
        <input type="search" placeholder="a path, or part of a name (* ?)" data-search aria-label="search"
          onInput={(e) => { if (e.currentTarget.value === '') setFound(undefined); }}
          onKeyDown={(e) => {
            const v = e.currentTarget.value.trim();
            if (e.key === 'Enter' && v.startsWith('/')) { e.preventDefault(); go('tree', v); }
          }} />
      </form>
      {found
        ? <>
          <p class="hint">{found.failure || `${count(found.rows.length)}${found.more ? ' or more' : ''} with “${found.glob}” in their names`}</p>
          <Rows label="found" rows={found.rows} row={(e) => <a class="row" href={'#'} onClick={(ev) => { ev.preventDefault(); go('tree', e.path); }}>{e.path}</a>} />
        </>
        : <Rows label="znodes" rows={rows} focus={at} onKey={move} seen={seen} row={(r, i) => r.failure
          ? <div class="row failure" style={{ paddingLeft: r.depth * 16 + 22 + 'px' }}>{r.failure}</div>
          : r.more
            ? <div class="row hint" style={{ paddingLeft: r.depth * 16 + 22 + 'px' }}>more …</div>
            : <div key={r.path} class={'row' + (i === at ? ' chosen' : '')} role="treeitem" aria-selected={i === at} aria-level={r.depth + 1}
              style={{ paddingLeft: r.depth * 16 + 4 + 'px' }} onClick={() => go('tree', r.path, route.tab)} data-path={r.path}>
              <button class="twist" tabIndex={-1} aria-label={open.has(r.path) ? 'close' : 'open'} disabled={r.stat?.numChildren === 0}
                onClick={(e) => { e.stopPropagation(); if (open.has(r.path)) fold(r.path); else unfold(r.path); }}>
                {r.stat?.numChildren === 0 ? '' : open.has(r.path) ? '▾' : '▸'}
              </button>
              <span class={'name ' + (r.stat ? kind(r.stat.ephemeralOwner) : '')}>{nameOf(r.path)}</span>
              {!!r.stat?.numChildren && <span class="badge">{count(r.stat.numChildren)}</span>}
            </div>} />}
    </section>
    <Node key={route.path} path={route.path} tab={route.tab} writing={writing} identities={identities} />
  </div>;
}
