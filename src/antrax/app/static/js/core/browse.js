/**
 * The list of tracklets that is browsed, and the position in it. Has no page elements.
 *
 * Answers about tracklets are kept by their place in the list, and those of the next and the previous ones are asked for ahead, so
 * that a key is answered from here. What is on the screen is `current`: name, images and labels come from one and the same answer.
 */

import { api } from './api.js';
import { emit, on } from './bus.js';
import { PER_SHEET, prefetch } from './sheets.js';

/** The orders of the Order menu. */
/** @type {{order: import('messages').Order, title: string, explain: string}[]} */
export const ORDERS = [
  { order: 'random', title: 'Random', explain: 'fair for measuring errors' },
  { order: 'useful', title: 'Most useful first', explain: 'uncertain, in conflict, rare labels' },
  { order: 'longest', title: 'Longest first', explain: 'many images at once' },
  { order: 'time', title: 'In time', explain: 'by movie and frame' },
  { order: 'surest', title: 'Surest first', explain: 'the most confident labels' },
  { order: 'likeness', title: 'Most like this one', explain: 'the tracklet shown comes first' },
  { order: 'conflicts', title: 'Conflicts first', explain: 'an ID twice at a time, those of a conflict together' },
];

const KEPT = 40; // answers; one of 600 images with its probabilities is some 10 kB
const AHEAD = [1, 2, -1];
const NEAR = 3; // questions about tracklets farther off than this are given up when the person is somewhere else

/** @type {{movie: number|null, label: string, colony: string, order: import('messages').Order, seed: number, like: string}} */
let view = { movie: null, label: '', colony: '', order: 'random', seed: 1, like: '' };
let total = 0;
let index = 0; // where the person wants to be; `current` follows as answers come
/** @type {import('messages').Tracklet|null} */
let current = null;
/**
 * By index; `promise` and `asking` while it is being asked for.
 * @typedef {{info?: import('messages').Tracklet, stale?: boolean, promise?: Promise<import('messages').Tracklet>, asking?: AbortController}} Entry
 * @type {Map<number, Entry>}
 */
let infos = new Map();
let epoch = 0; // another view, another epoch: answers of an earlier one are thrown away
let request = 0; // counts where the person wanted to go: only the last one counts
let viewRequest = 0;
let changes = 0; // counts what made answers out of date
/** @type {(info: import('messages').Tracklet) => number} */
let sheetsWanted = (info) => Math.min(info.images, 2 * PER_SHEET);

export const browse = {
  /** The view's parameters: {movie: number|null, label, colony, order, seed, like}. */
  get view() {
    return view;
  },
  /** How many tracklets there are in it. */
  get count() {
    return total;
  },
  /** Which of them is wanted, from 0. The screen may still be on its way there. */
  get index() {
    return index;
  },
  /** The tracklet on the screen, or null while another one is being fetched. */
  get current() {
    return current;
  },
  /** Whether `current` is a tracklet of the view: one opened by its name need not be. */
  get isInView() {
    return current === null || current.i !== null;
  },
};

/**
 * Tells how many images of a tracklet the screen shows, so that no more are fetched ahead.
 * @param {(info: import('messages').Tracklet) => number} wanted
 */
export function setSheetsWanted(wanted) {
  sheetsWanted = wanted;
}

/**
 * The address of the sheet of images `start`… of a tracklet.
 * @param {import('messages').Tracklet} info
 * @param {number} start  a multiple of PER_SHEET
 * @param {number} [images]  how many of its images are wanted at all
 * @returns {string}
 */
export function sheetUrl(info, start, images = info.images) {
  const stop = Math.min(images, start + PER_SHEET);
  return api.imageUrl(api.session('sheet'), { tracklet: info.tracklet, start, stop, stamp: info.stamp });
}

function viewParams(of = view) {
  return { ...of };
}

/**
 * Begins with another session. Nothing is shown until `openView`.
 * @param {Partial<typeof view>} start
 */
export function reset(start) {
  view = { movie: null, label: '', colony: '', order: 'random', seed: randomSeed(), like: '', ...start };
  total = 0;
  index = 0;
  request += 1;
  viewRequest += 1;
  forget();
  show(null);
}

/** @returns {number} */
export function randomSeed() {
  return 1 + Math.floor(Math.random() * 999_999);
}

/**
 * Goes to the tracklets of another filter or order. Where there are none, nothing changes.
 * @param {Partial<typeof view>} change
 * @param {string|null} [near]  a tracklet to stay at if it is among them
 * @param {number} [at]  else: where to go
 * @returns {Promise<boolean>} whether there are any
 */
export async function openView(change, near = null, at = 0) {
  const wanted = { ...view, ...change };
  const mine = ++viewRequest;
  const answer = await api.ask('view', { ...viewParams(wanted), near: near ?? undefined });
  if (mine !== viewRequest) return true; // another view was asked for meanwhile
  if (!answer.count) {
    emit('place');
    return false;
  }
  view = wanted;
  total = answer.count;
  forget();
  goToIndex(near && answer.at ? answer.at : Math.min(at, total - 1));
  return true;
}

/** The list is others' now (results changed): stays at the tracklet on the screen. */
export async function reopenView() {
  if (!total) return;
  const mine = ++viewRequest;
  const name = current?.tracklet ?? null;
  const answer = await api.ask('view', { ...viewParams(), near: name ?? undefined });
  if (mine !== viewRequest || name !== (current?.tracklet ?? null)) return;
  forget();
  if (!answer.count) return; // what is on the screen stays there; Next says that there is nothing
  total = answer.count;
  if (current && current.i !== null) index = Math.min(answer.at, total - 1);
  await refresh();
}

function forget() {
  epoch += 1;
  infos = new Map();
}

/** @param {import('messages').Tracklet|null} info */
function show(info) {
  current = info;
  emit('tracklet', info);
}

/**
 * Goes some tracklets on or back.
 * @param {number} by
 * @returns {boolean} false at the end of the list
 */
export function step(by) {
  const to = browse.isInView ? index + by : index; // from a tracklet outside the view back to where one was
  if (to < 0 || to >= total) return false;
  goToIndex(to);
  return true;
}

/**
 * Goes to a place of the list.
 * @param {number} i  from 0
 */
export function goToIndex(i) {
  request += 1;
  giveUp(i);
  index = Math.max(0, Math.min(total - 1, i));
  const entry = infos.get(index);
  // Where nothing is known, name and images of the last one go at once: what is on the screen is what an export means.
  show(entry?.info ?? null);
  if (!entry?.info || entry.stale) load(index).then(shown(index), failed(index));
  // What was fetched ahead is some seconds old: somebody else may have exported this tracklet since.
  else load(index).then(shown(index), () => {});
  look(index);
  emit('place');
}

/**
 * Someone who runs through the list must not wait for answers about what they passed.
 * @param {number} around
 */
function giveUp(around) {
  for (const [i, entry] of infos) {
    if (!entry.asking || Math.abs(i - around) <= NEAR) continue;
    entry.asking.abort();
    if (entry.info) infos.set(i, { info: entry.info, stale: entry.stale });
    else infos.delete(i);
  }
}

/**
 * @param {number} i
 * @returns {(info: import('messages').Tracklet) => void}
 */
function shown(i) {
  const mine = request;
  return (info) => {
    if (mine === request) show(info);
  };
}

/**
 * @param {number} i
 * @returns {(error: Error & {status?: number}) => void}
 */
function failed(i) {
  const mine = request;
  return (error) => {
    if (mine === request) emit('missing', error);
  };
}

/**
 * @param {number} i
 * @returns {Promise<import('messages').Tracklet>}
 */
function load(i) {
  const mine = epoch;
  const before = changes;
  const known = infos.get(i);
  if (known?.promise) return known.promise;
  const asking = new AbortController();
  const promise = api.ask('tracklet', { ...viewParams(), i }, { signal: asking.signal }).then(
    (info) => {
      if (mine === epoch) keep(i, { info, stale: before !== changes });
      return info;
    },
    (error) => {
      if (mine === epoch && infos.get(i)?.promise === promise) infos.delete(i);
      throw error;
    },
  );
  // What is known stays in use until the answer is here.
  keep(i, { info: known?.info, stale: known?.stale, promise, asking });
  return promise;
}

/**
 * @param {number} i
 * @param {Entry} entry
 */
function keep(i, entry) {
  infos.delete(i);
  infos.set(i, entry);
  for (const old of infos.keys()) {
    if (infos.size <= KEPT) break;
    infos.delete(old);
  }
}

/**
 * Asks ahead for the neighbours of a tracklet: what is said of them, and the images that will be seen.
 * @param {number} i
 */
function look(i) {
  const mine = epoch;
  for (const by of AHEAD) {
    const to = i + by;
    if (to < 0 || to >= total) continue;
    const entry = infos.get(to);
    if (entry?.info && !entry.stale) prefetchImages(entry.info);
    else
      load(to)
        .then((info) => mine === epoch && Math.abs(to - index) <= 2 && prefetchImages(info))
        .catch(() => {});
  }
}

/** @param {import('messages').Tracklet} info */
function prefetchImages(info) {
  const wanted = sheetsWanted(info);
  for (let start = 0; start < wanted; start += PER_SHEET)
    prefetch(sheetUrl(info, start, wanted === 1 ? 1 : info.images));
}

/**
 * Goes to a tracklet by its name: in the view if it is there, else beside it.
 * @param {string} name
 * @returns {Promise<void>}
 */
export async function goToTracklet(name) {
  const near = [...infos].find(([, entry]) => entry.info?.tracklet === name);
  if (near) {
    goToIndex(near[0]);
    return;
  }
  const mine = ++request;
  const info = await api.ask('tracklet', { name });
  const { at, found } = await api.ask('view', { ...viewParams(), near: name });
  const there = found && mine === request ? await load(at).catch(() => null) : null;
  if (mine !== request) return;
  if (there?.tracklet === name) {
    goToIndex(at);
  } else {
    show({ ...info, i: null });
    emit('place');
  }
}

/** Asks anew about the tracklet on the screen, which stays there meanwhile. */
export async function refresh() {
  const mine = request;
  const name = current?.tracklet;
  const i = index;
  if (!name) {
    if (total) goToIndex(index);
    return;
  }
  const isBeside = current?.i === null;
  const info = isBeside ? { ...(await api.ask('tracklet', { name })), i: null } : await load(i);
  if (mine !== request || current?.tracklet !== name) return;
  // The list may be another one since (most useful first): the tracklet on the screen is then asked for by name.
  if (info.tracklet === name) show(info);
  else show({ ...(await api.ask('tracklet', { name })), i });
  look(index);
}

/** Everything known may be out of date: it is shown if need be, but asked for anew. Images are kept. */
export function markStale() {
  changes += 1;
  for (const [i, entry] of infos) infos.set(i, { ...entry, stale: true });
}

/**
 * Puts what an answer says of the tracklet on the screen into what is known of it.
 * @param {string} tracklet
 * @param {Partial<import('messages').Tracklet>} change
 */
export function patch(tracklet, change) {
  for (const entry of infos.values()) if (entry.info?.tracklet === tracklet) Object.assign(entry.info, change);
  if (current?.tracklet === tracklet) show(Object.assign(current, change));
}

on('connection', (state) => {
  if (state === 'ok' && current === null && total) goToIndex(index);
});
