/** The event bus: events and their listeners. */

/**
 * The events and their details.
 * @typedef {object} Events
 * @property {{overview: import('messages').Overview}} session  another experiment or session is open
 * @property {{overview: import('messages').Overview}} overview  its labels, movies, results or classifier changed
 * @property {import('messages').Tracklet|null} tracklet  another tracklet is on the screen, or more is known about the same one; null: none yet
 * @property {undefined} place  the list of tracklets, or the place in it, is another
 * @property {Error & {status?: number}} missing  the tracklet that is wanted cannot be had
 * @property {{text: string, action?: {title: string, run: () => void}}} nothing  there is no tracklet to see, and why
 * @property {string|null} label  another label is chosen
 * @property {{changed: string[], versions: import('messages').Versions}} versions  somebody, perhaps this page, changed what `changed` names
 * @property {import('messages').JobState|null} job  progress of training or classifying
 * @property {'ok'|'lost'|'refused'} connection  whether the server answers
 * @property {undefined} exports  an export began or ended, or what can be undone is another
 * @property {undefined} frames  *Select frames* was opened or closed
 * @property {number} frames-cursor  the image under its cursor
 * @property {number} frames-selection  how many images are chosen in it
 * @property {'white'|'black'} background  of the images
 * @property {'label'|'trainset'|'check'} panel  the panel that is shown
 */

const bus = new EventTarget();

/**
 * Calls `run(detail)` at each event of that name.
 * @template {keyof Events} K
 * @param {K} name
 * @param {(detail: Events[K]) => void} run
 * @returns {() => void} ends it
 */
export function on(name, run) {
  /** @param {Event} event */
  const listener = (event) => run(/** @type {CustomEvent<Events[K]>} */ (event).detail);
  bus.addEventListener(name, listener);
  return () => bus.removeEventListener(name, listener);
}

/**
 * @template {keyof Events} K
 * @param {K} name
 * @param {Events[K]} [detail]
 */
export function emit(name, detail) {
  bus.dispatchEvent(new CustomEvent(name, { detail }));
}
