/** Where the images of a montage lie. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { PAD, arrange } from '../../src/antrax/app/static/js/views/grid.js';

test('all images fit, side by side, as large as there is room for', () => {
  const grid = arrange({ count: 6, size: 50, scale: 'fit' }, 800, 400, 1);
  assert.ok(grid.total <= 400);
  assert.ok(grid.left >= PAD && grid.left + grid.columns * grid.pitch <= 800);
  assert.ok(grid.columns * grid.rows >= 6);
  assert.equal(grid.cell, grid.factor * 50);
});

test('an image pixel is a whole number of screen pixels', () => {
  for (const ratio of [1, 1.25, 1.5, 2]) {
    const { factor } = arrange({ count: 40, size: 38, scale: 'fit' }, 1001, 603, ratio);
    assert.equal(factor, Math.round(factor));
  }
});

test('very many images scroll, and stay under the height that browsers bear', () => {
  const grid = arrange({ count: 100_000, size: 48, scale: 16 }, 800, 400, 1);
  assert.ok(grid.total > 400 && grid.total <= 20_000_000);
});

test('where all are to be in sight at once, they are, smaller than they are if need be', () => {
  const asked = { count: 581, size: 48, scale: 'all' };
  const grid = arrange(asked, 900, 500, 1);
  assert.ok(grid.total <= 500);
  assert.ok(grid.left + grid.columns * grid.pitch <= 900 + grid.gap);
  assert.ok(grid.factor < 1);
  assert.ok(arrange({ ...asked, scale: 'fit' }, 900, 500, 1).total > 500);
  assert.equal(arrange({ count: 6, size: 50, scale: 'all' }, 800, 400, 1).factor >= 2, true);
});
