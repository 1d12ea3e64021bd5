// Builds dist/ from src/ and static/. The same sources give the same bytes, so that a test can tell whether dist/ is fresh.
import { build } from 'esbuild';
import { cp, mkdir, rm } from 'node:fs/promises';

const out = process.argv[2] ?? 'dist';
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await cp('static', out, { recursive: true });
await build({
  entryPoints: ['src/main.tsx', 'src/style.css'],
  outdir: out,
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  legalComments: 'none',
});
