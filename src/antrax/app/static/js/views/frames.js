/** Select frames: the images of the tracklet in large, to choose some of them, or to go through them one by one. */

import { app } from '../core/app.js';
import { sheetUrl } from '../core/browse.js';
import { emit, on } from '../core/bus.js';
import { preference, prefer } from '../core/prefs.js';
import { askLine } from '../core/dialog.js';
import { byId, count, fill, h, plural } from '../core/dom.js';
import { registerKey } from '../core/keys.js';
import { labelsOfImages, marksOf } from './labelmarks.js';
import { Montage, groundOf } from './montage.js';
import { PER_ROW, PER_SHEET, loadSheet, peekSheet } from '../core/sheets.js';
import { percentText, valueAt } from './strip.js';
import { toast, toastError } from '../core/toast.js';

const CELL = 88; // pixels of the screen, about, an image has at first: large enough to see tags, and many are in sight
const DOUBTED = 50; // percent

let montage = null;
let info = null;
let bar = null;
let isWanted = false;

/** Interface for other modules. */
export const frames = {
  get isOpen() {
    return montage !== null;
  },
  /** The image under the cursor, from 0. */
  get cursor() {
    return montage?.cursor ?? 0;
  },
  /** The chosen images, in order. */
  get selection() {
    return montage ? [...montage.selection].sort((a, b) => a - b) : [];
  },
  /** Since when its images are on the screen; null: they are not. */
  get paintedSince() {
    return montage?.paintedSince ?? null;
  },
  /** @param {number} i */
  goTo(i) {
    montage?.setCursor(i);
  },
  /**
   * Chooses a range of images too, and goes to its end.
   * @param {number} from
   * @param {number} to
   */
  choose(from, to) {
    if (!montage) return;
    const [first, last] = from < to ? [from, to] : [to, from];
    const range = Array.from({ length: last - first + 1 }, (_, n) => first + n);
    montage.setCursor(to);
    montage.setSelection([...montage.selection, ...range]);
  },
  /** Chooses nothing. */
  clear() {
    montage?.setSelection([]);
  },
};

/**
 * Opens it for the tracklet on the screen.
 * @param {number} [i]  the image to begin at
 */
export function openFrames(i = 0) {
  isWanted = app.tracklet === null; // pressed while it was on its way: it opens when it is here
  if (frames.isOpen || !app.tracklet?.images) return;
  info = app.tracklet;
  byId('frames').hidden = false;
  montage = new Montage(byId('frames-all'), {
    selectable: true,
    label: 'Images to choose from',
    onSelect: renderSelection,
    onCursor: renderOne,
    onProblem: toastError,
  });
  bar ??= makeBar();
  byId('main').append(bar.element);
  emit('frames'); // before the layout is measured: the other parts make room
  const comfortable = Math.max(1, Math.round(CELL / info.size));
  montage.show({
    count: info.images,
    size: info.size,
    url: address,
    marks: marksOf(info),
    scale: preference('framesScale') ?? (info.images > 24 ? comfortable : 'fit'),
  });
  montage.setBackground(byId('montage').dataset.background ?? 'white');
  byId('frames-all').focus({ preventScroll: true });
  montage.setCursor(i);
  renderSelection();
}

/** Closes it; what was chosen and not exported is forgotten. */
export function closeFrames() {
  if (!frames.isOpen) return;
  montage.destroy();
  montage = null;
  bar.element.remove();
  byId('frames').hidden = true;
  emit('frames');
}

function address(start) {
  return sheetUrl(info, start);
}

// ---- one image in large --------------------------------------------------------------------------------------------------------

function renderOne() {
  const i = montage.cursor;
  emit('frames-cursor', i);
  const labels = labelsOfImages(info).get(i);
  const row = (term, ...text) => h('div', {}, h('dt', {}, term), h('dd', {}, text));
  const probabilities = info.strip
    ? info.strip.labels.map(
        (label, n) => label && row(label, percentText(valueAt(info.strip.values[n], i, info.images))),
      )
    : null;
  fill(
    byId('frames-facts'),
    h(
      'dl.facts',
      {},
      row('Image', h('b', {}, count(i + 1)), ` of ${count(info.images)}`),
      info.frames_known && row('Frame', count(info.first + i)),
      probabilities,
      info.best_frame === i + 1 && info.category === 'ant' && row('Shows', `${info.label} best`),
      row('Training set', labels ? labels.join(', ') : '–'),
    ),
  );
  bar.where.textContent = `${count(i + 1)} of ${count(info.images)}`;
  paintOne(i);
}

function paintOne(i) {
  const url = address(i - (i % PER_SHEET));
  const sheet = peekSheet(url);
  const canvas = byId('frames-image');
  const { size } = info;
  // As large as there is room for, in whole screen pixels an image pixel; the style sheet gives the box.
  const ratio = window.devicePixelRatio || 1;
  const factor = Math.max(1, Math.floor((canvas.parentElement.clientWidth * ratio) / size));
  canvas.width = canvas.height = size * factor;
  canvas.style.width = canvas.style.height = `${(size * factor) / ratio}px`;
  const context = canvas.getContext('2d');
  context.imageSmoothingEnabled = false;
  context.fillStyle = groundOf(montage.background);
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (sheet) {
    const n = i % PER_SHEET;
    context.drawImage(
      sheet,
      (n % PER_ROW) * size,
      Math.floor(n / PER_ROW) * size,
      size,
      size,
      0,
      0,
      canvas.width,
      canvas.height,
    );
  } else {
    loadSheet(url).then(
      () => montage?.cursor === i && address(i - (i % PER_SHEET)) === url && paintOne(i),
      () => {},
    );
  }
}

// ---- the bar under it ----------------------------------------------------------------------------------------------------------

function makeBar() {
  const button = (title, hint, run, props = {}) =>
    h('button', { type: 'button', title: hint, onclick: run, ...props }, title);
  const where = button('', 'Go to… (Shift+G)', askNumber, { class: 'where' });
  const chosen = h('span.chosen', { 'aria-live': 'polite' });
  const none = button('None', 'Choose none (Shift+A)', () => frames.clear());
  const element = h(
    'footer.frames-bar',
    {},
    h(
      'div.group',
      {},
      button('← Previous', 'The image before (←)', () => montage.setCursor(montage.cursor - 1)),
      where,
      button('Next image →', 'The image after (→)', () => montage.setCursor(montage.cursor + 1)),
    ),
    h('div.grow'),
    chosen,
    h(
      'div.segmented',
      { role: 'group', 'aria-label': 'Choose' },
      button('All', 'Choose all (Ctrl+A)', selectAll),
      button('Below 50 %', 'Choose those in which the label has less than 50 % (<)', selectDoubted),
      button('Invert', 'Choose the others (Ctrl+I)', invert),
      none,
    ),
    h(
      'div.segmented.zoom',
      { role: 'group', 'aria-label': 'Zoom' },
      button('−', 'Smaller (−)', () => zoom(-1), { 'aria-label': 'Smaller' }),
      button('+', 'Larger (+)', () => zoom(1), { 'aria-label': 'Larger' }),
    ),
    button('Done', 'Back to the tracklet (Esc)', closeFrames, {
      class: 'strong',
    }),
  );
  return { element, where, chosen, none };
}

function renderSelection() {
  const n = montage.selection.size;
  bar.chosen.textContent = n ? `${count(n)} chosen` : 'None chosen';
  bar.none.disabled = !n;
  emit('frames-selection', n);
}

function selectAll() {
  montage.setSelection(Array(info.images).keys());
}

/** Those in which the assigned label is less probable than not. */
function selectDoubted() {
  if (!info.strip) {
    toast('This tracklet is not classified, so there are no probabilities.', { kind: 'warn' });
    return;
  }
  const [values] = info.strip.values;
  const doubted = [...Array(info.images).keys()].filter((i) => {
    const value = valueAt(values, i, info.images);
    return value !== null && value < DOUBTED; // null: the classifier did not look at it
  });
  montage.setSelection(doubted);
  if (doubted.length) montage.setCursor(doubted[0]);
  else toast(`${info.strip.labels[0]} has at least 50 % in every image.`);
}

function zoom(by) {
  const scale = Math.max(1, Math.min(16, Math.round(montage.scale) + by));
  prefer('framesScale', scale);
  montage.show({ scale });
  montage.setCursor(montage.cursor); // in sight
}

function invert() {
  montage.setSelection([...Array(info.images).keys()].filter((i) => !montage.selection.has(i)));
}

async function askNumber() {
  const answer = await askLine({
    title: 'Go to',
    label: `Number of the image, 1 to ${count(info.images)}`,
    action: 'Go',
    value: String(montage.cursor + 1),
    numeric: true,
  });
  const number = Number(answer?.replaceAll(',', ''));
  if (!answer || !frames.isOpen) return;
  if (Number.isInteger(number) && number >= 1 && number <= info.images) montage.setCursor(number - 1);
  else toast(`There is no image number ${answer}: the tracklet has ${plural(info.images, 'image')}.`, { kind: 'warn' });
}

// ---- keys and events -----------------------------------------------------------------------------------------------------------

/** Sets it up. Called once. */
export function initFrames() {
  const group = 'Select frames';
  const when = () => frames.isOpen;
  const pass = (event) => montage.handleKey(event);
  registerKey({
    key: 'Space',
    title: 'Select frames',
    group: 'Labels',
    when: () => !frames.isOpen,
    run: () => openFrames(),
  });
  const move = { group, when, repeat: true, run: pass };
  registerKey({
    ...move,
    key: ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown'],
    shown: '←+→+↑+↓',
    title: 'Move',
  });
  registerKey({
    ...move,
    key: ['Home', 'End', 'PageUp', 'PageDown'],
    shown: 'Home+End+Page ↑+Page ↓',
    title: 'Move far',
  });
  registerKey({
    key: ['Shift+ArrowLeft', 'Shift+ArrowRight', 'Shift+ArrowUp', 'Shift+ArrowDown', 'Shift+Home', 'Shift+End'],
    shown: 'Shift+→',
    title: 'Choose what is passed',
    group,
    when,
    repeat: true,
    run: pass,
  });
  registerKey({
    key: 'Space',
    title: 'Choose the image, or not',
    group,
    when,
    run: pass,
  });
  registerKey({
    key: 'Ctrl+A',
    title: 'Choose all',
    group,
    when,
    run: selectAll,
  });
  registerKey({
    key: 'Shift+A',
    title: 'Choose none',
    group,
    when,
    run: () => frames.clear(),
  });
  registerKey({
    key: 'Ctrl+I',
    title: 'Choose the others',
    group,
    when,
    run: invert,
  });
  registerKey({ key: '<', title: 'Choose those below 50 %', group, when, run: selectDoubted });
  registerKey({ key: '+', title: 'Larger', group, when, repeat: true, run: () => zoom(1) });
  registerKey({ key: ['-', '−'], shown: '−', title: 'Smaller', group, when, repeat: true, run: () => zoom(-1) });
  registerKey({
    key: 'Shift+G',
    title: 'Go to an image by number',
    group,
    when,
    run: askNumber,
  });
  on('background', (shade) => {
    montage?.setBackground(shade);
    if (frames.isOpen) paintOne(montage.cursor);
  });
  on('connection', (state) => state === 'ok' && montage?.retry());
  on('tracklet', (now) => {
    if (now && isWanted) openFrames();
    if (!frames.isOpen) return;
    // News about the same tracklet change the marks only; another tracklet has other images.
    if (now?.tracklet !== info.tracklet || now.stamp !== info.stamp) return closeFrames();
    info = now;
    montage.show({ marks: marksOf(info) });
    renderOne();
  });
  new ResizeObserver(() => frames.isOpen && paintOne(montage.cursor)).observe(byId('frames-one'));
}
