/**
 * A field to choose a label by typing: the true label of a check, the label to move examples to.
 * @module
 */
import { fill, h } from './dom.js';

let created = 0;

/**
 * The labels that fit what was typed, best first: whole, from the start, anywhere within.
 * @param {{label: string, category: string}[]} labels
 * @param {string} text
 * @returns {{label: string, category: string}[]}
 */
export function fitting(labels, text) {
  const wanted = text.trim().toLowerCase();
  const rank = (/** @type {{label: string}} */ { label }) => {
    const name = label.toLowerCase();
    if (name === wanted) return 0;
    if (name.startsWith(wanted)) return 1;
    return name.includes(wanted) ? 2 : 3;
  };
  return labels.filter((each) => rank(each) < 3).sort((a, b) => rank(a) - rank(b));
}

/**
 * A text field with a list of labels under it. ↑ and ↓ go through the list, Enter takes, Esc leaves it out.
 * @param {object} options
 * @param {{label: string, category: string}[]} options.labels
 * @param {string} options.name what the field is for, for screen readers
 * @param {string} [options.placeholder]
 * @param {(label: string) => void} options.onChoose
 * @param {() => void} [options.onCancel]
 * @returns {{node: HTMLElement, focus: () => void}}
 */
export function labelField({ labels, name, placeholder = 'Type a label', onChoose, onCancel }) {
  const id = `labelfield-${++created}`;
  /** @type {{label: string, category: string}[]} */
  let shown = [];
  let active = 0;
  const list = h('ul.label-options', { id: `${id}-list`, role: 'listbox', 'aria-label': name });
  const input = h('input', {
    type: 'text',
    role: 'combobox',
    autocomplete: 'off',
    placeholder,
    'aria-label': name,
    'aria-expanded': 'true',
    'aria-controls': list.id,
    'aria-autocomplete': 'list',
    oninput: () => draw(0),
    onkeydown: key,
  });

  /** @param {number} index */
  function draw(index) {
    shown = fitting(labels, input.value);
    active = Math.max(0, Math.min(index, shown.length - 1));
    fill(
      list,
      ...shown.map(({ label, category }, i) =>
        h(
          'li',
          {
            id: `${id}-${i}`,
            role: 'option',
            class: 'label-option',
            'aria-selected': String(i === active),
            // The field must keep the focus, or leaving it would close the prompt before the click counts.
            onpointerdown: (/** @type {Event} */ event) => event.preventDefault(),
            onclick: () => onChoose(label),
          },
          h('span', { class: `swatch ${category}`, 'aria-hidden': 'true' }),
          label,
        ),
      ),
      shown.length === 0 && h('li.label-none', {}, 'No label of this experiment fits.'),
    );
    if (shown.length) input.setAttribute('aria-activedescendant', `${id}-${active}`);
    else input.removeAttribute('aria-activedescendant');
    list.children[active]?.scrollIntoView({ block: 'nearest' });
  }

  /** @param {KeyboardEvent} event */
  function key(event) {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step) draw((active + step + shown.length) % Math.max(1, shown.length));
    else if (event.key === 'Enter' && shown.length) onChoose(shown[active].label);
    else if (event.key === 'Escape' && onCancel) onCancel();
    else if (event.key !== 'Enter') return;
    // What the field used must neither close a dialog around it nor reach the keys of the page.
    event.preventDefault();
    event.stopPropagation();
  }

  draw(0);
  return { node: h('div.label-field', {}, input, list), focus: () => input.focus() };
}
