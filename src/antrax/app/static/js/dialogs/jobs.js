/**
 * Background jobs (training, classification, grouping): progress in the top bar, and a dialog with their messages.
 * @module
 */
import { api } from '../core/api.js';
import { app } from '../core/app.js';
import { emit, on } from '../core/bus.js';
import { askWhether, openDialog } from '../core/dialog.js';
import { byId, count, fill, h } from '../core/dom.js';
import { classifyForm, trainForm } from './jobforms.js';
import { openReport } from './report.js';
import { registerKey } from '../core/keys.js';
import { pulse } from '../core/pulse.js';
import { toast, toastError } from '../core/toast.js';

const NAMES = {
  train: { running: 'Training', done: 'Trained', failed: 'Training failed', stopped: 'Training stopped' },
  classify: {
    running: 'Classifying',
    done: 'Classified',
    failed: 'Classifying failed',
    stopped: 'Classifying stopped',
  },
  group: { running: 'Grouping', done: 'Grouped', failed: 'Grouping failed', stopped: 'Grouping stopped' },
};

const STOP = {
  train: {
    ask: 'Started again with the same examples and settings, it goes on where it was.',
    told: 'Train again with the same examples and settings, and it goes on where it was.',
  },
  classify: {
    ask: 'Movies that are done keep their new labels; the others keep those that they have.',
    told: 'Movies that were done have their new labels.',
  },
  group: {
    ask: 'It begins anew when it is started again; groups that there were stay.',
    told: 'Groups that there were are still there.',
  },
};

/** @type {import('messages').JobState|null} */
let job = null;
// A job that was over before this page was opened is no news.
let watched = null;
let isDismissed = true;
let chip;
let view = null;

/** The commands in the top bar, their keys and the progress beside them. */
export function init() {
  chip = byId('job-status');
  byId('open-train').addEventListener('click', openTrain);
  byId('open-classify').addEventListener('click', openClassify);
  registerKey({ key: 'Shift+R', title: 'Train', group: 'Workflow', run: openTrain });
  registerKey({ key: 'Shift+C', title: 'Classify', group: 'Workflow', run: openClassify });
  registerKey({ key: 'Shift+Z', title: 'Report of the last training', group: 'Workflow', run: showReport });
  registerKey({
    key: 'Shift+J',
    title: 'What is being trained or classified',
    group: 'Workflow',
    when: () => job !== null,
    run: openJob,
  });
  on('job', hear);
  on('session', ({ overview }) => {
    job = null;
    watched = null;
    isDismissed = true;
    view?.close();
    draw();
    if (overview.interrupted) offerToGoOn(overview.interrupted);
  });
}

/** The app was ended while a job ran: says so when it is started the next time. */
function offerToGoOn({ kind, options, time }) {
  const began = new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'short' });
  toast(`${NAMES[kind].running} of ${began} was interrupted when the app ended. ${STOP[kind].ask}`, {
    kind: 'warn',
    sticky: true,
    action: { title: 'Go on', run: () => start(kind, options).catch(toastError) },
    onDismiss: () => api.tell('job/forget', {}).catch(toastError),
  });
}

/** Asks how to train; shows the job where one is at work. */
export function openTrain() {
  if (isRunning()) openJob();
  else trainForm(start).catch(toastError);
}

/** Asks what to classify; shows the job where one is at work. */
export function openClassify() {
  if (isRunning()) openJob();
  else classifyForm(start, openTrain);
}

/** Groups tracklets that look alike, in the background; shows the job where one is at work. */
export async function groupLookalikes() {
  if (isRunning()) {
    openJob();
    return;
  }
  const text =
    'A network learns from the tracklets themselves which look alike; no labels are needed. It takes a minute or two, in the background. ' +
    (app.overview?.groups
      ? 'The groups that there are give way to the new ones.'
      : 'The wall then shows a group at a time.');
  if (!(await askWhether({ title: 'Group look-alikes?', text, action: 'Group' }))) return;
  start('group', {}).catch(toastError);
}

/** Shows how the last training went. */
export function showReport() {
  openReport({ train: openTrain, classify: openClassify }).catch(toastError);
}

function isRunning() {
  return job?.state === 'running';
}

async function start(kind, options) {
  const answer = await api.tell(kind, options);
  emit('job', answer.job);
  // From now on the page asks more often.
  pulse();
}

function hear(news) {
  job = news;
  if (isRunning()) {
    watched = job.id;
    isDismissed = false;
  } else if (job && job.id === watched) {
    watched = null;
    announce();
  }
  draw();
}

function announce() {
  const action = { title: 'Show messages', run: openJob };
  const name = NAMES[job.kind][job.state];
  if (job.state === 'failed') toast(`${name}: ${job.error}`, { kind: 'error', sticky: true, action });
  else if (job.state === 'stopped') toast(`${name}. ${STOP[job.kind].told}`, { action });
  else
    toast(`${name} in ${duration(job.seconds)}. ${job.messages.at(-1) ?? ''}`, {
      kind: 'ok',
      action: job.kind === 'train' ? { title: 'Show the report', run: showReport } : action,
    });
  // There may be a classifier now, and other labels.
  app.refreshOverview().catch(toastError);
}

function draw() {
  drawChip();
  view?.draw();
}

function drawChip() {
  const isShown = job !== null && !isDismissed;
  chip.hidden = !isShown;
  if (!isShown) {
    fill(chip);
    return;
  }
  const hadFocus = chip.contains(document.activeElement);
  const name = NAMES[job.kind][job.state];
  const facts = isRunning()
    ? [amount(), `for ${duration(job.seconds)}`].filter(Boolean).join(' · ')
    : `in ${duration(job.seconds)}`;
  fill(
    chip,
    h(
      'button.job-chip',
      { type: 'button', class: job.state, title: 'Show the messages (Shift+J)', onclick: openJob },
      h('span.job-name', {}, name),
      isRunning() && progress(),
      h('span.job-facts', {}, facts),
    ),
  );
  if (hadFocus) chip.firstElementChild.focus();
}

function progress() {
  // Without a value the bar of the browser moves to and fro: how long it takes is not known.
  const value = job.fraction === null ? {} : { max: 1, value: job.fraction };
  return h('progress', { 'aria-label': NAMES[job.kind].running, ...value });
}

/** How much of the job is done: of all its stages, or of the present one where nobody knows how much there will be. */
function amount() {
  if (job.fraction !== null) return `${Math.floor(100 * job.fraction)} %`;
  return job.done ? `${count(job.done)} ${job.unit}` : '';
}

function openJob() {
  if (!job || view) return;
  const title = h('p.job-title');
  const bar = h('div.job-bar');
  const facts = h('p.job-facts');
  const trouble = h('p.problem', { role: 'alert' });
  const messages = h('ol.job-messages', { tabIndex: 0, 'aria-label': 'Messages' });
  const dialog = openDialog({
    title: 'Background work',
    body: h(
      'div.job-view',
      {},
      title,
      bar,
      facts,
      trouble,
      h('details', { open: true }, h('summary', {}, 'Messages'), messages),
    ),
    wide: true,
    actions: [
      { title: 'Stop', danger: true, left: true, run: stop },
      { title: 'Close', primary: true },
    ],
    onClose: () => {
      view = null;
      // What is over and was looked at need not stay in the top bar.
      isDismissed = !isRunning();
      drawChip();
    },
  });

  function draw() {
    if (!job) return;
    title.textContent = NAMES[job.kind][job.state];
    title.className = `job-title ${job.state}`;
    fill(bar, isRunning() && progress());
    const clock = `${isRunning() ? 'running for' : 'took'} ${duration(job.seconds)}`;
    facts.textContent = [isRunning() && stage(), amount(), isRunning() && job.note, clock, remaining()]
      .filter(Boolean)
      .join(' · ');
    trouble.textContent = job.error ?? '';
    // Somebody who scrolled up to read is left there.
    const isAtEnd = messages.scrollTop + messages.clientHeight >= messages.scrollHeight - 8;
    fill(
      messages,
      job.messages.map((line) => h('li', {}, line)),
    );
    if (isAtEnd) messages.scrollTop = messages.scrollHeight;
    dialog.button('Stop').hidden = !isRunning();
  }

  view = { draw, close: dialog.close };
  draw();
}

async function stop() {
  const { id, kind } = job;
  const title = `Stop ${NAMES[kind].running.toLowerCase()}?`;
  if (!(await askWhether({ title, text: STOP[kind].ask, action: 'Stop' }))) return false;
  if (!isRunning() || job.id !== id) return false; // over meanwhile
  try {
    const answer = await api.tell('job/stop', {});
    emit('job', answer.job);
  } catch (error) {
    toastError(error);
  }
  return false;
}

/** What it is at, where that says more than its name. */
function stage() {
  return job.title.toLowerCase() === NAMES[job.kind].running.toLowerCase() ? '' : job.title;
}

/** What the server reckons from all stages together. */
function remaining() {
  return isRunning() && job.seconds_left !== null ? `about ${duration(job.seconds_left)} left` : '';
}

function duration(seconds) {
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] ? parts : parts.slice(1);
  return shown.map((part, i) => (i ? String(part).padStart(2, '0') : String(part))).join(':');
}
