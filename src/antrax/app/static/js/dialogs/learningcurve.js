/**
 * The learning curve: held-out accuracy and loss by epoch, drawn.
 * @module
 */
import { h } from '../core/dom.js';
import { percent } from '../panels/plots.js';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 560;
const HEIGHT = 190;
const MARGIN = { left: 46, right: 46, top: 10, bottom: 26 };
/** @type {{key: 'image_accuracy'|'tracklet_accuracy', title: string, name: string}[]} */
const CURVES = [
  { key: 'image_accuracy', title: 'held-out images right', name: 'images' },
  { key: 'tracklet_accuracy', title: 'held-out tracklets right', name: 'tracklets' },
];

/**
 * Where the scale of shares begins: at 80 % where all lie above, so that small differences are seen, else at a round share below.
 * @param {number[]} shares
 * @returns {number}
 */
export function lowestShare(shares) {
  return Math.min(0.8, Math.floor(10 * Math.min(1, ...shares)) / 10);
}

/**
 * Places of values along an axis.
 * @param {(number|null)[]} values
 * @param {number} low  the value at `from`
 * @param {number} high  the value at `to`
 * @param {number} from
 * @param {number} to
 * @returns {(number|null)[]}
 */
export function placesOf(values, low, high, from, to) {
  const span = high - low || 1;
  return values.map((value) => (value === null ? null : from + ((value - low) / span) * (to - from)));
}

/**
 * @param {import('messages').EpochFigures[]} epochs
 * @returns {HTMLElement}
 */
export function learningCurve(epochs) {
  const shares = epochs.flatMap((epoch) => [epoch.image_accuracy, epoch.tracklet_accuracy]).filter((v) => v !== null);
  const lowest = lowestShare(shares);
  const most = Math.max(...epochs.map(({ loss }) => loss));
  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right];
  const [top, bottom] = [MARGIN.top, HEIGHT - MARGIN.bottom];
  const across = placesOf(
    epochs.map((_, i) => i),
    0,
    epochs.length - 1,
    left,
    right,
  );
  const svg = element('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: 'img', class: 'curve' });
  const last = epochs[epochs.length - 1];
  svg.setAttribute(
    'aria-label',
    `By epoch: loss from ${epochs[0].loss.toFixed(2)} to ${last.loss.toFixed(2)}` +
      (last.image_accuracy === null ? '' : `; at the end ${percent(last.image_accuracy)} of the held-out images right`),
  );
  for (const share of [lowest, (1 + lowest) / 2, 1]) {
    const y = Number(placesOf([share], lowest, 1, bottom, top)[0]);
    svg.append(
      element('line', { x1: left, x2: right, y1: y, y2: y, class: 'curve-grid' }),
      text(left - 6, y + 4, 'end', `${Math.round(100 * share)} %`),
    );
  }
  svg.append(
    text(right + 6, bottom + 4, 'start', '0'),
    text(right + 6, top + 4, 'start', most.toFixed(1)),
    text(left, HEIGHT - 8, 'middle', String(epochs[0].epoch)),
    text(right, HEIGHT - 8, 'middle', `epoch ${last.epoch}`),
    line(
      across,
      placesOf(
        epochs.map(({ loss }) => loss),
        0,
        most,
        bottom,
        top,
      ),
      'loss',
    ),
  );
  for (const { key, name } of CURVES)
    svg.append(
      line(
        across,
        placesOf(
          epochs.map((epoch) => epoch[key]),
          lowest,
          1,
          bottom,
          top,
        ),
        name,
      ),
    );
  return h(
    'figure.learning-curve',
    {},
    svg,
    h(
      'figcaption',
      {},
      CURVES.map(({ title, name }) => h(`span.curve-key.${name}`, {}, title)),
      h('span.curve-key.loss', {}, 'loss on what was trained on (right scale)'),
    ),
  );
}

/**
 * A line through the places that are known, with a gap where one is not.
 * @param {(number|null)[]} across
 * @param {(number|null)[]} down
 * @param {string} name
 */
function line(across, down, name) {
  let path = '';
  across.forEach((x, i) => {
    const y = down[i];
    if (x !== null && y !== null)
      path += `${i === 0 || down[i - 1] === null ? 'M' : 'L'}${x.toFixed(1)} ${y.toFixed(1)}`;
  });
  return element('path', { d: path, class: `curve-line ${name}` });
}

/**
 * @param {number} x
 * @param {number} y
 * @param {string} anchor
 * @param {string} what
 */
function text(x, y, anchor, what) {
  const made = element('text', { x, y, 'text-anchor': anchor });
  made.textContent = what;
  return made;
}

/**
 * @param {string} name
 * @param {Record<string, string|number>} attributes
 */
function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  return made;
}
