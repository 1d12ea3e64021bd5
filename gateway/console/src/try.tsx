// A page to try the API: each operation of openapi.json with a form, and what the server answers.
import { useEffect, useMemo, useState } from 'preact/hooks';
import * as api from './api';
import { Failure } from './parts';
import { go } from './route';

interface Parameter { name: string; in: string; description?: string; required?: boolean; type?: string; enum?: string[]; schema?: { $ref?: string } }
interface Operation { id: string; method: string; path: string; summary: string; description: string; parameters: Parameter[]; raw: boolean }
interface Answer { status: string; headers: [string, string][]; body: string; took: number }

function operations(document: any): Operation[] {
  const list: Operation[] = [];
  for (const [path, methods] of Object.entries<any>(document.paths)) {
    for (const [method, o] of Object.entries<any>(methods)) {
      list.push({
        id: o.operationId, method: method.toUpperCase(), path, summary: o.summary ?? '', description: o.description ?? '', parameters: o.parameters ?? [],
        raw: (o.consumes ?? []).includes('application/octet-stream'),
      });
    }
  }
  return list.sort((a, b) => a.path.localeCompare(b.path) || a.method.localeCompare(b.method));
}

// example is a value of a definition's shape, to begin with.
function example(document: any, ref: string | undefined, depth = 0): unknown {
  const d = ref ? document.definitions[ref.replace('#/definitions/', '')] : undefined;
  if (!d || depth > 3) return {};
  const of = (p: any): unknown => p.$ref ? (document.definitions[p.$ref.replace('#/definitions/', '')]?.enum?.[0] ?? example(document, p.$ref, depth + 1))
    : p.type === 'array' ? [of(p.items)] : p.type === 'boolean' ? false : p.type === 'integer' || p.type === 'number' ? 0 : '';
  return Object.fromEntries(Object.entries<any>(d.properties ?? {}).map(([k, p]) => [k, of(p)]));
}

export function Try({ id }: { id: string }) {
  const [document, setDocument] = useState<any>();
  const [failure, setFailure] = useState('');
  const [find, setFind] = useState('');
  useEffect(() => { api.openAPI().then(setDocument, (e) => setFailure(e.message)); }, []);
  const list = useMemo(() => document ? operations(document) : [], [document]);
  const chosen = list.find((o) => o.id === id);
  return <div class="split">
    <section class="side">
      <div class="search"><input type="search" placeholder="an operation" value={find} onInput={(e) => setFind(e.currentTarget.value)} data-search aria-label="search" /></div>
      {failure && <Failure text={failure} />}
      <div class="rows">{list.filter((o) => (o.method + o.path + o.id).toLowerCase().includes(find.toLowerCase())).map((o) =>
        <div class={'row' + (o === chosen ? ' chosen' : '')} data-operation={o.id} onClick={() => go('api', '/' + o.id)}><code class="method">{o.method}</code> {o.path}</div>)}</div>
    </section>
    {chosen ? <Form key={chosen.id} o={chosen} document={document} /> : <section class="node"><h1>API</h1>
      <p>Everything here can be asked with any HTTP client; <a href="/openapi.json">openapi.json</a> describes it for programs. Choose an operation to try it on this server.</p></section>}
  </div>;
}

function Form({ o, document }: { o: Operation; document: any }) {
  const [values, setValues] = useState<Record<string, string>>({});
  const [answer, setAnswer] = useState<Answer>();
  const [failure, setFailure] = useState('');
  const body = o.parameters.find((p) => p.in === 'body');
  useEffect(() => { if (body) setValues({ body: o.raw ? '' : JSON.stringify(example(document, body.schema?.$ref), null, 2) }); }, []);
  const set = (name: string, v: string) => setValues((old) => ({ ...old, [name]: v }));
  const url = (): string => {
    let path = o.path;
    const q = new URLSearchParams();
    for (const p of o.parameters) {
      const v = values[p.name] ?? '';
      if (p.in === 'path') path = path.replace(`{${p.name}}`, p.name === 'path' ? api.encodePath(v.replace(/^\//, '')) : encodeURIComponent(v));
      else if (p.in === 'query' && v !== '') q.set(p.name, v);
    }
    return path + (q.size ? '?' + q : '');
  };
  const send = async (e: Event) => {
    e.preventDefault();
    setFailure('');
    try { setAnswer(await api.attempt(o.method, url(), body ? values['body'] ?? '' : undefined, o.raw)); } catch (err) { setFailure((err as Error).message); }
  };
  return <section class="node">
    <h1><code class="method">{o.method}</code> {o.path}</h1>
    <p>{o.summary}</p>{o.description && <p class="hint">{o.description}</p>}
    <form onSubmit={send} class="try">
      {o.parameters.filter((p) => p.in !== 'body').map((p) => <label title={p.description}>{p.name}{p.required && ' *'} <span class="hint">{p.description}</span>
        {p.enum ? <select value={values[p.name] ?? ''} onChange={(e) => set(p.name, e.currentTarget.value)}><option value="" />{p.enum.map((v) => <option>{v}</option>)}</select>
          : <input name={p.name} required={p.required && p.name !== 'path'} value={values[p.name] ?? ''} onInput={(e) => set(p.name, e.currentTarget.value)} />}</label>)}
      {body && <label>body <textarea rows={8} name="body" value={values['body'] ?? ''} onInput={(e) => set('body', e.currentTarget.value)} /></label>}
      <div class="bar"><button class="primary" data-test="send">Send</button> <code>{o.method} {url()}</code></div>
    </form>
    {failure && <Failure text={failure} />}
    {answer && <div data-test="answer"><h2>{answer.status} <span class="hint">in {answer.took.toFixed(1)} ms</span></h2>
      <table class="facts">{answer.headers.map(([k, v]) => <tr><th>{k}</th><td>{v}</td></tr>)}</table><pre>{answer.body}</pre></div>}
  </section>;
}
