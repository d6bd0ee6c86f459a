/** The rules of labels as the page tells them while one types: the same as the server's, by the same table of cases. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { colorCodes, colorLetters, labelProblem } from '../../src/antrax/app/static/js/dialogs/labelrules.js';

const cases = JSON.parse(readFileSync(new URL('./label_names.json', import.meta.url), 'utf8'));

for (const { label, category, others, fine } of cases) {
  test(`${JSON.stringify(label)} as ${category} is ${fine ? 'fine' : 'refused'}`, () => {
    assert.equal(labelProblem(label, category, others) === '', fine);
  });
}

test('two-colour codes have a row for each first colour', () => {
  assert.deepEqual(colorCodes('BG'), [
    ['BB', 'BG'],
    ['GB', 'GG'],
  ]);
  assert.equal(colorLetters('b, g; b 3'), 'BG');
});
