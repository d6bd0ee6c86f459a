/** Dialogs over the page. While one is open, the page's keys are disabled. */

import { byId, h } from './dom.js';
import { keyName } from './keys.js';
import { noteUncovered } from './seen.js';

/**
 * What gets the focus back when a dialog or a menu is closed. Not a button that was clicked, nor one of the top bar: Enter would open the
 * same again instead of exporting. Such a button loses the focus now, or the browser would give it back.
 * @returns {HTMLElement|null}
 */
export function focusToGiveBack() {
  const active = document.activeElement;
  if (!(active instanceof HTMLElement) || active === document.body) return null;
  if (active.matches(':focus-visible') && !active.closest('#topbar')) return active;
  if (active.matches('button')) active.blur();
  return null;
}

/**
 * Opens a dialog. Esc closes it.
 * @param {{title: string, body: Node, actions?: {title: string, run?: () => (void|boolean|Promise<void|boolean>), primary?: boolean,
 *   danger?: boolean, key?: string, left?: boolean, id?: string}[], onClose?: () => void,
 *   onKey?: (name: string, event: KeyboardEvent) => boolean, wide?: boolean, full?: boolean}} options
 *   An action closes the dialog unless its `run` returns false (or a promise of it). The key of an action ('Enter', 'Delete')
 *   works anywhere in the dialog but, for single signs, Delete and Backspace, not while typing. `left`: set apart on the left.
 *   `onKey` gets other keys, not while typing, and says whether it took one. `full`: nearly as large as the window.
 * @returns {{close: () => void, element: HTMLDialogElement, button: (title: string) => HTMLButtonElement|undefined}}
 */
export function openDialog({ title, body, actions = [], onClose, onKey, wide = false, full = false }) {
  const before = focusToGiveBack();
  const dialog = h('dialog', { class: full ? 'full' : wide ? 'wide' : '', 'aria-label': title });
  const close = () => {
    dialog.close();
    finish();
  };
  let isFinished = false;
  // At once, not with the event that the browser sends a moment later: a key pressed in between would go to a field that nobody sees.
  const finish = () => {
    if (isFinished) return;
    isFinished = true;
    sizing.disconnect();
    const under = [...document.querySelectorAll('dialog[open]')].filter((other) => other !== dialog).at(-1);
    (under ?? document.body).append(byId('toasts'));
    dialog.remove();
    noteUncovered();
    if (before?.isConnected) before.focus({ preventScroll: true });
    onClose?.();
  };

  const buttons = new Map(
    actions.map((action) => {
      const press = async () => {
        const button = /** @type {HTMLButtonElement} */ (buttons.get(action));
        button.disabled = true; // a second press while the first is under way must not do it twice
        try {
          if ((await action.run?.()) !== false) close();
        } finally {
          button.disabled = false;
        }
      };
      const kind = action.primary ? 'primary' : action.danger ? 'danger' : '';
      return [
        action,
        h(
          'button',
          { type: 'button', class: `${kind} ${action.left ? 'left' : ''}`, id: action.id, onclick: press },
          action.title,
        ),
      ];
    }),
  );

  const onKeydown = (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    if (event.isComposing) return;
    const name = keyName(event);
    const target = event.target;
    if (name === 'Escape') {
      event.preventDefault();
      close();
      return;
    }
    const typing =
      target instanceof Element && target.matches('textarea, select, input:not([type=checkbox], [type=radio])');
    if (typing && (name.length === 1 || name === 'Delete' || name === 'Backspace' || target.matches('textarea')))
      return;
    // Enter on a button presses that button, not the dialog's main action as well.
    if ((name === 'Enter' || name === 'Space') && target instanceof Element && target.closest('button, a, summary'))
      return;
    const action = actions.find((one) => one.key === name);
    if (action) {
      event.preventDefault();
      const button = /** @type {HTMLButtonElement} */ (buttons.get(action));
      if (!event.repeat && !button.disabled) button.click();
    } else if (!typing && onKey?.(name, event)) {
      event.preventDefault();
    }
  };

  const content = h('div.dialog-body', {}, body);
  // Text that scrolls, with nothing in it that takes the focus, is scrolled by keys only if it takes the focus itself.
  const sizing = new ResizeObserver(() => {
    const hasFocusable = content.querySelector('button, input, select, textarea, a[href], [tabindex="0"]') !== null;
    if (content.scrollHeight > content.clientHeight && !hasFocusable) content.tabIndex = 0;
    else content.removeAttribute('tabindex');
  });
  sizing.observe(content);
  dialog.append(
    h(
      'header',
      { role: 'none' },
      h('h2', {}, title),
      h('button.close', { type: 'button', 'aria-label': 'Close', onclick: close }, '×'),
    ),
    content,
  );
  if (actions.length) dialog.append(h('footer', { role: 'none' }, [...buttons.values()]));
  dialog.addEventListener('keydown', onKeydown);
  dialog.addEventListener('pointerdown', (event) => {
    if (event.target === dialog) close(); // on the shade around it
  });
  dialog.addEventListener('close', finish);
  document.body.append(dialog);
  dialog.showModal();
  dialog.append(byId('toasts')); // what lies under a dialog can be neither read nor pressed
  const first = dialog.querySelector('[autofocus], .dialog-body input, .dialog-body select, footer button.primary');
  if (first instanceof HTMLElement) first.focus();
  const buttonOf = (/** @type {string} */ name) => {
    const action = actions.find((one) => one.title === name);
    return action && buttons.get(action);
  };
  return { close, element: dialog, button: buttonOf };
}

/**
 * Asks whether to do something.
 * @param {{title: string, text: string, action: string}} options  action: what the button says that does it
 * @returns {Promise<boolean>}
 */
export function askWhether({ title, text, action }) {
  return new Promise((resolve) => {
    let isWanted = false;
    const agree = () => {
      isWanted = true;
    };
    const actions = [{ title: 'Cancel' }, { title: action, primary: true, key: 'Enter', run: agree }];
    openDialog({ title, body: h('p', {}, text), actions, onClose: () => resolve(isWanted) });
  });
}

/**
 * Asks for one line of text.
 * @param {{title: string, label: string, value?: string, hint?: string, action?: string, numeric?: boolean}} options
 * @returns {Promise<string|null>} null: left out with Esc
 */
export function askLine({ title, label, value = '', hint = '', action = 'OK', numeric = false }) {
  return new Promise((resolve) => {
    /** @type {string|null} */
    let answer = null;
    const inputMode = numeric ? 'numeric' : 'text';
    const input = h('input', {
      type: 'text',
      value,
      autofocus: true,
      inputMode,
      autocomplete: 'off',
      spellcheck: false,
    });
    const body = h('label.field', {}, h('span', {}, label), input, hint && h('small', {}, hint));
    const take = () => {
      answer = input.value.trim();
    };
    const actions = [{ title: 'Cancel' }, { title: action, primary: true, key: 'Enter', run: take }];
    openDialog({ title, body, actions, onClose: () => resolve(answer) });
    input.select();
  });
}
