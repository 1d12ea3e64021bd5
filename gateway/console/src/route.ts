// Where the console is, in the address behind #: every view can be linked to and gone back to.
import { useEffect, useState } from 'preact/hooks';

export interface Route { view: string; path: string; tab: string }

const decode = (s: string): string => { try { return decodeURIComponent(s); } catch { return s; } };

export function parse(hash: string): Route {
  const [where = '', query = ''] = hash.replace(/^#\/?/, '').split('?');
  const [view, ...rest] = where.split('/');
  return { view: view || 'tree', path: '/' + rest.filter((p) => p !== '').map(decode).join('/'), tab: new URLSearchParams(query).get('tab') ?? '' };
}

export const link = (view: string, path = '/', tab = ''): string =>
  `#/${view}${path === '/' ? '' : path.split('/').map(encodeURIComponent).join('/')}${tab ? '?tab=' + tab : ''}`;

export const go = (view: string, path = '/', tab = ''): void => { location.hash = link(view, path, tab); };

export const here = (): Route => parse(location.hash);

export function useRoute(): Route {
  const [route, setRoute] = useState(here);
  useEffect(() => {
    const moved = () => setRoute(here());
    addEventListener('hashchange', moved);
    return () => removeEventListener('hashchange', moved);
  }, []);
  return route;
}
