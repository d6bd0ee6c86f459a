/** Short messages at the lower edge. Screen readers announce them, and they never take the focus. */

import { UNWANTED } from './api.js';
import { byId, h } from './dom.js';
import { registerKey } from './keys.js';

const TOLD = new Set([0, 403, UNWANTED]);
const LIFE = { info: 4000, ok: 4000, warn: 8000, error: 12_000 };
const MOST = 4;

/** Removes all messages, when another session or view is opened. */
export function clearToasts() {
  byId('toasts').replaceChildren();
}

/** Registers their key. Called once. */
export function initToasts() {
  const offer = () => [...byId('toasts').querySelectorAll('.toast .link')].at(-1);
  registerKey({
    key: 'Shift+Enter',
    title: 'What the newest message offers',
    group: 'Panels and menus',
    when: () => Boolean(offer()),
    run: () => offer().click(),
  });
}

/**
 * Shows a message for some seconds.
 * @param {string} message
 * @param {{kind?: 'info'|'ok'|'warn'|'error', action?: {title: string, run: () => void}, sticky?: boolean, onDismiss?: () => void}} [options]
 *   sticky: stays until it is closed; onDismiss: the person closed it
 * @returns {{close: () => void}}
 */
export function toast(message, { kind = 'info', action, sticky = false, onDismiss } = {}) {
  const list = byId('toasts');
  // The same thing said again (a key held down) replaces what stands there.
  for (const other of list.querySelectorAll('.toast')) if (other.dataset.message === message) other.remove();
  const close = () => {
    clearTimeout(timer);
    item.remove();
  };
  const dismiss = () => {
    close();
    onDismiss?.();
  };
  const run =
    action &&
    (() => {
      close();
      action.run();
    });
  const item = h(
    'div.toast',
    { class: kind, data: { message }, role: kind === 'error' ? 'alert' : null },
    h('span.toast-text', {}, message),
    action && h('button.link', { type: 'button', title: 'Shift+Enter', onclick: run }, action.title),
    h('button.close', { type: 'button', 'aria-label': 'Close this message', onclick: dismiss }, '×'),
  );
  list.append(item);
  while (list.children.length > MOST) list.firstElementChild?.remove();
  const timer = sticky ? 0 : setTimeout(close, LIFE[kind]);
  return { close };
}

/**
 * Shows what went wrong. Where the server does not answer, or not to this page any more, the banner says so already.
 * @param {Error & {status?: number}} error
 */
export function toastError(error) {
  if (error.status !== undefined && TOLD.has(error.status)) return;
  if (error.status === undefined) console.error(error); // a mistake of ours, not the server's answer
  toast(error.message, { kind: 'error' });
}
