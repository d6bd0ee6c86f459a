/** Description of a cell (an animal and a frame) in words. */

import { count, h } from '../core/dom.js';
import { percentNumber } from '../panels/plots.js';

/** @type {Record<string, string>} */
const KINDS = {
  classified: 'by its own label',
  single: 'alone, by its neighbours',
  several: 'in a group',
  soft: 'weakly, the only one possible',
  interpolated: 'interpolated',
};

/**
 * Description of a cell.
 * @param {import('messages').PositionCell} cell
 * @param {import('messages').Disagreement|null} disagreement
 * @returns {any[]}
 */
export function factsOf(cell, disagreement) {
  const seconds = cell.seconds === null ? '' : `, ${clock(cell.seconds)}`;
  return [
    h(
      'div.check-target',
      {},
      h('span.check-said', {}, cell.kind === null ? 'Not placed here' : 'Placed here'),
      h('strong.check-label', {}, h('span.swatch.ant', { 'aria-hidden': 'true' }), cell.id),
      cell.colony && h('span.faint', {}, `colony ${cell.colony}`),
    ),
    disagreement && h('p', {}, `Its own label is ${disagreement.label}.`),
    h(
      'dl.positions-dl',
      {},
      pair('Frame', `${count(cell.frame)} (movie ${cell.movie}, frame ${count(cell.movie_frame)}${seconds})`),
      cell.kind !== null && pair('Placed', KINDS[cell.kind] ?? cell.kind),
      cell.confidence !== null && pair('Confidence', `${percentNumber(cell.confidence)} %`),
      cell.others.length > 0 && pair('With', cell.others.join(', ')),
      cell.alternatives.length > 0 && pair('Or', cell.alternatives.join(', ')),
      cell.label !== null && pair('Label', cell.label),
      cell.tracklet && pair('Tracklet', cell.tracklet),
    ),
  ];
}

/**
 * @param {string} name
 * @param {string} value
 */
function pair(name, value) {
  return [h('dt', {}, name), h('dd', {}, value)];
}

/**
 * A time as people read it: 0:34.5, 1:02:03.
 * @param {number} seconds
 * @returns {string}
 */
export function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const whole = Math.floor(tenths / 10);
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  if (hours) return `${hours}:${two(minutes)}:${two(whole % 60)}`;
  return `${minutes}:${two(whole % 60)}.${tenths % 10}`;
}

/**
 * Who was placed, and who is now: 'AB → CD'; of groups, only who left and who came.
 * @param {string[]} before
 * @param {string[]} after
 * @returns {string}
 */
export function exchange(before, after) {
  if (before.length + after.length <= 2) return `${before.join(', ') || 'nobody'} → ${after.join(', ') || 'nobody'}`;
  const left = before.filter((id) => !after.includes(id)).map((id) => `−${id}`);
  const came = after.filter((id) => !before.includes(id)).map((id) => `+${id}`);
  return `group: ${[...left, ...came].join(' ')}`;
}

/**
 * Marks of a cell so far.
 * @param {import('messages').PositionCell} cell
 * @returns {any[]}
 */
export function historyOf(cell) {
  const names = { correct: 'Correct', wrong: 'Wrong', cannot_say: 'Cannot say' };
  if (!cell.history.length) return [];
  return [
    h('h3', {}, 'Marks of this cell'),
    h(
      'ol',
      {},
      cell.history
        .slice(0, 4)
        .map((one) =>
          h(
            'li',
            {},
            one.verdict ? names[one.verdict] : 'Taken back',
            one.true_id && `, it is ${one.true_id}`,
            h('span.faint', {}, ` ${one.who}${one.current ? '' : ', on an earlier solution'}`),
          ),
        ),
    ),
  ];
}
