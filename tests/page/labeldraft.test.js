/** The list of labels while it is edited. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { fitting } from '../../src/antrax/app/static/js/core/typeahead.js';
import { LabelDraft } from '../../src/antrax/app/static/js/dialogs/labeldraft.js';

const rows = () => [
  { label: 'BB', category: 'ant', examples: 3 },
  { label: 'GG', category: 'ant', examples: 0 },
  { label: 'NoAnt', category: 'nonant', examples: 0 },
  { label: 'Unknown', category: 'unknown', examples: 0 },
];
const names = (draft) => draft.rows.map(({ label }) => label);

test('a new label comes last in its category', () => {
  const draft = new LabelDraft(rows());
  draft.add('AA', 'ant');
  assert.deepEqual(names(draft), ['BB', 'GG', 'AA', 'NoAnt', 'Unknown']);
  assert.equal(draft.isChanged, true);
});

test('a label with examples, and Unknown, stay', () => {
  const draft = new LabelDraft(rows());
  assert.deepEqual(
    rows().map(({ label }) => draft.canRemove(draft.find(label))),
    [false, true, true, false],
  );
});

test('moved there and back is not changed', () => {
  const draft = new LabelDraft(rows());
  draft.step(draft.find('GG'), -1);
  assert.deepEqual(names(draft).slice(0, 2), ['GG', 'BB']);
  draft.step(draft.find('GG'), 1);
  assert.equal(draft.isChanged, false);
});

test('a label typed fits whole, from its start, anywhere within, in this order', () => {
  const labels = ['xgg', 'ggx', 'gg', 'bb'].map((label) => ({ label, category: 'ant' }));
  assert.deepEqual(
    fitting(labels, 'GG').map(({ label }) => label),
    ['gg', 'ggx', 'xgg'],
  );
});

test('of several labels those are added that are new and can be labels', () => {
  const draft = new LabelDraft(rows());
  const { added, refused } = draft.addAll([
    { label: 'BB', category: 'ant' },
    { label: 'PP', category: 'ant' },
    { label: 'two words', category: 'ant' },
    { label: 'pp', category: 'ant' },
    { label: 'Larva', category: 'nonant' },
  ]);
  assert.deepEqual(added, ['PP', 'Larva']);
  assert.deepEqual(
    refused.map((sentence) => sentence.split(':')[0]),
    ['two words', 'pp'],
  );
  assert.deepEqual(names(draft), ['BB', 'GG', 'PP', 'NoAnt', 'Larva', 'Unknown']);
});

test('a saved label can be renamed while nothing else waits to be saved', () => {
  const draft = new LabelDraft([
    { label: 'BB', category: 'ant', examples: 3 },
    { label: 'Unknown', category: 'unknown', examples: 0 },
  ]);
  const [first, unknown] = draft.rows;
  assert.equal(draft.canRename(first), true);
  assert.equal(draft.canRename(unknown), false);
  draft.add('CC', 'ant');
  assert.equal(draft.canRename(first), false);
  draft.remove(draft.find('CC'));
  assert.equal(draft.canRename(first), true);
});
