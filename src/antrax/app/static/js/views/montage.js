/**
 * Many images side by side, on one canvas of the visible area over an area that scrolls.
 *
 * Only visible cells are drawn and only the sheets that they lie on are asked for, so that 100,000 images cost no more than
 * 100. Pixels stay crisp: an image pixel is a whole number of screen pixels.
 */

import { UNWANTED } from '../core/api.js';
import { paintChosen } from './chosen.js';
import { h } from '../core/dom.js';
import { GAP, PAD, arrange, atLeast } from './grid.js';
import { PER_ROW, PER_SHEET, loadSheet, peekSheet } from '../core/sheets.js';

export class Montage {
  /**
   * @param {HTMLElement} container  its content becomes the montage; needs a size of its own
   * @param {{selectable?: boolean, label?: string, paint?: typeof paintChosen, chosenAs?: string, onSelect?: (selection: Set<number>) => void, onActivate?: (i: number) => void,
   *   onCursor?: (i: number) => void, onHover?: (i: number|null) => void, onProblem?: (error: Error) => void}} [options]
   *   selectable: images can be chosen: a click adds or takes away, a drag does so with all that it passes, shift-click from the last
   *   one on. Otherwise a click activates. onActivate: click, or double click and Enter where selectable. label: what it shows, in words.
   *   paint: how a chosen image looks; chosenAs: what it is called
   */
  constructor(
    container,
    {
      selectable = false,
      label = 'Images',
      paint = paintChosen,
      chosenAs = 'chosen',
      onSelect,
      onActivate,
      onCursor,
      onHover,
      onProblem,
    } = {},
  ) {
    this.container = container;
    this.options = { selectable, paint, chosenAs, onSelect, onActivate, onCursor, onHover, onProblem };
    /** @type {Set<number>} */
    this.selection = new Set();
    this.cursor = 0;
    /** @type {{count: number, size: number, url: any, marks: Map<number, any>, scale: 'fit'|'all'|number, before?: any}} */
    this.content = { count: 0, size: 1, url: null, marks: new Map(), scale: 'fit' };
    /** @type {'white'|'black'} */
    this.background = 'white';
    this.failed = new Set();
    /** @type {number|null} */
    this.highlight = null;
    this.frame = 0;
    /**
     * The image under the pointer.
     * @type {number|null|undefined}
     */
    this.hovered = undefined;
    /** @type {{from: number, before: Set<number>, adds: boolean, event: PointerEvent, timer: ReturnType<typeof setInterval>}|null} */
    this.drag = null;
    /**
     * Since when all visible images are on the screen, of `performance.now()`; null: they are not.
     * @type {number|null}
     */
    this.paintedSince = null;

    this.canvas = h('canvas.montage-canvas', { 'aria-hidden': 'true' });
    this.space = h('div.montage-space', {}, this.canvas);
    this.spoken = h('div.visually-hidden', { 'aria-live': 'polite' });
    container.classList.add('montage');
    container.replaceChildren(this.space, this.spoken);
    container.tabIndex = selectable ? 0 : -1;
    container.setAttribute('role', 'group');
    container.setAttribute('aria-label', label);

    this.listeners = new AbortController();
    /** @type {(target: EventTarget, name: string, run: (event: any) => void) => void} */
    const listen = (target, name, run) => target.addEventListener(name, run, { signal: this.listeners.signal });
    listen(container, 'scroll', () => this.draw());
    listen(container, 'pointerdown', (event) => this.#press(event));
    listen(container, 'pointermove', (event) => this.#move(event));
    listen(container, 'pointerup', () => this.#endDrag());
    listen(container, 'pointercancel', () => this.#endDrag());
    listen(container, 'pointerleave', () => this.#hover(null));
    listen(container, 'dblclick', (event) => {
      const i = this.#indexAt(event);
      if (selectable && i !== null) onActivate?.(i);
    });
    listen(container, 'keydown', (event) => {
      if (!event.defaultPrevented && selectable && this.handleKey(event)) {
        event.preventDefault();
        event.stopPropagation();
      }
    });
    listen(document, 'antrax-theme', () => this.draw());
    this.resizing = new ResizeObserver(() => this.#layout());
    this.resizing.observe(container);
    this.draw = this.draw.bind(this);
  }

  /**
   * Shows images. What is not given stays as it was; the selection stays if `url` is not given.
   * @param {{count?: number, size?: number, url?: (start: number) => string, marks?: Map<number, {color: string, title: string}>,
   *   scale?: 'fit'|'all'|number, before?: ((i: number) => {url: string, n: number}|null)|null}} content
   *   size: pixels of an image's side. url: the address of the sheet of images start..start+255. marks: a coloured line under
   *   an image, in a colour of the style sheet ('--ant'), with words for the pointer. scale: screen pixels (CSS) an image pixel, or as
   *   large as lets all be seen. before: where an image lies (its place on that sheet) among those that were shown until now, for the time
   *   until its new sheet is here
   */
  show(content) {
    const isOther = content.url !== undefined;
    if (isOther) this.content.before = null;
    Object.assign(this.content, content);
    if (isOther) {
      this.selection = new Set();
      this.cursor = 0;
      this.failed.clear();
      this.paintedSince = null;
      this.#endDrag();
      this.container.scrollTop = 0;
    }
    this.#layout();
    if (isOther) this.draw(true); // at once: with the sheets here already, the images are on the screen in this very frame
  }

  /** Whether all images are in sight. */
  get isAllInSight() {
    return this.grid ? this.grid.total <= this.grid.height : true;
  }

  /** How many screen pixels (CSS) an image pixel takes now. */
  get scale() {
    return this.grid ? this.grid.factor / this.grid.ratio : 1;
  }

  /** @param {'white'|'black'} background */
  setBackground(background) {
    this.background = background;
    this.container.dataset.background = background;
    this.draw();
  }

  /**
   * Points at an image without moving anything.
   * @param {number|null} i
   */
  setHighlight(i) {
    this.highlight = i;
    this.draw();
  }

  /**
   * How many images of that size can be seen at once, at most.
   * @param {number} size
   * @returns {number}
   */
  capacity(size) {
    const cell = atLeast(size, this.content.scale) + GAP;
    return Math.ceil(this.container.clientWidth / cell) * (Math.ceil(this.container.clientHeight / cell) + 1);
  }

  /** @param {Iterable<number>} indices */
  setSelection(indices) {
    this.selection = new Set(indices);
    this.draw();
    this.options.onSelect?.(this.selection);
  }

  /**
   * Moves the cursor and brings it into view.
   * @param {number} i
   */
  setCursor(i) {
    this.cursor = Math.max(0, Math.min(this.content.count - 1, i));
    this.reveal(this.cursor);
    this.draw();
    if (this.options.selectable) {
      this.spoken.textContent = `Image ${this.cursor + 1} of ${this.content.count}${this.selection.has(this.cursor) ? `, ${this.options.chosenAs}` : ''}`;
    }
    this.options.onCursor?.(this.cursor);
  }

  /**
   * Does what a key says: arrows, Home, End, Page up and down (with Shift: choose what is passed), Space, Enter, Ctrl+A, Ctrl+I.
   * @param {KeyboardEvent} event
   * @returns {boolean} whether it is one of these
   */
  handleKey(event) {
    const { count } = this.content;
    const { columns, visibleRows } = this.grid ?? { columns: 1, visibleRows: 1 };
    /** @type {Record<string, number>} */
    const steps = {
      ArrowLeft: -1,
      ArrowRight: 1,
      ArrowUp: -columns,
      ArrowDown: columns,
      Home: -count,
      End: count,
      PageUp: -columns * visibleRows,
      PageDown: columns * visibleRows,
    };
    const command = event.ctrlKey || event.metaKey;
    if (!count || event.altKey) return false;
    if (command && event.key.toLowerCase() === 'a') this.setSelection(Array(count).keys());
    else if (command && event.key.toLowerCase() === 'i')
      this.setSelection([...Array(count).keys()].filter((i) => !this.selection.has(i)));
    else if (command) return false;
    else if (event.key in steps) this.#step(steps[event.key], event.shiftKey);
    else if (event.key === ' ') this.toggle(this.cursor);
    else if (event.key === 'Enter' && this.options.onActivate) this.options.onActivate(this.cursor);
    else return false;
    return true;
  }

  /**
   * Adds an image to the selection, or takes it away.
   * @param {number} i
   */
  toggle(i) {
    if (!this.selection.delete(i)) this.selection.add(i);
    this.anchor = i;
    this.setSelection(this.selection);
  }

  /** Ends it and empties the container. */
  destroy() {
    this.listeners.abort();
    this.resizing.disconnect();
    cancelAnimationFrame(this.frame);
    this.#endDrag();
    this.content.count = 0;
    this.container.classList.remove('montage');
    this.container.replaceChildren();
  }

  /**
   * @param {number} by
   * @param {boolean} extend  choose what is passed
   */
  #step(by, extend) {
    const from = this.cursor;
    if (extend) {
      const to = Math.max(0, Math.min(this.content.count - 1, from + by));
      for (let i = Math.min(from, to); i <= Math.max(from, to); i += 1) this.selection.add(i);
      this.setSelection(this.selection);
    }
    this.setCursor(from + by);
  }

  /** Where cells lie, in screen pixels (not CSS ones). */
  #layout() {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(this.container.clientWidth * ratio);
    const height = Math.round(this.container.clientHeight * ratio);
    if (!width || !height || !this.content.count) {
      this.grid = null;
      this.paintedSince = null;
      this.space.style.height = '';
      this.canvas.width = 0;
      return;
    }
    this.grid = arrange(this.content, width, height, ratio);
    if (this.canvas.width !== width) this.canvas.width = width;
    if (this.canvas.height !== height) this.canvas.height = height;
    this.canvas.style.width = `${width / ratio}px`;
    this.canvas.style.height = `${height / ratio}px`;
    this.space.style.height = `${Math.max(height, this.grid.total) / ratio}px`;
    this.draw(true); // a canvas whose size was set is empty
    this.container.dispatchEvent(new Event('arranged'));
  }

  /**
   * Draws what is visible, in the next frame or at once.
   * @param {boolean|Event} [now]
   */
  draw(now = false) {
    cancelAnimationFrame(this.frame);
    if (now === true) this.#paint();
    else this.frame = requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    const { grid, content } = this;
    if (!grid || !content.url) return;
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext('2d'));
    const colours = getComputedStyle(this.container);
    const colour = (/** @type {string} */ name) => colours.getPropertyValue(name).trim();
    /** @type {[string, string]} */
    const accents = [colour('--accent'), colour('--on-accent')];
    const scroll = Math.round(this.container.scrollTop * grid.ratio);
    const firstRow = Math.max(0, Math.floor((scroll - grid.top) / grid.pitch));
    const lastRow = Math.min(grid.rows - 1, Math.floor((scroll + grid.height - grid.top) / grid.pitch));
    const line = Math.max(2, Math.round(2 * grid.ratio));
    context.clearRect(0, 0, grid.width, grid.height);
    context.imageSmoothingEnabled = grid.factor < 1;
    const missing = new Set();
    let isWhole = true;
    const last = Math.min(content.count, (lastRow + 1) * grid.columns);
    for (let i = firstRow * grid.columns; i < last; i += 1) {
      const x = grid.left + (i % grid.columns) * grid.pitch;
      const y = grid.top + Math.floor(i / grid.columns) * grid.pitch - scroll;
      const url = content.url(i - (i % PER_SHEET));
      let sheet = peekSheet(url);
      let n = i % PER_SHEET;
      if (!sheet) {
        missing.add(url);
        const before = content.before?.(i);
        sheet = before && peekSheet(before.url);
        n = before?.n ?? 0;
      }
      isWhole &&= Boolean(sheet);
      context.fillStyle = sheet ? groundOf(this.background) : colour('--cell-empty');
      context.fillRect(x, y, grid.cell, grid.cell);
      if (sheet) {
        const { size } = content;
        context.drawImage(
          sheet,
          (n % PER_ROW) * size,
          Math.floor(n / PER_ROW) * size,
          size,
          size,
          x,
          y,
          grid.cell,
          grid.cell,
        );
      }
      const mark = content.marks.get(i);
      if (mark) {
        context.fillStyle = colour(mark.color);
        context.fillRect(x, y + grid.cell - 2 * line, grid.cell, 2 * line);
      }
      if (this.selection.has(i)) this.options.paint(context, x, y, grid.cell, line, accents);
      if (i === (this.options.selectable ? this.cursor : this.highlight)) {
        context.strokeStyle = colour('--cursor');
        context.lineWidth = line;
        context.strokeRect(x - line / 2, y - line / 2, grid.cell + line, grid.cell + line);
      }
    }
    this.paintedSince = isWhole ? (this.paintedSince ?? performance.now()) : null;
    this.container.setAttribute('aria-busy', String(missing.size > 0));
    for (const url of missing) this.#load(url);
  }

  /** @param {string} url */
  #load(url) {
    if (this.failed.has(url)) return;
    const { url: addresses } = this.content;
    const isShown = () => this.content.url === addresses;
    loadSheet(url).then(
      () => isShown() && this.draw(),
      (error) => {
        if (!isShown()) return;
        if (error.status === UNWANTED) {
          this.draw(); // newer requests came first
          return;
        }
        this.failed.add(url); // asked for again by `retry`
        this.options.onProblem?.(error);
      },
    );
  }

  /** Asks again for sheets that did not come. */
  retry() {
    this.failed.clear();
    this.draw();
  }

  /**
   * @param {MouseEvent} event
   * @returns {number|null}
   */
  #indexAt(event) {
    const { grid } = this;
    if (!grid) return null;
    const box = this.container.getBoundingClientRect();
    const x = (event.clientX - box.left) * grid.ratio - grid.left;
    const y = (event.clientY - box.top + this.container.scrollTop) * grid.ratio - grid.top;
    const column = Math.floor(x / grid.pitch);
    const row = Math.floor(y / grid.pitch);
    const i = row * grid.columns + column;
    const isOutside = event.clientX - box.left >= this.container.clientWidth; // the scroll bar
    return column < 0 || column >= grid.columns || row < 0 || i >= this.content.count || isOutside ? null : i;
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0) return;
    const i = this.#indexAt(event);
    if (i === null) return;
    if (!this.options.selectable) {
      this.options.onActivate?.(i);
      return;
    }
    const before = new Set(this.selection);
    // What is pressed first says what the drag does: choosing starts at an image that is not chosen, taking away at one that is.
    const adds = event.shiftKey || !before.has(i);
    const from = event.shiftKey ? (this.anchor ?? this.cursor) : i;
    this.drag = { from, before, adds, event, timer: setInterval(() => this.#scrollAtEdge(), 40) };
    if (!event.shiftKey) this.anchor = i;
    try {
      this.container.setPointerCapture(event.pointerId);
    } catch {
      // A pointer that a script made up cannot be captured; the drag then ends at the edge.
    }
    this.#dragTo(i);
  }

  /** @param {number} i */
  #dragTo(i) {
    if (!this.drag) return;
    const { from, before, adds } = this.drag;
    const selection = new Set(before);
    for (let n = Math.min(from, i); n <= Math.max(from, i); n += 1) {
      if (adds) selection.add(n);
      else selection.delete(n);
    }
    this.selection = selection;
    if (i !== this.cursor) {
      this.cursor = i;
      this.options.onCursor?.(i);
    }
    this.draw();
    this.options.onSelect?.(selection);
  }

  #scrollAtEdge() {
    if (!this.drag) return;
    const box = this.container.getBoundingClientRect();
    const { event } = this.drag;
    const above = box.top + 24 - event.clientY;
    const below = event.clientY - box.bottom + 24;
    if (above <= 0 && below <= 0) return;
    this.container.scrollTop += above > 0 ? -Math.min(40, above) : Math.min(40, below);
    const i = this.#indexAt(event);
    if (i !== null) this.#dragTo(i);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const i = this.#indexAt(event);
    if (this.drag) {
      this.drag.event = event;
      if (i !== null) this.#dragTo(i);
    }
    this.#hover(i);
  }

  /** @param {number|null} i */
  #hover(i) {
    if (i === this.hovered) return;
    this.hovered = i;
    const title = i === null ? '' : (this.content.marks.get(i)?.title ?? '');
    this.container.title = title;
    this.options.onHover?.(i);
  }

  #endDrag() {
    if (this.drag) clearInterval(this.drag.timer);
    this.drag = null;
  }

  /**
   * Scrolls so that an image can be seen.
   * @param {number} i
   */
  reveal(i) {
    const { grid } = this;
    if (!grid) return;
    const top = (grid.top + Math.floor(i / grid.columns) * grid.pitch) / grid.ratio;
    const cell = grid.cell / grid.ratio;
    const { scrollTop, clientHeight } = this.container;
    if (top - GAP < scrollTop) this.container.scrollTop = top - PAD;
    else if (top + cell + GAP > scrollTop + clientHeight) this.container.scrollTop = top + cell + PAD - clientHeight;
  }
}

/**
 * The colour behind images. White glares in the dark, so there it is dimmed.
 * @param {'white'|'black'} background
 * @returns {string}
 */
export function groundOf(background) {
  return background === 'white' && document.documentElement.dataset.theme === 'dark' ? '#b4bac4' : background;
}
