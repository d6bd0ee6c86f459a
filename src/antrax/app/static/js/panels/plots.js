/**
 * The small drawings of the side panels: slim bars and intervals. Decoration only: the numbers stand beside them.
 * @module
 */
import { h } from '../core/dom.js';

/**
 * A slim bar.
 * @param {number} share of the full width, 0 to 1
 * @param {string} [kind] a category or another class that gives the colour
 * @returns {HTMLElement}
 */
export function meter(share, kind = '') {
  const fill = h('span', { class: `meter-fill ${kind}` });
  fill.style.width = percentWidth(share);
  return h('span.meter', { 'aria-hidden': 'true' }, fill);
}

/**
 * An interval drawn as a whisker with a dot at the estimate.
 * @param {{rate: number, low: number, high: number}} estimate shares
 * @param {number} most the share at the right end of the drawing
 * @returns {HTMLElement}
 */
export function whisker({ rate, low, high }, most) {
  const range = h('span.whisker-range', {});
  range.style.left = percentWidth(low / most);
  range.style.width = percentWidth((high - low) / most);
  const point = h('span.whisker-point', {});
  point.style.left = percentWidth(rate / most);
  return h('span.whisker', { 'aria-hidden': 'true' }, range, point);
}

/**
 * The round share at which a drawing of these shares should end.
 * @param {number[]} shares
 * @returns {number}
 */
export function roundEnd(shares) {
  const most = Math.max(0, ...shares);
  return [0.01, 0.02, 0.03, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75].find((end) => most <= end) ?? 1;
}

/**
 * A share in per cent with as many digits as one wants to read.
 * @param {number} share
 * @returns {string}
 */
export function percent(share) {
  return `${percentNumber(share)}\u00a0%`;
}

/**
 * As {@link percent}, without the sign.
 * @param {number} share
 * @returns {string}
 */
export function percentNumber(share) {
  const value = share * 100;
  // 99.96 % must not read as 100 %, nor 0.04 % as 0 %: both ends are claims.
  if (value === 0 || value === 100) return value.toFixed(0);
  if (value < 0.1) return '<0.1';
  if (value > 99.9) return '>99.9';
  return value.toFixed(1);
}

/** @param {number} share */
function percentWidth(share) {
  return `${Math.min(100, Math.max(0, share * 100))}%`;
}
