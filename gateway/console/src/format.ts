// How values are shown.

export const hexZxid = (z: string | undefined): string => z === undefined ? '' : '0x' + BigInt(z).toString(16);
export const hexSession = (s: string): string => '0x' + BigInt.asUintN(64, BigInt(s)).toString(16);
export const time = (ms: string | number): string => Number(ms) === 0 ? '–' : new Date(Number(ms)).toLocaleString();
export const count = (n: string | number): string => Number(n).toLocaleString();

export function size(bytes: string | number): string {
  let n = Number(bytes);
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (n < 1024) return (unit === 'B' ? n.toString() : n.toFixed(1)) + ' ' + unit;
    n /= 1024;
  }
  return n.toFixed(1) + ' TiB';
}

export function duration(ms: string | number): string {
  let s = Math.floor(Number(ms) / 1000);
  const parts: string[] = [];
  for (const [unit, length] of [['d', 86400], ['h', 3600], ['m', 60]] as const) {
    if (s >= length) parts.push(Math.floor(s / length) + unit);
    s %= length;
  }
  return parts.concat(s + 's').slice(0, 2).join(' ');
}

// kind is what ends a znode, from the owner in its stat: ZooKeeper marks containers and times to live there.
export function kind(owner: string): 'persistent' | 'ephemeral' | 'container' | 'ttl' {
  const o = BigInt.asUintN(64, BigInt(owner));
  if (o === 0n) return 'persistent';
  if (o === 1n << 63n) return 'container';
  if (o >> 56n === 0xffn) return 'ttl';
  return 'ephemeral';
}

const strict = new TextDecoder('utf-8', { fatal: true });

// text is the bytes as text; undefined if they are none.
export function text(data: Uint8Array): string | undefined {
  try {
    const t = strict.decode(data);
    return /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(t) ? undefined : t;
  } catch {
    return undefined;
  }
}

// toHex shows 16 bytes a line, as pairs of digits; fromHex reads any white space between pairs.
export function toHex(data: Uint8Array): string {
  const lines: string[] = [];
  for (let i = 0; i < data.length; i += 16) {
    lines.push([...data.subarray(i, i + 16)].map((b) => b.toString(16).padStart(2, '0')).join(' '));
  }
  return lines.join('\n');
}

export function fromHex(shown: string): Uint8Array | undefined {
  const digits = shown.replace(/\s+/g, '');
  if (digits.length % 2 || /[^0-9a-fA-F]/.test(digits)) return undefined;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

export const join = (parent: string, name: string): string => (parent === '/' ? '' : parent) + '/' + name;
export const parentOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));
export const nameOf = (path: string): string => path === '/' ? '/' : path.slice(path.lastIndexOf('/') + 1);
