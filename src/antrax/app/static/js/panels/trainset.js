/**
 * The side panel "Training set": number of examples of each label, and what is missing.
 * @module
 */
import { api } from '../core/api.js';
import { app } from '../core/app.js';
import { on } from '../core/bus.js';
import { byId, count, fill, h, plural } from '../core/dom.js';
import { frames } from '../views/frames.js';
import { initGallery, openGallery } from '../dialogs/gallery.js';
import { registerKey } from '../core/keys.js';
import { showReport } from '../dialogs/jobs.js';
import { openLabels } from '../dialogs/labels.js';
import { meter } from './plots.js';
import { shownPanel } from './side.js';
import { toast } from '../core/toast.js';

const TITLE = 'Panel Training set';
const SORTS = [
  { value: 'order', title: 'Listed' },
  { value: 'fewest', title: 'Fewest first' },
];

// Training draws rare labels more often, which makes up for less than this.
const WORTH_SAYING = 5;

/** @type {HTMLElement} */
let panel;
/** @type {import('messages').TrainingSet|null} */
let set = null;
let sort = 'order';
let isStale = true;
let asked = 0;

/** Build the panel and its keys. */
export function init() {
  panel = byId('panel-trainset');
  panel.addEventListener('keydown', stepThroughRows);
  panel.addEventListener('focusin', (event) => reach(/** @type {Element} */ (event.target).closest('.set-row')));
  on('session', () => {
    fill(panel);
    outdated();
  });
  on('overview', outdated);
  on('versions', ({ changed }) => {
    if (changed.includes('examples') || changed.includes('labels')) outdated();
  });
  // The panel asks for nothing while it is out of sight.
  on('panel', catchUp);
  on('connection', (state) => state === 'ok' && catchUp());
  initGallery();
  registerKey({
    key: 'Shift+X',
    title: 'Examples of the chosen label',
    group: 'Panels and menus',
    run: () =>
      app.selectedLabel ? openGallery(app.selectedLabel) : toast('Choose a label first: this shows its examples.'),
  });
  const isShown = () => shownPanel() === 'trainset';
  registerKey({
    key: 'Shift+S',
    title: 'Labels as listed, or fewest first',
    group: TITLE,
    when: isShown,
    run: () => {
      sort = sort === 'order' ? 'fewest' : 'order';
      draw();
    },
  });
  registerKey({
    key: ['ArrowUp', 'ArrowDown'],
    title: 'To its labels; Enter shows the examples of one',
    group: TITLE,
    when: () => isShown() && !frames.isOpen,
    run: () => (panel.querySelector('.set-row[tabindex="0"]') ?? panel.querySelector('.set-row:enabled'))?.focus(),
  });
}

function outdated() {
  isStale = true;
  catchUp();
}

function catchUp() {
  if (isStale && !panel.hidden && app.overview) refresh();
}

async function refresh() {
  isStale = false;
  const turn = ++asked;
  try {
    const answer = await api.ask('trainset');
    if (turn !== asked) return;
    set = answer;
    draw();
  } catch (error) {
    if (turn !== asked) return;
    isStale = true;
    fill(panel, h('p.hint', { role: 'alert' }, error.message));
  }
}

function draw() {
  if (!set) return;
  const focused = document.activeElement?.closest('.set-row')?.dataset.label;
  const most = Math.max(1, ...set.labels.map((row) => row.examples));
  fill(
    panel,
    h(
      'header.set-head',
      {},
      h(
        'p.set-total',
        {},
        h('strong', {}, plural(set.examples, 'example')),
        ' of ',
        h('strong', {}, plural(set.tracklets, 'tracklet')),
      ),
      set.without.length > 0 &&
        set.examples > 0 &&
        h('p.set-without', {}, `${plural(set.without.length, 'label')} without any`),
      h('p.set-folder', { title: set.folder }, h('bdi', {}, set.folder)),
      app.overview?.classifier &&
        h(
          'button.set-report',
          { type: 'button', title: 'Shift+Z', onclick: showReport },
          'How well each label is recognised…',
        ),
    ),
    set.examples === 0 && beginning(set),
    remarks(set),
    set.labels.length > 0 &&
      h(
        'div.set-head-line',
        {},
        segments(),
        ['examples', 'tracklets'].map((title) => h('span.set-column', { 'aria-hidden': 'true' }, title)),
      ),
    h(
      'ul.set-list',
      {},
      sorted(set).map((row) => h('li', {}, rowButton(row, most))),
    ),
  );
  reach(panel.querySelector('.set-row:enabled'));
  if (focused) [...panel.querySelectorAll('.set-row')].find((row) => row.dataset.label === focused)?.focus();
}

/** @param {import('messages').TrainingSet} set */
function beginning(set) {
  return h(
    'div.callout.set-begin',
    {},
    set.labels.length > 0
      ? 'No examples yet. In the panel Label, choose who it is and export: a few tracklets of each label are enough to begin with.'
      : 'No labels yet. List those of the experiment first: an ID for each animal, and names for what is no ant.',
    set.labels.length === 0 && h('button', { type: 'button', onclick: openLabels }, 'Labels…'),
  );
}

/** @param {import('messages').TrainingSet} set */
function remarks({ imbalance, hints }) {
  const lines = [...hints];
  if (imbalance && imbalance.ratio >= WORTH_SAYING) {
    lines.push(
      `${imbalance.largest} has ${count(Math.round(imbalance.ratio))} times as many examples as ${imbalance.smallest}.`,
    );
  }
  return (
    lines.length > 0 &&
    h(
      'ul.notes',
      {},
      lines.map((line) => h('li', {}, line)),
    )
  );
}

function segments() {
  return h(
    'div.segmented',
    { role: 'group', 'aria-label': 'Order of the labels' },
    SORTS.map(({ value, title }) =>
      h(
        'button',
        {
          type: 'button',
          'aria-pressed': String(value === sort),
          title: 'Shift+S',
          onclick: () => {
            sort = value;
            draw();
          },
        },
        title,
      ),
    ),
  );
}

/** @param {import('messages').TrainingSet} set */
function sorted(set) {
  return sort === 'order'
    ? set.labels
    : [...set.labels].sort((a, b) => a.examples - b.examples || a.tracklets - b.tracklets);
}

/**
 * @param {import('messages').LabelCount} row
 * @param {number} most
 */
function rowButton({ label, category, listed, examples, tracklets }, most) {
  const isEmpty = examples === 0;
  return h(
    'button.set-row',
    {
      type: 'button',
      class: isEmpty && 'without',
      data: { label },
      disabled: isEmpty,
      title: isEmpty ? `${label}: no examples` : `Show the examples of ${label}`,
      onclick: () => openGallery(label),
    },
    h('span.swatch', { class: category }),
    h('span.set-label', { class: listed ? '' : 'unlisted', title: listed ? '' : 'Not in the list of labels' }, label),
    isEmpty ? h('span') : meter(examples / most, category),
    h('span.set-number', {}, isEmpty ? 'none' : [count(examples), h('span.visually-hidden', {}, ' examples')]),
    h('span.set-number.minor', {}, isEmpty ? '' : [count(tracklets), h('span.visually-hidden', {}, ' tracklets')]),
  );
}

/**
 * One row at a time can be reached with Tab; ↑ and ↓ go to the others.
 * @param {HTMLElement|null} reached
 */
function reach(reached) {
  if (reached) for (const row of panel.querySelectorAll('.set-row')) row.tabIndex = row === reached ? 0 : -1;
}

/** @param {KeyboardEvent} event */
function stepThroughRows(event) {
  const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
  const row = /** @type {Element} */ (event.target).closest('.set-row');
  if (!step || !row || event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return;
  // With the focus in the list the arrows go through it, and do not change the label chosen for exports.
  event.preventDefault();
  const rows = [...panel.querySelectorAll('.set-row:enabled')];
  rows[rows.indexOf(row) + step]?.focus();
}
