/** The main view: a tracklet's facts, its images, the strip of probabilities, and the bar to go on with. */

import { api, who } from '../core/api.js';
import { app, movieTitle, noteVersions } from '../core/app.js';
import { browse, goToIndex, openView, patch, setSheetsWanted, sheetUrl, step } from '../core/browse.js';
import { emit, on } from '../core/bus.js';
import { askLine } from '../core/dialog.js';
import { byId, count, fill, h, percent, plural } from '../core/dom.js';
import { frames, openFrames } from './frames.js';
import { showNamed } from '../dialogs/menus.js';
import { registerKey } from '../core/keys.js';
import { wasSeen } from '../core/seen.js';
import { marksOf } from './labelmarks.js';
import { Montage } from './montage.js';
import { preference, prefer } from '../core/prefs.js';
import { Strip } from './strip.js';
import { toast, toastError } from '../core/toast.js';

const PATIENCE = 180; // milliseconds until a word is said about waiting

let montage;
let strip;
let bar;
let shownImages = ''; // which images the montage shows, so that news about labels do not scroll it back
let waiting = 0;
let shownFacts = ''; // name, images and label in the head, and since when they stand there
let factsSince = 0;

/** How many of a tracklet's images are shown. */
const visible = (info) => (preference('showAll') ? info.images : Math.min(1, info.images));

/** The colour behind the images. */
export function background() {
  return preference('background') ?? (app.overview?.inverted ? 'black' : 'white');
}

/** Sets it up. Called once. */
export function initTracklet() {
  montage = new Montage(byId('montage'), {
    label: 'Images of the tracklet',
    onActivate: (i) => openFrames(i),
    onHover: (i) => strip.setHover(i),
    onProblem: renderUnread,
  });
  strip = new Strip(byId('strip'), {
    onHover: (i) => (frames.isOpen ? null : montage.setHighlight(i)),
    onPick: (i, isMore) => {
      if (!frames.isOpen) montage.reveal(i);
      else if (isMore) frames.choose(frames.cursor, i);
      else frames.goTo(i);
    },
    onRange: (from, to) => {
      if (!frames.isOpen) openFrames(from);
      frames.choose(from, to);
    },
  });
  bar = makeBar();
  byId('montage').addEventListener('arranged', renderFit);
  setSheetsWanted((info) => Math.min(visible(info), montage.capacity(info.size)));
  on('tracklet', render);
  on('place', renderBar);
  on('missing', renderMissing);
  on('nothing', ({ text, action }) => sayEmpty(text, { action }));
  on('overview', () => render(browse.current));
  on('frames', renderFrames);
  on('frames-cursor', (i) => strip.setHover(i));
  on('connection', (state) => state === 'ok' && montage.retry());
  registerKeys();
}

// ---- facts -----------------------------------------------------------------------------------------------------------------

/** @param {import('messages').Tracklet|null} info */
function render(info) {
  clearTimeout(waiting);
  const facts = info ? JSON.stringify([info.tracklet, info.stamp, info.label]) : '';
  if (facts !== shownFacts) {
    factsSince = performance.now();
    // In a narrow window the page scrolls, and the images may be out of sight when the next ones come.
    if (info) byId('view').scrollIntoView({ block: 'nearest' });
  }
  shownFacts = facts;
  document.title = `${info ? `${info.tracklet} · ` : ''}${app.overview?.experiment ?? 'antrax'}`;
  if (!info) {
    shownImages = '';
    fill(
      byId('tracklet-head'),
      h('div.head-line', {}, h('span.head-name.faint', {}, ' ')),
      h('div.head-facts', {}, ' '),
    );
    montage.show({ count: 0, url: null });
    delete byId('montage').dataset.tracklet;
    strip.show(null, 0);
    byId('empty').hidden = true;
    waiting = setTimeout(() => browse.count && showEmpty('Fetching the tracklet …', { busy: true }), PATIENCE);
  } else {
    fill(byId('tracklet-head'), headLine(info), factsLine(info));
    showImages(info);
    strip.show(info.strip, info.images);
  }
  renderBar();
}

/** @param {import('messages').Tracklet} info */
function headLine(info) {
  // The confidence is that of the most probable label, which for Unknown is another one.
  const isItsOwn = info.best_label === info.label;
  return h(
    'div.head-line',
    {},
    h(
      'h1.head-name',
      { title: `${info.tracklet}\nA click copies the name`, onclick: () => copy(info.tracklet) },
      info.tracklet,
    ),
    info.label === null
      ? h('span.badge.none', {}, 'not classified')
      : h(
          'span.badge',
          { class: info.category ?? 'none', title: scoreTitle(info) },
          h('span.name', {}, info.label),
          isItsOwn && h('b', {}, chance(info.confidence)),
        ),
    info.label !== null && h('span.head-next', {}, alternatives(info)),
    info.conflicts.length > 0 && conflict(info),
    flag(info),
  );
}

/** @param {import('messages').Tracklet} info */
function flag(info) {
  const { flag: given } = info;
  const note = given ? `Flagged by ${given.who}, ${given.time.slice(0, 10)}${given.note ? `: ${given.note}` : ''}` : '';
  return h(
    'button.chip.flag',
    {
      type: 'button',
      'aria-pressed': String(given !== null),
      title: given ? `${note}. A click takes the flag away (!)` : 'Flag it, with a note, to come back to it (!)',
      'aria-label': given ? note : 'Flag',
      onclick: switchFlag,
    },
    '⚑ ',
    h('span.name', {}, given ? given.note || 'Flagged' : 'Flag'),
  );
}

/** Flags the tracklet on the screen, after asking for a note; or takes its flag away. */
async function switchFlag() {
  const info = app.tracklet;
  if (!info) return;
  const { tracklet, flag: given } = info;
  if (given) {
    const again = () => setFlag(tracklet, true, given.note);
    if (await setFlag(tracklet, false, '')) toast('The flag is taken away.', { action: { title: 'Undo', run: again } });
    return;
  }
  const note = await askLine({
    title: 'Flag this tracklet',
    label: 'Note, if there is something to remember',
    action: 'Flag',
    hint: 'The filter “Flagged” of the menu Tracklets shows all that have a flag.',
  });
  if (note !== null) await setFlag(tracklet, true, note);
}

/**
 * @param {string} tracklet
 * @param {boolean} flagged
 * @param {string} note
 */
async function setFlag(tracklet, flagged, note) {
  try {
    const answer = await api.tell('flag', { tracklet, flagged, note, who: who.name });
    patch(tracklet, { flag: answer.flag });
    noteVersions(answer.versions);
    return true;
  } catch (error) {
    toastError(error);
    return false;
  }
}

/** Results of other programs have labels without confidences. */
const chance = (p) => (Number.isFinite(p) ? ` ${percent(p)}` : '');

/** @param {import('messages').Tracklet} info */
function scoreTitle(info) {
  const score = info.score ? `, score ${Number(info.score).toFixed(1)}` : '';
  return info.confidence
    ? `Current label${score}; confidence of the whole tracklet, calibrated`
    : `Current label${score}`;
}

/**
 * What else it could be: for one without an ID the most probable label, for others the second most probable.
 * @param {import('messages').Tracklet} info
 */
function alternatives(info) {
  const { best_label: best, runner_up: next, label } = info;
  const parts = [];
  if (best && best !== label) parts.push(`most like ${best}${chance(info.confidence)}`);
  if (next) parts.push(`then ${next}${chance(info.runner_up_confidence)}`);
  return parts.join(', ');
}

/** @param {import('messages').Tracklet} info */
function conflict(info) {
  const [other] = info.conflicts;
  const more = info.conflicts.length > 1 ? ` and ${info.conflicts.length - 1} more` : '';
  return h(
    'button.chip.warn',
    {
      type: 'button',
      title: `At the same time ${info.conflicts.join(', ')} ${more ? 'have' : 'has'} the ID ${info.label} too. A click shows the first of them.`,
      onclick: () => app.goTo(other),
    },
    `Also ${info.label}: ${other}${more}`,
  );
}

/** @param {import('messages').Tracklet} info */
function factsLine(info) {
  const range = (first, last) => (first === last ? count(first) : `${count(first)}–${count(last)}`);
  const span = info.last - info.first + 1;
  const absolute =
    info.absolute_first && info.absolute_first !== info.first
      ? `In the whole recording: ${range(info.absolute_first, info.absolute_last)}`
      : '';
  const missing = span - info.images;
  const left = info.frames_known
    ? ''
    : `, ${plural(missing, 'frame')} left out by the tracker, so which image is which frame is not known`;
  const examples = Object.entries(info.examples);
  return h(
    'div.head-facts',
    {},
    h('span', { title: info.movie_name ?? '' }, `Movie ${info.movie}`),
    h('span', { title: absolute }, `${span === 1 ? 'Frame' : 'Frames'} ${range(info.first, info.last)}`),
    h('span', {}, plural(info.images, 'image'), left),
    info.seconds !== null && h('span', {}, `${info.seconds.toFixed(info.seconds < 10 ? 2 : 1)} s`),
    info.colony && h('span', {}, `Colony ${info.colony}`),
    examples.length
      ? h(
          'span.head-examples',
          {},
          'In the training set: ',
          examples.map(([label, n]) =>
            h('span.chip', { class: app.categoryOf(label) ?? 'none' }, label, h('b', {}, count(n))),
          ),
        )
      : h('span.faint', {}, 'Not in the training set'),
  );
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast('The name is copied.');
  } catch {
    // Browsers allow it on this machine and over HTTPS only; the name can be selected by hand.
  }
}

// ---- images ----------------------------------------------------------------------------------------------------------------

/** @param {import('messages').Tracklet} info */
function showImages(info) {
  const images = visible(info);
  const which = `${info.tracklet} ${info.stamp} ${images}`;
  byId('empty').hidden = images > 0;
  if (!images) showEmpty(info.problem ? `${movieTitle(info.movie)}: ${info.problem}` : 'This tracklet has no images.');
  montage.setBackground(background());
  const content = { marks: marksOf(info), scale: preference('showAll') ? preference('scale') : 'fit' };
  if (which !== shownImages) {
    shownImages = which;
    const url = (start) => sheetUrl(info, start, images === 1 ? 1 : info.images);
    Object.assign(content, { count: images, size: Math.max(1, info.size ?? 1), url });
  }
  montage.show(content);
  byId('montage').dataset.tracklet = info.tracklet; // whose images are painted, or are being fetched while it is busy
}

/**
 * @param {string} text
 * @param {{busy?: boolean, action?: {title: string, run: () => void}}} [options]
 */
function showEmpty(text, { busy = false, action } = {}) {
  const empty = byId('empty');
  fill(
    empty,
    busy && h('div.spinner'),
    h('p', {}, text),
    action && h('button', { type: 'button', onclick: action.run }, action.title),
  );
  empty.hidden = false;
}

function renderMissing(error) {
  clearTimeout(waiting);
  // While the server does not answer the banner says so, and the tracklet comes when it does.
  if (error.status === 0) showEmpty('Waiting for the server …', { busy: true });
  else if (error.status === 403)
    showEmpty(error.message); // and that comes by itself too
  else showEmpty(error.message, { action: { title: 'Try again', run: () => goToIndex(browse.index) } });
}

/** Images that cannot be read are told where they would be. */
function renderUnread(error) {
  toastError(error);
  const { current } = browse;
  if (!current || !(error.status >= 400)) return;
  const again = () => {
    byId('empty').hidden = true;
    montage.retry();
  };
  showEmpty(`${movieTitle(current.movie)}: ${error.message}`, { action: { title: 'Try again', run: again } });
}

/**
 * Says in the middle of the view why there is nothing to see.
 * @param {string} text
 * @param {{action?: {title: string, run: () => void}}} [options]
 */
export function sayEmpty(text, options) {
  clearTimeout(waiting);
  showEmpty(text, options);
}

function renderFrames() {
  byId('montage').hidden = frames.isOpen;
  byId('bottombar').hidden = frames.isOpen;
  strip.setHover(frames.isOpen ? frames.cursor : null);
}

// ---- acting on it ----------------------------------------------------------------------------------------------------------

/** Since when the tracklet is on the screen with its images; null: it is not. */
function shownSince() {
  const since = frames.isOpen ? frames.paintedSince : montage.paintedSince;
  return app.tracklet && since !== null ? Math.max(since, factsSince) : null;
}

/**
 * Does something to the tracklet on the screen, if the person can have seen it. All that exports or marks goes through here.
 * @param {(info: import('messages').Tracklet) => void} act
 */
export function actOnTracklet(act) {
  const since = shownSince();
  if (since === null)
    toast('The images are still on their way, so nothing was done. Press again when they are here.', { kind: 'warn' });
  else if (!wasSeen(since))
    toast('These images have only just appeared, so nothing was done. Look, then press again.', { kind: 'warn' });
  else act(app.tracklet);
}

/**
 * Whether a key pressed now would act on the tracklet on the screen.
 * @returns {boolean}
 */
export function canAct() {
  return wasSeen(shownSince(), performance.now());
}

// ---- the bar ---------------------------------------------------------------------------------------------------------------

function makeBar() {
  const button = (title, hint, run, props = {}) =>
    h('button', { type: 'button', title: hint, onclick: run, ...props }, title);
  const made = {
    back: button('← Back', 'Back (← or ,)', () => go(-1)),
    where: button('', 'Go to… (Shift+G)', askNumber, { class: 'where' }),
    next: button('Next →', 'Next (→ or .)', () => go(1), { class: 'strong' }),
    all: h('input', { type: 'checkbox', checked: preference('showAll'), onchange: toggleAll }),
    white: button('White', 'White background (Shift+B)', () => setBackground('white')),
    black: button('Black', 'Black background (Shift+B)', () => setBackground('black')),
    smaller: button('−', 'Smaller (−)', () => zoom(-1), { 'aria-label': 'Smaller' }),
    fit: button('Fit', 'All in sight at once, or as large as is comfortable (=)', fitAll),
    larger: button('+', 'Larger (+)', () => zoom(1), { 'aria-label': 'Larger' }),
  };
  fill(
    byId('bottombar'),
    h('div.group', {}, made.back, made.where, made.next),
    h('div.grow'),
    h(
      'label.check',
      { title: 'IDs at the time, place, film and neighbours of the tracklet (/)' },
      h('input', { type: 'checkbox', id: 'toggle-around' }),
      'Surroundings',
    ),
    h('label.check', { title: 'Show all frames, or the first one (Shift+F)' }, made.all, 'Show all frames'),
    h('div.segmented', { role: 'group', 'aria-label': 'Background' }, made.white, made.black),
    h('div.segmented.zoom', { role: 'group', 'aria-label': 'Zoom' }, made.smaller, made.fit, made.larger),
  );
  return made;
}

function renderBar() {
  const total = browse.count;
  const at = browse.index;
  fill(
    bar.where,
    browse.isInView ? [h('b', {}, total ? count(at + 1) : '–'), ` of ${count(total)}`] : 'not in this list',
  );
  bar.where.disabled = !total;
  bar.back.disabled = !total || (at === 0 && browse.isInView);
  bar.next.disabled = !total || (at >= total - 1 && browse.isInView);
  bar.all.checked = preference('showAll');
  const shade = background();
  bar.white.setAttribute('aria-pressed', String(shade === 'white'));
  bar.black.setAttribute('aria-pressed', String(shade === 'black'));
  renderFit();
  for (const button of [bar.smaller, bar.fit, bar.larger]) button.disabled = !preference('showAll');
}

/** *Fit* is pressed where all images are in sight, and only then. */
function renderFit() {
  const scale = preference('scale');
  bar.fit.textContent = typeof scale === 'string' ? 'Fit' : `${scale}×`;
  bar.fit.setAttribute('aria-pressed', String(typeof scale === 'string' && montage.isAllInSight));
}

/**
 * Goes on or back.
 * @param {number} by
 */
export function go(by) {
  if (!browse.count || step(by)) return;
  toast(by > 0 ? 'This is the last tracklet of the list.' : 'This is the first tracklet of the list.', {
    action: otherMovie(by),
  });
}

/** What is offered at an end of the list: the tracklets of the next movie, or of the one before. */
function otherMovie(by) {
  const movies = app.overview.movies.map(({ movie }) => movie);
  const movie = movies[movies.indexOf(browse.view.movie) + by];
  if (browse.view.movie === null || movie === undefined) return undefined;
  const go = async () => {
    try {
      if (!(await openView({ movie }))) toast(`Movie ${movie} has no such tracklet.`, { kind: 'warn' });
    } catch (error) {
      toastError(error);
    }
  };
  return { title: `Go to movie ${movie}`, run: go };
}

async function askNumber() {
  if (!browse.count) return;
  const answer = await askLine({
    title: 'Go to',
    label: `Number of the tracklet, 1 to ${count(browse.count)}, its name, or a part of names`,
    action: 'Go',
    value: browse.isInView ? String(browse.index + 1) : '',
  });
  if (!answer) return;
  const number = Number(answer.replaceAll(',', ''));
  if (Number.isInteger(number) && number >= 1 && number <= browse.count) goToIndex(number - 1);
  else if (/^trj_id\d+_ti\d+_\d+_tf\d+_\d+$/.test(answer)) await app.goTo(answer);
  else if (Number.isFinite(number))
    toast(`There is no tracklet number ${answer} in this list of ${count(browse.count)}.`, { kind: 'warn' });
  else await showNamed(answer).catch(toastError);
}

function toggleAll() {
  prefer('showAll', !preference('showAll'));
  renderBar();
  if (browse.current) showImages(browse.current);
}

function setBackground(shade) {
  prefer('background', shade);
  montage.setBackground(shade);
  renderBar();
  emit('background', shade);
}

function setScale(scale) {
  prefer('scale', scale);
  montage.show({ scale });
  renderBar();
}

/** All in sight; pressed again, or where they are already, as large as is comfortable. */
function fitAll() {
  setScale(preference('scale') === 'all' || (preference('scale') === 'fit' && montage.isAllInSight) ? 'fit' : 'all');
}

function zoom(by) {
  if (!preference('showAll')) return;
  setScale(Math.max(1, Math.min(16, Math.round(montage.scale) + by)));
}

function registerKeys() {
  const isMain = () => !frames.isOpen;
  const group = 'Tracklets';
  registerKey({
    key: ['ArrowRight', '.', 'PageDown'],
    title: 'Next',
    group,
    when: isMain,
    repeat: true,
    run: () => go(1),
  });
  registerKey({
    key: ['ArrowLeft', ',', 'PageUp'],
    title: 'Back',
    group,
    when: isMain,
    repeat: true,
    run: () => go(-1),
  });
  registerKey({ key: 'Shift+G', title: 'Go to a tracklet by number or name', group, when: isMain, run: askNumber });
  registerKey({ key: '!', title: 'Flag it with a note, or take the flag away', group, run: switchFlag });
  registerKey({ key: 'Shift+F', title: 'All frames, or the first one', group: 'Images', when: isMain, run: toggleAll });
  const switchBackground = () => setBackground(background() === 'white' ? 'black' : 'white');
  registerKey({ key: 'Shift+B', title: 'White or black background', group: 'Images', run: switchBackground });
  registerKey({ key: '+', title: 'Larger', group: 'Images', when: isMain, repeat: true, run: () => zoom(1) });
  registerKey({
    key: ['-', '−'],
    shown: '−',
    title: 'Smaller',
    group: 'Images',
    when: isMain,
    repeat: true,
    run: () => zoom(-1),
  });
  registerKey({ key: '=', title: 'All in sight, or comfortable', group: 'Images', when: isMain, run: fitAll });
  const scroll = (by) => byId('montage').scrollBy({ top: by * byId('montage').clientHeight * 0.8 });
  registerKey({
    key: 'Shift+ArrowDown',
    title: 'Scroll the images',
    group: 'Images',
    when: isMain,
    repeat: true,
    run: () => scroll(1),
  });
  registerKey({
    key: 'Shift+ArrowUp',
    title: 'Scroll back',
    group: 'Images',
    when: isMain,
    repeat: true,
    run: () => scroll(-1),
  });
}
