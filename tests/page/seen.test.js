/** Whether somebody can have seen what they act on, by the times of keys and images. */

import assert from 'node:assert/strict';
import test from 'node:test';

const listeners = {};
globalThis.document = {
  addEventListener: (name, run) => (listeners[name] ??= []).push(run),
};
const { SEEN_AFTER, initSeen, noteUncovered, wasSeen } = await import('../../src/antrax/app/static/js/core/seen.js');
initSeen();

const fire = (name, event = {}) => listeners[name]?.forEach((run) => run(event));
const press = (timeStamp, repeat = false) => fire('keydown', { timeStamp, repeat });

test('images count as seen a while after they were painted', () => {
  press(1000 + SEEN_AFTER - 1);
  assert.equal(wasSeen(1000), false);
  press(1000 + SEEN_AFTER);
  assert.equal(wasSeen(1000), true);
});

test('what is not on the screen was not seen', () => {
  press(5000);
  assert.equal(wasSeen(null), false);
});

test('it counts when the key was pressed, not when a busy page came to it', () => {
  press(900); // before the images were painted, at 1000
  assert.equal(wasSeen(1000), false);
});

test('a key held down acts on nothing until it is let go', () => {
  press(5000);
  press(5500, true);
  assert.equal(wasSeen(1000), false);
  fire('keyup');
  assert.equal(wasSeen(1000), true);
});

test('what lay under a dialog has to be seen again', () => {
  noteUncovered();
  press(performance.now() + SEEN_AFTER - 50);
  assert.equal(wasSeen(0), false);
  press(performance.now() + SEEN_AFTER + 50);
  assert.equal(wasSeen(0), true);
});
