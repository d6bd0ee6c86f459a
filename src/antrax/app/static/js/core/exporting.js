/**
 * What is sent to the training set, one after the other: an undo must not overtake the export that it takes back.
 *
 * The page does not wait for the answers. An export that finds no server, or one that was started anew and does not know this page yet,
 * waits for it and is sent again, for sending one twice does no harm: the server sees from the pixels what is there already.
 */

import { api, clientId, who } from './api.js';
import { noteVersions } from './app.js';
import { patch } from './browse.js';
import { emit, on } from './bus.js';

const AGAIN = 500; // milliseconds
const KEPT = 'antrax.undoable';
const KEPT_AGAIN = 'antrax.redoable';

/** @type {Promise<any>} */
let last = Promise.resolve();
let pending = 0;

/** How many changes of the training set this tab made, that it can take back: a number for each session. */
const undoable = JSON.parse(sessionStorage.getItem(KEPT) ?? '{}');
/** How many changes it took back, that it can make again. */
const redoable = JSON.parse(sessionStorage.getItem(KEPT_AGAIN) ?? '{}');

/**
 * Whether this tab knows of something to undo in the open session.
 * @returns {boolean}
 */
export function canUndo() {
  return Boolean(api.opened) && (pending > 0 || undoable[api.session('undo')] > 0);
}

/**
 * Whether this tab knows of a change of the open session that it took back last.
 * @returns {boolean}
 */
export function canRedo() {
  return Boolean(api.opened) && redoable[api.session('undo')] > 0;
}

/**
 * Keeps in mind that this tab changed the training set of a session, or took a change back.
 * @param {string} path  of `undo` in that session
 * @param {1|-1|0} by  0: there is nothing to take back any more
 * @param {boolean} [isAgain]  the change is one that was taken back before
 */
export function noteChange(path, by, isAgain = false) {
  const again = redoable[path] ?? 0;
  // after another change, nothing that was taken back before can be made again
  redoable[path] = by < 0 ? again + 1 : isAgain ? Math.max(0, again - 1) : 0;
  undoable[path] = by && Math.max(0, (undoable[path] ?? 0) + by);
  sessionStorage.setItem(KEPT, JSON.stringify(undoable));
  sessionStorage.setItem(KEPT_AGAIN, JSON.stringify(redoable));
  emit('exports');
}

/** How many are under way. */
export function pendingExports() {
  return pending;
}

/**
 * @template T
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
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

/** @returns {Promise<void>} */
function connected() {
  return new Promise((resolve) => {
    const end = on('connection', (state) => {
      if (state !== 'ok') return;
      end();
      resolve();
    });
  });
}

/**
 * @template {keyof import('messages').Commands} K
 * @param {K} name
 * @param {import('messages').Commands[K]['request']} body
 * @param {import('./api.js').Session|null} within
 * @returns {Promise<import('messages').Commands[K]['answer']>}
 */
async function insist(name, body, within) {
  for (;;) {
    try {
      return await api.tell(name, body, within);
    } catch (error) {
      if (error.status !== 0 && error.status !== 403) throw error;
      if (api.connection !== 'ok') await connected();
      else
        await new Promise((resolve) => {
          setTimeout(resolve, AGAIN);
        });
    }
  }
}

/**
 * Adds images of a tracklet to the training set.
 * @param {string} tracklet  the one on the screen when the person said so
 * @param {number[]|null} frames  from 0; null: all
 * @param {string} label
 * @param {string|undefined} stamp  of the images that the person saw: others that took their place since are refused
 * @param {number|null} [most]  of more images than this, so many are added, spread evenly
 * @returns {Promise<import('messages').Exported>} the server's answer
 */
export function exportImages(tracklet, frames, label, stamp, most = null) {
  const undo = api.session('undo');
  const { opened } = api; // now, not when its turn comes
  const { name } = who;
  return queue(async () => {
    const body = { tracklet, frames, label, stamp, most, client: clientId, who: name };
    const answer = await insist('export', body, opened);
    if (answer.added + answer.moved > 0) noteChange(undo, 1);
    if (opened === api.opened) {
      patch(tracklet, { examples: answer.examples, frame_labels: answer.frame_labels });
      noteVersions(answer.versions);
    }
    return answer;
  });
}

/**
 * Adds tracklets to the training set under one label: one change, and one undo.
 * @param {import('messages').Commands['wall/accept']['request']['tiles']} tiles  as the person saw them
 * @param {string} label
 * @param {number} most  images of each, at most
 * @returns {Promise<import('messages').Accepted>} the server's answer
 */
export function exportTracklets(tiles, label, most) {
  const undo = api.session('undo');
  const { opened } = api; // now, not when its turn comes
  return queue(async () => {
    const answer = await insist('wall/accept', { tiles, label, most, client: clientId, who: who.name }, opened);
    if (answer.added + answer.moved > 0) noteChange(undo, 1);
    if (opened === api.opened) noteVersions(answer.versions);
    return answer;
  });
}

/**
 * Takes this tab's last change of the training set back.
 * @returns {Promise<import('messages').Changed>} the server's answer
 */
export function undoLast() {
  const path = api.session('undo');
  const { opened } = api;
  return queue(async () => {
    let answer;
    try {
      answer = await api.tell('undo', { client: clientId }, opened); // not twice: the second would take back another one
    } catch (error) {
      if (error.code === 'nothing-to-undo') noteChange(path, 0); // the app was started anew since, and knows of no earlier change
      throw error;
    }
    noteChange(path, -1);
    if (opened === api.opened) noteVersions(answer.versions);
    return answer;
  });
}

/**
 * Makes the change again that this tab took back last.
 * @returns {Promise<import('messages').Changed>} the server's answer
 */
export function redoLast() {
  const path = api.session('undo');
  const { opened } = api;
  return queue(async () => {
    let answer;
    try {
      answer = await api.tell('redo', { client: clientId }, opened);
    } catch (error) {
      if (error.code === 'nothing-to-undo') forgetUndone(path);
      throw error;
    }
    if (answer.added + answer.moved > 0) noteChange(path, 1, true);
    else forgetUndone(path);
    if (opened === api.opened) noteVersions(answer.versions);
    return answer;
  });
}

/** @param {string} path */
function forgetUndone(path) {
  redoable[path] = 0;
  sessionStorage.setItem(KEPT_AGAIN, JSON.stringify(redoable));
  emit('exports');
}

window.addEventListener('beforeunload', (event) => {
  if (pending) event.preventDefault(); // the browser asks whether to leave
});
