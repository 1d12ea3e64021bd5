import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import * as api from './api';
import { Dialog, Failure } from './parts';
import { go, link, useRoute } from './route';
import { Server } from './server';
import { Connections, Sessions, Watches } from './lists';
import { Tree } from './tree';
import { Try } from './try';

const views = [
  { key: 'tree', title: 'Tree' }, { key: 'sessions', title: 'Sessions' }, { key: 'watches', title: 'Watches' },
  { key: 'connections', title: 'Connections' }, { key: 'server', title: 'Server' }, { key: 'api', title: 'API' },
];

const themes = ['auto', 'light', 'dark'] as const;

function useTheme(): [string, () => void] {
  const [theme, setTheme] = useState<string>(() => localStorage.getItem('theme') ?? 'auto');
  useEffect(() => {
    document.documentElement.dataset['theme'] = theme;
    localStorage.setItem('theme', theme);
  }, [theme]);
  return [theme, () => setTheme(themes[(themes.indexOf(theme as any) + 1) % themes.length]!)];
}

function App() {
  const route = useRoute();
  const [theme, turn] = useTheme();
  const [who, setWho] = useState<api.Identity[]>([]);
  const [writing, setWriting] = useState(false);
  const [dialog, setDialog] = useState<'' | 'login' | 'keys'>('');
  const [failure, setFailure] = useState('');
  const identify = () => api.whoAmI().then((m) => { setWho(m.identities); setFailure(''); }, (e) => setFailure(e.message));
  useEffect(() => { identify(); }, []);
  useEffect(() => {
    const pressed = (e: KeyboardEvent) => {
      const field = (e.target as HTMLElement).closest('input, textarea, select');
      if (e.key === 'Escape') setDialog('');
      if (field || e.ctrlKey || e.metaKey || e.altKey) return;
      const n = Number(e.key);
      if (n >= 1 && n <= views.length) go(views[n - 1]!.key);
      else if (e.key === '?') setDialog('keys');
      else if (e.key === 't') turn();
      else if (e.key === '/') { e.preventDefault(); (document.querySelector('[data-search]') as HTMLElement | null)?.focus(); }
    };
    addEventListener('keydown', pressed);
    return () => removeEventListener('keydown', pressed);
  });
  return <>
    <header>
      <a class="brand" href={link('tree')}><img src="icon.svg" alt="" /> Paddock</a>
      <nav aria-label="Views">
        {views.map((v, i) => <a href={link(v.key)} aria-current={route.view === v.key ? 'page' : undefined} title={`key ${i + 1}`}>{v.title}</a>)}
      </nav>
      <span class="spacer" />
      <label class="switch" title="changes are refused unless this is on, and the identity may make them">
        <input type="checkbox" checked={writing} onChange={(e) => setWriting(e.currentTarget.checked)} data-test="writing" /> edit
      </label>
      <button onClick={() => setDialog('login')} title="identities by which access lists are judged" data-test="who">
        {who.find((i) => i.scheme !== 'ip')?.id.split(':')[0] ?? 'sign in'}
      </button>
      <button onClick={turn} title="colours (key t)" data-test="theme">{theme}</button>
      <button onClick={() => setDialog('keys')} title="keys (key ?)" aria-label="keys">?</button>
    </header>
    {failure && <Failure text={failure} />}
    <main>
      {route.view === 'tree' && <Tree route={route} writing={writing} identities={who} />}
      {route.view === 'sessions' && <Sessions writing={writing} />}
      {route.view === 'watches' && <Watches />}
      {route.view === 'connections' && <Connections />}
      {route.view === 'server' && <Server />}
      {route.view === 'api' && <Try id={route.path.slice(1)} />}
    </main>
    {dialog === 'login' && <Login close={() => setDialog('')} done={identify} who={who} />}
    {dialog === 'keys' && <Dialog title="Keys" close={() => setDialog('')}>
      <dl class="keys">
        <dt>1 – 6</dt><dd>views</dd><dt>/</dt><dd>search</dd><dt>↑ ↓ Home End</dt><dd>move in the tree</dd><dt>→ ←</dt><dd>open and close, to the parent</dd>
        <dt>Enter</dt><dd>show</dd><dt>Ctrl+S</dt><dd>save the data</dd><dt>t</dt><dd>colours</dd><dt>Esc</dt><dd>close</dd>
      </dl>
    </Dialog>}
  </>;
}

function Login({ close, done, who }: { close: () => void; done: () => Promise<void>; who: api.Identity[] }) {
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const submit = async (e: Event) => {
    e.preventDefault();
    api.signIn(user, password);
    await done();
    close();
  };
  return <Dialog title="Sign in" close={close}>
    <p>Access lists are judged by: {who.map((i) => <code>{i.scheme}:{i.id}</code>)}</p>
    <form onSubmit={submit}>
      <label>User <input value={user} onInput={(e) => setUser(e.currentTarget.value)} autofocus autocomplete="username" /></label>
      <label>Password <input type="password" value={password} onInput={(e) => setPassword(e.currentTarget.value)} autocomplete="current-password" /></label>
      <p class="hint">An identity of scheme digest, kept until this page is left. Leave the user empty to sign out.</p>
      <button class="primary">{user ? 'Sign in' : 'Sign out'}</button>
    </form>
  </Dialog>;
}

render(<App />, document.getElementById('app')!);
