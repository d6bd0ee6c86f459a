/**
 * Keys. What is registered here works wherever the focus is, except while typing and under a dialog or an open menu,
 * and is listed by `?`.
 */

const TYPING =
  'textarea, select, [contenteditable=""], [contenteditable="true"], input:not([type=checkbox], [type=radio], [type=button])';
const PRESSABLE = 'button, a[href], summary, input, [role="tab"], [role^="menuitem"], [role="option"]';

/**
 * @type {{keys: string[], run: (event: KeyboardEvent) => any, when?: () => boolean, repeat?: boolean, group: string, title: string,
 *   shown?: string, onlyListed?: boolean}[]}
 */
const registered = [];
/** @type {(key: string, event: KeyboardEvent) => boolean} */
let typeahead = () => false;
let byPointer = false; // whether the last thing pressed was the mouse

/**
 * The name of a pressed key: 'b', 'Shift+B', 'Ctrl+Z' (also for ⌘), 'Shift+ArrowLeft', 'Space', '?'.
 * Shift is told for letters and named keys only: which of the other signs need it depends on the keyboard.
 * @param {KeyboardEvent} event
 * @returns {string}
 */
export function keyName(event) {
  let name = event.key === ' ' ? 'Space' : event.key;
  const isLetter = name.length === 1 && name.toLowerCase() !== name.toUpperCase();
  const isSign = name.length === 1 && !isLetter;
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (isLetter) name = event.shiftKey || modified ? name.toUpperCase() : name.toLowerCase(); // whatever Caps Lock says
  if (event.shiftKey && !isSign) name = `Shift+${name}`;
  if (event.altKey) name = `Alt+${name}`;
  if (event.ctrlKey || event.metaKey) name = `Ctrl+${name}`;
  return name;
}

/**
 * Makes a key do something.
 * @param {{key: string|string[], title: string, group: string, run: (event: KeyboardEvent) => void, when?: () => boolean,
 *   repeat?: boolean, shown?: string, onlyListed?: boolean}} entry
 *   key: as of `keyName`; several are alternatives. when: whether it does so now; two entries may share a key if their
 *   `when` exclude each other. repeat: also while the key is held down. shown: what the help prints for its keys. onlyListed: `?` tells of it,
 *   and a dialog deals with it.
 */
export function registerKey(entry) {
  const keys = [entry.key].flat();
  const taken = registered.find(
    (one) =>
      one.keys.some((key) => keys.includes(key)) && !(one.onlyListed || entry.onlyListed) && !(one.when && entry.when),
  );
  if (taken) throw new Error(`${entry.key} for “${entry.title}” is the key of “${taken.title}” already`);
  registered.push({ ...entry, keys });
}

/**
 * Sets who gets the signs that are typed while no field has the focus.
 * @param {(key: string, event: KeyboardEvent) => boolean} handler  whether it took the sign
 */
export function setTypeahead(handler) {
  typeahead = handler;
}

/**
 * Whether a dialog or a menu has the keys for itself.
 * @returns {boolean}
 */
function isCovered() {
  return document.querySelector('dialog[open], .menu:not([hidden])') !== null;
}

/** @param {KeyboardEvent} event */
function onKeydown(event) {
  if (event.defaultPrevented || event.isComposing || isCovered()) return;
  const target = event.target instanceof Element ? event.target : document.body;
  if (target.matches(TYPING)) return;
  const name = keyName(event);
  // On a button that was reached with Tab, Enter and Space press that button and nothing else.
  const presses = target.matches('[type=checkbox], [type=radio]') ? ['Space'] : ['Enter', 'Space'];
  if (presses.includes(name) && target.closest(PRESSABLE)) return;
  if (name.length === 1 && typeahead(name, event)) {
    event.preventDefault();
    return;
  }
  const entry = registered.find((one) => one.keys.includes(name) && !one.onlyListed && (one.when?.() ?? true));
  if (!entry) return;
  event.preventDefault();
  if (!event.repeat || entry.repeat) entry.run(event);
}

/** After a click with the mouse the focus goes back to the page: Enter and Space are commands again. */
function onClick() {
  const active = document.activeElement;
  if (
    byPointer &&
    active instanceof HTMLElement &&
    active.matches(PRESSABLE) &&
    !active.matches(TYPING) &&
    !isCovered()
  ) {
    active.blur();
  }
}

/** Begins to listen. Called once. */
export function initKeys() {
  // A click on the words beside a box comes as a second click on the box, which no longer tells of the mouse: so it is kept in mind.
  document.addEventListener(
    'pointerdown',
    () => {
      byPointer = true;
    },
    true,
  );
  document.addEventListener(
    'keydown',
    () => {
      byPointer = false;
    },
    true,
  );
  document.addEventListener('keydown', onKeydown);
  document.addEventListener('click', onClick);
}

/**
 * What is registered, by group, in order of registration.
 * @returns {Map<string, {keys: string[], title: string, shown?: string}[]>}
 */
export function keysByGroup() {
  const groups = new Map();
  for (const entry of registered) groups.set(entry.group, [...(groups.get(entry.group) ?? []), entry]);
  return groups;
}
