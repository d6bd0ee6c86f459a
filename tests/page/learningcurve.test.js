/** Where the points of the learning curve lie. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lowestShare, placesOf } from '../../src/antrax/app/static/js/dialogs/learningcurve.js';

test('the scale of shares begins at 80 %, or at the round share below the lowest', () => {
  assert.equal(lowestShare([0.95, 0.99]), 0.8);
  assert.equal(lowestShare([0.95, 0.43]), 0.4);
  assert.equal(lowestShare([0, 1]), 0);
  assert.equal(lowestShare([]), 0.8);
});

test('values are placed between two ends, and one that is not known is left out', () => {
  assert.deepEqual(placesOf([0.8, null, 1], 0.8, 1, 160, 10), [160, null, 10]);
});

test('a scale of no length has all values at its beginning', () => {
  assert.deepEqual(placesOf([3, 3], 3, 3, 40, 100), [40, 40]);
});
