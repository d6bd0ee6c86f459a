/**
 * Guard against actions on content that appeared too recently to have been seen.
 *
 * A key that bounces, or is pressed twice, would otherwise export or mark the next tracklet before anybody saw it. So nothing acts on
 * images that were not on the screen, uncovered, for `SEEN_AFTER` milliseconds before the key or button was pressed; nor does a key that
 * is held down.
 */

/** Milliseconds: about the shortest time in which people react to a picture at all. */
export const SEEN_AFTER = 300;

let pressedAt = 0; // when the last key or button was pressed, and not when the page came to deal with it
let isHeld = false;
let uncoveredAt = 0; // when a dialog or a menu over the images was closed last, or the tab shown again

/** Notes that what lay over the images is gone. */
export function noteUncovered() {
  uncoveredAt = performance.now();
}

/**
 * Whether what is on the screen since `since` could be seen long enough.
 * @param {number|null} since  of `performance.now()`; null: it is not on the screen
 * @param {number} [at]  by default when the last key or button was pressed
 * @returns {boolean}
 */
export function wasSeen(since, at = pressedAt) {
  return since !== null && !isHeld && at - Math.max(since, uncoveredAt) >= SEEN_AFTER;
}

/** Begins to listen. Called once, before anything else listens to keys and clicks. */
export function initSeen() {
  const note = (/** @type {Event} */ event) => {
    pressedAt = event.timeStamp;
  };
  document.addEventListener(
    'keydown',
    (event) => {
      note(event);
      isHeld = event.repeat;
    },
    true,
  );
  // A button that has the focus is clicked by each repeat of Enter: only letting go of the key, or the mouse, ends that.
  document.addEventListener(
    'keyup',
    () => {
      isHeld = false;
    },
    true,
  );
  document.addEventListener(
    'pointerdown',
    () => {
      isHeld = false;
    },
    true,
  );
  for (const name of ['click', 'dblclick']) document.addEventListener(name, note, true);
  document.addEventListener('visibilitychange', noteUncovered);
}
