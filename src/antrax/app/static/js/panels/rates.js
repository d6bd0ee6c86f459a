/**
 * Error rates of the classification from the checks so far: the lower half of the panel "Check".
 * @module
 */
import { api } from '../core/api.js';
import { count, fill, h, plural, saveFile } from '../core/dom.js';
import { registerKey } from '../core/keys.js';
import { meter, percent, percentNumber, roundEnd, whisker } from './plots.js';

const FILTERS = [
  {
    key: 'met',
    value: 'random',
    press: 'Shift+M',
    title: 'Only sampled at random',
    explain: 'Tracklets met in any other order are a biased sample.',
  },
  {
    key: 'seen',
    value: 'unseen',
    press: 'Shift+S',
    title: 'Only unseen',
    explain: 'Without tracklets of the training set: the classifier knows those.',
  },
];

const UNITS = {
  tracklets: 'Each tracklet counts once',
  frames: 'Each tracklet counts as often as it has images',
};
const INTERVAL =
  '95 % interval: in nineteen of twenty such sets of checks, the true rate lies within. More checks make it narrower.';

/** @type {Required<import('messages').RatesRequest>} */
const filter = { met: 'all', seen: 'all' };
let status = null;
let figures = null;
let asked = 0;
const boxes = {};

/**
 * Build the statistics into a node of the panel.
 * @returns {HTMLElement}
 */
export function ratesView() {
  figures = h('div.rates-figures', {});
  status = h('p.hint', { role: 'status' });
  return h(
    'section',
    { class: 'rates', 'aria-labelledby': 'rates-title' },
    h('h3', { id: 'rates-title' }, 'How good the classification is'),
    h('div.rates-filters', {}, FILTERS.map(filterBox)),
    status,
    figures,
  );
}

/**
 * The keys of the boxes above the statistics.
 * @param {() => boolean} when
 */
export function registerRateKeys(when) {
  for (const { key, press, title } of FILTERS)
    registerKey({ key: press, title, group: 'Check', when, run: () => boxes[key].click() });
}

/** Empty the statistics: they are of another session. */
export function forgetRates() {
  asked += 1;
  status.textContent = '';
  fill(figures);
}

/**
 * Ask the server for the rates and show them. The old ones stay until the new ones are there.
 * @returns {Promise<boolean>} false where they could not be had
 */
export async function refreshRates() {
  const turn = ++asked;
  if (!figures.hasChildNodes()) status.textContent = 'Counting …';
  try {
    const rates = await api.ask('rates', filter);
    // An answer that was overtaken by a later question says nothing any more.
    if (turn === asked) draw(rates);
    return true;
  } catch (error) {
    if (turn !== asked) return true;
    status.textContent = error.message;
    fill(figures);
    return false;
  }
}

function filterBox({ key, value, press, title, explain }) {
  const box = h('input', {
    type: 'checkbox',
    onchange: () => {
      filter[key] = box.checked ? value : 'all';
      refreshRates();
    },
  });
  boxes[key] = box;
  return h(
    'div.rates-filter',
    {},
    h('label.check', { title: `${explain} (${press})` }, box, title),
    h('p.hint', {}, explain),
  );
}

/** @param {import('messages').RatesInfo} rates */
function draw(rates) {
  status.textContent = summary(rates);
  const isMissed = ({ key }) => key.startsWith('missed');
  const known = rates.rows.filter((row) => row.rate !== null);
  const end = roundEnd(known.flatMap((row) => [row.high, row.frame_high ?? 0]));
  fill(
    figures,
    h('p.rates-outlook', {}, rates.more_checks_text),
    rates.notes.length > 0 &&
      h(
        'ul.rates-notes',
        {},
        rates.notes.map((note) => h('li.hint', {}, note)),
      ),
    assignment(rates.assignment),
    rateGroup(
      rates.rows.filter((row) => !isMissed(row)),
      end,
    ),
    rateGroup(rates.rows.filter(isMissed), end),
    h('button', { type: 'button', onclick: () => save(rates) }, 'Save as a table (CSV)'),
  );
}

function summary({ checked }) {
  return checked
    ? plural(checked, 'tracklet') + ' checked'
    : 'No checks yet. Go through tracklets in random order and mark them.';
}

function assignment({ tracklets, frames }) {
  const line = (title, { k, n, rate }) =>
    h(
      'div',
      { class: 'rate-line', title: `${count(k)} of ${count(n)}` },
      h('span.rate-unit', { title: UNITS[title] }, title),
      meter(rate ?? 0, 'accent'),
      h('span.rate-number', {}, rate === null ? '–' : percent(rate)),
    );
  return h(
    'div',
    { class: 'rate' },
    h(
      'div.rate-head',
      { title: 'How many of all classified tracklets got an ID. This is counted, not estimated from checks.' },
      h('span', {}, 'Got an ID'),
      h('span.rate-count', {}, 'counted over all'),
    ),
    // its scale is another one than that of the intervals below, which end where the widest does
    axis(1, ''),
    line('tracklets', tracklets),
    line('frames', frames),
  );
}

/** Rows with the scale of all of them, so that their whiskers can be compared. */
function rateGroup(rows, end) {
  const drawn = rows.filter((row) => row.rate !== null);
  return h(
    'div.rate-group',
    {},
    drawn.length > 0 && axis(end),
    rows.map((row) => rateRow(row, end)),
  );
}

function rateRow(row, end) {
  const line = (title, rate, low, high) =>
    h(
      'div',
      { class: 'rate-line' },
      h('span.rate-unit', { title: UNITS[title] }, title),
      whisker({ rate, low, high }, end),
      h(
        'span',
        { class: 'rate-number', title: INTERVAL },
        percent(rate),
        h('span.rate-interval', {}, `${percentNumber(low)}–${percentNumber(high)}`),
      ),
    );
  return h(
    'div',
    { class: 'rate' },
    h('div', { class: 'rate-head' }, h('span', {}, row.title), h('span.rate-count', {}, countText(row))),
    h('p.rate-explain', {}, row.explain),
    row.rate !== null && line('tracklets', row.rate, row.low, row.high),
    row.rate !== null && row.frame_rate !== null && line('frames', row.frame_rate, row.frame_low, row.frame_high),
  );
}

/** Has the browser keep the statistics as a file. */
function save({ rows, assignment: { tracklets, frames } }) {
  const columns = ['errors', 'checked', 'rate', 'low', 'high', 'frames', 'frame_rate', 'frame_low', 'frame_high'];
  const text = (value) => (value === null ? '' : String(value));
  const lines = [
    ['what', ...columns],
    ...rows.map((row) => [row.key, ...columns.map((column) => text(row[column]))]),
    ['assigned_tracklets', tracklets.k, tracklets.n, text(tracklets.rate), '', '', '', '', '', ''],
    ['assigned_frames', frames.k, frames.n, text(frames.rate), '', '', '', '', '', ''],
    ['only_random', filter.met === 'random' ? 'yes' : 'no'],
    ['only_unseen', filter.seen === 'unseen' ? 'yes' : 'no'],
  ];
  saveFile('validation.csv', lines.map((line) => line.join(',')).join('\n') + '\n');
}

function countText({ errors, checked, rate }) {
  if (!checked) return 'not checked yet';
  // An estimate from two kinds of tracklets needs checks of both.
  return rate === null ? 'too few checks yet' : `${count(errors)} of ${count(checked)}`;
}

function axis(end, numbers = '95\u00a0% interval') {
  return h(
    'div',
    { class: 'rate-line rate-axis', 'aria-hidden': 'true' },
    h('span.rate-unit', {}),
    h('span.rate-ends', {}, h('span', {}, '0'), h('span', {}, `${end * 100}\u00a0%`)),
    h('span.rate-number', {}, h('span'), numbers),
  );
}
