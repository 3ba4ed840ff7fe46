// The figures of GET /api/v1/reports/hours, and kapok-verify on the ledger behind them.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Program, verifyBinary } from './environment.mjs';

function regulatorHeaders(server) {
  const path = join(server.data, 'secrets', 'regulator-token');
  return existsSync(path) ? { authorization: `Bearer ${readFileSync(path, 'utf8').trim()}` } : {};
}

export async function hoursReport(server, query = '') {
  return (await server.get(`/api/v1/reports/hours${query}`, { headers: regulatorHeaders(server) })).text();
}

/** Credited viewing (measure B), all sessions, in milliseconds. */
export async function viewedMs(server) {
  return JSON.parse(await hoursReport(server)).viewing_hours.total.total_ms;
}

function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}

export function ledgerFiles(folder) {
  return filesIn(folder).filter((path) => !path.endsWith('.key') && !path.endsWith('.pub'));
}

export function verifierKey(ledger) {
  const found = filesIn(ledger).find((path) => path.endsWith('.pub'));
  if (found === undefined) throw new Error(`no verifier key below ${ledger}`);
  return found;
}

/** Runs kapok-verify; { code, output }. */
export async function verify(ledger, key, ...options) {
  const program = new Program(verifyBinary(), [ledger, '--key', key, ...options]);
  const { code } = await program.exited;
  return { code, output: program.output };
}
