import { readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Every file under a folder (node 18 before 18.17 has no recursive readdir). */
export function filesIn(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesIn(path) : [path];
  });
}
