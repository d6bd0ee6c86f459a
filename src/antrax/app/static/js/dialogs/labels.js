/**
 * The editor of the experiment's labels.
 * @module
 */
import { api } from '../core/api.js';
import { app, noteVersions } from '../core/app.js';
import { colorTable } from './colorcodes.js';
import { openDialog } from '../core/dialog.js';
import { byId, fill, h, plural } from '../core/dom.js';
import { registerKey } from '../core/keys.js';
import { LabelDraft } from './labeldraft.js';
import { labelList } from './labellist.js';
import { CATEGORIES, labelProblem, labelsOf, STARTING_LABELS } from './labelrules.js';
import { toast, toastError } from '../core/toast.js';

const CONFLICT = 409;
/** @type {[string|string[], string][]} */
const EDITOR_KEYS = [
  [['ArrowUp', 'ArrowDown'], 'Go through the list'],
  ['Alt+ArrowUp', 'Move the label up'],
  ['Alt+ArrowDown', 'Move it down'],
  ['F2', 'Rename the label'],
  ['Delete', 'Remove the label'],
  ['Tab', 'To the table of colours, to sorting, to all buttons'],
  ['Ctrl+S', 'Save'],
];
const USUAL_COLORS = 'BGOPRWY';

/** The button in the top bar and its key. */
export function init() {
  byId('open-labels').addEventListener('click', openLabels);
  registerKey({ key: 'Shift+L', title: 'Labels of the experiment', group: 'Panels and menus', run: openLabels });
  // Its own keys, for the list of keys: the dialog has the keys for itself while it is open.
  for (const [key, title] of EDITOR_KEYS)
    registerKey({ key, title, group: 'Editor of labels', onlyListed: true, run: () => {} });
}

/**
 * Open the editor with what is in the file now.
 * @returns {Promise<void>}
 */
export async function openLabels() {
  try {
    const answer = await api.ask('labels');
    edit(answer, draftOf(answer));
  } catch (error) {
    toastError(error);
  }
}

/** @param {import('messages').LabelList} answer */
function draftOf({ rows, exists }) {
  const draft = new LabelDraft(rows);
  if (!exists) {
    for (const { label, category } of STARTING_LABELS) {
      if (!draft.find(label)) draft.add(label, category);
    }
  }
  return draft;
}

/**
 * @param {import('messages').LabelList} answer
 * @param {LabelDraft} draft
 */
function edit(answer, draft, message = '') {
  const alert = h('p.callout', { role: 'alert', hidden: !message }, message);
  const list = labelList({ draft, onChange: changed, onRename: (label) => rename(label, draft, dialog.close) });
  const codes = colorTable({
    letters: answer.colors.join('') || USUAL_COLORS,
    state: (code) => codeState(draft, code),
    onSwitch: (wanted, isOn) => {
      for (const code of wanted) switchCode(draft, code, isOn);
      list.draw();
      changed();
    },
  });
  const body = h(
    'div.label-editor',
    {},
    h(
      'div.label-main',
      {},
      alert,
      answer.problem && h('p.callout.problem', { role: 'alert' }, answer.problem),
      !answer.exists && beginning(answer.path),
      list.node,
    ),
    h(
      'aside.label-side',
      {},
      addForm(draft, () => {
        list.draw();
        changed();
      }),
      h('section', {}, h('h3', {}, 'Two-colour codes'), codes.node),
    ),
  );

  let isDone = false;
  const dialog = openDialog({
    title: 'Labels',
    body,
    wide: true,
    actions: [{ title: 'Cancel' }, { title: 'Save', primary: true, key: 'Ctrl+S', run: save }],
    onKey: (name, event) => list.key(name, /** @type {Element} */ (event.target)),
    onClose: () => {
      if (!isDone && draft.isChanged) guard(answer, draft);
    },
  });
  // Most come to add something.
  body.querySelector('form input').focus();
  changed();

  function changed() {
    codes.draw();
    const { problems } = draft;
    const button = dialog.button('Save');
    if (!button) return;
    button.disabled = problems > 0 || (answer.exists && !draft.isChanged);
    button.title = problems ? 'Some labels cannot be saved as they are' : '';
  }

  async function save() {
    try {
      const rows = /** @type {import('messages').LabelEntry[]} */ (draft.body);
      await api.tell('labels/edit', { rows, digest: answer.digest });
      isDone = true;
      toast(answer.exists ? 'Labels saved.' : `Labels written to ${answer.path}.`, { kind: 'ok' });
      app.refreshOverview().catch(toastError);
    } catch (error) {
      isDone = error.status === CONFLICT && (await reload(draft));
      alert.hidden = false;
      fill(alert, error.message);
    }
    return isDone;
  }
}

/**
 * Somebody else saved meanwhile: show what there is now, with the labels added here put in again.
 * @param {LabelDraft} draft
 */
async function reload(draft) {
  const answer = await api.ask('labels').catch(() => null);
  if (!answer) return false;
  const fresh = draftOf(answer);
  const names = () => fresh.rows.map((row) => row.label);
  const again = draft.rows.filter(
    ({ label, category }) => !draft.saved.has(label) && !labelProblem(label, category, names()),
  );
  for (const { label, category } of again) fresh.add(label, category);
  const added = again.length
    ? ` The labels that you added are in it again: ${again.map((row) => row.label).join(', ')}.`
    : '';
  // After this dialog has closed, so that the new one gets the focus back to where this one was opened.
  setTimeout(() =>
    edit(
      answer,
      fresh,
      `Somebody else changed the labels meanwhile; this is the list as it is now.${added} Look it over and save again.`,
    ),
  );
  return true;
}

/**
 * @param {import('messages').LabelList} answer
 * @param {LabelDraft} draft
 */
function guard(answer, draft) {
  let isDiscarded = false;
  openDialog({
    title: 'Discard the changes?',
    body: h('p', {}, 'The labels were changed and not saved.'),
    actions: [
      {
        title: 'Discard',
        danger: true,
        left: true,
        run: () => {
          isDiscarded = true;
        },
      },
      { title: 'Go on editing', primary: true, key: 'Enter' },
    ],
    // Esc keeps what was typed: it can still be discarded, but not brought back.
    onClose: () => {
      if (!isDiscarded) setTimeout(() => edit(answer, draft));
    },
  });
}

/**
 * Ask for another name of a label, and rename it everywhere.
 * @param {string} label
 * @param {LabelDraft} draft
 * @param {() => void} closeEditor  what it shows is not true any more then
 */
function rename(label, draft, closeEditor) {
  const category = draft.find(label)?.category ?? '';
  const others = draft.rows.map((row) => row.label).filter((each) => each !== label);
  const field = h('input', {
    type: 'text',
    value: label,
    autofocus: true,
    autocomplete: 'off',
    spellcheck: false,
    oninput: check,
  });
  const problem = h('p.problem', { role: 'alert' });
  const body = h(
    'div',
    {},
    h('label.field', {}, h('span', {}, `New name of ${label}`), field),
    problem,
    h(
      'p.hint',
      {},
      'Examples, results, marks, corrections, positions and classifiers follow; nothing has to be done again. Exported files keep the old name. Labels are not joined: no label may have the name yet.',
    ),
  );
  const dialog = openDialog({
    title: `Rename ${label}`,
    body,
    actions: [{ title: 'Cancel' }, { title: 'Rename', primary: true, key: 'Enter', run: send }],
  });
  field.select();
  check();

  function check() {
    const name = field.value.trim();
    const why = name === label ? '' : labelProblem(name, category, others);
    const button = dialog.button('Rename');
    if (button) button.disabled = why !== '' || name === label;
    fill(problem, name ? why : '');
    field.setAttribute('aria-invalid', String(why !== ''));
  }

  async function send() {
    try {
      await renameLabel(label, field.value.trim());
    } catch (error) {
      fill(problem, error.message);
      return false;
    }
    closeEditor();
    setTimeout(openLabels); // after this dialog has closed
    return true;
  }
}

/**
 * Rename a label, say what followed, and offer to take it back.
 * @param {string} label
 * @param {string} name
 */
async function renameLabel(label, name) {
  const answer = await api.tell('labels/rename', { label, new: name });
  const wasChosen = app.selectedLabel === label;
  await app.refreshOverview();
  if (wasChosen) app.chooseLabel(answer.new);
  noteVersions(answer.versions);
  const back = () => renameLabel(answer.new, label).catch(toastError);
  toast(`${answer.message}.`, { kind: 'ok', action: { title: 'Undo', run: back } });
}

/** @param {string} path */
function beginning(path) {
  return h(
    'div.callout',
    {},
    h('strong', {}, 'This session has no list of labels yet. '),
    'Below are those that nearly every experiment has. Add an ID for each animal, by name or as two-colour codes, and save: that writes ',
    h('code', {}, path),
  );
}

/**
 * @param {LabelDraft} draft
 * @param {() => void} onAdded
 */
function addForm(draft, onAdded) {
  const category = h(
    'select',
    { 'aria-label': 'Category of the new label', onchange: check },
    CATEGORIES.map(({ id, title }) => h('option', { value: id }, title)),
  );
  const field = h('input', {
    type: 'text',
    autocomplete: 'off',
    placeholder: 'Name, or a pasted list',
    'aria-label': 'Name of the new label',
    oninput: check,
    onpaste: paste,
  });
  const problem = h('p.problem', { role: 'alert' });
  const button = h('button', { type: 'submit', disabled: true }, 'Add');

  function found() {
    return labelProblem(
      field.value.trim(),
      category.value,
      draft.rows.map((row) => row.label),
    );
  }

  function check() {
    const isEmpty = !field.value.trim();
    const why = isEmpty ? '' : found();
    button.disabled = isEmpty || why !== '';
    fill(problem, why);
    field.setAttribute('aria-invalid', String(why !== ''));
  }

  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    if (found()) return;
    draft.add(field.value.trim(), category.value);
    field.value = '';
    check();
    field.focus();
    onAdded();
  }

  // A field of one line would join the lines of a list.
  /** @param {ClipboardEvent} event */
  function paste(event) {
    const text = event.clipboardData?.getData('text') ?? '';
    const labels = labelsOf(text, category.value);
    if (labels.length < 2 && !/[\t,;]/.test(text)) return;
    event.preventDefault();
    addAll(labels);
  }

  /** @param {{label: string, category: string}[]} labels */
  function addAll(labels) {
    const { added, refused } = draft.addAll(labels);
    const left = labels.length - added.length - refused.length;
    fill(
      told,
      [`${plural(added.length, 'label')} added`, left > 0 && `${left} in the list already`].filter(Boolean).join(', '),
      '.',
    );
    fill(problem, refused.join(' '));
    onAdded();
  }

  const told = h('p.hint', { role: 'status' });
  return h(
    'form',
    { onsubmit: submit },
    h('h3', {}, 'Add labels'),
    h('div.add-line', {}, field, category, button),
    importField(addAll, (error) => fill(problem, error.message)),
    told,
    problem,
  );
}

/**
 * A choice of the other sessions, whose labels can be taken over. Hidden where there are none.
 * @param {(labels: {label: string, category: string}[]) => void} take
 * @param {(error: Error) => void} fail
 */
function importField(take, fail) {
  const choice = h('select', { 'aria-label': 'Take the labels of another session', hidden: true, onchange: load });
  /** @type {{place: string, session: string, title: string}[]} */
  let sessions = [];
  api
    .ask('places')
    .then(({ places }) => {
      sessions = places
        .flatMap(({ id, experiment, sessions: names }) =>
          names.map((session) => ({ place: id, session, title: `${experiment} / ${session}` })),
        )
        .filter(({ place, session }) => place !== api.opened?.place || session !== api.opened?.session);
      choice.hidden = sessions.length === 0;
      fill(
        choice,
        h('option', { value: '' }, 'Take the labels of …'),
        sessions.map(({ title }, i) => h('option', { value: String(i) }, title)),
      );
    })
    .catch(fail);

  async function load() {
    const { place, session } = sessions[Number(choice.value)];
    choice.value = '';
    try {
      const { rows } = await api.ask('labels', {}, { within: { place, session } });
      take(rows);
    } catch (error) {
      fail(error);
    }
  }

  return choice;
}

/**
 * @param {LabelDraft} draft
 * @param {string} code
 */
function codeState(draft, code) {
  const row = draft.find(code);
  if (!row) return 'off';
  return draft.canRemove(row) ? 'on' : 'kept';
}

/**
 * @param {LabelDraft} draft
 * @param {string} code
 * @param {boolean} isOn
 */
function switchCode(draft, code, isOn) {
  const row = draft.find(code);
  if (isOn && !row) draft.add(code, 'ant');
  if (!isOn && row && draft.canRemove(row)) draft.remove(row);
}
