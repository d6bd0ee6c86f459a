/** Controls of the views that fill the window: buttons, the status line, and the prompt for a label. */

import { fill, h } from './dom.js';
import { labelField } from './typeahead.js';

/**
 * A button with the key that does the same.
 * @param {string} text
 * @param {string} key  as it is shown; empty for none
 * @param {() => void} run
 */
export function keyButton(text, key, run) {
  return h('button', { type: 'button', onclick: run }, h('span', {}, text), key && h('kbd', {}, key));
}

/**
 * A button that shows a sign only.
 * @param {string} text
 * @param {string} title  what it does
 * @param {() => void} run
 */
export function signButton(text, title, run) {
  return h('button', { type: 'button', title, 'aria-label': title, onclick: run }, text);
}

/**
 * Changes the text of a `keyButton`.
 * @param {HTMLElement} button
 * @param {string} text
 */
export function setText(button, text) {
  if (button.firstElementChild) button.firstElementChild.textContent = text;
}

/**
 * Tells something in the line of a view.
 * @param {HTMLElement} status
 * @param {string} message
 * @param {string} kind  ok, warn or error
 */
export function sayIn(status, message, kind) {
  status.className = `gallery-status ${kind}`;
  status.textContent = message;
}

/**
 * Asks for a label in a small box over a view.
 * @param {HTMLElement} where  the box
 * @param {object} options
 * @param {{label: string, category: string}[]} options.labels
 * @param {string} options.name  what it is for, for screen readers
 * @param {string} [options.placeholder]
 * @param {() => void} options.close  hides the box again
 * @param {(label: string) => void} options.onChoose  called after `close`
 * @param {() => void} [options.onCancel]  instead of `close` where no label was chosen
 * @param {string} [options.cancelText]  of a button that cancels; no button without
 */
export function askLabelIn(where, { labels, name, placeholder, close, onChoose, onCancel = close, cancelText }) {
  const choose = (/** @type {string} */ label) => {
    close();
    onChoose(label);
  };
  const field = labelField({ labels, name, placeholder, onChoose: choose, onCancel });
  const cancel = cancelText && h('button.link', { type: 'button', onclick: onCancel }, cancelText, h('kbd', {}, 'Esc'));
  fill(where, field.node, cancel);
  where.hidden = false;
  field.focus();
}
