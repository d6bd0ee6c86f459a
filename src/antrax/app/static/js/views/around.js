/** The surroundings of the tracklet on the screen: the IDs at that time, its film, its place, and its neighbours in time. */

import { api, UNWANTED } from '../core/api.js';
import { app } from '../core/app.js';
import { on } from '../core/bus.js';
import { byId, count, fill, h, plural } from '../core/dom.js';
import { registerKey } from '../core/keys.js';
import { preference, prefer } from '../core/prefs.js';
import { toast } from '../core/toast.js';
import { chooseLabelFor } from '../panels/chooser.js';
import { CellPicture } from './cellpicture.js';
import { frames } from './frames.js';
import { GROUPS, joinNeighbours, stateOf } from './aroundfacts.js';
import { groundOf } from './montage.js';
import { Player } from './player.js';
import { frameOf } from './playing.js';
import { background } from './tracklet.js';

const PATIENCE = 150; // milliseconds until a tracklet's surroundings are asked for: not those of tracklets that are run past
const FILM_PATIENCE = 200; // milliseconds that a moment must last until its frame of the film is asked for
const WIDE = 1500; // pixels of the window, from which on it is open at first
const SHEET_COLUMNS = 16;
const MOST_BACK = 50;

/** @typedef {import('messages').NeighbourTold} Neighbour */

let isOpen = false;
/** @type {Player} */
let player;
/** @type {CellPicture} */
let picture;
/** @type {import('messages').Surroundings|null} what is known of the tracklet on the screen */
let known = null;
/** @type {import('messages').GraphNeighboursTold|null} */
let graph = null;
/** @type {AbortController|null} */
let asking = null;
let shown = ''; // the tracklet whose surroundings are shown, or asked for
let waiting = 0;
let filmWaiting = 0;
/** @type {string[]} tracklets from which a neighbour was opened */
let cameFrom = [];
/** @type {Record<string, any>} */
let parts;

/** Creates it. Called once. */
export function initAround() {
  player = new Player({ onImage: showMoment, ground: background });
  picture = new CellPicture('around');
  parts = makePane();
  byId('toggle-around').addEventListener('change', toggle);
  on('tracklet', arrive);
  on('versions', ({ changed }) => {
    if (['examples', 'assignments', 'labels', 'catalog'].some((name) => changed.includes(name)))
      arrive(app.tracklet, true);
  });
  on('session', () => {
    cameFrom = [];
    picture.forget();
  });
  on('background', () => {
    player.redraw();
    renderNeighbours();
  });
  on('frames-cursor', (i) => isOpen && app.tracklet && player.show(app.tracklet, i));
  document.addEventListener('antrax-theme', () => {
    player.redraw();
    picture.drawArena();
    renderNeighbours();
  });
  new ResizeObserver(() => isOpen && picture.drawArena()).observe(picture.canvas);
  registerKeys();
  setOpen(preference('surroundings') ?? innerWidth >= WIDE);
}

function makePane() {
  const button = (/** @type {string} */ title, /** @type {string} */ hint, /** @type {() => void} */ run) =>
    h('button.link', { type: 'button', title: hint, onclick: run }, title);
  const made = {
    back: h(
      'button.link',
      { type: 'button', title: 'Back to the tracklet from which you came (Shift+Backspace)', onclick: goBack },
      '← Back',
    ),
    ids: h('div.around-ids'),
    place: h('p.hint'),
    enlarge: button('Enlarge', 'Around the animal, or the whole arena', () => {
      picture.zoomArena();
      renderPlace();
    }),
    film: button('Whole frame', 'The whole frame of the film, or the part around the animal', () => {
      picture.zoomFilm();
      renderPlace();
    }),
    before: h('div.around-side'),
    after: h('div.around-side'),
    graph: h('p.hint'),
  };
  fill(
    byId('around'),
    h(
      'header',
      {},
      h('h2', {}, 'Surroundings'),
      made.back,
      h('span.grow'),
      h(
        'button.close',
        { type: 'button', title: 'Close (/)', 'aria-label': 'Close the surroundings', onclick: toggle },
        '×',
      ),
    ),
    h(
      'div.around-body',
      {},
      made.ids,
      h('div.around-pictures', {}, player.canvas, picture.film),
      player.bar,
      h('div.around-tools', {}, made.place, h('span.grow'), made.enlarge, made.film),
      picture.canvas,
      h('div.around-neighbours', {}, made.before, made.after),
      made.graph,
    ),
  );
  return made;
}

// ---- open and closed

/** @param {boolean} wanted */
function setOpen(wanted) {
  isOpen = wanted;
  byId('around').hidden = !isOpen;
  byId('toggle-around').checked = isOpen;
  if (isOpen) arrive(app.tracklet);
  else {
    player.pause();
    asking?.abort();
    clearTimeout(waiting);
    shown = '';
  }
}

function toggle() {
  prefer('surroundings', !isOpen);
  setOpen(!isOpen);
}

// ---- what is known

/**
 * Another tracklet is on the screen, or other things are known of it.
 * @param {import('messages').Tracklet|null} info
 * @param {boolean} [isNews]
 */
function arrive(info, isNews = false) {
  if (!isOpen) return;
  const name = info?.tracklet ?? '';
  if (name === shown && !isNews) return;
  const isOther = name !== shown;
  shown = name;
  asking?.abort();
  clearTimeout(waiting);
  if (isOther) {
    known = graph = null;
    player.show(info, info?.best_frame ? info.best_frame - 1 : 0);
    render();
  }
  if (info) waiting = setTimeout(() => ask(info), isOther ? PATIENCE : 0);
}

/** @param {import('messages').Tracklet} info */
async function ask({ tracklet }) {
  const mine = (asking = new AbortController());
  const options = { signal: mine.signal };
  try {
    const answer = await api.ask('surroundings', { tracklet }, options);
    if (mine.signal.aborted) return;
    known = answer;
    player.setRate(answer.fps);
    await picture.loadArena(answer);
    if (mine.signal.aborted) return;
    render();
    // the graph of a large movie takes seconds the first time
    const links = await api.ask('surroundings/graph', { tracklet }, options);
    if (mine.signal.aborted) return;
    graph = links;
    renderNeighbours();
  } catch (error) {
    const { status, message } = /** @type {import('../core/api.js').ApiError} */ (error);
    if (status === UNWANTED || status === 0 || mine.signal.aborted) return;
    fill(parts.ids, h('p.problem', {}, message));
  }
}

// ---- showing it

function render() {
  byId('around').setAttribute('aria-busy', String(known === null && shown !== ''));
  renderIds();
  renderNeighbours();
  showMoment(player.image);
  parts.back.hidden = !cameFrom.length;
}

function renderIds() {
  const ids = known?.ids;
  if (!known) return fill(parts.ids, h('p.hint', {}, shown ? 'Looking …' : ''));
  if (!ids)
    return fill(
      parts.ids,
      h('p.hint', {}, 'Nothing of this movie is labelled or classified yet, so no ID is known to be elsewhere.'),
    );
  if (!ids.length) return fill(parts.ids, h('p.hint', {}, 'This session has no IDs yet.'));
  fill(
    parts.ids,
    GROUPS.map(({ where, title, explain }) => {
      const members = ids.filter((one) => one.where === where);
      return (
        members.length > 0 &&
        h(
          'section',
          { 'aria-label': `${title}: ${explain}` },
          h('h3', { title: explain }, `${title} `, h('b', {}, count(members.length))),
          h(
            'div.around-chips',
            {},
            members.map((one) => chip(one)),
          ),
        )
      );
    }),
  );
}

/** @param {import('messages').IdAtTimeTold} one */
function chip(one) {
  const { title, label } = stateOf(one);
  const run = one.bearers.length ? () => follow(one.bearers[0].tracklet) : () => chooseLabelFor(one.id);
  return h('button.at-time', { class: one.where, type: 'button', title, 'aria-label': label, onclick: run }, one.id);
}

/**
 * Path, film and strip follow the image that is played or chosen.
 * @param {number} i
 */
function showMoment(i) {
  clearTimeout(filmWaiting);
  const info = app.tracklet;
  if (!isOpen || !known || !info || info.tracklet !== known.tracklet) {
    picture.clear();
    renderPlace();
    return;
  }
  const frame = frameOf(info, i);
  const path = known.path;
  const at = path.length ? path.reduce((a, b) => (Math.abs(b[0] - frame) < Math.abs(a[0] - frame) ? b : a)) : null;
  picture.cell = {
    movie: known.movie,
    movie_frame: frame,
    frame,
    tracklet: known.tracklet,
    x: at ? at[1] : null,
    y: at ? at[2] : null,
    path,
    film: known.film,
  };
  picture.canvas.hidden = !at;
  if (at) picture.drawArena();
  if (!player.isPlaying) filmWaiting = setTimeout(() => picture.drawFilm(), FILM_PATIENCE);
  renderPlace();
}

function renderPlace() {
  const problem = known?.place_problem ?? '';
  parts.place.textContent = problem;
  parts.place.hidden = !problem;
  parts.enlarge.hidden = !known?.path.length;
  parts.film.hidden = !known || known.film !== null;
  parts.enlarge.textContent = picture.isZoomed ? 'Whole arena' : 'Enlarge';
  parts.film.textContent = picture.isWholeFilm ? 'Part of the frame' : 'Whole frame';
  byId('around').classList.toggle('whole-film', picture.isWholeFilm);
}

// ---- neighbours in time

/** @returns {{before: Neighbour[], after: Neighbour[]}} */
function neighbours() {
  return {
    before: joinNeighbours(known?.before ?? [], graph?.before ?? []),
    after: joinNeighbours(known?.after ?? [], graph?.after ?? []),
  };
}

async function renderNeighbours() {
  if (!isOpen) return;
  const { before, after } = neighbours();
  const seen = [...before, ...after].filter(({ image }) => image !== null);
  const size = Math.max(1, ...seen.map((one) => one.size));
  const pictures = new Map(
    seen.map(({ tracklet }) => [tracklet, h('canvas', { width: size, height: size, 'aria-hidden': 'true' })]),
  );
  const side = (/** @type {string} */ title, /** @type {Neighbour[]} */ list, /** @type {string} */ key) => [
    h('h3', {}, title),
    list.map((one, n) =>
      neighbourRow(one, pictures.get(one.tracklet), list.findIndex(({ image }) => image !== null) === n ? key : ''),
    ),
    known && !list.length && h('p.hint', {}, 'None near by.'),
  ];
  fill(parts.before, side('Just before', before, '['));
  fill(parts.after, side('Just after', after, ']'));
  parts.graph.textContent = known && graph?.problem ? `By place and time alone: ${graph.problem}` : '';
  parts.graph.hidden = !parts.graph.textContent;
  if (!seen.length) return;
  const sheet = new Image();
  const images = seen.map(({ tracklet, image }) => `${tracklet}:${image}`).join(',');
  sheet.src = api.imageUrl(api.session('wall/sheet'), { images, cell: size });
  await sheet.decode().catch(() => {});
  const ground = groundOf(background());
  [...pictures.values()].forEach((canvas, n) => {
    const context = canvas.getContext('2d');
    if (!context) return;
    context.fillStyle = ground;
    context.fillRect(0, 0, size, size);
    const [x, y] = [(n % SHEET_COLUMNS) * size, Math.floor(n / SHEET_COLUMNS) * size];
    if (sheet.naturalWidth) context.drawImage(sheet, x, y, size, size, 0, 0, size, size);
  });
}

/**
 * @param {Neighbour} one
 * @param {HTMLCanvasElement|undefined} image
 * @param {string} key
 */
function neighbourRow(one, image, key) {
  const away = [
    one.gap > 1 ? `${plural(one.gap - 1, 'frame')} between` : 'directly',
    one.distance !== null && `${count(Math.round(one.distance))} px`,
  ].filter(Boolean);
  return h(
    'button.neighbour',
    {
      type: 'button',
      disabled: !image,
      title: image
        ? `${one.tracklet}${key ? ` (${key})` : ''}`
        : `${one.tracklet} has no images: mostly several animals in contact`,
      onclick: () => follow(one.tracklet),
    },
    image ?? h('span.no-image', { 'aria-hidden': 'true' }, '∅'),
    h(
      'span.neighbour-text',
      {},
      h('b', {}, image ? (one.label ?? 'No label') : 'No images'),
      h('span.faint', {}, away.join(', ')),
      one.by_graph && h('span.faint', {}, 'linked by the tracker'),
    ),
  );
}

/**
 * Opens a tracklet; the one on the screen can be come back to.
 * @param {string} tracklet
 */
async function follow(tracklet) {
  const from = app.tracklet?.tracklet;
  await app.goTo(tracklet);
  if (from && app.tracklet?.tracklet !== from) cameFrom = [...cameFrom, from].slice(-MOST_BACK);
  parts.back.hidden = !cameFrom.length;
}

function goBack() {
  const name = cameFrom.pop();
  parts.back.hidden = !cameFrom.length;
  if (name) app.goTo(name);
}

/** @param {'before'|'after'} side */
function followFirst(side) {
  const first = neighbours()[side].find(({ image }) => image !== null);
  if (first) follow(first.tracklet);
  else toast(side === 'before' ? 'No tracklet ended just before, near by.' : 'No tracklet begins just after, near by.');
}

function registerKeys() {
  const group = 'Surroundings';
  const when = () => isOpen && !frames.isOpen;
  registerKey({
    key: '/',
    title: 'Surroundings: IDs at the time, place, film, neighbours',
    group: 'Panels and menus',
    run: toggle,
  });
  registerKey({
    key: ['Shift+Space', 'p'],
    shown: 'Shift+Space',
    title: 'Play the images at the speed of the film (P too, where no label begins so)',
    group,
    run: () => {
      if (!isOpen) toggle();
      player.toggle();
    },
  });
  registerKey({ key: '[', title: 'Open the tracklet just before', group, when, run: () => followFirst('before') });
  registerKey({ key: ']', title: 'Open the tracklet just after', group, when, run: () => followFirst('after') });
  registerKey({ key: 'Shift+Backspace', title: 'Back to the tracklet from which you came', group, when, run: goBack });
}
