/**
 * Dialogs with the options of training and classification.
 * @module
 */
import { api } from '../core/api.js';
import { app } from '../core/app.js';
import { openDialog } from '../core/dialog.js';
import { count, fill, h, plural } from '../core/dom.js';

// What `antrax train` calls a classifier, and `antrax classify` takes.
const USUAL_NAME = 'classifier';
const USUAL_EPOCHS = 5;
const MOST_EPOCHS = 1000;
const LENGTHS = [
  { epochs: 2, title: 'Short' },
  { epochs: USUAL_EPOCHS, title: 'Usual' },
  { epochs: 20, title: 'Long' },
];
const ERRORS = [
  { share: 0.005, title: '0.5 %', words: 'one in two hundred' },
  { share: 0.01, title: '1 %', words: 'one in a hundred' },
  { share: 0.02, title: '2 %', words: 'one in fifty' },
  { share: 0.05, title: '5 %', words: 'one in twenty' },
];

/**
 * Ask how to train.
 * @param {(kind: 'train', options: import('messages').TrainRequest) => Promise<void>} start throws where it cannot begin
 * @returns {Promise<void>}
 */
export async function trainForm(start) {
  const set = await api.ask('trainset');
  const hasClassifier = app.overview?.classifier;
  const labels = set.labels.filter((row) => row.examples > 0).length;
  const kind = choice('How', 'scratch', [
    {
      value: '',
      title: 'Improve the present classifier',
      explain: 'It keeps what it knows and learns from all examples there are now. The usual choice.',
    },
    {
      value: 'yes',
      title: 'Start a new one',
      explain: 'Forgets the old classifier. When labels were wrong, or the camera or the light is another one.',
    },
  ]);
  const length = epochsField();
  const trouble = h('p.problem', { role: 'alert' });
  const body = h(
    'div.job-form',
    {},
    labels === 0
      ? h('p.callout', {}, 'There are no examples yet. Export some tracklets under their labels first.')
      : h(
          'p',
          {},
          'On ',
          h('strong', {}, plural(set.examples, 'example')),
          ` of ${plural(set.tracklets, 'tracklet')} under ${plural(labels, 'label')}.`,
        ),
    set.hints.length > 0 &&
      h(
        'ul.notes',
        {},
        set.hints.map((hint) => h('li', {}, hint)),
      ),
    hasClassifier ? kind.node : h('p', {}, 'There is no classifier yet: this makes the first one.'),
    length.node,
    h(
      'p.hint',
      {},
      'Some tracklets are kept aside to measure how good it is; the last part of the training is on all examples. ',
      'It runs in the background: you can go on labelling, and what you export meanwhile counts the next time.',
    ),
    trouble,
  );
  const dialog = openDialog({
    title: 'Train',
    body,
    actions: [
      { title: 'Cancel' },
      {
        title: 'Train',
        primary: true,
        key: 'Enter',
        run: () => {
          const scratch = !hasClassifier || kind.value() === 'yes';
          return length.isValid() && begin(trouble, start('train', { epochs: length.epochs(), scratch }));
        },
      },
    ],
  });
  if (labels > 0) return;
  for (const fields of [kind.node, length.node]) fields.disabled = true;
  const button = dialog.button('Train');
  if (!button) return;
  button.disabled = true;
  button.title = 'There are no examples yet';
}

/**
 * Ask what to classify.
 * @param {(kind: 'classify', options: import('messages').ClassifyRequest) => Promise<void>} start
 *   throws where it cannot begin
 * @param {() => void} train opens the other dialog, where there is no classifier yet
 */
export function classifyForm(start, train) {
  const { overview } = app;
  if (!overview) return;
  const classifiers = overview.other_classifiers.slice();
  if (overview.classifier) classifiers.unshift({ name: USUAL_NAME, ...overview.classifier });
  if (!classifiers.length) {
    openDialog({
      title: 'Classify',
      body: h('p', {}, 'There is no classifier yet. Train one on your examples first.'),
      actions: [
        { title: 'Cancel' },
        { title: 'Train…', primary: true, key: 'Enter', run: () => void setTimeout(train) },
      ],
    });
    return;
  }
  const { movies } = overview;
  const missing = movies.filter((movie) => !movie.classified).length;
  const current = app.tracklet?.movie;
  const which = choice(
    'Movies',
    'movies',
    filled([
      {
        value: 'all',
        title: movies.length === 1 ? 'The movie' : `All ${count(movies.length)} movies`,
        explain: 'Labels everything anew. After training, this is what you want.',
      },
      missing > 0 &&
        missing < movies.length && {
          value: 'missing',
          title: `Only those without results (${missing})`,
          explain: 'The others keep the labels that they have.',
        },
      current &&
        movies.length > 1 && {
          value: 'one',
          title: `Only movie ${current}, the one on the screen`,
          explain: 'A quick look at how good the classifier is.',
        },
    ]),
  );
  const error = errorField();
  const by = h(
    'select',
    { 'aria-label': 'Classifier', onchange: () => drawRule() },
    classifiers.map(({ name }) => h('option', { value: name }, name)),
  );
  const rule = h('div.job-rule');
  const chosen = () => classifiers.find(({ name }) => name === by.value) ?? classifiers[0];
  // How it decides depends on the classifier.
  const drawRule = () => {
    const { calibrated, why, poor } = chosen();
    fill(rule, calibrated ? error.node : cautious(why), poor && h('p.callout', {}, POOR));
  };
  drawRule();
  const trouble = h('p.problem', { role: 'alert' });
  const body = h(
    'div.job-form',
    {},
    which.node,
    classifiers.length > 1 && h('label.form-line', {}, h('strong', {}, 'Classifier'), by),
    rule,
    h(
      'p.hint',
      {},
      'Runs in the background; the new labels are shown when it is done. Marks of earlier classifications are kept, and count again where they tell ',
      'the true label.',
    ),
    trouble,
  );
  openDialog({
    title: 'Classify',
    body,
    actions: [
      { title: 'Cancel' },
      {
        title: 'Classify',
        primary: true,
        key: 'Enter',
        run: () => {
          const movies = which.value() === 'one' && current ? [current] : null;
          const { name, calibrated } = chosen();
          return begin(
            trouble,
            start('classify', {
              movies,
              missing: which.value() === 'missing',
              classifier: name === USUAL_NAME ? null : name,
              ...(calibrated && { max_error: error.share() }),
            }),
          );
        },
      },
    ],
  });
}

const POOR =
  'This classifier is a poor network, as its training found: check the IDs that it gives, train it longer, and look for examples under wrong labels.';

/**
 * Why nobody can choose how many errors are accepted.
 * @param {string|null} why
 */
function cautious(why) {
  return h(
    'p.callout',
    {},
    'A fixed cautious rule decides: how many of the IDs would be wrong is not known for this classifier. ',
    why,
  );
}

/**
 * Wait for the start; where it fails the dialog stays open and says why.
 * @param {HTMLElement} trouble
 * @param {Promise<void>} started
 */
async function begin(trouble, started) {
  try {
    await started;
    return true;
  } catch (error) {
    trouble.textContent = error.message;
    return false;
  }
}

/** @typedef {{value: string, title: string, explain: string}} Choice */

/**
 * Those that can be chosen.
 * @param {(Choice|false|null|undefined|0)[]} choices
 * @returns {Choice[]}
 */
function filled(choices) {
  return choices.flatMap((each) => each || []);
}

/**
 * Radio buttons with an explanation each.
 * @param {string} title
 * @param {string} name
 * @param {Choice[]} choices
 */
function choice(title, name, choices) {
  const inputs = choices.map(({ value }, i) =>
    h('input', { type: 'radio', name, value, checked: i === 0, autofocus: i === 0 }),
  );
  const node = h(
    'fieldset.choice',
    {},
    h('legend', {}, title),
    choices.map((each, i) =>
      h('label', {}, inputs[i], h('span', {}, h('strong', {}, each.title), h('small', {}, each.explain))),
    ),
  );
  return { node, value: () => inputs.find((input) => input.checked)?.value };
}

function epochsField() {
  const problem = h('small.problem', { role: 'alert' });
  const field = h('input', {
    type: 'number',
    min: '1',
    max: String(MOST_EPOCHS),
    value: String(USUAL_EPOCHS),
    'aria-label': 'Epochs',
    oninput: tell,
  });
  const presets = LENGTHS.map(({ epochs, title }) =>
    h(
      'button',
      {
        type: 'button',
        onclick: () => {
          field.value = String(epochs);
          tell();
        },
      },
      title,
    ),
  );

  function tell() {
    presets.forEach((preset, i) =>
      preset.setAttribute('aria-pressed', String(field.valueAsNumber === LENGTHS[i].epochs)),
    );
    problem.textContent = isValid() ? '' : `A whole number from 1 to ${count(MOST_EPOCHS)}.`;
    field.setAttribute('aria-invalid', String(!isValid()));
  }

  function isValid() {
    return field.value !== '' && field.checkValidity();
  }

  tell();
  const node = h(
    'fieldset',
    {},
    h('legend', {}, 'How long'),
    h(
      'div.form-line',
      {},
      h('div.segmented', { role: 'group', 'aria-label': 'Epochs, usual numbers' }, presets),
      field,
      h('span', {}, 'epochs'),
      problem,
    ),
    h(
      'small',
      {},
      'How often it goes through all examples. More takes longer and gives a better classifier, up to a point.',
    ),
  );
  return { node, isValid, epochs: () => field.valueAsNumber };
}

function errorField() {
  const explain = h('small');
  let chosen = ERRORS[1];
  const buttons = ERRORS.map((each) => h('button', { type: 'button', onclick: () => choose(each) }, each.title));

  /** @param {(typeof ERRORS)[number]} error */
  function choose(error) {
    chosen = error;
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(ERRORS[i] === error)));
    explain.textContent = `About ${error.words} of the assigned IDs may be wrong. Fewer errors leave more tracklets Unknown.`;
  }

  choose(chosen);
  const node = h(
    'fieldset',
    {},
    h('legend', {}, 'Accepted errors'),
    h('div.segmented', { role: 'group', 'aria-label': 'Accepted errors' }, buttons),
    explain,
  );
  return { node, share: () => chosen.share };
}
