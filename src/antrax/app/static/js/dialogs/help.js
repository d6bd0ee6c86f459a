/** The list of keys, made from what is registered. */

import { openDialog } from '../core/dialog.js';
import { h } from '../core/dom.js';
import { keysByGroup } from '../core/keys.js';

/** @type {Record<string, string>} */
const SHOWN = {
  ArrowLeft: '←',
  ArrowRight: '→',
  ArrowUp: '↑',
  ArrowDown: '↓',
  Escape: 'Esc',
  PageDown: 'Page ↓',
  PageUp: 'Page ↑',
};

/**
 * A key as it is printed: 'Shift+ArrowLeft' → <kbd>Shift</kbd><kbd>←</kbd>.
 * @param {string} key
 * @returns {Node[]}
 */
function keycaps(key) {
  const parts = key === '+' ? ['+'] : key.split('+');
  return parts.map((part) => h('kbd', {}, SHOWN[part] ?? part));
}

/** @param {{keys: string[], shown?: string, title: string}} entry */
function line(entry) {
  const alternatives = entry.shown ? entry.shown.split(' or ') : entry.keys;
  const caps = alternatives.flatMap((key, n) => (n ? [h('span.or', {}, 'or'), ...keycaps(key)] : keycaps(key)));
  return h('div.keys-line', {}, h('dt', {}, caps), h('dd', {}, entry.title));
}

/** Opens the list. */
export function showKeys() {
  const body = h(
    'div.keys',
    {},
    [...keysByGroup()].map(([group, entries]) =>
      h('section.keys-group', {}, h('h3', {}, group), h('dl', {}, entries.map(line))),
    ),
  );
  openDialog({ title: 'Keys', body, wide: true, actions: [{ title: 'Close', primary: true, key: '?' }] });
}
