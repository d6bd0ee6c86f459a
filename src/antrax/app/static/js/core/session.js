/** Opening of a session, and storing the position in it: in the address (for reloading) and in the tab. */

import { api, who } from './api.js';
import { app, forgetVersions, movieTitle, noteVersions } from './app.js';
import { browse, openView, reset } from './browse.js';
import { emit, on } from './bus.js';
import { byId } from './dom.js';
import { clearToasts, toast } from './toast.js';

const KEPT = 'antrax.place';
const CALM = 300; // milliseconds: browsers refuse an address that changes at every repeat of a key

let writing = 0;
let listed = ''; // which list the address tells
let isGoingBack = false; // the address came first, the list follows

/** @typedef {Partial<typeof browse.view> & {near?: string|null, at?: number}} Start  a view to begin with, and where in it */

/**
 * Opens a session. If it cannot be read, the one that is open stays open.
 * @param {string} place
 * @param {string} session
 * @param {Start} [start]
 * @returns {Promise<void>}
 */
export async function openSession(place, session, start = {}) {
  const overview = await api.ask('overview', {}, { within: { place, session } });
  const { near = null, at = 0, ...view } = start;
  if (api.opened) clearToasts(); // they are about the other session
  api.open(place, session);
  forgetVersions();
  app.overview = overview;
  app.selectedLabel = null;
  const first = overview.movies[0]?.movie ?? null;
  // Without results there are no errors to sample at random, and a tracklet of one image teaches little.
  reset({ movie: first, order: overview.classified ? 'random' : 'longest', ...view });
  noteVersions(overview.versions);
  emit('session', { overview });
  emit('overview', { overview });
  for (const warning of overview.warnings) toast(warning, { kind: 'warn' });
  api.tell('opened', { place, session }).catch(() => {}); // the list of recent ones is a comfort only
  if (!overview.movies.length) {
    nothingToShow(
      `No blob images: ${overview.path}/images has no images_*.mat. Run the tracking step of this session first.`,
    );
    return;
  }
  // What was remembered may be gone: then the first movie, then any.
  if (await tryView({}, near, at)) return;
  if (await tryView({ movie: first, label: '', colony: '' })) return;
  if (!(await tryView({ movie: null, label: '', colony: '' })))
    nothingToShow('This session has no tracklets with images.');
}

/**
 * Tells the view why there is no tracklet to see.
 * @param {string} text
 * @param {{title: string, run: () => void}} [action]
 */
function nothingToShow(text, action) {
  emit('nothing', { text, action });
}

/**
 * As `openView`; a movie that cannot be read is told in the middle of the page, where others can be chosen.
 * @param {Partial<typeof browse.view>} change
 * @param {string|null} [near]
 * @param {number} [at]
 */
async function tryView(change, near, at) {
  try {
    return await openView(change, near, at);
  } catch (error) {
    const movie = 'movie' in change ? change.movie : browse.view.movie;
    if (!(error.status >= 400) || error.status === 403 || movie === null || movie === undefined) throw error;
    nothingToShow(`${movieTitle(movie)}: ${error.message}`, {
      title: 'Other tracklets …',
      run: () => byId('open-tracklets').click(),
    });
    return true;
  }
}

function remember() {
  if (!api.opened || !browse.count) return;
  const { view, current } = browse;
  const { place, session } = api.opened;
  const params = {
    place,
    session,
    ...view,
    movie: view.movie ?? 'all',
    i: browse.index,
    t: browse.isInView ? current?.tracklet : null,
  };
  const known = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const text = new URLSearchParams(known.map(([key, value]) => [key, String(value)])).toString();
  sessionStorage.setItem(KEPT, text);
  clearTimeout(writing);
  // Another list is another entry of the browser's history, so that Back goes to the one before.
  const list = JSON.stringify([place, session, view.movie, view.label, view.colony, view.order, view.like]);
  const isOther = listed !== '' && list !== listed;
  listed = list;
  if (isOther && !isGoingBack) history.pushState(null, '', `#${text}`);
  else writing = setTimeout(() => history.replaceState(null, '', `#${text}`), CALM);
  isGoingBack = false;
}

/** @param {string} where */
function remembered(where) {
  const params = Object.fromEntries(new URLSearchParams(where));
  if (!params.place || !params.session) return null;
  const number = (/** @type {string|undefined} */ text, /** @type {number} */ otherwise) =>
    /^\d+$/.test(text ?? '') ? Number(text) : otherwise;
  /** @type {Start} */
  const start = {
    near: params.t ?? null,
    at: number(params.i, 0),
    label: params.label ?? '',
    colony: params.colony ?? '',
  };
  if (params.movie === 'all') start.movie = null;
  else if (/^\d+$/.test(params.movie ?? '')) start.movie = Number(params.movie);
  if (params.order) start.order = /** @type {import('messages').Order} */ (params.order);
  if (params.like) start.like = params.like;
  if (number(params.seed, 0)) start.seed = Number(params.seed);
  return { place: params.place, session: params.session, start };
}

/**
 * Opens the session that was open in this tab, else the one that the app was started with.
 * @returns {Promise<void>}
 */
export async function openFirst() {
  const asked = location.hash.slice(1);
  const kept = sessionStorage.getItem(KEPT) ?? '';
  const { places, start, user } = await api.ask('places');
  who.fallback = user ?? '';
  // On a reload the tab knows better: the address may be a moment old.
  const isReload =
    /** @type {PerformanceNavigationTiming} */ (performance.getEntriesByType('navigation')[0])?.type === 'reload' &&
    !api.opened;
  const last = remembered(isReload ? kept || asked : asked || kept);
  const isIssued = last && places.some(({ id, sessions }) => id === last.place && sessions.includes(last.session));
  if (isIssued) {
    try {
      await openSession(last.place, last.session, last.start);
      return;
    } catch (error) {
      if (error.status === 0) throw error;
      toast(error.message, { kind: 'error' });
    }
  }
  if (start) await openSession(start.place, start.session);
  else nothingToShow('Choose an experiment in the menu Experiment.');
}

/** Sets it up. Called once. */
export function initSession() {
  on('place', remember);
  on('tracklet', remember);
  // An address that was typed or pasted: the page writes its own without this event.
  addEventListener('hashchange', () => {
    isGoingBack = true;
    openFirst().catch((error) => nothingToShow(error.message));
  });
}
