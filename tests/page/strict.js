/**
 * Types with all of TypeScript's strictness, in every module but those of LOOSE, whose elements and parameters have no types
 * yet. A module of LOOSE that has no errors any more is to be taken off the list.
 */
import { spawnSync } from 'node:child_process';

const LOOSE = new Set(
  [
    'dialogs/gallery dialogs/jobs dialogs/labellist dialogs/menus',
    'panels/chooser panels/rates panels/validation',
    'views/frames views/positions views/strip views/tracklet views/wall',
  ].flatMap((names) => names.split(' ').map((name) => `js/${name}.js`)),
);

const tsc = ['node_modules/typescript/bin/tsc', '--project', 'tsconfig.strict.json', '--pretty', 'false'];
const { stdout, stderr, error } = spawnSync(process.execPath, tsc, { encoding: 'utf8' });
if (error || stderr) throw error ?? new Error(stderr);

const seen = new Set();
const wrong = [];
let isLoose = false;
for (const line of stdout.split('\n').filter(Boolean)) {
  if (!/^\s/.test(line)) {
    const file = line.match(/js\/(?:\w+\/)?\w+\.js(?=\()/)?.[0] ?? '';
    isLoose = LOOSE.has(file);
    if (isLoose) seen.add(file);
  }
  if (!isLoose) wrong.push(line);
}
for (const file of LOOSE)
  if (!seen.has(file)) wrong.push(`${file} has no errors: take it off LOOSE in tests/page/strict.js`);
if (wrong.length) {
  console.error(wrong.join('\n'));
  process.exit(1);
}
