/** Cache of decoded sheets of images. */

import { ApiError, UNWANTED, api } from './api.js';

/** Images on one sheet, and in one of its rows. The server's sheets start at multiples of PER_SHEET. */
export const PER_SHEET = 256;
export const PER_ROW = 16;

const LIMIT = 64 * 2 ** 20; // bytes of decoded pixels
const MOST_WAITING = 12; // someone who runs through the list does not want the images of what they passed
const MOST_AT_ONCE = 4; // browsers open six connections; two stay free for questions and exports

/** @type {Map<string, ImageBitmap>} by address, the one used longest ago first */
const kept = new Map();
/** @type {Map<string, Promise<ImageBitmap>>} by address */
const loading = new Map();
/** @type {{run: () => Promise<void>, drop: () => void}[]} */
const waiting = [];
let bytes = 0;
let under = 0;

const size = (/** @type {ImageBitmap} */ bitmap) => bitmap.width * bitmap.height * 4;

/**
 * @param {string} url
 * @param {ImageBitmap} bitmap
 */
function keep(url, bitmap) {
  kept.set(url, bitmap);
  bytes += size(bitmap);
  for (const [old, other] of kept) {
    if (bytes <= LIMIT || old === url) break;
    kept.delete(old);
    bytes -= size(other);
    other.close();
  }
}

function next() {
  while (under < MOST_AT_ONCE && waiting.length) {
    under += 1;
    // The newest request first: it is what the person looks at.
    waiting
      .pop()
      ?.run()
      .finally(() => {
        under -= 1;
        next();
      });
  }
}

/**
 * The sheet at an address.
 * @param {string} url
 * @returns {Promise<ImageBitmap>} closed when it was not used for long: draw it at once, or ask again
 */
export function loadSheet(url) {
  const bitmap = peekSheet(url);
  if (bitmap) return Promise.resolve(bitmap);
  let promise = loading.get(url);
  if (promise) return promise;
  promise = new Promise((resolve, reject) => {
    const run = async () => {
      try {
        const sheet = await createImageBitmap(await api.blob(url));
        keep(url, sheet);
        resolve(sheet);
      } catch (error) {
        reject(error);
      } finally {
        loading.delete(url);
      }
    };
    const drop = () => {
      loading.delete(url);
      reject(new ApiError('Not wanted any more.', UNWANTED));
    };
    waiting.push({ run, drop });
    if (waiting.length > MOST_WAITING) waiting.shift()?.drop();
  });
  loading.set(url, promise);
  next();
  return promise;
}

/**
 * The sheet at an address if it is here already.
 * @param {string} url
 * @returns {ImageBitmap|null}
 */
export function peekSheet(url) {
  const bitmap = kept.get(url);
  if (!bitmap) return null;
  kept.delete(url); // puts it last: it was used just now
  kept.set(url, bitmap);
  return bitmap;
}

/**
 * Loads a sheet that will probably be wanted. What fails is asked for again when it is wanted.
 * @param {string} url
 */
export function prefetch(url) {
  loadSheet(url).catch(() => {});
}
