// What the console asks of the server: the REST API, as any other client.

export interface Stat {
  czxid: string; mzxid: string; pzxid: string; ctimeMs: string; mtimeMs: string;
  version: number; cversion: number; aversion: number; ephemeralOwner: string; dataLength: number; numChildren: number;
}
export interface Entry { path: string; stat?: Stat; data?: string }
export interface Znode { data: Uint8Array; stat: Stat; zxid: string; etag: string }
export interface Acl { scheme: string; id: string; permissions: string[] }
export interface Identity { scheme: string; id: string }
export interface Session {
  sessionId: string; timeoutMs: number; attached: boolean; address: string; ephemerals: string; ephemeralPaths: string[]; local: boolean;
}
export interface Connection {
  door: string; address: string; sessionId: string; sinceUnixMs: string; received: string; sent: string; outstanding: string;
}
export interface WatchedPath { path: string; watches: string; streams: string; sessionIds: string[] }
export interface Change {
  type: string; path: string; zxid: string; text?: string; data?: string; previousText?: string; previousData?: string;
  acl?: Acl[]; previousAcl?: Acl[];
}
export type Status = Record<string, any>;

// Problem is an error as the server tells it: RFC 9457, with ZooKeeper's name of it as reason.
export class Problem extends Error {
  constructor(readonly status: number, readonly reason: string, detail: string) { super(detail); }
}

let login = '';

// signIn makes all further requests in the name of an identity of scheme digest; '' for none.
export function signIn(user: string, password: string): void {
  login = user === '' ? '' : 'Basic ' + btoa(String.fromCharCode(...new TextEncoder().encode(user + ':' + password)));
}

export const encodePath = (path: string): string => path.split('/').map(encodeURIComponent).join('/');

async function request(method: string, url: string, init: { headers?: Record<string, string>; body?: BodyInit; signal?: AbortSignal } = {}): Promise<Response> {
  const headers: Record<string, string> = { ...init.headers };
  if (login) headers['Authorization'] = login;
  let response: Response;
  try {
    response = await fetch(url, { method, headers, body: init.body, signal: init.signal, credentials: 'omit', cache: 'no-store' });
  } catch (e) {
    if (init.signal?.aborted) throw e;
    throw new Problem(0, '', 'the server cannot be reached');
  }
  if (response.ok) return response;
  let told: { reason?: string; detail?: string } = {};
  try { told = await response.json(); } catch { /* not from the server itself */ }
  throw new Problem(response.status, told.reason ?? '', told.detail ?? `${response.status} ${response.statusText}`);
}

const json = async (method: string, url: string, body?: unknown, signal?: AbortSignal): Promise<any> =>
  (await request(method, url, {
    signal, headers: { Accept: 'application/json', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    body: body === undefined ? undefined : JSON.stringify(body),
  })).json();

export const bytesOf = (base64: string): Uint8Array => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

export async function get(path: string): Promise<Znode> {
  const response = await request('GET', '/v1/znodes' + encodePath(path), { headers: { Accept: 'application/json' } });
  const m = await response.json();
  return { data: bytesOf(m.data ?? ''), stat: m.stat, zxid: m.zxid, etag: response.headers.get('ETag') ?? '' };
}

export const children = async (path: string, prefix: string, pageToken: string, signal?: AbortSignal): Promise<{ children: Entry[]; nextPageToken: string; stat: Stat }> => {
  const q = new URLSearchParams({ withStat: 'true', pageSize: '1000' });
  if (prefix) q.set('filter.prefix', prefix);
  if (pageToken) q.set('pageToken', pageToken);
  return json('GET', `/v1/children${encodePath(path)}?${q}`, undefined, signal);
};

export const search = async (path: string, glob: string, pageToken: string, signal?: AbortSignal): Promise<{ znodes: Entry[]; nextPageToken: string }> => {
  const q = new URLSearchParams({ withStat: 'true', pageSize: '200', 'filter.glob': glob });
  if (pageToken) q.set('pageToken', pageToken);
  return json('GET', `/v1/tree${encodePath(path)}?${q}`, undefined, signal);
};

export const put = (path: string, data: Uint8Array, etag: string): Promise<Response> =>
  request('PUT', '/v1/znodes' + encodePath(path), { headers: { 'If-Match': etag }, body: data as BodyInit });

export const create = async (path: string, data: Uint8Array, mode: string): Promise<{ path: string }> =>
  (await request('POST', `/v1/znodes${encodePath(path)}?parents&mode=${mode}`, { body: data as BodyInit })).json();

export const remove = (path: string, recursive: boolean, version: number): Promise<Response> =>
  request('DELETE', `/v1/znodes${encodePath(path)}?` + (recursive ? 'recursive' : `version=${version}`));

export const getAcl = (path: string): Promise<{ acl: Acl[]; stat: Stat }> => json('GET', '/v1/acls' + encodePath(path));
export const setAcl = (path: string, acl: Acl[], version: number): Promise<unknown> => json('PUT', '/v1/acls' + encodePath(path), { acl, version });
export const whoAmI = (): Promise<{ identities: Identity[] }> => json('GET', '/v1/whoami');
export const status = (): Promise<Status> => json('GET', '/v1/status');
export const statistics = (): Promise<{ figures: { name: string; value: number }[] }> => json('GET', '/v1/statistics');
export const expire = (id: string): Promise<unknown> => json('DELETE', '/v1/sessions/' + id);

// all gathers the pages of a list.
export async function all<T>(url: string, field: string, most = 10_000): Promise<T[]> {
  const list: T[] = [];
  for (let token = ''; ;) {
    const m = await json('GET', url + (token ? (url.includes('?') ? '&' : '?') + 'pageToken=' + encodeURIComponent(token) : ''));
    list.push(...(m[field] ?? []));
    token = m.nextPageToken ?? '';
    if (!token || list.length >= most) return list;
  }
}

// follow tells what changes at and below a path, until the signal ends it: with data and access lists if in full. It goes on where it was
// after a loss of the connection.
export async function follow(path: string, full: boolean, tell: (changes: Change[]) => void, lost: (why: string) => void, signal: AbortSignal): Promise<void> {
  let after = '';
  for (let wait = 250; !signal.aborted; wait = Math.min(wait * 2, 5000)) {
    try {
      const response = await request('GET', `/v1/znodes${encodePath(path)}?watch=recursive${full ? '&data&previous&acl' : ''}`, {
        signal, headers: { Accept: 'text/event-stream', ...(after ? { 'Last-Event-ID': after } : {}) },
      });
      lost('');
      wait = 250;
      for await (const event of events(response.body!)) {
        if (event.name === 'changes') tell(JSON.parse(event.data).changes);
        if (event.id) after = event.id;
      }
    } catch (e) {
      if (signal.aborted) return;
      if (e instanceof Problem && e.reason === 'HISTORY_GONE') {
        after = '';
        lost('some changes were missed: the history of the server does not go back that far');
        continue;
      }
      lost(e instanceof Error ? e.message : String(e));
      if (e instanceof Problem && e.status >= 400 && e.status < 500) return;
    }
    await new Promise((done) => setTimeout(done, wait));
  }
}

// events cuts a body into server-sent events.
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<{ name: string; id: string; data: string }> {
  const reader = body.getReader();
  const text = new TextDecoder();
  let rest = '';
  for (; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += text.decode(value, { stream: true });
    for (let end = rest.indexOf('\n\n'); end >= 0; end = rest.indexOf('\n\n')) {
      const event = { name: 'message', id: '', data: '' };
      for (const line of rest.slice(0, end).split('\n')) {
        const colon = line.indexOf(': ');
        if (colon < 0) continue;
        const v = line.slice(colon + 2);
        if (line.startsWith('event')) event.name = v;
        else if (line.startsWith('id')) event.id = v;
        else if (line.startsWith('data')) event.data += v;
      }
      rest = rest.slice(end + 2);
      yield event;
    }
  }
}

export const openAPI = (): Promise<any> => json('GET', '/openapi.json');

// attempt asks anything, and tells whatever is answered.
export async function attempt(method: string, url: string, body: string | undefined, raw: boolean): Promise<{ status: string; headers: [string, string][]; body: string; took: number }> {
  const headers: Record<string, string> = login ? { Authorization: login } : {};
  if (body !== undefined) headers['Content-Type'] = raw ? 'application/octet-stream' : 'application/json';
  const began = performance.now();
  const response = await fetch(url, { method, headers, body, credentials: 'omit', cache: 'no-store' });
  let text = await response.text();
  const took = performance.now() - began;
  try { text = JSON.stringify(JSON.parse(text), null, 2); } catch { /* it is shown as it is */ }
  return { status: `${response.status} ${response.statusText}`, headers: [...response.headers], body: text, took };
}
