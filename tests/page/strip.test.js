/** Probabilities by image, some of which the classifier was not shown. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { percentText, runs, valueAt } from '../../src/antrax/app/static/js/views/strip.js';

test('of a long tracklet each value stands for several images', () => {
  assert.equal(valueAt([10, 20], 0, 6), 10);
  assert.equal(valueAt([10, 20], 2, 6), 10);
  assert.equal(valueAt([10, 20], 3, 6), 20);
  assert.equal(valueAt([10, 20], 5, 6), 20);
});

test('an image that was not looked at has no per cent', () => {
  assert.equal(percentText(valueAt([null, 20.4], 0, 2)), 'not looked at');
  assert.equal(percentText(valueAt([null, 20.4], 1, 2)), '20 %');
  assert.equal(percentText(0), '0 %');
});

test('images that were not looked at are gaps between runs', () => {
  assert.deepEqual(runs([1, 0, null, null, 5, null, 7, 8]), [
    [0, 2],
    [4, 5],
    [6, 8],
  ]);
  assert.deepEqual(runs([null, null]), []);
  assert.deepEqual(runs([3]), [[0, 1]]);
});
