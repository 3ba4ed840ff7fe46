// Runs test files of this folder, two at a time, and says of each how it went.
//
//   node run.mjs [FILE...]      without files: all of them
//
//   KAPOK_E2E_JOBS  how many at a time, 2
//
// Most of them wait most of the time: for an encoder that sends in real time, for a player that plays. What a file needs
// beyond that, it says in a line of its own:
//   // Runs busy: why.    it keeps a core busy: one such at a time, beside others
//   // Runs alone: why.   nothing runs beside it
// A file that fails is run once more at the end, alone, and it is said: browsers and encoders in real time on a shared machine.
// Each has its log in build/e2e/, *.failed.log if it was run again. Ends with one line "N passed, N failed"; exit status 0 only if nothing failed.
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { smallClip } from './lib/clips.mjs';
import { kFirstPort, kPorts, kRoot } from './lib/environment.mjs';

const kJobs = Number(process.env.KAPOK_E2E_JOBS ?? 2);
const kFolder = dirname(fileURLToPath(import.meta.url));
const kLogs = join(kRoot, 'build', 'e2e');

const logOf = (file) => join(kLogs, `${file}.log`);
const manner = (file) => /^\/\/ Runs (busy|alone): /m.exec(readFileSync(join(kFolder, file), 'utf8'))?.[1] ?? 'beside';
const seconds = (since) => Math.round((Date.now() - since) / 1000);

/** One file in a process of its own, with ports of its own; true if it passed. */
function attempt(file, slot) {
  const log = openSync(logOf(file), 'w');
  const child = spawn(process.execPath, ['--test', '--test-reporter=tap', file], {
    cwd: kFolder, stdio: ['ignore', log, log], env: { ...process.env, KAPOK_E2E_FIRST_PORT: String(kFirstPort + slot * kPorts) },
  });
  closeSync(log);
  return new Promise((resolve) => {
    child.once('error', () => resolve(false));
    child.once('exit', (code) => resolve(code === 0));
  });
}

/** What its log counts; a file without a count has failed. */
function counted(file) {
  const log = readFileSync(logOf(file), 'utf8');
  const count = (what) => {
    const found = [...log.matchAll(new RegExp(`^# ${what} (\\d+)$`, 'gm'))].at(-1);
    return found === undefined ? undefined : Number(found[1]);
  };
  // A hook that fails cancels its tests, which node does not count as failed.
  const failed = (count('fail') ?? 1) + (count('cancelled') ?? 0);
  return { passed: count('pass') ?? 0, failed, skipped: count('skipped') ?? 0, log };
}

/** Of a log what a reader looks for first. */
const faults = (log) =>
  log.split('\n').filter((line, i, lines) => lines.slice(Math.max(0, i - 4), i + 1).some((near) => /^ *not ok|error:/.test(near))
    && !/duration_ms|type:|location:|^ *---$/.test(line)).slice(0, 30).join('\n');

const total = { passed: 0, failed: 0 };
function tell(file, began) {
  const { passed, failed, skipped, log } = counted(file);
  total.passed += passed;
  total.failed += failed;
  console.log(`    ${file.padEnd(32)} ${passed} passed, ${failed} failed, ${skipped} skipped, ${seconds(began)} s`);
  for (const [line] of log.matchAll(/^ *# .*(?:latency_s|credited).*$/gm)) console.log(line);
}

const again = [];
async function first(file, slot) {
  const began = Date.now();
  if (await attempt(file, slot)) {
    tell(file, began);
    return;
  }
  console.log(`==> ${file} failed after ${seconds(began)} s:\n${faults(counted(file).log)}`);
  renameSync(logOf(file), join(kLogs, `${file}.failed.log`));
  again.push(file);
}

/** Runs all that may run beside others, as many as there are slots and one of the busy ones at most. */
async function together(beside, busy) {
  let one_is_busy = false;
  const slot = async (_, number) => {
    for (;;) {
      const takes_busy = busy.length > 0 && !one_is_busy;
      const file = takes_busy ? busy.shift() : beside.shift();
      if (file === undefined) return;
      if (takes_busy) one_is_busy = true;
      await first(file, number);
      if (takes_busy) one_is_busy = false;
    }
  };
  await Promise.all(Array.from({ length: kJobs }, slot));
}

const files = process.argv.slice(2).map((file) => basename(file));
if (files.length === 0) files.push(...readdirSync(kFolder).filter((name) => name.endsWith('.test.mjs')).sort());
mkdirSync(kLogs, { recursive: true });
await smallClip(); // which most need; not several at the same time
const that = (wanted) => files.filter((file) => manner(file) === wanted);
await together(that('beside'), that('busy'));
for (const file of that('alone')) await first(file, 0);
for (const file of again) {
  const began = Date.now();
  console.log(`==> ${file}: once more, alone`);
  if (!(await attempt(file, 0))) console.log(readFileSync(logOf(file), 'utf8'));
  tell(file, began);
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;
