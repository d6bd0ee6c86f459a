/**
 * Two-colour codes as a table to click in: one row for each first colour, one column for each second.
 * @module
 */
import { fill, h } from '../core/dom.js';
import { colorCodes, colorLetters } from './labelrules.js';

/**
 * The table of codes, with the field for the colours above it.
 * @param {object} options
 * @param {string} options.letters the colours to begin with, a letter each
 * @param {(code: string) => 'on'|'off'|'kept'} options.state whether a code is a label; kept: it is and must remain
 * @param {(codes: string[], wanted: boolean) => void} options.onSwitch
 * @returns {{node: HTMLElement, draw: () => void}}
 */
export function colorTable({ letters, state, onSwitch }) {
  const table = h('div.codes-table');
  const field = h('input', {
    type: 'text',
    value: letters,
    autocomplete: 'off',
    'aria-label': 'Letters of the tag colours',
    oninput: draw,
  });

  /**
   * A heading switches all its codes on, or off where all are on.
   * @param {string[]} codes
   */
  function switchAll(codes) {
    onSwitch(
      codes,
      codes.some((code) => state(code) === 'off'),
    );
  }

  /**
   * @param {string} text
   * @param {string} name  for screen readers
   * @param {string[]} codes
   */
  function heading(text, name, codes) {
    return h(
      'button.code-head',
      { type: 'button', 'aria-label': name, title: name, onclick: () => switchAll(codes) },
      text,
    );
  }

  /** @param {string} code */
  function cell(code) {
    const now = state(code);
    return h(
      'button.code',
      {
        type: 'button',
        'aria-pressed': String(now !== 'off'),
        disabled: now === 'kept',
        title: now === 'kept' ? `${code} has examples and stays` : '',
        onclick: () => onSwitch([code], now === 'off'),
      },
      code,
    );
  }

  function draw() {
    const letters = colorLetters(field.value);
    const colors = [...letters];
    const rows = colorCodes(letters);
    const focused = document.activeElement?.closest('.codes-table')
      ? [...table.children].indexOf(document.activeElement)
      : -1;
    table.style.gridTemplateColumns = `repeat(${colors.length + 1}, minmax(0, 1fr))`;
    fill(
      table,
      heading('All', 'All codes', rows.flat()),
      colors.map((color, i) =>
        heading(
          color,
          `All with ${color} as second colour`,
          rows.map((row) => row[i]),
        ),
      ),
      rows.map((row, i) => [heading(colors[i], `All with ${colors[i]} as first colour`, row), row.map(cell)]),
    );
    /** @type {HTMLElement|undefined} */ (table.children[focused])?.focus();
  }

  draw();
  const explain = 'Colours of the tags, a letter each. Rows: first colour, columns: second.';
  return { node: h('div.codes', {}, h('label.field', {}, h('span', {}, explain), field), table), draw };
}
