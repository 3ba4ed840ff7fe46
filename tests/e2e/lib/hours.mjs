// The figures of GET /api/v1/reports/hours and what kapok-verify says of the ledger.
import { readFileSync, existsSync } from 'node:fs';
import { join } from 'node:path';

/** Credited viewing milliseconds of all sessions; ?csv and other fields are the server's own tests. */
export async function viewedMs(server) {
  const report = await hoursReport(server);
  return report.viewing_ms ?? report.viewing?.total_ms ?? report.totals?.viewing_ms ?? NaN;
}

export async function hoursReport(server) {
  const tokenPath = join(server.data, 'admin-token');
  const headers = existsSync(tokenPath) ? { authorization: `Bearer ${readFileSync(tokenPath, 'utf8').trim()}` } : {};
  return (await server.get('/api/v1/reports/hours', { headers })).json();
}
