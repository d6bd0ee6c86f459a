/**
 * The side panel "Check": marks on whether a tracklet's label is right, their history, and error rates.
 * @module
 */
import { api, who } from '../core/api.js';
import { app, noteVersions } from '../core/app.js';
import { patch } from '../core/browse.js';
import { on } from '../core/bus.js';
import { byId, fill, h, sentence } from '../core/dom.js';
import { registerKey } from '../core/keys.js';
import { prefer, preference } from '../core/prefs.js';
import { forgetRates, ratesView, refreshRates, registerRateKeys } from './rates.js';
import { toast } from '../core/toast.js';
import { addToTrainingSet } from './exports.js';
import { actOnTracklet, go } from '../views/tracklet.js';
import { labelField } from '../core/typeahead.js';

// After these the person may say which label it should have been, of these categories.
const TRUTHS = { wrong: ['ant'], identifiable: ['ant'], not_ant: ['nonant', 'multi'] };
const HISTORY_SHOWN = 4;
const MARKS = [
  'First mark: Correct, Not an ant, Rightly unknown',
  'Second mark: Wrong, Is an ant, Identifiable',
  'Third mark: Should not have an ID, Not a single ant',
];

let panel;
let target;
let buttons;
let prompt;
let history;
let statistics;
let options;
let next;
let name;
let askedFor = null;
let ratesStale = true;
// The marks made in this tab, the last one last: {tracklet, label, verdict, trueLabel}. Ctrl+Z takes them back.
let made = [];
// Those that were taken back since the last new mark. Ctrl+Y makes them again.
let takenBack = [];
let said = null; // the message about the last one
// Marks go to the server one after another, so that the last one pressed is the last one written.
let sending = Promise.resolve();

/** Build the panel and its keys. */
export function init() {
  panel = byId('panel-check');
  target = h('div.check-target', {});
  buttons = h('div.verdicts', { role: 'group', 'aria-label': 'Marks' });
  prompt = h('div.truth', {});
  history = h('div.marks', {});
  statistics = ratesView();
  options = choices();
  fill(panel, h('section.checking', {}, target, buttons, prompt, options, history), statistics);

  on('tracklet', (info) => {
    // The same tracklet comes anew when somebody exported; what is being typed must stay then.
    if (info?.tracklet !== askedFor) closePrompt();
    draw();
  });
  on('session', () => {
    // Who sits here is known once the server has answered.
    name.value = who.name;
    ratesStale = true;
    made = [];
    takenBack = [];
    forgetRates();
    catchUp();
  });
  on('overview', () => {
    draw();
    catchUp();
  });
  on('versions', ({ changed }) => {
    if (!changed.includes('marks') && !changed.includes('assignments')) return;
    ratesStale = true;
    catchUp();
  });
  on('panel', catchUp);
  on('connection', (state) => state === 'ok' && catchUp());

  for (const [i, key] of ['1', '2', '3'].entries()) {
    registerKey({
      key,
      title: MARKS[i],
      group: 'Check',
      // A digit pressed by mistake while labelling must not become a check: marks need the panel in sight.
      when: () => isOpen() && Boolean(app.tracklet?.verdicts?.[i]),
      run: () => mark(app.tracklet.verdicts[i].verdict),
    });
  }
  registerKey({
    key: '0',
    title: 'Take the mark back',
    group: 'Check',
    when: () => isOpen() && Boolean(app.tracklet?.mark),
    run: () => mark(null),
  });
  registerKey({
    key: 'Ctrl+Z',
    title: 'Take your last mark back, wherever it was',
    group: 'Check',
    when: isOpen,
    run: takeLastBack,
  });
  registerKey({
    key: ['Ctrl+Y', 'Ctrl+Shift+Z'],
    shown: 'Ctrl+Y',
    title: 'Make the mark again that you took back last',
    group: 'Check',
    when: isOpen,
    run: markAgain,
  });
  registerKey({
    key: 'Shift+N',
    title: 'Next after a mark, or not',
    group: 'Check',
    when: isOpen,
    run: () => {
      next.checked = !next.checked;
      prefer('nextAfterMark', next.checked);
    },
  });
  registerRateKeys(isOpen);
}

function isOpen() {
  return !panel.hidden;
}

async function catchUp() {
  if (!ratesStale || !isOpen() || !app.overview?.classified) return;
  ratesStale = false;
  if (!(await refreshRates())) ratesStale = true;
}

function draw() {
  const info = app.tracklet;
  if (!info) {
    // On the way to the next tracklet everything keeps its place; only pressing must have no effect.
    for (const button of panel.querySelectorAll('.checking button')) button.disabled = true;
    return;
  }
  statistics.hidden = !app.overview?.classified;
  options.hidden = info.verdicts.length === 0;
  const focused = [...buttons.children].indexOf(document.activeElement);
  fill(target, describe(info));
  fill(
    buttons,
    info.verdicts.map((each) => verdictButton(each, info.mark?.verdict === each.verdict)),
  );
  buttons.children[focused]?.focus();
  drawHistory(info.history);
}

/** @param {import('messages').Tracklet} info */
function describe(info) {
  if (info.label === null) {
    return h(
      'p.hint',
      {},
      'This tracklet is not classified yet, so there is nothing to check. Train a classifier, then classify.',
    );
  }
  return [
    h('span.check-said', {}, 'Classified as'),
    h('strong.check-label', {}, h('span', { class: `swatch ${info.category}`, 'aria-hidden': 'true' }), info.label),
    info.mark &&
      h('button', { type: 'button', class: 'link', onclick: () => mark(null) }, 'Take back', h('kbd', {}, '0')),
  ];
}

function verdictButton({ verdict, title, key }, chosen) {
  return h(
    'button',
    { type: 'button', class: `verdict ${verdict}`, 'aria-pressed': String(chosen), onclick: () => mark(verdict) },
    h('kbd', {}, key),
    h('span', {}, title),
    chosen && h('span.verdict-done', { 'aria-hidden': 'true' }, '✓'),
  );
}

function choices() {
  next = h('input', {
    type: 'checkbox',
    checked: preference('nextAfterMark'),
    onchange: () => prefer('nextAfterMark', next.checked),
  });
  name = h('input', {
    type: 'text',
    maxLength: 40,
    autocomplete: 'off',
    onchange: () => {
      who.name = name.value;
    },
  });
  return h(
    'div',
    { class: 'check-choices' },
    h('label.check', { title: 'Shift+N' }, next, 'Next after a mark'),
    h('label.check-who', { title: 'Your name is written beside each mark' }, 'by', name),
  );
}

/** Mark the tracklet on the screen at once, then tell the server; where that fails, the old mark comes back. */
function mark(verdict) {
  actOnTracklet((info) => markShown(info, verdict));
}

/**
 * @param {import('messages').Tracklet} info
 * @param {import('messages').Verdict|null} verdict
 */
function markShown(info, verdict) {
  closePrompt();
  takenBack = [];
  if (verdict === null) takenBack = made.filter((one) => one.tracklet === info.tracklet);
  write(info, verdict, '');
  if (asksTruth(info, verdict)) askTruth(info, verdict);
  else if (verdict !== null) goOn();
}

function write({ tracklet, label, mark: before }, verdict, trueLabel) {
  const within = api.opened;
  // The label that was judged goes along: results that changed meanwhile must not get a mark meant for the old ones.
  const body = { tracklet, label, verdict, true_label: trueLabel, met: app.met, who: who.name };
  const time = new Date().toISOString();
  made = made.filter((one) => one.tracklet !== tracklet);
  if (verdict !== null) made.push({ tracklet, label, verdict, trueLabel });
  patch(tracklet, {
    mark: verdict && { verdict, title: '', label, true_label: trueLabel, who: who.name, time, current: true },
  });
  sending = sending.then(async () => {
    try {
      const answer = await api.tell('mark', body, within);
      patch(tracklet, { mark: answer.mark, history: answer.history });
      noteVersions(answer.versions);
      // What is not on the screen any more is told, and can be taken back from here.
      if (verdict !== null && app.tracklet?.tracklet !== tracklet) tell(tracklet, answer.message);
    } catch (error) {
      patch(tracklet, { mark: before });
      made = made.filter((one) => one.tracklet !== tracklet);
      toast(`The mark of ${tracklet} was not written: ${error.message}`, { kind: 'error', sticky: true });
    }
  });
}

function tell(tracklet, message) {
  said?.close();
  said = toast(sentence(message), { kind: 'ok', action: { title: 'Take back', run: () => takeBack(tracklet) } });
}

function takeLastBack() {
  const last = made.at(-1);
  if (last) takeBack(last.tracklet);
  else toast('There is no mark of this tab to take back.');
}

/** Takes a mark of this tab back and shows its tracklet, to be marked better. */
async function takeBack(tracklet) {
  const one = made.find((other) => other.tracklet === tracklet);
  if (!one) return;
  said?.close();
  closePrompt();
  takenBack.push(one);
  const isHere = app.tracklet?.tracklet === tracklet;
  write({ ...one, mark: isHere ? app.tracklet.mark : null }, null, '');
  await sending; // or what comes with the tracklet would still have the mark
  if (app.tracklet?.tracklet !== tracklet) await app.goTo(tracklet);
  toast(`The mark of ${tracklet} is taken back.`, { action: { title: 'Again', run: markAgain } });
}

/** Makes the mark again that was taken back last, and shows its tracklet. */
async function markAgain() {
  const one = takenBack.pop();
  if (!one) {
    toast('There is no mark to make again.');
    return;
  }
  closePrompt();
  const isHere = app.tracklet?.tracklet === one.tracklet;
  write({ ...one, mark: isHere ? app.tracklet.mark : null }, one.verdict, one.trueLabel);
  await sending;
  if (app.tracklet?.tracklet !== one.tracklet) await app.goTo(one.tracklet);
}

/** Whether it is of use to know which label it should have: not where the mark says that the present one is right. */
function asksTruth(info, verdict) {
  return verdict in TRUTHS && (verdict !== 'not_ant' || info.category === 'unknown');
}

function askTruth(info, verdict) {
  const done = (label) => {
    const isAdded = label && adding.checked;
    closePrompt();
    if (label) write(info, verdict, label);
    if (isAdded) addToTrainingSet(info, label);
    goOn();
  };
  const adding = h('input', {
    type: 'checkbox',
    checked: preference('addTruth'),
    onchange: () => prefer('addTruth', adding.checked),
  });
  const field = labelField({
    labels: candidates(info, TRUTHS[verdict]),
    name: 'True label',
    placeholder: 'Which one is it?',
    onChoose: done,
    onCancel: () => done(''),
  });
  fill(
    prompt,
    field.node,
    h('label.check', {}, adding, 'Also add it to the training set'),
    h(
      'div.truth-hint',
      {},
      h('span', {}, h('kbd', {}, '↵'), ' take it'),
      h('button.link', { type: 'button', onclick: () => done('') }, 'Leave it out ', h('kbd', {}, 'Esc')),
    ),
  );
  askedFor = info.tracklet;
  field.focus();
}

/** The labels that it may be, those that the classifier thought of first. */
function candidates({ label: given, best_label: best, runner_up: next }, categories) {
  const rank = ({ label }) => [best, next].indexOf(label) + 1 || Infinity;
  const labels = app.labels().filter(({ label, category }) => categories.includes(category) && label !== given);
  return labels.sort((a, b) => (rank(a) === rank(b) ? 0 : rank(a) - rank(b)));
}

function closePrompt() {
  askedFor = null;
  fill(prompt);
}

function goOn() {
  if (preference('nextAfterMark')) go(1);
}

function drawHistory(marks) {
  const rows = withoutSteps(marks);
  if (rows.length === 0) {
    fill(history);
    return;
  }
  fill(
    history,
    h('h3', {}, 'Marks of this tracklet'),
    h('ol', {}, ...rows.slice(0, HISTORY_SHOWN).map(historyRow)),
    rows.length > HISTORY_SHOWN && h('p.hint', {}, `and ${rows.length - HISTORY_SHOWN} earlier ones`),
  );
}

// A mark that got its true label a moment later is in the file twice; the second says it all.
function withoutSteps(marks) {
  return marks.filter((mark, i) => {
    const later = marks[i - 1];
    const isSame = ['verdict', 'who', 'current'].every((key) => later?.[key] === mark[key]);
    return !(later?.true_label && !mark.true_label && isSame);
  });
}

function historyRow({ title, verdict, true_label: trueLabel, label, who: person, time, current }) {
  return h(
    'li',
    { class: current ? 'mark-row' : 'mark-row earlier' },
    h('span.mark-said', {}, verdict ? title : 'Taken back', trueLabel && ` → ${trueLabel}`),
    h(
      'span.mark-by',
      {},
      [!current && `as ${label}, earlier classification`, person, age(time)].filter(Boolean).join(' · '),
    ),
  );
}

function age(time) {
  const date = new Date(time);
  const today = date.toDateString() === new Date().toDateString();
  if (today) return date.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' });
  return date.toLocaleDateString('en', { day: 'numeric', month: 'short' });
}
