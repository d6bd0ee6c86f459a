/** Exports of a tracklet's images under a label, their messages, and undo. */

import { api } from '../core/api.js';
import { app } from '../core/app.js';
import { browse, goToTracklet, markStale, step } from '../core/browse.js';
import { emit, on } from '../core/bus.js';
import { count, fill, h, plural, sentence } from '../core/dom.js';
import { canRedo, exportImages, pendingExports, redoLast, undoLast } from '../core/exporting.js';
import { registerKey } from '../core/keys.js';
import { preference, prefer } from '../core/prefs.js';
import { toast, toastError } from '../core/toast.js';
import { frames } from '../views/frames.js';
import { actOnTracklet } from '../views/tracklet.js';
import { shownPanel } from './side.js';

const MOST = 1_000_000;
const REPLACED = 409; // status of an export whose images are others by now

/** Its elements, for the panel: whether to go on after an export, how many images of a tracklet, and the last message. */
export const exportParts = {
  next: h('input', { type: 'checkbox', checked: preference('nextAfterExport'), onchange: toggleNext }),
  most: h('input.most', { type: 'number', min: 1, max: MOST, value: preference('exportMost'), onchange: setMost }),
  message: h('div.last-message', { role: 'status' }),
};
/** What the panel does: when an export or an undo begins, and when an export of a tracklet was undone. */
/** @type {{onStart: () => void, onUndone: (tracklet: string|null) => void}} */
let hooks = { onStart: () => {}, onUndone: (/** @type {string|null} */ tracklet) => void tracklet };
/**
 * @typedef {object} Message
 * @property {string} text
 * @property {string|null} tracklet  that it is about
 * @property {string|null} folder  where its images are now
 * @property {'ok'|'undone'} kind
 */
/** @type {Message|null} */
let lastMessage = null;

/**
 * Sets it up. Called once.
 * @param {{onStart: () => void, onUndone: (tracklet: string|null) => void}} given
 */
export function initExports(given) {
  hooks = given;
  on('session', () => {
    lastMessage = null;
    renderMessage();
  });
  on('exports', renderMessage);
  on('connection', renderMessage);
  registerKeys();
}

/** Whether no label was listed yet: Unknown is there in every session. */
export function isBare() {
  return app.labels().every(({ category }) => category === 'unknown');
}

/** The label of what cannot be identified; null where the session has none. */
export function unknownLabel() {
  return app.overview?.categories.find(({ category }) => category === 'unknown')?.labels[0] ?? null;
}

/**
 * What the large button says of images that are under the label already.
 * @param {import('messages').Tracklet} info
 * @param {string} label
 */
export function whereItIs({ images, frame_labels: there }, label) {
  const number = there[label]?.length ?? 0;
  const are =
    number < images ? `${count(number)} of ${count(images)} are` : images > 1 ? `All ${count(images)} are` : 'It is';
  return [`${are} under `, h('b', {}, label), ' already'];
}

/** Exports what the large button says. */
export function exportMain() {
  const { tracklet, selectedLabel: label } = app;
  if (!label && isBare()) toast('No labels yet: add some with Shift+L.');
  else if (!browse.count) toast('There is no tracklet to export.');
  else if (!label) toast('Choose a label first: type its first letters.');
  else if (tracklet?.images === 0) toast('This tracklet has no images to export.', { kind: 'warn' });
  else if (frames.isOpen) exportChosen(label);
  else actOnTracklet((info) => exportAll(info, label));
}

/**
 * What an export of all leaves to do where some images were put aside as Unknown: the others. Null: all of them.
 * @param {import('messages').Tracklet} info
 * @param {string|null} label
 * @returns {number[]|null}
 */
export function restOf(info, label) {
  const unknown = unknownLabel();
  const aside = new Set((unknown && label !== unknown && info.frame_labels[unknown]) || []);
  if (!aside.size || aside.size >= info.images) return null;
  return [...Array(info.images).keys()].filter((i) => !aside.has(i));
}

/**
 * How many of so many images an export of all adds.
 * @param {number} images
 */
export function atMost(images) {
  return Math.min(images, preference('exportMost'));
}

function setMost() {
  const wanted = Math.round(Number(exportParts.most.value));
  prefer('exportMost', Math.max(1, Math.min(MOST, wanted || 1)));
  exportParts.most.value = String(preference('exportMost'));
  emit('exports');
}

/**
 * Adds a tracklet to the training set, but for images that were put aside as Unknown.
 * @param {import('messages').Tracklet} info  as the person saw it
 * @param {string} label
 */
export function addToTrainingSet(info, label) {
  send(info, restOf(info, label), label, preference('exportMost'));
}

/**
 * @param {import('messages').Tracklet} info
 * @param {string} label
 */
function exportAll(info, label) {
  addToTrainingSet(info, label);
  if (preference('nextAfterExport') && !step(1)) toast('That was the last tracklet of the list.');
}

/** @param {string|null} label */
function exportChosen(label) {
  const chosen = frames.selection;
  if (!label || !chosen.length) {
    toast('Choose images first: with Space, a click, or by dragging.');
    return;
  }
  actOnTracklet((info) => {
    send(info, chosen, label);
    frames.clear();
  });
}

/** The chosen ones are doubted: they become Unknown, and the others get the label. */
export function exportBoth() {
  const { selectedLabel: label } = app;
  const unknown = unknownLabel();
  const chosen = new Set(frames.selection);
  if (!label || !unknown || label === unknown || !chosen.size) {
    toast('Choose the doubtful images, and the label of the others.');
    return;
  }
  actOnTracklet(async (info) => {
    const others = [...Array(info.images).keys()].filter((i) => !chosen.has(i));
    frames.clear();
    await send(
      info,
      [...chosen].sort((a, b) => a - b),
      unknown,
    );
    if (others.length) await send(info, others, label);
  });
}

/** The chosen images become Unknown. */
export function exportUnknown() {
  exportChosen(unknownLabel());
}

/**
 * @param {import('messages').Tracklet} info
 * @param {number[]|null} chosen
 * @param {string} label
 * @param {number|null} [most]  of more images than this, so many
 */
async function send(info, chosen, label, most = null) {
  const { tracklet, stamp } = info;
  hooks.onStart();
  try {
    const answer = await exportImages(tracklet, chosen, label, stamp, most);
    say(answer.message, { tracklet, folder: answer.folder, kind: 'ok' });
  } catch (error) {
    const what = chosen ? `${plural(chosen.length, 'image')} of ${tracklet}` : tracklet;
    // Images that took the place of others must be looked at before anybody can say what they show.
    const action =
      error.status === REPLACED
        ? { title: 'Look at it', run: () => lookAgain(tracklet) }
        : { title: 'Try again', run: () => send(info, chosen, label, most) };
    toast(`${what} not exported: ${error.message}`, { kind: 'error', sticky: true, action });
    if (error.status === undefined) console.error(error);
  }
}

/** @param {string} tracklet */
async function lookAgain(tracklet) {
  markStale();
  await app.goTo(tracklet);
  await app.refreshTracklet();
}

/** Takes the last export back. */
export async function undo() {
  hooks.onStart();
  try {
    const answer = await undoLast();
    hooks.onUndone(answer.tracklet);
    say(answer.message, { kind: 'undone' });
    if (answer.tracklet && answer.tracklet !== app.tracklet?.tracklet) await goToTracklet(answer.tracklet);
  } catch (error) {
    if (error.status === 0 || error.status === 403) toast(`Nothing was undone. ${error.message}`, { kind: 'error' });
    else toastError(error);
  }
}

/** Makes the export again that was taken back last. */
export async function redo() {
  hooks.onStart();
  try {
    const answer = await redoLast();
    say(answer.message, { tracklet: answer.tracklet, folder: answer.folder, kind: 'ok' });
    if (answer.tracklet && answer.tracklet !== app.tracklet?.tracklet) await goToTracklet(answer.tracklet);
  } catch (error) {
    if (error.status === 0 || error.status === 403) toast(`Nothing was done. ${error.message}`, { kind: 'error' });
    else toastError(error);
  }
}

/**
 * @param {string} text
 * @param {{tracklet?: string|null, folder?: string|null, kind: Message['kind']}} about
 */
function say(text, { tracklet = null, folder = null, kind }) {
  lastMessage = { text: sentence(text), tracklet, folder, kind };
  renderMessage();
  if (shownPanel() === 'label') return;
  toast(lastMessage.text, {
    kind: 'ok',
    action: tracklet ? { title: 'Go back to it', run: () => app.goTo(tracklet) } : undefined,
  });
}

function renderMessage() {
  const pending = pendingExports();
  const { text, tracklet, folder, kind } = lastMessage ?? {};
  fill(
    exportParts.message,
    pending > 0 && h('p.pending', {}, h('span.spinner.small'), writing(pending)),
    text && h('p', { class: kind }, text),
    tracklet &&
      h(
        'button.link.back',
        { type: 'button', title: 'Go back to it (Shift+W)', onclick: () => app.goTo(tracklet) },
        tracklet,
      ),
    folder && h('p.folder', { title: folder }, h('bdi', {}, folder)),
  );
}

/** @param {number} pending */
function writing(pending) {
  if (api.connection === 'lost') return `${plural(pending, 'export')} waiting for the server …`;
  if (api.connection === 'refused')
    return `${plural(pending, 'export')} waiting here: open the app’s new address in a NEW tab.`;
  return pending === 1 ? 'Writing …' : `Writing … ${pending} to go`;
}

function toggleNext() {
  prefer('nextAfterExport', !preference('nextAfterExport'));
  exportParts.next.checked = preference('nextAfterExport');
}

function registerKeys() {
  const group = 'Labels';
  registerKey({
    key: 'Shift+U',
    title: 'Export the chosen frames as Unknown',
    group: 'Select frames',
    when: () => frames.isOpen,
    run: exportUnknown,
  });
  registerKey({
    key: 'Ctrl+Enter',
    title: 'Chosen frames as Unknown, the others under the label',
    group: 'Select frames',
    when: () => frames.isOpen,
    run: exportBoth,
  });
  // In the panel Check it takes back a mark: what one does not see must not be undone.
  registerKey({ key: 'Ctrl+Z', title: 'Undo the last export', group, when: () => shownPanel() !== 'check', run: undo });
  registerKey({
    key: ['Ctrl+Y', 'Ctrl+Shift+Z'],
    shown: 'Ctrl+Y',
    title: 'Redo what was undone last',
    group,
    when: () => shownPanel() !== 'check' && canRedo(),
    run: redo,
  });
  registerKey({
    key: 'Shift+W',
    title: 'Go back to the tracklet exported last',
    group,
    when: () => Boolean(lastMessage?.tracklet),
    run: () => {
      if (lastMessage?.tracklet) app.goTo(lastMessage.tracklet);
    },
  });
  registerKey({
    key: 'Shift+N',
    title: 'Next after export, or not',
    group,
    when: () => shownPanel() !== 'check',
    run: () => {
      toggleNext();
      toast(preference('nextAfterExport') ? 'Goes on after an export.' : 'Stays after an export.');
    },
  });
}
