// Small parts that several views use.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

export const Failure = ({ text }: { text: string }) => <p class="failure" role="alert">{text}</p>;

export function Dialog({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => { ref.current?.showModal(); }, []);
  return <dialog ref={ref} onClose={close} onClick={(e) => { if (e.target === ref.current) close(); }} aria-label={title}>
    <h2>{title}<button class="close" onClick={close} aria-label="close">×</button></h2>
    {children}
  </dialog>;
}

// Rows shows a long list: only what can be seen is in the page.
export const rowHeight = 26;
export function Rows<T>({ rows, row, label, focus, onKey, seen }: {
  rows: T[]; row: (r: T, index: number) => ComponentChildren; label: string; focus?: number;
  onKey?: (e: KeyboardEvent, perPage: number) => void; seen?: (last: number) => void;
}) {
  const ref = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const measure = () => { const e = ref.current; if (e) setView({ top: e.scrollTop, height: e.clientHeight }); };
  useEffect(() => {
    measure();
    const watcher = new ResizeObserver(measure);
    watcher.observe(ref.current!);
    return () => watcher.disconnect();
  }, []);
  useEffect(() => {
    const e = ref.current;
    if (!e || focus === undefined || focus < 0) return;
    const top = focus * rowHeight;
    if (top < e.scrollTop) e.scrollTop = top;
    else if (top + rowHeight > e.scrollTop + e.clientHeight) e.scrollTop = top + rowHeight - e.clientHeight;
  }, [focus]);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - 5);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / rowHeight) + 5);
  useEffect(() => { seen?.(last); }, [last, rows]);
  return <div class="rows" ref={ref} onScroll={measure} tabIndex={0} role="tree" aria-label={label}
    onKeyDown={(e) => onKey?.(e, Math.max(1, Math.floor(view.height / rowHeight) - 1))}>
    <div style={{ height: rows.length * rowHeight + 'px' }}>
      <div style={{ transform: `translateY(${first * rowHeight}px)` }}>{rows.slice(first, last).map((r, i) => row(r, first + i))}</div>
    </div>
  </div>;
}

// usePolled asks again and again while the page is seen.
export function usePolled<T>(ask: () => Promise<T>, everyMS: number): { value?: T; failure: string; again: () => void } {
  const [value, setValue] = useState<T>();
  const [failure, setFailure] = useState('');
  const [round, setRound] = useState(0);
  useEffect(() => {
    let over = false;
    const one = async () => {
      if (document.hidden) return;
      try {
        const v = await ask();
        if (!over) { setValue(v); setFailure(''); }
      } catch (e) {
        if (!over) setFailure(e instanceof Error ? e.message : String(e));
      }
    };
    one();
    const timer = setInterval(one, everyMS);
    return () => { over = true; clearInterval(timer); };
  }, [round]);
  return { value, failure, again: () => setRound((n) => n + 1) };
}
