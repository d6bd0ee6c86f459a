/**
 * The bar above the panels: the recommended next step, and a button for it.
 * @module
 */
import { api } from '../core/api.js';
import { app } from '../core/app.js';
import { on } from '../core/bus.js';
import { byId, fill, h } from '../core/dom.js';
import { registerKey } from '../core/keys.js';
import { openClassify, openTrain } from '../dialogs/jobs.js';
import { openLabels } from '../dialogs/labels.js';
import { showLike, showTracklets } from '../dialogs/menus.js';

const KEY = 'Shift+Q';

/**
 * What the button of each action says and does.
 * @type {Record<NonNullable<import('messages').NextStep['action']>, {title: string, run: (label: string|null) => void}>}
 */
const ACTIONS = {
  labels: { title: 'Labels…', run: openLabels },
  label: { title: 'Show tracklets', run: () => showTracklets({ label: '=new', order: 'longest' }, 'label') },
  train: { title: 'Train…', run: openTrain },
  classify: { title: 'Classify…', run: openClassify },
  look: { title: 'Show tracklets', run: (label) => showLike(/** @type {string} */ (label)) },
  check: { title: 'Check', run: () => showTracklets({ label: '=ids', order: 'random' }, 'check') },
};

let asked = 0;
/** @type {import('messages').NextStep|null} */
let step = null;

/** Sets the bar up. Called once. */
export function initNextStep() {
  on('session', () => {
    step = null;
    draw();
    refresh();
  });
  on('overview', refresh);
  on('versions', ({ changed }) => {
    if (changed.includes('examples') || changed.includes('marks')) refresh();
  });
  on('connection', (state) => state === 'ok' && refresh());
  registerKey({
    key: KEY,
    title: 'What is best done next',
    group: 'Workflow',
    when: () => Boolean(step?.action),
    run: act,
  });
}

async function refresh() {
  if (!app.overview?.movies.length) return;
  const turn = ++asked;
  try {
    const answer = await api.ask('next');
    if (turn !== asked) return;
    step = answer;
  } catch {
    // What keeps it from being known is told where it matters; the bar is advice.
    if (turn !== asked) return;
    step = null;
  }
  draw();
}

function act() {
  if (step?.action) ACTIONS[step.action].run(step.label);
}

function draw() {
  const bar = byId('next-step');
  bar.hidden = step === null;
  if (step === null) {
    fill(bar);
    return;
  }
  const hadFocus = bar.contains(document.activeElement);
  fill(
    bar,
    h('p', {}, step.text),
    step.action && h('button', { type: 'button', title: KEY, onclick: act }, ACTIONS[step.action].title),
  );
  if (hadFocus) bar.querySelector('button')?.focus();
}
