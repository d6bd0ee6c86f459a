/** Lists about positions: error rate, contradicting labels, and changes by a correction. */

import { count, h, plural } from '../core/dom.js';
import { percentNumber } from '../panels/plots.js';
import { exchange } from './cellfacts.js';

const CHANGES_SHOWN = 8;

/**
 * The error rate, with notes on its interpretation.
 * @param {import('messages').PositionRateTold} rate
 * @returns {{title: string, nodes: any[]}}
 */
export function rateOf({ errors, checked, cannot_say: unsaid, rate, low, high, moved, rescored, chosen }) {
  const notes = [
    unsaid && `${count(unsaid)} of which nobody could say`,
    moved && `${count(moved)} of the wrong ones corrected since`,
    rescored && `${count(rescored)} marked on an earlier solution`,
    chosen && `${count(chosen)} chosen by hand not counted`,
  ].filter(Boolean);
  const title = [
    'Share of the placed cells that are wrong, by the cells drawn at random; Clopper–Pearson interval, 95 %.',
    'Decide beforehand how many to check.',
    ...notes,
  ].join('\n');
  const nodes = [
    rate !== null
      ? [
          h('b', {}, `${count(errors)} of ${count(checked)} wrong: ${percentNumber(rate)} %`),
          ` (95 %: ${percentNumber(low)} to ${percentNumber(high)} %)`,
        ]
      : 'Nothing checked yet',
    notes.length > 0 && h('span.faint', {}, ` ${notes.join('; ')}`),
  ];
  return { title, nodes };
}

/**
 * Labels that the solution speaks against, each a button.
 * @param {import('messages').Disagreement[]} disagreements
 * @param {(n: number) => void} onChoose
 * @returns {HTMLElement[]}
 */
export function disagreementRows(disagreements, onChoose) {
  return disagreements.map((one, n) =>
    h(
      'li',
      {},
      h(
        'button.positions-row',
        { type: 'button', onclick: () => onChoose(n) },
        h('span', {}, h('b', {}, one.label), one.placed ? ` placed ${one.placed}` : ' nobody placed'),
        h(
          'span.faint',
          {},
          `movie ${one.movie}, frame ${one.frame === null ? '?' : count(one.frame)}`,
          one.probability !== null && `, ${percentNumber(one.probability)} % for it`,
        ),
      ),
    ),
  );
}

/**
 * What a correction changed.
 * @param {import('messages').Corrected} answer
 * @param {(change: import('messages').TrackletChange) => void} onChoose
 * @returns {any[]}
 */
export function changesOf({ changes, cells, cut }, onChoose) {
  if (!changes.length) return [h('p.hint', {}, 'Nothing else changed.')];
  const rows = changes
    .slice(0, CHANGES_SHOWN)
    .map((one) =>
      h(
        'li',
        {},
        h(
          'button.positions-row',
          { type: 'button', title: one.tracklet, onclick: () => onChoose(one) },
          h('span', {}, exchange(one.before, one.after)),
          h('span.faint', {}, `frames ${count(one.first)}–${count(one.last)}`),
        ),
      ),
    );
  return [
    h('h3', {}, `${plural(changes.length, 'tracklet')}, ${plural(cells, 'cell')} changed`),
    h('ol', {}, rows),
    changes.length > CHANGES_SHOWN && h('p.hint', {}, `and ${count(changes.length - CHANGES_SHOWN)} more`),
    cut &&
      h(
        'p.hint',
        {},
        'The exchange may go on beyond what was solved now; `antrax solve` takes the correction into account everywhere.',
      ),
  ];
}
