/** The surroundings of a tracklet: the film of its images, what is said of IDs, and neighbours of two origins. */

import assert from 'node:assert/strict';
import test from 'node:test';

import { GROUPS, joinNeighbours, stateOf } from '../../src/antrax/app/static/js/views/aroundfacts.js';
import { frameOf, positionAfter, rateOf } from '../../src/antrax/app/static/js/views/playing.js';

test('a tracklet is played in the time that it took, also where frames were left out', () => {
  assert.equal(rateOf(100, 100, 25), 25);
  assert.equal(rateOf(50, 100, 25), 12.5);
  assert.equal(rateOf(50, 100, null), 10);
});

test('after the last image comes the first, and a pause of the browser skips nothing', () => {
  assert.equal(positionAfter(0, 100, 20, 10), 2);
  assert.equal(positionAfter(9, 100, 20, 10), 1);
  assert.equal(positionAfter(0, 60_000, 20, 10), positionAfter(0, 250, 20, 10));
});

test('an image is of its frame, or of the probable one where frames were left out', () => {
  const all = { first: 11, last: 20, images: 10 };
  assert.deepEqual(
    [0, 4, 9].map((i) => frameOf(all, i)),
    [11, 15, 20],
  );
  assert.deepEqual(
    [0, 1, 2].map((i) => frameOf({ ...all, images: 3 }, i)),
    [11, 16, 20],
  );
  assert.equal(frameOf({ first: 7, last: 7, images: 1 }, 0), 7);
});

const bearer = { tracklet: 'trj_id1_ti1_1_tf1_9', first: 1, last: 9, by_hand: true };

test('an ID that nobody else has is offered, another one leads to who has it', () => {
  assert.match(stateOf({ id: 'AB', where: 'free', bearers: [] }).title, /no other tracklet.*chooses it/);
  const { title, label } = stateOf({ id: 'AB', where: 'elsewhere', bearers: [bearer] });
  assert.match(title, /trj_id1_ti1_1_tf1_9 \(in the training set\)/);
  assert.match(label, /in another tracklet at this time; shows trj_id1/);
  assert.match(stateOf({ id: 'AB', where: 'twice', bearers: [bearer] }).label, /two tracklets at the same moment/);
  assert.deepEqual(
    GROUPS.map(({ where }) => where),
    ['here', 'twice', 'free', 'elsewhere'],
  );
});

test('what the tracker linked comes first, and each neighbour once', () => {
  const near = [{ tracklet: 'a' }, { tracklet: 'b' }];
  const linked = [{ tracklet: 'b', by_graph: true }];
  assert.deepEqual(joinNeighbours(near, linked), [{ tracklet: 'b', by_graph: true }, { tracklet: 'a' }]);
});
