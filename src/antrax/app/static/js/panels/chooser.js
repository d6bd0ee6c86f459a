/** The panel *Label*: labels, chosen by a click or by typing, and the buttons that export under them. */

import { app } from '../core/app.js';
import { on } from '../core/bus.js';
import { byId, count, fill, h } from '../core/dom.js';
import { canRedo, canUndo } from '../core/exporting.js';
import { closeFrames, frames, openFrames } from '../views/frames.js';
import { registerKey, setTypeahead } from '../core/keys.js';
import { wasSeen } from '../core/seen.js';
import { toast } from '../core/toast.js';
import {
  atMost,
  exportBoth,
  exportMain,
  exportParts,
  exportUnknown,
  initExports,
  isBare,
  redo,
  restOf,
  undo,
  unknownLabel,
  whereItIs,
} from './exports.js';
import { showPanel, shownPanel } from './side.js';

const MOST_FREE = 6; // IDs that are named as free
// Letters that are commands where no label begins with them.
const COMMANDS = new Set(['p']);
const IDLE = 2500; // milliseconds after which typing begins anew
const TITLES = { ant: 'IDs', nonant: 'Not ants', multi: 'Several ants', unknown: 'Not identifiable' };

let parts;
let buffer = '';
let idle = 0;
let arrived = null; // the tracklet for which a label was suggested
let isMisfit = false; // whether no label begins with what was typed: nothing is chosen then
let undone = null; // the tracklet whose export was undone last: the label suggested for it is to be worked out anew
let isTouched = false; // whether the person chose a label since they came to this tracklet
let offeredAt = 0; // when Enter brought the panel, and with it the label, into sight

/** Creates the panel. Called once. */
export function initChooser() {
  parts = makePanel();
  setTypeahead(type);
  on('overview', renderLabels);
  on('label', renderChoice);
  on('tracklet', arrive);
  on('frames', renderActions);
  on('frames-selection', renderActions);
  on('exports', renderActions);
  registerKeys();
  initExports({
    onStart: clearTyped,
    onUndone(tracklet) {
      undone = tracklet;
      if (undone === app.tracklet?.tracklet) isTouched = false;
    },
  });
}

function makePanel() {
  const button = (title, hint, run, props = {}) =>
    h('button', { type: 'button', title: hint, onclick: run, ...props }, title);
  const made = {
    typed: h('div.typed', { 'aria-live': 'polite' }),
    meanwhile: h('p.meanwhile', { hidden: true }),
    list: h('div.labels'),
    all: button('', 'Enter', exportMain, { class: 'primary wide-button', id: 'export-all' }),
    both: button(
      'Chosen Unknown, rest …',
      'Export the chosen frames as Unknown and the others under the label (Ctrl+Enter)',
      exportBoth,
    ),
    unknown: button('As Unknown', 'Export the chosen frames as Unknown (Shift+U)', exportUnknown),
    select: button('Select frames …', 'Space', () => openFrames(), { id: 'select-frames' }),
    undo: button('Undo', 'Take the last export back (Ctrl+Z)', undo, { id: 'undo' }),
    redo: button('Redo', 'Make it again (Ctrl+Y)', redo, { id: 'redo' }),
  };
  fill(
    byId('panel-label'),
    made.typed,
    made.meanwhile,
    made.list,
    h(
      'div.actions',
      {},
      made.all,
      h('div.action-row', {}, made.select, made.unknown, made.undo, made.redo),
      made.both,
      h(
        'div.action-row.settings',
        {},
        h('label.check', { title: 'Shift+N' }, exportParts.next, 'Next after export'),
        h('label.check', { title: 'Of longer tracklets so many images, spread evenly' }, 'At most', exportParts.most),
      ),
      exportParts.message,
    ),
  );
  return made;
}

// ---- labels ----------------------------------------------------------------------------------------------------------------

function renderLabels() {
  const categories = (app.overview?.categories ?? []).filter(({ labels }) => labels.length > 0);
  const problem = app.overview?.has_labels_file ? app.overview.labels_problem : null;
  fill(
    parts.list,
    isBare() &&
      h(
        'div.hollow',
        {},
        h('p', {}, problem ?? 'This session has no labels yet.'),
        h('button.primary', { type: 'button', onclick: () => byId('open-labels').click() }, 'Add labels …'),
      ),
    categories.map(({ category, labels }) =>
      h(
        'section',
        { 'aria-label': TITLES[category] },
        h('h3', {}, TITLES[category] ?? category),
        h(
          'div.label-grid',
          { class: width(labels) },
          labels.map((label) => labelButton(label, category)),
        ),
      ),
    ),
  );
  renderChoice();
}

/** Short names four in a row, longer ones three or two. */
function width(labels) {
  const longest = Math.max(...labels.map((label) => label.length));
  return longest > 10 ? 'two' : longest > 4 ? 'three' : '';
}

function labelButton(label, category) {
  return h(
    'button.label',
    {
      type: 'button',
      class: category,
      data: { label },
      title: `${label}: a double click exports`,
      'aria-pressed': 'false',
      onclick: () => choose(label),
      ondblclick: exportMain,
    },
    h('span.name', {}, label),
    h('span.count'),
  );
}

function choose(label) {
  isTouched = true;
  app.chooseLabel(label);
}

/**
 * Chooses a label for the tracklet on the screen, as a click on it does.
 * @param {string} label
 */
export function chooseLabelFor(label) {
  showPanel('label'); // what is chosen must be seen
  choose(label);
}

function renderChoice() {
  const suggested = app.tracklet?.label;
  const here = app.tracklet?.examples ?? {};
  const elsewhere = app.tracklet?.elsewhere ?? {};
  for (const button of parts.list.querySelectorAll('.label')) {
    const { label } = button.dataset;
    const isChosen = label === app.selectedLabel;
    if (isChosen && button.getAttribute('aria-pressed') !== 'true') button.scrollIntoView({ block: 'nearest' });
    button.setAttribute('aria-pressed', String(isChosen));
    button.classList.toggle('suggested', label === suggested);
    button.querySelector('.count').textContent = here[label] ? count(here[label]) : '';
    const others = elsewhere[label] ?? [];
    button.classList.toggle('elsewhere', others.length > 0);
    button.title = `${label}: a double click exports${others.length ? `. At the same time ${others.join(', ')} ${others.length > 1 ? 'have' : 'has'} this ID` : ''}`;
  }
  renderMeanwhile();
  renderActions();
}

/** Which IDs no other tracklet has while this one is there: one of these it probably is. */
function renderMeanwhile() {
  const elsewhere = app.tracklet?.elsewhere;
  const ids = app.labels().filter(({ category }) => category === 'ant');
  const free = ids.map(({ label }) => label).filter((label) => !elsewhere?.[label]);
  parts.meanwhile.hidden = !elsewhere || free.length === ids.length;
  const named =
    free.length > MOST_FREE
      ? `${free.slice(0, MOST_FREE).join(', ')} and ${free.length - MOST_FREE} more`
      : free.join(', ');
  fill(
    parts.meanwhile,
    free.length
      ? [h('b', {}, named), ` ${free.length === 1 ? 'is' : 'are'} in no other tracklet at this time`]
      : 'Every ID is in another tracklet at this time',
  );
}

function renderActions() {
  const label = app.selectedLabel;
  const { tracklet } = app;
  const chosen = frames.selection.length;
  const as = label ? [' as ', h('b', {}, label)] : ' …';
  const isThere =
    !frames.isOpen &&
    label !== null &&
    tracklet?.images > 0 &&
    tracklet.frame_labels?.[label]?.length >= atMost(tracklet.images);
  const wanted = tracklet ? (restOf(tracklet, label)?.length ?? tracklet.images) : 0;
  const isSpread = !frames.isOpen && atMost(wanted) < wanted;
  fill(
    parts.all,
    h(
      'span',
      {},
      isThere
        ? whereItIs(tracklet, label)
        : [
            isSpread
              ? `Export ${count(atMost(wanted))} of ${count(wanted)}`
              : frames.isOpen
                ? 'Export chosen'
                : tracklet && restOf(tracklet, label)
                  ? 'Export the rest'
                  : 'Export all',
            as,
          ],
    ),
  );
  parts.all.classList.toggle('primary', !isThere);
  parts.all.disabled = !label || !tracklet?.images || (frames.isOpen && !chosen);
  parts.all.title = !label ? 'Choose a label first' : isThere ? 'There is nothing to add. Enter goes on.' : 'Enter';
  parts.undo.disabled = !canUndo();
  parts.redo.disabled = !canRedo();
  parts.select.hidden = frames.isOpen;
  parts.select.disabled = !tracklet?.images;
  parts.both.hidden = !frames.isOpen;
  parts.both.disabled = !chosen || !unknownLabel() || !label || label === unknownLabel();
  fill(
    parts.both,
    h('span', {}, 'Chosen Unknown, rest', label && label !== unknownLabel() ? [' ', h('b', {}, label)] : ' …'),
  );
  parts.unknown.hidden = !frames.isOpen;
  parts.unknown.disabled = !chosen || !unknownLabel();
  renderTyped();
}

/** A tracklet came: under which label would one export it? */
function arrive(info) {
  const name = info?.tracklet ?? null;
  if (name !== arrived) {
    // Between two tracklets there is a moment without one: a label that is typed in it is meant for the second.
    if (name === null || arrived !== null) {
      isTouched = false;
      clearTyped();
    }
    arrived = name;
    if (!isTouched) app.chooseLabel(name === null ? null : suggestion(info));
  } else if (name !== null && name === undone && !isTouched) {
    app.chooseLabel(suggestion(info));
  }
  renderChoice();
}

/**
 * The label it has in the training set, else the one that it was given. None where that is several or no answer at all: such a label
 * must not be exported by a slip of the finger.
 */
function suggestion(info) {
  const known = Object.keys(info.examples);
  if (known.length) return known.length === 1 ? known[0] : null;
  return info.category === 'ant' || info.category === 'nonant' ? info.label : null;
}

// ---- typing ----------------------------------------------------------------------------------------------------------------

/** A sign typed while no field has the focus: goes on with what was typed, or begins anew. */
function type(sign) {
  const isLetter = sign.toLowerCase() !== sign.toUpperCase();
  if (!isLetter && !buffer) return false;
  const names = app.labels().map(({ label }) => label);
  if (!buffer && COMMANDS.has(sign) && !names.some((name) => name.toLowerCase().startsWith(sign))) return false;
  if (!names.length) {
    toast('This session has no labels yet: add some with Shift+L.');
    return true;
  }
  const text = (buffer + sign).toLowerCase();
  if (!isLetter && !names.some((name) => name.toLowerCase().startsWith(text))) return false; // it may be a mark
  if (shownPanel() !== 'label') showPanel('label'); // what is chosen must be seen
  setTyped(text);
  chooseTyped();
  return true;
}

function chooseTyped() {
  const names = app
    .labels()
    .map(({ label }) => label)
    .filter((name) => name.toLowerCase().startsWith(buffer));
  const label = names.find((name) => name.toLowerCase() === buffer) ?? names[0];
  isMisfit = !label;
  choose(label ?? null); // never the label of what was typed before: nobody means that
}

function setTyped(text) {
  buffer = text;
  clearTimeout(idle);
  if (text) idle = setTimeout(clearTyped, IDLE);
  else isMisfit = false;
  renderTyped();
}

/** On purpose: what fitted no label leaves the suggestion, not nothing. */
function forgetTyped() {
  const wasMisfit = isMisfit;
  clearTyped();
  if (!wasMisfit) return;
  isTouched = false;
  app.chooseLabel(app.tracklet ? suggestion(app.tracklet) : null);
}

function clearTyped() {
  setTyped('');
}

function renderTyped() {
  const label = app.selectedLabel;
  parts.typed.hidden = !app.labels().length;
  parts.typed.classList.toggle('nothing', isMisfit);
  parts.typed.classList.toggle('typing', buffer !== '');
  if (buffer && label?.toLowerCase().startsWith(buffer)) {
    fill(parts.typed, h('b', {}, label.slice(0, buffer.length)), h('span.rest', {}, label.slice(buffer.length)));
  } else if (buffer) {
    fill(parts.typed, h('b', {}, buffer), h('span.note', {}, 'no label begins so'));
  } else if (label) {
    fill(
      parts.typed,
      h('span.swatch', { class: app.categoryOf(label) }),
      h('b', {}, label),
      h('span.note', {}, isTouched ? '' : whySuggested(label)),
    );
  } else {
    const guess = bestGuess();
    fill(
      parts.typed,
      h('span.note', {}, 'Type a label, or choose one'),
      guess &&
        h(
          'button.link.guess',
          { type: 'button', title: `It most looks like ${guess} (Shift+Y)`, onclick: () => choose(guess) },
          `${guess}?`,
        ),
    );
  }
}

/** What a tracklet most looks like whose label was not sure enough; null where there is no such label. */
function bestGuess() {
  const { tracklet } = app;
  const { best_label: best } = tracklet ?? {};
  return tracklet?.category === 'unknown' && best && best !== tracklet.label && app.categoryOf(best) ? best : null;
}

function whySuggested(label) {
  if (app.tracklet?.examples[label]) return 'as in the training set';
  return app.tracklet?.label === label ? 'as classified' : '';
}

function stepLabel(by) {
  const names = app.labels().map(({ label }) => label);
  if (!names.length) return;
  const at = names.indexOf(app.selectedLabel);
  choose(names[at < 0 ? (by > 0 ? 0 : names.length - 1) : (at + by + names.length) % names.length]);
}

/** By key: not before the person has seen which label it would be. */
function exportByKey() {
  if (isMisfit) {
    toast(`No label begins with “${buffer}”, so nothing was exported.`, { kind: 'warn' });
    clearTyped();
  } else if (shownPanel() === 'label') {
    if (!wasSeen(offeredAt)) return;
    clearTyped();
    exportMain();
  } else {
    showPanel('label');
    offeredAt = performance.now();
    if (app.selectedLabel) toast(`Enter once more exports under ${app.selectedLabel}.`);
  }
}

function registerKeys() {
  const group = 'Labels';
  registerKey({
    key: 'Shift+Y',
    title: 'Choose what an Unknown tracklet most looks like',
    group,
    when: () => bestGuess() !== null,
    run() {
      showPanel('label'); // what is chosen must be seen
      choose(bestGuess());
    },
  });
  registerKey({ key: 'b g', shown: 'b+g+…', title: 'Choose a label by typing it', group, run: () => {} });
  registerKey({
    key: ['ArrowUp', 'ArrowDown'],
    title: 'The label before, the next one',
    group,
    repeat: true,
    when: () => !frames.isOpen && shownPanel() !== 'trainset',
    run: (event) => stepLabel(event.key === 'ArrowUp' ? -1 : 1),
  });
  registerKey({ key: 'Enter', title: 'Export all, or the chosen ones', group, run: exportByKey });
  registerKey({
    key: 'Backspace',
    title: 'Correct what was typed',
    group,
    when: () => buffer !== '',
    run: () => {
      setTyped(buffer.slice(0, -1));
      if (buffer) chooseTyped();
    },
  });
  registerKey({
    key: 'Escape',
    title: 'Forget what was typed; close',
    group,
    run: () => {
      if (buffer) forgetTyped();
      else if (frames.isOpen) closeFrames();
      else if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    },
  });
}
