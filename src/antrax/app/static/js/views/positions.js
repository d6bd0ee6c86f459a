/**
 * Validation of positions: cells (an animal and a frame) drawn at random, or those where a label and the solution disagree; marks on
 * them, and corrections that are solved at once.
 * @module
 */
import { api, who } from '../core/api.js';
import { app, noteVersions } from '../core/app.js';
import { randomSeed } from '../core/browse.js';
import { on } from '../core/bus.js';
import { keyButton, sayIn } from '../core/controls.js';
import { openDialog } from '../core/dialog.js';
import { byId, count, fill, h, sentence } from '../core/dom.js';
import { registerKey } from '../core/keys.js';
import { wasSeen } from '../core/seen.js';
import { toastError } from '../core/toast.js';
import { factsOf, historyOf } from './cellfacts.js';
import { CellPicture } from './cellpicture.js';
import { Corrections } from './corrections.js';
import { disagreementRows, rateOf } from './positionlists.js';
import { shotOf } from './shots.js';

const KEYS = [
  { key: '1', title: 'Correct', run: (view) => view.mark('correct') },
  { key: '2', title: 'Wrong', run: (view) => view.mark('wrong') },
  { key: '3', title: 'Cannot say', run: (view) => view.mark('cannot_say') },
  { key: '0', title: 'Take the mark back', run: (view) => view.mark(null) },
  { key: ['ArrowRight', '.'], title: 'Next cell', run: (view) => view.step(1) },
  { key: ['ArrowLeft', ','], title: 'Cell before', run: (view) => view.step(-1) },
  { key: 'i', title: 'Correct it: this is …', run: (view) => view.corrections.askWho() },
  {
    key: 'n',
    title: 'Correct it: this is not the animal that is placed here',
    run: (view) => view.corrections.correct(null, false),
  },
  { key: 'Ctrl+Z', title: 'Undo the last mark or correction', run: (view) => view.undo() },
  { key: 'Ctrl+Y', title: 'Make the mark again that was undone last', run: (view) => view.redo() },
  { key: 'd', title: 'Random cells, or those where a label disagrees', run: (view) => view.switchList() },
  {
    key: 'z',
    title: 'Enlarge the arena around the animal, or show all of it',
    run: (view) => view.picture.zoomArena(),
  },
  {
    key: 'f',
    title: 'The whole frame of the film, or the part around the animal',
    run: (view) => view.picture.zoomFilm(),
  },
  { key: 'Enter', title: 'Open the tracklet', run: (view) => view.openTracklet() },
];
/** @type {{verdict: import('messages').PositionVerdict, title: string, key: string}[]} */
const VERDICTS = [
  { verdict: 'correct', title: 'Correct', key: '1' },
  { verdict: 'wrong', title: 'Wrong', key: '2' },
  { verdict: 'cannot_say', title: 'Cannot say', key: '3' },
];

/** Its button and its keys. Called once. */
export function initPositions() {
  const open = () => new Positions();
  byId('open-positions').addEventListener('click', open);
  registerKey({ key: 'Shift+I', title: 'Positions: who was where', group: 'Panels and menus', run: open });
  for (const entry of KEYS) registerKey({ ...entry, group: 'Positions', onlyListed: true });
}

export class Positions {
  constructor() {
    /** @type {import('messages').PositionsInfo|null} */
    this.info = null;
    /** @type {import('messages').PositionCell|null} */
    this.cell = null;
    this.kept = `antrax.positions.${api.opened?.place}.${api.opened?.session}`;
    const known = JSON.parse(sessionStorage.getItem(this.kept) ?? '{}');
    this.seed = known.seed ?? randomSeed();
    this.number = known.number ?? 0;
    this.list = 'random';
    this.at = 0; // in the list of disagreements
    this.asked = 0;
    this.since = null; // when what is on the screen came there
    this.isBusy = false;
    this.ahead = new Map();
    this.done = []; // what Ctrl+Z takes back: marks and corrections of this view
    this.undone = []; // what Ctrl+Y makes again: marks
    this.build();
    const ends = [
      on('versions', ({ changed }) => changed.includes('positions') && !this.isBusy && this.load()),
      on('session', () => this.dialog.close()),
    ];
    const resize = () => this.picture.drawArena();
    addEventListener('resize', resize);
    this.dialog = openDialog({
      title: 'Positions',
      body: this.body,
      full: true,
      onKey: (name, event) => this.key(name, event),
      onClose: () => {
        ends.forEach((end) => end());
        removeEventListener('resize', resize);
      },
    });
    this.main.focus();
    this.load();
  }

  build() {
    this.lists = [
      ['random', 'Random cells'],
      ['disagreements', 'Disagreements'],
    ].map(([value, title]) =>
      h('button', { type: 'button', value, title: `${title} (D)`, onclick: () => this.showList(value) }, title),
    );
    this.rate = h('span.positions-rate', { role: 'status', 'aria-label': 'Error rate' });
    this.facts = h('div.positions-facts', { 'aria-live': 'polite' });
    this.picture = new CellPicture();
    this.corrections = new Corrections(this);
    this.shots = h('div.positions-shots', { tabIndex: 0, role: 'region', 'aria-label': 'Images before and after' });
    this.rows = h('ol.positions-list', { tabIndex: 0, 'aria-label': 'Disagreements', hidden: true });
    this.history = h('div.marks');
    this.empty = h('p.positions-empty', { hidden: true });
    this.status = h('p.gallery-status', { role: 'status' });
    this.back = keyButton('← Back', '', () => this.step(-1));
    this.next = keyButton('Next →', '', () => this.step(1));
    this.verdicts = VERDICTS.map(({ verdict, title, key }) =>
      h(
        'button.verdict',
        { type: 'button', class: verdict, value: verdict, 'aria-pressed': 'false', onclick: () => this.mark(verdict) },
        h('kbd', {}, key),
        h('span', {}, title),
      ),
    );
    this.undoButton = keyButton('Undo', 'Ctrl Z', () => this.undo());
    this.openButton = keyButton('Open the tracklet', '↵', () => this.openTracklet());
    this.main = h(
      'div.positions-main',
      { tabIndex: -1 },
      this.rows,
      this.picture.node,
      h(
        'div.positions-side',
        { tabIndex: 0, role: 'region', 'aria-label': 'What is said of it' },
        this.facts,
        h('div.verdicts', { role: 'group', 'aria-label': 'Marks' }, this.verdicts),
        this.corrections.buttons,
        this.corrections.where,
        this.corrections.changes,
        this.history,
      ),
    );
    this.body = h(
      'div.positions',
      { onclick: (event) => this.giveKeysBack(event) },
      h(
        'div.gallery-bar',
        {},
        h('div.segmented', { role: 'group', 'aria-label': 'Which cells' }, this.lists),
        (this.which = h('span.gallery-total')),
        h('span.grow'),
        this.rate,
      ),
      this.empty,
      this.main,
      this.shots,
      h('div.gallery-bar', {}, this.back, this.next, this.status, h('span.grow'), this.undoButton, this.openButton),
    );
  }

  // ---- what is shown

  /** Asks for the solution as a whole, then for a cell. */
  async load() {
    try {
      const info = await api.ask('positions', {}, { limit: 120_000 });
      this.take(info);
      this.main.hidden = this.shots.hidden = info.why !== null;
      this.empty.hidden = info.why === null;
      this.empty.textContent = info.why ?? '';
      for (const each of [this.back, this.next, this.undoButton, this.openButton]) each.hidden = info.why !== null;
      for (const each of this.lists) each.disabled = info.why !== null;
      if (info.problem) this.say(info.problem, 'error');
      if (info.why !== null) return;
      await this.picture.loadArena(info);
      await this.show();
    } catch (error) {
      this.failed(error);
    }
  }

  /** Shows the cell that is wanted. */
  async show() {
    const turn = this.turn();
    this.since = null;
    delete this.body.dataset.cell;
    try {
      const cell = await this.wanted();
      if (turn !== this.asked || !cell) return;
      this.corrections.closeWho();
      if (!(await this.showCell(cell, turn))) return;
      this.body.dataset.cell = `${cell.id} ${cell.frame}`;
      this.lookAhead();
    } catch (error) {
      if (turn === this.asked) this.failed(error);
    }
  }

  /** A number for what is asked for now: what was asked for before is not shown any more. */
  turn() {
    return ++this.asked;
  }

  /**
   * Draws a cell and its images.
   * @param {import('messages').PositionCell} cell
   * @param {number} turn
   * @returns {Promise<boolean>} whether it is still wanted
   */
  async showCell(cell, turn) {
    this.cell = cell;
    this.draw();
    await this.drawShots(cell, turn);
    if (turn !== this.asked) return false;
    this.since = performance.now();
    return true;
  }

  /** @returns {Promise<import('messages').PositionCell|null>} */
  wanted() {
    if (this.list === 'random') {
      sessionStorage.setItem(this.kept, JSON.stringify({ seed: this.seed, number: this.number }));
      return this.draws(this.number);
    }
    const one = this.info.disagreements[this.at];
    if (!one) return Promise.resolve(null);
    const { movie, tracklet, colony, placed, label } = one;
    return api.ask('positions/cell', { movie, tracklet, colony, id: placed || label });
  }

  draws(number) {
    const { seed } = this;
    let known = this.ahead.get(number);
    if (!known) {
      known = api.ask('positions/cell', { seed, number });
      known.catch(() => this.ahead.delete(number));
      this.ahead.set(number, known);
    }
    return known;
  }

  lookAhead() {
    if (this.list !== 'random') return;
    for (const number of this.ahead.keys()) if (Math.abs(number - this.number) > 3) this.ahead.delete(number);
    this.draws(this.number + 1).catch(() => {});
  }

  draw() {
    const { cell, info } = this;
    const isRandom = this.list === 'random';
    for (const each of this.lists) each.setAttribute('aria-pressed', String(each.value === this.list));
    this.rows.hidden = isRandom;
    this.which.textContent = isRandom
      ? `Cell ${count(this.number + 1)}, random seed ${this.seed}`
      : info.disagreements.length
        ? `${count(this.at + 1)} of ${count(info.disagreements.length)}${info.common ? `; ${info.common}` : ''}`
        : 'no label contradicts the solution';
    this.back.disabled = (isRandom ? this.number : this.at) === 0;
    this.next.disabled = !isRandom && this.at >= info.disagreements.length - 1;
    const isPlaced = cell.kind !== null;
    const listed = isRandom ? null : info.disagreements[this.at];
    fill(this.facts, factsOf(cell, listed?.tracklet === cell.tracklet ? listed : null));
    for (const each of this.verdicts) {
      each.disabled = !isPlaced;
      each.setAttribute('aria-pressed', String(cell.mark?.verdict === each.value));
    }
    this.corrections.show(cell);
    this.openButton.disabled = !cell.shots.some((shot) => shot.relation === 'here');
    this.undoButton.disabled = !this.done.length;
    fill(this.history, historyOf(cell));
    [...this.rows.children].forEach((row, n) =>
      row.firstElementChild.setAttribute('aria-current', String(info.disagreements[n].tracklet === cell.tracklet)),
    );
    this.picture.show(cell);
  }

  /** Images of the tracklet, then, when the graph is read, of those that lead into it and out of it. */
  async drawShots(cell, turn) {
    const isContact = cell.kind === 'several' || !cell.shots.some((shot) => shot.relation === 'here');
    fill(this.shots, await Promise.all(cell.shots.map((shot) => shotOf(shot, cell))));
    if (!cell.shots.length)
      fill(this.shots, h('p.hint', {}, 'No images of this moment: the session has none of these tracklets.'));
    if (!cell.tracklet) return;
    const around = api.ask('positions/neighbours', { movie: cell.movie, tracklet: cell.tracklet }, { limit: 120_000 });
    around.then(
      async (found) => {
        if (turn !== this.asked) return;
        if (found.problem) this.shots.append(h('p.hint', {}, found.problem));
        if (!isContact) return;
        const known = new Set(cell.shots.map(({ tracklet }) => tracklet));
        const others = found.shots.filter(({ tracklet }) => !known.has(tracklet));
        const made = await Promise.all(others.map((shot) => shotOf(shot, cell)));
        if (turn === this.asked) this.shots.append(...made);
      },
      () => {},
    );
  }

  /**
   * Takes the solution as it is now: the list of disagreements, the error rate.
   * @param {import('messages').PositionsInfo} info
   */
  take(info) {
    this.info = info;
    this.ahead.clear();
    this.at = Math.min(this.at, Math.max(0, info.disagreements.length - 1));
    if (!info.disagreements.length) this.list = 'random';
    this.lists[1].textContent = `Disagreements (${count(info.disagreements.length)})`;
    fill(
      this.rows,
      disagreementRows(info.disagreements, (n) => this.goTo(n)),
    );
    this.tellRate(info.rate);
  }

  /** @param {import('messages').PositionRateTold} rate */
  tellRate(rate) {
    const { title, nodes } = rateOf(rate);
    this.rate.title = title;
    fill(this.rate, nodes);
  }

  // ---- going on

  step(by) {
    if (this.list === 'random') {
      if (this.number + by < 0) return;
      this.number += by;
    } else {
      const to = this.at + by;
      if (to < 0 || to >= this.info.disagreements.length) return;
      this.at = to;
    }
    this.corrections.clear();
    this.show();
  }

  goTo(n) {
    this.at = n;
    this.corrections.clear();
    this.show();
  }

  switchList() {
    this.showList(this.list === 'random' ? 'disagreements' : 'random');
  }

  showList(list) {
    if (list === 'disagreements' && !this.info?.disagreements.length) {
      this.say('No label contradicts the solution.');
      return;
    }
    this.list = list;
    this.corrections.clear();
    this.show();
  }

  openTracklet() {
    const { cell } = this;
    if (!cell?.shots.some((shot) => shot.relation === 'here')) return;
    this.dialog.close();
    app.goTo(cell.tracklet);
  }

  // ---- what a person says

  /** Whether the person can have seen what they act on. */
  isSeen() {
    if (this.isBusy) return false;
    if (wasSeen(this.since)) return true;
    this.say('This cell has only just appeared, so nothing was done. Look, then press again.', 'warn');
    return false;
  }

  /** @param {import('messages').PositionVerdict|null} verdict */
  async mark(verdict) {
    const { cell } = this;
    if (!cell || cell.kind === null || (verdict === null && !cell.mark) || !this.isSeen()) return;
    const isDone = await this.write(cell, verdict, '');
    if (!isDone) return;
    this.undone = [];
    if (verdict !== null) this.noteDone('mark', cell);
    if (verdict === 'wrong') this.corrections.askWho(true);
    else if (verdict !== null) this.step(1);
  }

  async write(cell, verdict, trueId) {
    const { movie, frame, id, colony, tracklet, seed, number } = cell;
    const body = { movie, frame, id, colony, tracklet, verdict, true_id: trueId, seed, number, who: who.name };
    this.isBusy = true;
    try {
      const answer = await api.tell('positions/mark', body);
      cell.mark = answer.mark;
      cell.history = answer.history;
      this.tellRate(answer.rate);
      this.say(sentence(answer.message));
      noteVersions(answer.versions);
      if (this.cell === cell) this.draw();
      return true;
    } catch (error) {
      this.failed(error);
      return false;
    } finally {
      this.isBusy = false;
    }
  }

  /** What Ctrl+Z takes back, and where the view was. */
  noteDone(kind, cell) {
    this.done.push({ kind, cell, list: this.list, number: this.number, at: this.at });
    this.undoButton.disabled = false;
  }

  /** Takes back the last mark or correction of this view. */
  async undo() {
    const last = this.done.at(-1);
    if (!last || this.isBusy) return;
    if (last.kind === 'mark') {
      this.done.pop();
      const { mark } = last.cell;
      const isTaken = await this.write({ ...last.cell }, null, '');
      if (isTaken && mark) this.undone.push({ ...last, verdict: mark.verdict, trueId: mark.true_id });
      this.ahead.clear();
    } else {
      this.undone = [];
      this.isBusy = true;
      try {
        const answer = await api.tell('positions/undo', {});
        this.done.pop();
        this.since = null; // what is on the screen gives way to how it is now
        delete this.body.dataset.cell;
        noteVersions(answer.versions);
        this.say(sentence(answer.message));
        this.take(await api.ask('positions', {}, { limit: 120_000 }));
      } catch (error) {
        this.failed(error);
        return;
      } finally {
        this.isBusy = false;
      }
    }
    Object.assign(this, { list: last.list, number: last.number, at: last.at });
    this.corrections.clear();
    await this.show();
  }

  /** Makes the mark again that was undone last. */
  async redo() {
    const last = this.undone.at(-1);
    if (!last || this.isBusy) return;
    const cell = { ...last.cell };
    if (!(await this.write(cell, last.verdict, last.trueId))) return;
    this.undone.pop();
    Object.assign(this, { list: last.list, number: last.number, at: last.at });
    this.noteDone('mark', cell);
    this.ahead.clear();
    await this.show();
  }

  // ---- talk

  key(name, event) {
    const entry = KEYS.find((one) => [one.key].flat().includes(name));
    if (!entry || !this.info || this.info.why !== null) return false;
    if (event.repeat && !name.startsWith('Arrow')) return true;
    entry.run(this);
    return true;
  }

  say(message, kind = 'ok') {
    sayIn(this.status, message, kind);
  }

  failed(error) {
    this.say(error.message, 'error');
    if (error.status === undefined) toastError(error);
  }

  /** After a click with the mouse, keys are about the cell again, not about the button. */
  giveKeysBack(event) {
    if (event.detail > 0 && event.target.closest('button') && !this.corrections.isAsking) this.main.focus();
  }
}
