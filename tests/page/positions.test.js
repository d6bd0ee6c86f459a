/** Positions: the part of the arena that is seen, and how things are told. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { viewOf } from '../../src/antrax/app/static/js/views/arena.js';
import { clock, exchange } from '../../src/antrax/app/static/js/views/cellfacts.js';

test('times are read as people write them', () => {
  assert.equal(clock(7.4), '0:07.4');
  assert.equal(clock(59.96), '1:00.0');
  assert.equal(clock(3723.2), '1:02:03');
});

test('of a group only who left and who came is told', () => {
  assert.equal(exchange(['AB'], ['CD']), 'AB → CD');
  assert.equal(exchange([], ['CD']), 'nobody → CD');
  assert.equal(exchange(['AB', 'CD'], ['AB', 'EF']), 'group: −CD +EF');
});

test('the whole arena is seen, in the middle of the box', () => {
  const view = viewOf({ width: 200, height: 100 }, { width: 400, height: 400 }, { x: 10, y: 10 }, false);
  assert.deepEqual(view, { left: 0, top: -50, scale: 2 });
});

test('enlarged, the place is in sight and nothing beyond the arena', () => {
  const view = viewOf({ width: 200, height: 100 }, { width: 400, height: 200 }, { x: 195, y: 50 }, true);
  assert.equal(view.scale, 10);
  assert.equal(view.left, 160);
  assert.equal(view.top, 40);
});
