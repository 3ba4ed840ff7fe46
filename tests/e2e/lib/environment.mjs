// Where things are and how a test gets ports, folders and processes, all of which end with it.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const kRoot = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
export const kCache = process.env.KAPOK_E2E_CACHE ?? join(kRoot, 'build', 'e2e-cache');

export function serverBinary() {
  const named = process.env.KAPOK_BIN;
  // The binary, or the folder that it and kapok-verify are in.
  const candidates = named ? [join(named, 'kapok-server'), named] : ['release', 'dev'].map((p) => join(kRoot, 'build', p, 'bin', 'kapok-server'));
  return candidates.find((path) => existsSync(path)) ?? null;
}

export function verifyBinary() {
  const server = serverBinary();
  const beside = server === null ? null : join(dirname(server), 'kapok-verify');
  return beside !== null && existsSync(beside) ? beside : null;
}

/** A reason to skip, or false. Tests that need the server say so instead of failing without a build. */
export const noServer = () => (serverBinary() === null ? 'kapok-server is not built (KAPOK_BIN names one)' : false);

export const noTranscoder = () => {
  const server = serverBinary();
  const there = server !== null && existsSync(join(dirname(server), 'kapok-transcoder'));
  return there ? false : 'kapok-transcoder is not built';
};

export function temporaryFolder(name) {
  mkdirSync(join(tmpdir(), 'kapok-e2e'), { recursive: true });
  const path = mkdtempSync(join(tmpdir(), 'kapok-e2e', `${name}-`));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export const kFirstPort = Number(process.env.KAPOK_E2E_FIRST_PORT ?? 22100);
export const kPorts = 100;
let nextPort = kFirstPort + (process.pid % (kPorts / 10)) * 10;

const freeForTcp = (port) =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
const freeForUdp = (port) =>
  new Promise((resolve) => {
    const probe = createSocket('udp4');
    probe.once('error', () => resolve(false));
    probe.bind(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });

/** A port of our range that nobody has, TCP or UDP. Kept below the ephemeral range on purpose. */
export async function freePort() {
  for (let tries = 0; tries < kPorts; tries++) {
    const port = nextPort;
    nextPort = nextPort + 1 >= kFirstPort + kPorts ? kFirstPort : nextPort + 1;
    const free = (await freeForTcp(port)) && (await freeForUdp(port));
    if (free) return port;
  }
  throw new Error(`no free port in ${kFirstPort}..${kFirstPort + kPorts - 1}`);
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** What no waiting mends: until() throws it on at once. */
export class Final extends Error {}

/** Polls until `condition` returns something truthy; its last exception is told on time-out. */
export async function until(what, condition, { timeout_ms = 15_000, every_ms = 100 } = {}) {
  const deadline = Date.now() + timeout_ms;
  let last = 'it stayed false';
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
    } catch (error) {
      if (error instanceof Final) throw error;
      last = String(error);
    }
    if (Date.now() > deadline) throw new Error(`waited ${timeout_ms} ms for ${what}: ${last}`);
    await sleep(every_ms);
  }
}

const kKeptOutput = 64 * 1024;
// What a program said last is read when it has ended already; a child of its own may hold the pipe open for longer.
const kLastWords_ms = 1_000;
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** A child process with its last output kept for the report of a failing test. */
export class Program {
  constructor(command, args, options = {}) {
    this.name = command.split('/').pop();
    this.output = '';
    this.child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
    running.add(this.child);
    this.exited = new Promise((resolve) => {
      this.child.once('error', (error) => {
        running.delete(this.child);
        resolve({ code: null, signal: null, error });
      });
      this.child.once('exit', (code, signal) => {
        running.delete(this.child);
        const done = () => {
          clearTimeout(timer);
          resolve({ code, signal });
        };
        const timer = setTimeout(done, kLastWords_ms);
        this.child.once('close', done);
      });
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (chunk) => {
        this.output = (this.output + chunk).slice(-kKeptOutput);
      });
    }
  }

  get alive() {
    return running.has(this.child);
  }

  /** SIGTERM, and SIGKILL when that is not enough. */
  async stop(signal = 'SIGTERM', patience_ms = 8_000) {
    if (!this.alive) return this.exited;
    this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), patience_ms);
    const result = await this.exited;
    clearTimeout(timer);
    return result;
  }
}

/** Runs to the end; throws with the output when it fails. */
export async function run(command, args, options = {}) {
  const program = new Program(command, args, options);
  const chunks = [];
  program.child.stdout?.on('data', (chunk) => chunks.push(chunk));
  const { code, signal, error } = await program.exited;
  if (code !== 0) throw new Error(`${program.name} ${error ?? signal ?? code}\n${program.output}`);
  return { stdout: Buffer.concat(chunks), output: program.output };
}
