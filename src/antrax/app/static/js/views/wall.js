/**
 * The wall: many tracklets at once, one image each. Those that do not belong are struck out, and one key gives the others a label.
 * @module
 */
import { api } from '../core/api.js';
import { app } from '../core/app.js';
import { ORDERS, browse, randomSeed } from '../core/browse.js';
import { on } from '../core/bus.js';
import { askLabelIn, keyButton, sayIn, setText, signButton } from '../core/controls.js';
import { openDialog } from '../core/dialog.js';
import { byId, count, fill, h, plural, sentence } from '../core/dom.js';
import { exportTracklets, pendingExports, undoLast } from '../core/exporting.js';
import { registerKey } from '../core/keys.js';
import { prefer, preference } from '../core/prefs.js';
import { wasSeen } from '../core/seen.js';
import { toastError } from '../core/toast.js';
import { groupLookalikes } from '../dialogs/jobs.js';
import { paintStruck } from './chosen.js';
import { Montage, groundOf } from './montage.js';
import { background } from './tracklet.js';

/** Tracklets at once, at most; and images of one of them that are shown beside. */
const TILES = 60;
const OTHERS = 16;
const CALM = 80; // milliseconds that the cursor rests before the other images of a tracklet are asked for
const MOST_IMAGES = 10_000;

const KEYS = [
  { key: 'Enter', title: 'Give those that are not struck out the label', run: (wall) => wall.accept() },
  { key: 'm', title: 'Give them another label', run: (wall) => wall.askLabel() },
  { key: ['n', 'PageDown'], shown: 'N', title: 'Others, and leave these as they are', run: (wall) => wall.pass() },
  { key: 'b', title: 'Those before', run: (wall) => wall.goBack() },
  { key: '[', title: 'Label before', run: (wall) => wall.goToLabel(-1) },
  { key: ']', title: 'Next label', run: (wall) => wall.goToLabel(1) },
  { key: 'g', title: 'Group look-alikes', run: () => groupLookalikes() },
  { key: 'o', title: 'Open the tracklet', run: (wall) => wall.openTracklet() },
  { key: 'Ctrl+Z', title: 'Undo', run: (wall) => wall.undo() },
];
/** Before the number of a group of look-alikes; 0 for tracklets that are in none. */
const GROUP = '=group:';
/** What can be on the wall but tracklets of one label, or of one group of look-alikes. */
const REST = { '=unclassified': 'Not classified', '': 'All tracklets' };

/** Its button and its keys. Called once. */
export function initWall() {
  const open = () => app.overview?.movies.length && new Wall();
  byId('open-wall').addEventListener('click', open);
  registerKey({ key: 'Shift+H', title: 'The wall: many tracklets at once', group: 'Panels and menus', run: open });
  for (const entry of KEYS) registerKey({ ...entry, group: 'The wall', onlyListed: true });
  registerKey({ key: 'Space', title: 'Strike a tracklet out, or not', group: 'The wall', onlyListed: true, run() {} });
}

class Wall {
  constructor() {
    const { label, movie, colony } = browse.view;
    this.movie = movie;
    this.colony = colony;
    this.order = preference('wallOrder');
    this.seed = randomSeed();
    /** @type {Record<string, number>} */
    this.counts = {};
    /** @type {string|null} */
    this.label = label.startsWith('=') ? null : label || null; // null: the first one that there is
    /** @type {import('messages').WallPage|null} */
    this.page = null;
    this.start = 0;
    this.before = []; // where the pages before this one began
    /** @type {Map<string, string>} */
    this.named = new Map(); // the label that each group of look-alikes was given last
    this.accepted = []; // where those began that were given a label, and of which label's wall
    this.asked = 0;
    this.isLoading = true; // what is on the wall is about to give way to others
    this.build();
    const ends = [
      on('versions', ({ changed }) => changed.includes('assignments') && this.choose(this.label)),
      on('overview', () => this.noteGroups()),
      on('exports', () => this.tell()),
      on('session', () => this.dialog.close()),
    ];
    this.dialog = openDialog({
      title: 'The wall',
      body: this.body,
      full: true,
      onKey: (name, event) => this.key(name, event),
      onClose: () => {
        ends.forEach((end) => end());
        clearTimeout(this.resting);
        this.montage.destroy();
      },
    });
    this.area.focus();
    this.open();
  }

  build() {
    this.menu = h('select', { 'aria-label': 'Tracklets of which label', onchange: () => this.choose(this.menu.value) });
    this.movies = h('select', { 'aria-label': 'Movies', onchange: () => this.chooseMovie(this.movies.value) });
    this.orders = h(
      'select',
      { 'aria-label': 'Order', onchange: () => this.chooseOrder(this.orders.value) },
      ORDERS.filter(({ order }) => order !== 'likeness').map(({ order, title }) =>
        h('option', { value: order, selected: order === this.order }, title),
      ),
    );
    this.total = h('span.gallery-total', { role: 'status' });
    this.area = h('div.gallery-area');
    this.empty = h('p.gallery-empty', { hidden: true });
    this.facts = h('div.wall-facts');
    this.others = h('div.wall-others', { role: 'img', 'aria-label': 'Other images of this tracklet' });
    this.status = h('p.gallery-status', { role: 'status' });
    this.where = h('div.gallery-where', { hidden: true });
    this.most = h('input', {
      type: 'number',
      min: 1,
      max: MOST_IMAGES,
      value: preference('wallImages'),
      onchange: () => prefer('wallImages', this.mostImages()),
    });
    this.openButton = keyButton('Open', 'O', () => this.openTracklet());
    this.undoButton = keyButton('Undo', 'Ctrl Z', () => this.undo());
    this.backButton = keyButton('Back', 'B', () => this.goBack());
    this.passButton = keyButton('Others', 'N', () => this.pass());
    this.otherLabel = keyButton('Another label…', 'M', () => this.askLabel());
    this.acceptButton = keyButton('', '↵', () => this.accept());
    this.acceptButton.classList.add('primary');
    this.body = h(
      'div.gallery.wall',
      { onclick: (event) => this.giveKeysBack(event) },
      h(
        'div.gallery-bar',
        {},
        signButton('‹', 'The label before ([)', () => this.goToLabel(-1)),
        this.menu,
        signButton('›', 'The next label (])', () => this.goToLabel(1)),
        this.movies,
        this.orders,
        this.total,
        h('span.grow'),
        keyButton('Group look-alikes', 'G', () => groupLookalikes()),
      ),
      h('div.gallery-main', {}, this.area, this.empty),
      h('div.gallery-line', {}, this.facts, this.others, this.openButton),
      h(
        'div.gallery-bar',
        {},
        this.status,
        h('span.grow'),
        h('label.wall-most', { title: 'Spread over the tracklet' }, 'Images of each, at most', this.most),
        this.undoButton,
        this.backButton,
        this.passButton,
        h('div.gallery-move', {}, this.otherLabel, this.where),
        this.acceptButton,
      ),
    );
    this.montage = new Montage(this.area, {
      selectable: true,
      label: 'Tracklets',
      paint: paintStruck,
      chosenAs: 'struck out',
      onSelect: () => this.tell(),
      onCursor: () => this.tell(),
      onHover: (i) => i !== null && this.showOthers(i),
      onProblem: (error) => this.say(error.message, 'error'),
    });
    this.montage.setBackground(background());
  }

  /** Counts the labels, then shows the tracklets of one. */
  async open() {
    try {
      this.counts = (await api.ask('counts', { movie: this.movie })).labels;
      const labels = this.labels();
      if (!labels.some(({ value }) => value === this.label)) this.label = labels[0].value;
      this.groups = groupsOf();
      this.drawMenus();
      await this.load(0);
    } catch (error) {
      this.failed(error);
    }
  }

  /** What can be chosen: the labels that tracklets have, in the order of labels.csv, groups of look-alikes, and all. */
  labels() {
    const known = app.labels().map(({ label }) => label);
    const others = Object.keys(this.counts).filter((label) => !known.includes(label));
    return [
      ...[...known, ...others]
        .filter((label) => this.counts[label] > 0)
        .map((value) => ({ value, title: `${value} (${count(this.counts[value])})` })),
      ...groupsOf(),
      ...Object.entries(REST).map(([value, title]) => ({ value, title })),
    ];
  }

  drawMenus() {
    fill(
      this.menu,
      this.labels().map(({ value, title }) => h('option', { value, selected: value === this.label }, title)),
    );
    this.orders.disabled = isGroup(this.label);
    fill(
      this.movies,
      h('option', { value: '', selected: this.movie === null }, 'All movies'),
      app.overview.movies.map(({ movie }) =>
        h('option', { value: String(movie), selected: movie === this.movie }, `Movie ${movie}`),
      ),
    );
  }

  /**
   * @param {number} start  where in the list
   * @param {boolean} [isOnward]  whether a group of which nothing is left gives way to the next one
   */
  async load(start, isOnward = false) {
    const turn = ++this.asked;
    this.isLoading = true;
    const { movie, colony, label, seed } = this;
    // those that fit a group best come first, so that those to be struck out are together
    const order = isGroup(label) ? 'likeness' : this.order;
    try {
      const page = await api.ask('wall', { movie, colony, label, order, seed, start, tiles: TILES });
      if (turn !== this.asked) return;
      this.page = page;
      this.start = start;
      this.isLoading = false;
      if (isOnward && isGroup(label) && !page.items.length && this.goToLabel(1)) return; // this group is done
      this.draw();
    } catch (error) {
      if (turn === this.asked) this.failed(error);
    }
  }

  draw() {
    const { items, cell, left, total, problems } = this.page;
    const images = items.map(({ tracklet, image }) => `${tracklet}:${image}`).join(',');
    const url = api.imageUrl(api.session('wall/sheet'), { images, cell });
    this.empty.hidden = items.length > 0;
    this.empty.textContent = total
      ? 'All of these are in the training set, or were passed.'
      : 'There are no such tracklets.';
    this.montage.show({
      count: items.length,
      size: cell,
      scale: 'all',
      marks: new Map(items.map((item, i) => [i, { color: `--${item.category ?? 'muted'}`, title: titleOf(item) }])),
      url: () => url,
    });
    this.total.textContent = `${plural(items.length, 'tracklet')}, ${count(left)} more without examples`;
    if (problems.length) this.say(problems.join('; '), 'error');
    this.tell();
  }

  /** The label that Enter gives: that of the wall, or of the group's part before. Where there is none, Enter asks for one. */
  get target() {
    if (isGroup(this.label)) return this.named.get(this.label) ?? null;
    return this.label !== null && app.categoryOf(this.label) ? this.label : null;
  }

  get item() {
    return this.page?.items[this.montage.cursor];
  }

  /** The tracklets that are not struck out. */
  kept() {
    return (this.page?.items ?? []).filter((_, i) => !this.montage.selection.has(i));
  }

  tell() {
    const kept = this.kept().length;
    const { target } = this;
    setText(
      this.acceptButton,
      target
        ? `${count(kept)} ${kept === 1 ? 'is' : 'are'} ${target}`
        : `${count(kept)} ${kept === 1 ? 'is' : 'are'} …`,
    );
    this.acceptButton.disabled = !kept;
    this.otherLabel.disabled = this.passButton.disabled = !this.page?.items.length;
    this.backButton.disabled = !this.before.length;
    const hadFocus = document.activeElement === this.undoButton;
    this.undoButton.disabled = !this.accepted.length;
    if (hadFocus && this.undoButton.disabled) this.area.focus();
    this.openButton.hidden = !this.item;
    if (this.item) this.showOthers(this.montage.cursor);
    else {
      fill(this.facts);
      fill(this.others);
    }
  }

  /** Other images of a tracklet, spread over it. */
  showOthers(i) {
    const item = this.page?.items[i];
    if (!item) return;
    fill(
      this.facts,
      h('strong', { title: item.tracklet }, item.tracklet),
      h('span', {}, `${plural(item.images, 'image')}${said(item)}`),
    );
    clearTimeout(this.resting);
    this.resting = setTimeout(() => {
      const src = api.imageUrl(api.session('wall/others'), { tracklet: item.tracklet, most: OTHERS });
      this.others.style.background = groundOf(this.montage.background);
      fill(this.others, h('img', { src, alt: '' }));
    }, CALM);
  }

  /** After a click with the mouse, Enter, Space and the arrows are about the images again, not about the button. */
  giveKeysBack(event) {
    if (event.detail > 0 && event.target.closest('button') && this.where.hidden) this.area.focus();
  }

  say(message, kind = 'ok') {
    sayIn(this.status, message, kind);
  }

  failed(error) {
    this.say(error.message, 'error');
    if (error.status === undefined) toastError(error);
  }

  key(name, event) {
    const entry = KEYS.find((one) => [one.key].flat().includes(name));
    if (!entry) return this.montage.handleKey(event);
    entry.run(this);
    return true;
  }

  // ---- what is on the wall

  choose(label) {
    this.label = label;
    this.before = [];
    this.closeWhere();
    this.open();
  }

  chooseMovie(value) {
    this.movie = value === '' ? null : Number(value);
    this.colony = '';
    this.choose(this.label);
  }

  chooseOrder(value) {
    this.order = /** @type {import('messages').Order} */ (value);
    this.seed = randomSeed();
    prefer('wallOrder', value);
    this.choose(this.label);
  }

  goToLabel(step) {
    const labels = this.labels();
    const next = labels[labels.findIndex(({ value }) => value === this.label) + step];
    if (next) this.choose(next.value);
    return Boolean(next);
  }

  /** Groups of look-alikes may have come, or others in their place. */
  noteGroups() {
    const groups = groupsOf();
    if (!this.groups || JSON.stringify(groups) === JSON.stringify(this.groups)) return;
    this.groups = groups;
    this.named.clear();
    if (isGroup(this.label)) this.choose(this.label);
    else this.drawMenus();
    this.say('There are new groups of look-alikes: choose one above, or press ].');
  }

  /** On to the next ones; these stay as they are. */
  pass() {
    if (this.isLoading || !this.page.items.length) return;
    this.before.push(this.start);
    this.load(this.page.next, true);
  }

  goBack() {
    if (this.before.length) this.load(this.before.pop());
  }

  openTracklet() {
    const { item } = this;
    if (!item) return;
    this.dialog.close();
    app.goTo(item.tracklet);
  }

  // ---- labels

  mostImages() {
    const wanted = Math.round(Number(this.most.value));
    return Math.max(1, Math.min(MOST_IMAGES, wanted || 1));
  }

  askLabel() {
    if (!this.page?.items.length) return;
    askLabelIn(this.where, {
      labels: app.labels(),
      name: 'Label of those that are not struck out',
      close: () => this.closeWhere(),
      onChoose: (label) => this.accept(label),
    });
  }

  closeWhere() {
    this.where.hidden = true;
    this.area.focus();
  }

  /** Gives the tracklets that are not struck out a label, and shows the next ones at once. */
  async accept(label = this.target) {
    const kept = this.kept();
    if (!kept.length) return;
    if (label === null) {
      this.askLabel();
      return;
    }
    // Nobody has judged tracklets that have only just appeared: a key pressed twice must not label those too.
    if (this.isLoading || !wasSeen(this.montage.paintedSince)) {
      this.say('These images have only just appeared, so nothing was done. Look, then press again.', 'warn');
      return;
    }
    const { start, label: wall } = this;
    const tiles = kept.map(({ tracklet, image, stamp }) => ({ tracklet, image, stamp }));
    if (isGroup(wall)) this.named.set(wall, label);
    this.accepted.push({ wall, start });
    this.say(`Adding ${plural(tiles.length, 'tracklet')} to ${label} …`);
    this.pass();
    try {
      const answer = await exportTracklets(tiles, label, this.mostImages());
      const left = answer.problems.length ? ` Left out: ${answer.problems.join('; ')}.` : '';
      this.say(`${sentence(`${answer.message}, of ${plural(answer.tracklets, 'tracklet')}`)}${left}`, left && 'error');
    } catch (error) {
      this.accepted = this.accepted.filter((one) => one.start !== start || one.wall !== wall);
      this.failed(error);
      this.goTo(wall, start); // nothing was done: these are to be decided on again
    }
    this.tell();
  }

  goTo(wall, start) {
    this.label = wall;
    this.before = this.before.filter((one) => one < start);
    this.drawMenus();
    return this.load(start);
  }

  /** Takes the last label back that was given here. */
  async undo() {
    const last = this.accepted.pop();
    if (!last) return;
    try {
      if (pendingExports()) this.say('Waiting for what is being added …');
      const answer = await undoLast();
      this.say(sentence(answer.message));
      await this.goTo(last.wall, last.start);
    } catch (error) {
      this.failed(error);
    }
    this.tell();
  }
}

/** @param {string|null} label */
function isGroup(label) {
  return label !== null && label.startsWith(GROUP);
}

/** The groups of look-alikes that can be chosen, and what is in none. */
function groupsOf() {
  const [rest, ...sizes] = app.overview?.groups ?? [];
  if (rest === undefined) return [];
  return [
    ...sizes.map((size, i) => ({ value: `${GROUP}${i + 1}`, title: `Group ${i + 1} (${count(size)})` })),
    { value: `${GROUP}0`, title: `In no group (${count(rest)})` },
  ];
}

/** What the classifier says of a tracklet, in words. */
function said({ label, confidence, best_label: best }) {
  if (label === null) return '';
  const like = best && best !== label ? `, most like ${best}` : '';
  return ` · ${label}${confidence === null ? '' : ` ${Math.round(100 * confidence)}%`}${like}`;
}

function titleOf(item) {
  return `${item.tracklet}, ${plural(item.images, 'image')}${said(item)}`;
}
