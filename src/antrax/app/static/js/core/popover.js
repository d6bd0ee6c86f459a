/** Menus that open under a button: lists of choices, in columns. */

import { focusToGiveBack } from './dialog.js';
import { fill, h } from './dom.js';
import { keyName } from './keys.js';
import { noteUncovered } from './seen.js';

/** @type {{close: () => void, element: HTMLElement, button: HTMLElement}|null} */
let open = null;

/** Closes the menu that is open, if one is. */
export function closeMenu() {
  open?.close();
}

/**
 * A choice of a menu.
 * @param {{title: string, note?: string, small?: string, checked?: boolean, faint?: boolean, hint?: string, run: () => void}} item
 *   note: at the right, small: in a second line, checked: for those of which one holds
 * @returns {HTMLElement}
 */
export function menuItem({ title, note, small, checked, faint, hint, run }) {
  const isRadio = checked !== undefined;
  return h(
    'button.menu-item',
    {
      type: 'button',
      role: isRadio ? 'menuitemradio' : 'menuitem',
      'aria-checked': isRadio ? String(checked) : null,
      tabIndex: -1,
      class: faint ? 'faint' : '',
      title: hint ?? '',
      onclick: run,
      data: { text: title.toLowerCase() },
    },
    h('span.tick'),
    h('span.text', {}, h('span.title', {}, title), small && h('span.small', {}, small)),
    note !== undefined && h('span.note', {}, note),
  );
}

/**
 * Opens a menu under a button, or closes it if it is open.
 * @param {HTMLElement} button
 * @param {() => Node[]} build  its content; elements of class menu-column are gone through with ↑ and ↓, from one to the next with ← and →
 * @param {{key: string}} options  key: pressed again, it closes the menu
 * @returns {{close: () => void, rebuild: () => void, keepsOpen: () => boolean, element: HTMLElement}|null} null: it was closed
 */
export function openMenu(button, build, { key }) {
  const wasOpen = open?.button === button;
  closeMenu();
  if (wasOpen) return null;
  const before = focusToGiveBack();
  const element = h('div.menu', { role: 'dialog', 'aria-label': button.textContent.trim(), tabIndex: -1 });
  let typed = '';
  let idle = 0;
  let isSpace = false; // what pressed a choice last

  const items = (/** @type {Element} */ within = element) =>
    [...within.querySelectorAll('.menu-item')].filter((item) => !item.hidden);
  const columns = () => [...element.querySelectorAll('.menu-column')].filter((column) => items(column).length);
  const focusIn = (/** @type {Element} */ column, /** @type {number} */ at) => {
    const there = items(column);
    there[Math.max(0, Math.min(there.length - 1, at))]?.focus();
  };
  const findTyped = (/** @type {string} */ sign) => {
    clearTimeout(idle);
    idle = setTimeout(() => {
      typed = '';
    }, 1000);
    typed += sign.toLowerCase();
    const column = document.activeElement?.closest('.menu-column') ?? element;
    const found = [...items(column), ...items()].find(
      (item) => item.dataset.text.startsWith(typed) || item.dataset.text.endsWith(` ${typed}`),
    );
    found?.focus();
  };

  const onKeydown = (/** @type {KeyboardEvent} */ event) => {
    const name = keyName(event);
    const isField = event.target instanceof HTMLInputElement;
    event.stopPropagation();
    if (name === 'Escape' || name === key) {
      if (isField && name !== 'Escape') return;
      event.preventDefault();
      close(true);
      return;
    }
    isSpace = name === 'Space';
    if (isField && name === 'Enter') {
      event.preventDefault();
      items()[0]?.click(); // the first that fits what was typed
      return;
    }
    const column = document.activeElement?.closest('.menu-column') ?? columns()[0];
    if (!column) return;
    const there = items(column);
    const at = there.indexOf(document.activeElement);
    const side = columns();
    if (name === 'ArrowDown') focusIn(column, at + 1);
    else if (name === 'ArrowUp') focusIn(column, at - 1);
    else if (isField) return;
    else if (name === 'Home') focusIn(column, 0);
    else if (name === 'End') focusIn(column, there.length);
    else if (name === 'ArrowLeft' || name === 'ArrowRight') {
      const other = side[side.indexOf(column) + (name === 'ArrowRight' ? 1 : -1)];
      if (other) (other.querySelector('[aria-checked="true"]') ?? items(other)[0]).focus();
    } else if (name.length === 1) findTyped(name);
    else return; // Enter and Space press the choice, Tab goes on
    event.preventDefault();
  };
  const onPointer = (/** @type {PointerEvent} */ event) => {
    isSpace = false;
    if (event.target instanceof Node && !element.contains(event.target) && !button.contains(event.target)) close(false);
  };
  const place = () => {
    const box = button.getBoundingClientRect();
    element.style.top = `${box.bottom + 4}px`;
    element.style.left = `${Math.max(8, Math.min(box.left, innerWidth - element.offsetWidth - 8))}px`;
  };
  const rebuild = () => {
    const focused = document.activeElement;
    const inside = element.contains(focused) && focused instanceof HTMLElement ? focused.dataset.text : null;
    const scrolls = [...element.querySelectorAll('.menu-column')].map((column) => column.scrollTop);
    fill(element, build());
    // one choice of each column can be reached with Tab
    for (const column of columns()) (column.querySelector('[aria-checked="true"]') ?? items(column)[0]).tabIndex = 0;
    element.querySelectorAll('.menu-column').forEach((column, n) => {
      column.scrollTop = scrolls[n] ?? 0;
    });
    if (inside)
      items()
        .find((item) => item.dataset.text === inside)
        ?.focus();
    place();
  };
  const close = (isByKey = false) => {
    if (open?.element !== element) return;
    open = null;
    element.remove();
    noteUncovered();
    button.setAttribute('aria-expanded', 'false');
    document.removeEventListener('pointerdown', onPointer, true);
    removeEventListener('resize', place);
    if (isByKey && before?.isConnected) before.focus();
  };

  element.addEventListener('keydown', onKeydown);
  document.addEventListener('pointerdown', onPointer, true);
  addEventListener('resize', place);
  button.setAttribute('aria-expanded', 'true');
  (button.closest('header') ?? document.body).append(element); // within a landmark
  open = { button, element, close };
  rebuild();
  const first =
    element.querySelector('input') ?? element.querySelector('[aria-checked="true"]') ?? items()[0] ?? element;
  first.focus({ preventScroll: true });
  for (const item of element.querySelectorAll('[aria-checked="true"]')) item.scrollIntoView({ block: 'nearest' });
  return { close, rebuild, keepsOpen: () => isSpace, element };
}
