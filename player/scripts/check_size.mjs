// The size gate: what a household downloads, gzip -9, in bytes. A build over a limit fails; raise a
// limit only together with the reason.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

// Page: 29 300 with one control bar for channels and films, and the choice of sound.
const kLimits = [
  { what: 'page (HTML, CSS, our script)', match: /^(index.*\.(js|css)|index\.html)$/, limit: 32_000 },
  { what: 'Shaka Player', match: /^shaka.*\.js$/, limit: 260_000 },
];

const files = [
  ...readdirSync('dist/assets').map((name) => ({ name, path: join('dist/assets', name) })),
  { name: 'index.html', path: 'dist/index.html' },
].filter(({ name }) => !/\.(gz|br)$/.test(name));

let failed = false;
for (const { what, match, limit } of kLimits) {
  const total = files
    .filter(({ name }) => match.test(name))
    .reduce((sum, { path }) => sum + gzipSync(readFileSync(path), { level: 9 }).length, 0);
  const verdict = total === 0 ? 'MISSING' : total > limit ? 'TOO BIG' : 'ok';
  console.log(`${what}: ${total} of ${limit} bytes gzip: ${verdict}`);
  failed ||= verdict !== 'ok';
}
process.exit(failed ? 1 : 0);
