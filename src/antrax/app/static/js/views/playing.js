/** The speed at which the images of a tracklet are played, and the frames that they are of. */

const USUAL_RATE = 10; // images a second where the film's rate is not known
const LONGEST_STEP = 250; // milliseconds: after a pause of the browser the film goes on where it was

/**
 * Images a second, so that a tracklet takes as long as it took.
 * @param {number} images
 * @param {number} span  frames from its first to its last
 * @param {number|null} fps
 * @returns {number}
 */
export function rateOf(images, span, fps) {
  return fps === null ? USUAL_RATE : (fps * images) / span;
}

/**
 * Where the film is some time later; after the last image comes the first.
 * @param {number} position  the image, and how much of its time is over
 * @param {number} elapsed  milliseconds
 * @param {number} rate  images a second
 * @param {number} images
 * @returns {number}
 */
export function positionAfter(position, elapsed, rate, images) {
  return (position + (Math.min(elapsed, LONGEST_STEP) * rate) / 1000) % images;
}

/**
 * The frame of an image. Where frames were left out, and which is not known, the frame that it probably is.
 * @param {Pick<import('messages').Tracklet, 'first'|'last'|'images'>} info
 * @param {number} i
 * @returns {number}
 */
export function frameOf(info, i) {
  const step = info.images > 1 ? (info.last - info.first) / (info.images - 1) : 0;
  return Math.round(info.first + i * step);
}
