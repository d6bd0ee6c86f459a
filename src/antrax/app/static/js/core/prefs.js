/** Preferences, stored in this browser. */

const FALLBACK = {
  showAll: true,
  background: null, // 'white' or 'black'; null: as the images of the session are
  scale: 'fit',
  framesScale: null, // screen pixels an image pixel in Select frames; null: by the size of the images
  nextAfterExport: true,
  exportMost: 400, // images of a tracklet that an export of all adds, at most: training takes no more of one
  nextAfterMark: true,
  addTruth: false, // a tracklet of which a check tells the true label is added to the training set under it
  wallImages: 20, // images of each tracklet that the wall exports, at most
  wallOrder: 'useful',
  surroundings: null, // whether they are shown; null: in a wide window
};

/**
 * @param {keyof typeof FALLBACK} name
 * @returns {any}
 */
export function preference(name) {
  try {
    const text = localStorage.getItem(`antrax.${name}`);
    return text === null ? FALLBACK[name] : JSON.parse(text);
  } catch {
    return FALLBACK[name];
  }
}

/**
 * @param {keyof typeof FALLBACK} name
 * @param {any} value
 */
export function prefer(name, value) {
  try {
    localStorage.setItem(`antrax.${name}`, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: it holds until the page is left.
  }
}

/** Dark if it is light, light if it is dark. */
export function toggleTheme() {
  try {
    localStorage.setItem('antrax.theme', document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark');
  } catch {
    return;
  }
  document.dispatchEvent(new Event('antrax-theme-chosen'));
}
