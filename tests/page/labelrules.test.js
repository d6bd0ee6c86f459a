/** The rules of labels as the page tells them while one types: the same as the server's, by the same table of cases. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';

import { colorCodes, colorLetters, labelProblem, labelsOf } from '../../src/antrax/app/static/js/dialogs/labelrules.js';

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

test('a pasted list holds a label a line, or labels with signs between them, each once', () => {
  const labels = (text) => labelsOf(text, 'ant').map(({ label }) => label);
  assert.deepEqual(labels('BB\r\nBG\n\nGB\nBB\n'), ['BB', 'BG', 'GB']);
  assert.deepEqual(labels(' BB, BG;GB\tGG '), ['BB', 'BG', 'GB', 'GG']);
  assert.deepEqual(labels('"BB"\n"BG"'), ['BB', 'BG']);
  assert.deepEqual(labels(''), []);
});

test('lines of labels.csv come with their categories, and colours are no labels', () => {
  const text = 'BB\tant_labels\nLarva\tnoant_labels\nMulti\tother_labels\nUnknown\tother_labels\nB\ttagcolors\n';
  assert.deepEqual(labelsOf(text, 'nonant'), [
    { label: 'BB', category: 'ant' },
    { label: 'Larva', category: 'nonant' },
    { label: 'Multi', category: 'multi' },
    { label: 'Unknown', category: 'unknown' },
  ]);
});
