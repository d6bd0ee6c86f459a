/** The strip under the montage: probabilities of the assigned label and the runner-up, image by image. */

import { fill, h } from '../core/dom.js';

const EXPLAIN =
  'What the classifier says of single images. The confidence at the top is that of the whole tracklet, calibrated.';
const DRAG = 4; // pixels of the screen, from which on it is no click
const LINES = ['--strip-assigned', '--strip-runner-up'];

/**
 * How probable a label is in one image. Of a very long tracklet the server sends fewer values than it has images.
 * @param {(number|null)[]} values
 * @param {number} i  the image
 * @param {number} images
 * @returns {number|null} percent; null where the classifier was not shown the image
 */
export function valueAt(values, i, images) {
  return values[Math.min(values.length - 1, Math.floor((i * values.length) / images))];
}

/** What `valueAt` found, to be read. */
export function percentText(value) {
  return value === null ? 'not looked at' : `${Math.round(value)} %`;
}

export class Strip {
  /**
   * @param {HTMLElement} container
   * @param {{onHover?: (i: number|null) => void, onPick?: (i: number, isMore: boolean) => void,
   *   onRange?: (from: number, to: number) => void}} [options]  told which image the pointer is at; isMore: clicked with Shift; onRange: over
   *   which images the pointer was dragged
   */
  constructor(container, { onHover, onPick, onRange } = {}) {
    this.container = container;
    this.strip = null;
    this.images = 0;
    this.hovered = null;
    /** What the pointer is dragged over: where it began, and whether it has gone far enough to mean it. */
    this.dragged = null;
    this.legend = h('div.strip-legend');
    this.canvas = h('canvas', {
      role: 'img',
      onpointerdown: (event) => {
        if (event.button !== 0) return;
        this.dragged = { x: event.clientX, from: this.#indexAt(event), isFar: false };
        this.canvas.setPointerCapture(event.pointerId);
      },
      onpointermove: (event) => {
        onHover?.(this.#indexAt(event));
        if (!this.dragged) return;
        this.dragged.isFar ||= Math.abs(event.clientX - this.dragged.x) >= DRAG;
        if (!this.dragged.isFar) return;
        this.dragged.to = this.#indexAt(event);
        this.#draw();
      },
      onpointerup: (event) => {
        const { from, isFar } = this.dragged ?? {};
        this.dragged = null;
        if (isFar) onRange?.(from, this.#indexAt(event));
        else if (from !== undefined) onPick?.(this.#indexAt(event), event.shiftKey);
        this.#draw();
      },
      onpointercancel: () => {
        this.dragged = null;
        this.#draw();
      },
      onpointerleave: () => onHover?.(null),
    });
    container.replaceChildren(this.legend, h('div.strip-plot', {}, this.canvas));
    new ResizeObserver(() => this.#draw()).observe(this.canvas.parentElement);
    document.addEventListener('antrax-theme', () => this.#draw());
  }

  /**
   * @param {{labels: string[], values: (number|null)[][], looked_at: number}|null} strip  values in percent, null where
   *   no image was looked at; null: there is no classification
   * @param {number} images
   */
  show(strip, images) {
    this.strip = images > 0 && strip?.labels.length ? strip : null;
    this.images = images;
    this.hovered = null;
    this.container.hidden = this.strip === null;
    if (this.strip === null) return;
    const [label, other] = this.strip.labels;
    this.canvas.setAttribute('aria-label', `Probability of ${label}${other ? ` and ${other}` : ''} in each image`);
    this.#describe();
    this.#draw();
  }

  /** @param {number|null} i  the image to point at */
  setHover(i) {
    if (this.strip === null || i === this.hovered) return;
    this.hovered = i;
    this.#describe();
    this.#draw();
  }

  #describe() {
    const { labels, values } = this.strip;
    const i = this.hovered;
    const all = this.strip.looked_at >= this.images;
    const title = all ? 'Mean of all images' : `Mean of ${this.strip.looked_at} images looked at`;
    fill(
      this.legend,
      h('div.strip-title', { title: EXPLAIN }, i === null ? title : `Image ${i + 1}`),
      labels.map(
        (label, n) =>
          label &&
          h(
            'div.strip-label',
            {},
            h('span.swatch', { class: n ? 'runner-up' : 'assigned' }),
            h('span.name', { title: label }, label),
            h('span.value', {}, percentText(i === null ? mean(values[n]) : valueAt(values[n], i, this.images))),
          ),
      ),
    );
  }

  #indexAt(event) {
    const box = this.canvas.getBoundingClientRect();
    return Math.max(0, Math.min(this.images - 1, Math.floor(((event.clientX - box.left) / box.width) * this.images)));
  }

  #draw() {
    const { canvas, images } = this;
    if (this.strip === null) return;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.parentElement.clientWidth * ratio);
    const height = Math.round(canvas.parentElement.clientHeight * ratio);
    if (!width || !height) return;
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext('2d');
    const colours = getComputedStyle(this.container);
    const edge = Math.ceil(1.5 * ratio);
    const y = (percent) => edge + (1 - percent / 100) * (height - 2 * edge);
    context.strokeStyle = colours.getPropertyValue('--border');
    context.lineWidth = ratio;
    for (const percent of [0, 50, 100]) {
      context.setLineDash(percent === 50 ? [3 * ratio, 3 * ratio] : []);
      context.beginPath();
      context.moveTo(0, y(percent));
      context.lineTo(width, y(percent));
      context.stroke();
    }
    context.setLineDash([]);
    this.strip.values.forEach((values, n) => {
      const steps = binned(values, width);
      context.strokeStyle = context.fillStyle = colours.getPropertyValue(LINES[n]);
      context.lineWidth = 1.5 * ratio;
      // images that were not looked at are gaps
      for (const [from, to] of runs(steps)) {
        context.beginPath();
        for (let k = from; k < to; k++) {
          context.lineTo((k / steps.length) * width, y(steps[k]));
          context.lineTo(((k + 1) / steps.length) * width, y(steps[k]));
        }
        context.stroke();
        context.lineTo((to / steps.length) * width, y(0));
        context.lineTo((from / steps.length) * width, y(0));
        context.globalAlpha = 0.14;
        context.fill();
        context.globalAlpha = 1;
      }
    });
    if (this.dragged?.isFar) {
      const [first, last] = [this.dragged.from, this.dragged.to].sort((a, b) => a - b);
      context.fillStyle = colours.getPropertyValue('--accent');
      context.globalAlpha = 0.25;
      context.fillRect((first / images) * width, 0, ((last - first + 1) / images) * width, height);
      context.globalAlpha = 1;
    }
    if (this.hovered !== null) {
      context.fillStyle = colours.getPropertyValue('--cursor');
      const x = ((this.hovered + 0.5) / images) * width;
      context.fillRect(Math.round(x - ratio / 2), 0, Math.max(1, Math.round(ratio)), height);
    }
  }
}

/** Means of neighbours where there are more values than screen pixels. */
function binned(values, most) {
  if (values.length <= most) return values;
  return Array.from({ length: most }, (_, k) =>
    mean(values.slice(Math.floor((k * values.length) / most), Math.floor(((k + 1) * values.length) / most))),
  );
}

/** The mean of what is known; null where nothing is. */
function mean(values) {
  const known = values.filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}

/** Where values are known: [first, last exclusive] of each unbroken run. */
export function runs(values) {
  const found = [];
  values.forEach((value, k) => {
    if (value === null) return;
    if (k > 0 && values[k - 1] !== null) found[found.length - 1][1] = k + 1;
    else found.push([k, k + 1]);
  });
  return found;
}
