/** State that all modules of the page share: the open session, the tracklet on the screen, the chosen label. */

import { api } from './api.js';
import * as browsing from './browse.js';
import { emit, on } from './bus.js';
import { toastError } from './toast.js';

const { browse } = browsing;

export const app = {
  /**
   * What the server says of the session, or null before one is open.
   * @type {import('messages').Overview|null}
   */
  overview: null,
  /**
   * The label that an export would use, or null. Changed by `chooseLabel`.
   * @type {string|null}
   */
  selectedLabel: null,

  /**
   * The tracklet on the screen, or null while another one is being fetched.
   * @returns {import('messages').Tracklet|null}
   */
  get tracklet() {
    return browse.current;
  },

  /**
   * How the tracklet on the screen came up. 'random' only where it was sampled among all of its kind: one ID picked by a filter says
   * nothing of the others.
   */
  get met() {
    if (!browse.isInView) return 'by name';
    const { order, label } = browse.view;
    return ['', '=new', '=ids', '=noids', 'Unknown'].includes(label) ? order : `${order} in ${label}`;
  },

  /**
   * The session's labels in the order of labels.csv.
   * @returns {{label: string, category: 'ant'|'nonant'|'multi'|'unknown'}[]}
   */
  labels() {
    return (this.overview?.categories ?? []).flatMap(({ category, labels }) =>
      labels.map((label) => ({ label, category })),
    );
  },

  /**
   * @param {string|null} label
   * @returns {string|null}
   */
  categoryOf(label) {
    return this.labels().find((one) => one.label === label)?.category ?? null;
  },

  /**
   * Chooses the label that exports use; null: none.
   * @param {string|null} label
   */
  chooseLabel(label) {
    this.selectedLabel = label !== null && this.categoryOf(label) ? label : null;
    emit('label', this.selectedLabel);
  },

  /**
   * Shows a tracklet by its name.
   * @param {string} name
   * @returns {Promise<void>}
   */
  goTo(name) {
    return browsing.goToTracklet(name).catch(toastError);
  },

  /**
   * Asks anew about the tracklet on the screen.
   * @returns {Promise<void>}
   */
  refreshTracklet() {
    return browsing.refresh().catch(toastError);
  },

  /**
   * Asks anew about the session: its labels, what is classified.
   * @returns {Promise<void>}
   */
  async refreshOverview() {
    const opened = api.opened;
    const overview = await api.ask('overview');
    if (opened !== api.opened) return;
    this.overview = overview;
    if (this.selectedLabel !== null && !this.categoryOf(this.selectedLabel)) this.chooseLabel(null);
    emit('overview', { overview });
  },
};

/**
 * A movie by its number and name.
 * @param {number} movie
 * @returns {string}
 */
export function movieTitle(movie) {
  const name = app.overview?.movies.find((one) => one.movie === movie)?.name;
  return name ? `Movie ${movie} (${name})` : `Movie ${movie}`;
}

/** @type {Partial<import('messages').Versions>} */
let known = {};

/** Forgets the versions of the last session. */
export function forgetVersions() {
  known = {};
}

/**
 * Emits `versions` with what changed, from the versions in an answer.
 * @param {import('messages').Versions} [versions]
 */
export function noteVersions(versions) {
  if (!versions) return;
  const names = /** @type {(keyof import('messages').Versions)[]} */ (Object.keys(versions));
  const changed = names.filter((name) => name in known && known[name] !== versions[name]);
  Object.assign(known, versions);
  if (changed.length) emit('versions', { changed, versions });
}

on('versions', async ({ changed }) => {
  browsing.markStale();
  try {
    if (['labels', 'assignments', 'catalog', 'classifier', 'groups'].some((name) => changed.includes(name)))
      await app.refreshOverview();
    if (['assignments', 'catalog', 'groups'].some((name) => changed.includes(name))) await browsing.reopenView();
    else await browsing.refresh();
  } catch (error) {
    toastError(error);
  }
});
