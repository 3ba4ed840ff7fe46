// Bundles every src/**/*.test.ts (no node before 22 reads TypeScript) and runs them with node --test.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { filesIn } from './files.mjs';

const out = mkdtempSync(join(tmpdir(), 'kapok-player-test-'));
let status = 1;
try {
  const tests = filesIn('src').filter((path) => /\.test\.tsx?$/.test(path));
  await build({
    entryPoints: tests,
    outbase: 'src',
    outdir: out,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node18',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  const built = tests.map((path) => path.slice('src/'.length).replace(/\.tsx?$/, '.mjs'));
  const files = built.map((path) => join(out, path));
  status = spawnSync(process.execPath, ['--enable-source-maps', '--test', ...files], { stdio: 'inherit' }).status ?? 1;
} finally {
  rmSync(out, { recursive: true, force: true });
}
process.exit(status);
