// What the built page contains of others' work goes out with their licences: dist/LICENSES.txt.
import { readFileSync, writeFileSync } from 'node:fs';

const kInBundle = Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).dependencies);
const texts = kInBundle.map((name) => {
  const { version } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'));
  return `${name} ${version}\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8')}`;
});
writeFileSync('dist/LICENSES.txt', texts.join(`\n${'='.repeat(80)}\n\n`));
