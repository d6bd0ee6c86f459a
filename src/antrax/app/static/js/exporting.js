/**
 * What is sent to the training set, one after the other: an undo must not overtake the export that it takes back.
 *
 * The page does not wait for the answers. An export that finds no server waits for it and is sent again, for sending one twice does no
 * harm: the server sees from the pixels what is there already.
 */

import { api, clientId } from './api.js';
import { noteVersions } from './app.js';
import { patch } from './browse.js';
import { emit, on } from './bus.js';

const AGAIN = 500; // milliseconds

let last = Promise.resolve();
let pending = 0;

/** How many are under way. */
export function pendingExports() {
  return pending;
}

function queue(work) {
  pending += 1;
  emit('exports');
  const result = last.then(work).finally(() => {
    pending -= 1;
    emit('exports');
  });
  last = result.catch(() => {});
  return result;
}

function connected() {
  return new Promise((resolve) => {
    const end = on('connection', (state) => {
      if (state !== 'ok') return;
      end();
      resolve();
    });
  });
}

async function insist(path, body) {
  for (;;) {
    try {
      return await api.post(path, body);
    } catch (error) {
      if (error.status !== 0) throw error;
      if (api.connection !== 'ok') await connected();
      else await new Promise((resolve) => { setTimeout(resolve, AGAIN); });
    }
  }
}

/**
 * Adds images of a tracklet to the training set.
 * @param {string} tracklet  the one on the screen when the person said so
 * @param {number[]|null} frames  from 0; null: all
 * @param {string} label
 * @returns {Promise<object>} the server's answer
 */
export function exportImages(tracklet, frames, label) {
  const path = api.session('export'); // of the session that is open now, not when its turn comes
  const opened = api.opened;
  return queue(async () => {
    const answer = await insist(path, { tracklet, frames, label, client: clientId });
    if (opened === api.opened) {
      patch(tracklet, { examples: answer.examples, frame_labels: answer.frame_labels });
      noteVersions(answer.versions);
    }
    return answer;
  });
}

/**
 * Takes this tab's last change of the training set back.
 * @returns {Promise<object>} the server's answer
 */
export function undoLast() {
  const path = api.session('undo');
  const opened = api.opened;
  return queue(async () => {
    const answer = await api.post(path, { client: clientId }); // not twice: the second would take back another one
    if (opened === api.opened) noteVersions(answer.versions);
    return answer;
  });
}

window.addEventListener('beforeunload', (event) => {
  if (pending) event.preventDefault(); // the browser asks whether to leave
});
