/**
 * The labels of a draft as a list grouped by category: ordered by buttons, by keys and by dragging.
 * @module
 */
import { fill, h, icon, plural } from '../core/dom.js';
import { CATEGORIES, UNKNOWN } from './labelrules.js';
import { toast } from '../core/toast.js';

const UP = 'M4 10l4-4 4 4';
const DOWN = 'M4 6l4 4 4-4';
const REMOVE = 'M4.5 4.5l7 7m0-7l-7 7';
const RENAME = 'M3.5 12.5l.6-2.6 6.3-6.3 2 2-6.3 6.3zM9 5l2 2';
const GRIP = 'M6 4v.01M10 4v.01M6 8v.01M10 8v.01M6 12v.01M10 12v.01';

/**
 * @param {object} options
 * @param {import('./labeldraft.js').LabelDraft} options.draft
 * @param {() => void} options.onChange after every change of the draft
 * @param {(label: string) => void} options.onRename a label that is saved is to get another name
 * @returns {{node: HTMLElement, draw: () => void, key: (name: string, target: Element) => boolean}}
 *   key: takes the keys of the list and says whether it did
 */
export function labelList({ draft, onChange, onRename }) {
  const node = h('div.label-list', { onfocusin: (event) => reach(event.target.closest('.label-row')) });
  let dragged = null;

  function change(action, focusOn) {
    action();
    draw();
    if (focusOn) rowNode(focusOn)?.focus();
    onChange();
  }

  function draw() {
    fill(node, CATEGORIES.map(group));
    reach(node.querySelector('.label-row'));
  }

  // One row at a time can be reached with Tab; ↑ and ↓ go to the others. Otherwise there would be hundreds of stops.
  function reach(reached) {
    if (!reached) return;
    for (const row of node.querySelectorAll('.label-row')) {
      const stop = row === reached ? 0 : -1;
      row.tabIndex = stop;
      for (const control of row.querySelectorAll('button, select')) control.tabIndex = stop;
    }
  }

  function rowNode(row) {
    return [...node.querySelectorAll('.label-row')].find((each) => each.dataset.label === row.label);
  }

  function group({ id, title, explain }) {
    const rows = draft.of(id);
    return h(
      'section.label-group',
      { 'aria-label': title, ondragover: allow, ondrop: (event) => drop(event, id, null) },
      h(
        'header',
        {},
        h('span.swatch', { class: id, 'aria-hidden': 'true' }),
        h('h3', {}, title),
        h('span.label-count', {}, String(rows.length)),
        h('span.label-explain', {}, explain),
        rows.length > 2 &&
          h('button.link', { type: 'button', onclick: () => change(() => draft.sort(id)) }, 'Sort A–Z'),
      ),
      h('ul', {}, rows.map(item), rows.length === 0 && h('li.label-empty', {}, 'None. Add one, or drag one here.')),
    );
  }

  function item(row) {
    const problem = draft.problem(row);
    const group = draft.of(row.category);
    return h(
      'li.label-row',
      {
        class: problem && 'wrong',
        data: { label: row.label },
        draggable: true,
        'aria-label': row.label,
        ondragstart: (event) => begin(event, row),
        ondragend: end,
        ondragover: allow,
        ondrop: (event) => drop(event, row.category, row),
      },
      h('span.grip', { 'aria-hidden': 'true' }, icon(GRIP)),
      h('span.label-name', {}, row.label, !draft.saved.has(row.label) && h('span.new-label', {}, 'new')),
      h('span.label-examples', {}, row.examples > 0 && plural(row.examples, 'example')),
      h(
        'select',
        {
          'aria-label': `Category of ${row.label}`,
          onchange: (event) => change(() => draft.place(row, event.target.value, null), row),
        },
        CATEGORIES.map(({ id, title }) => h('option', { value: id, selected: id === row.category }, title)),
      ),
      tool(RENAME, renameTitle(row), true, () => rename(row), !draft.canRename(row)),
      tool(UP, `Move ${row.label} up`, row !== group[0], () => change(() => draft.step(row, -1), row)),
      tool(DOWN, `Move ${row.label} down`, row !== group.at(-1), () => change(() => draft.step(row, 1), row)),
      // Never disabled: pressed, it says why a label has to stay.
      tool(REMOVE, removeTitle(row), true, () => remove(row), !draft.canRemove(row)),
      problem && h('p.problem', {}, problem),
    );
  }

  function tool(path, title, enabled, onclick, refuses = false) {
    const props = {
      type: 'button',
      'aria-label': title,
      title,
      disabled: !enabled,
      'aria-disabled': refuses && 'true',
      onclick,
    };
    return h('button.tool', props, icon(path));
  }

  function renameTitle(row) {
    if (draft.canRename(row)) return `Rename ${row.label}`;
    const why =
      row.label === UNKNOWN
        ? 'this label is always there'
        : draft.saved.has(row.label)
          ? 'save the other changes first, for it is renamed at once and everywhere'
          : 'it is new; remove it, and add it under the other name';
    return `Rename ${row.label}: ${why}`;
  }

  function rename(row) {
    if (draft.canRename(row)) onRename(row.label);
    else toast(`${renameTitle(row)}.`, { kind: 'warn' });
  }

  function removeTitle(row) {
    if (draft.canRemove(row)) return `Remove ${row.label}`;
    return row.examples ? `${row.label} has examples: move or delete those first` : `${row.label} is always there`;
  }

  function remove(row) {
    if (!draft.canRemove(row)) {
      toast(`${removeTitle(row)}.`, { kind: 'warn' });
      return;
    }
    const next = draft.rows[draft.rows.indexOf(row) + 1] ?? draft.rows.at(-2);
    change(() => draft.remove(row), next);
  }

  function begin(event, row) {
    dragged = row;
    event.dataTransfer.effectAllowed = 'move';
    event.dataTransfer.setData('text/plain', row.label);
    event.currentTarget.classList.add('dragged');
  }

  function allow(event) {
    if (!dragged) return;
    event.preventDefault();
    event.stopPropagation();
    clearMarks();
    event.currentTarget.classList.add('drop-here');
  }

  function drop(event, category, before) {
    if (!dragged) return;
    event.preventDefault();
    event.stopPropagation();
    const row = dragged;
    end();
    change(() => draft.place(row, category, before), row);
  }

  function end() {
    dragged = null;
    clearMarks();
    node.querySelector('.dragged')?.classList.remove('dragged');
  }

  function clearMarks() {
    node.querySelector('.drop-here')?.classList.remove('drop-here');
  }

  function key(name, target) {
    const here = target.closest('.label-row');
    const row = here && draft.find(here.dataset.label);
    if (!row) return false;
    const step = { ArrowUp: -1, ArrowDown: 1, 'Alt+ArrowUp': -1, 'Alt+ArrowDown': 1 }[name];
    if (name.startsWith('Alt+') && step) change(() => draft.step(row, step), row);
    else if (step) rowNode(draft.rows[draft.rows.indexOf(row) + step] ?? row).focus();
    else if (name === 'Delete') remove(row);
    else if (name === 'F2') rename(row);
    else return false;
    return true;
  }

  draw();
  return { node, draw, key };
}
