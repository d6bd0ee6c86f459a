/**
 * Validation of positions: cells (an animal and a frame) drawn at random, or those where a label and the solution disagree; marks on
 * them, and corrections that are solved at once.
 * @module
 */
import { api, who } from '../core/api.js';
import { app, noteVersions } from '../core/app.js';
import { randomSeed } from '../core/browse.js';
import { on } from '../core/bus.js';
import { openDialog } from '../core/dialog.js';
import { byId, count, fill, h, plural, sentence } from '../core/dom.js';
import { registerKey } from '../core/keys.js';
import { wasSeen } from '../core/seen.js';
import { toastError } from '../core/toast.js';
import { labelField } from '../core/typeahead.js';
import { percentNumber } from '../panels/plots.js';
import { drawArena } from './arena.js';
import { exchange, factsOf, historyOf } from './cellfacts.js';
import { shotOf } from './shots.js';

const KEYS = [
  { key: '1', title: 'Correct', run: (view) => view.mark('correct') },
  { key: '2', title: 'Wrong', run: (view) => view.mark('wrong') },
  { key: '3', title: 'Cannot say', run: (view) => view.mark('cannot_say') },
  { key: '0', title: 'Take the mark back', run: (view) => view.mark(null) },
  { key: ['ArrowRight', '.'], title: 'Next cell', run: (view) => view.step(1) },
  { key: ['ArrowLeft', ','], title: 'Cell before', run: (view) => view.step(-1) },
  { key: 'i', title: 'Correct it: this is …', run: (view) => view.askWho() },
  {
    key: 'n',
    title: 'Correct it: this is not the animal that is placed here',
    run: (view) => view.correct(null, false),
  },
  { key: 'Ctrl+Z', title: 'Undo the last mark or correction', run: (view) => view.undo() },
  { key: 'd', title: 'Random cells, or those where a label disagrees', run: (view) => view.switchList() },
  { key: 'z', title: 'Enlarge the arena around the animal, or show all of it', run: (view) => view.zoomArena() },
  { key: 'f', title: 'The whole frame of the film, or the part around the animal', run: (view) => view.zoomFilm() },
  { key: 'Enter', title: 'Open the tracklet', run: (view) => view.openTracklet() },
];
/** @type {{verdict: import('messages').PositionVerdict, title: string, key: string}[]} */
const VERDICTS = [
  { verdict: 'correct', title: 'Correct', key: '1' },
  { verdict: 'wrong', title: 'Wrong', key: '2' },
  { verdict: 'cannot_say', title: 'Cannot say', key: '3' },
];
const FILM_SIDE = 260;
const CHANGES_SHOWN = 8;

/** Its button and its keys. Called once. */
export function initPositions() {
  const open = () => new Positions();
  byId('open-positions').addEventListener('click', open);
  registerKey({ key: 'Shift+I', title: 'Positions: who was where', group: 'Panels and menus', run: open });
  for (const entry of KEYS) registerKey({ ...entry, group: 'Positions', when: () => false });
}

class Positions {
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
    this.isZoomed = false;
    this.isWholeFilm = false;
    this.ahead = new Map();
    this.done = []; // what Ctrl+Z takes back: marks and corrections of this view
    this.build();
    const ends = [
      on('versions', ({ changed }) => changed.includes('positions') && !this.isBusy && this.load()),
      on('session', () => this.dialog.close()),
    ];
    const resize = () => this.drawArena();
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
    this.canvas = h('canvas.positions-arena', { role: 'img', onclick: () => this.zoomArena() });
    this.film = h('div.positions-film');
    this.shots = h('div.positions-shots', { tabIndex: 0, role: 'region', 'aria-label': 'Images before and after' });
    this.rows = h('ol.positions-list', { tabIndex: 0, 'aria-label': 'Disagreements', hidden: true });
    this.changes = h('div.positions-changes', { role: 'status' });
    this.history = h('div.marks');
    this.empty = h('p.positions-empty', { hidden: true });
    this.where = h('div.positions-who', { hidden: true });
    this.status = h('p.gallery-status', { role: 'status' });
    this.back = button('← Back', '', () => this.step(-1));
    this.next = button('Next →', '', () => this.step(1));
    this.verdicts = VERDICTS.map(({ verdict, title, key }) =>
      h(
        'button.verdict',
        { type: 'button', class: verdict, value: verdict, 'aria-pressed': 'false', onclick: () => this.mark(verdict) },
        h('kbd', {}, key),
        h('span', {}, title),
      ),
    );
    this.thisIs = button('This is …', 'I', () => this.askWho());
    this.thisIsNot = button('', 'N', () => this.correct(null, false));
    this.undoButton = button('Undo', 'Ctrl Z', () => this.undo());
    this.openButton = button('Open the tracklet', '↵', () => this.openTracklet());
    this.main = h(
      'div.positions-main',
      { tabIndex: -1 },
      this.rows,
      h('div.positions-place', {}, this.canvas, this.film),
      h(
        'div.positions-side',
        { tabIndex: 0, role: 'region', 'aria-label': 'What is said of it' },
        this.facts,
        h('div.verdicts', { role: 'group', 'aria-label': 'Marks' }, this.verdicts),
        h('div.positions-correct', { role: 'group', 'aria-label': 'Corrections' }, this.thisIs, this.thisIsNot),
        this.where,
        this.changes,
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
      this.info = info;
      this.ahead.clear();
      this.main.hidden = this.shots.hidden = info.why !== null;
      this.empty.hidden = info.why === null;
      this.empty.textContent = info.why ?? '';
      for (const each of [this.back, this.next, this.undoButton, this.openButton]) each.hidden = info.why !== null;
      for (const each of this.lists) each.disabled = info.why !== null;
      this.lists[1].textContent = `Disagreements (${count(info.disagreements.length)})`;
      if (info.problem) this.say(info.problem, 'error');
      if (info.why !== null) return;
      this.tellRate(info.rate);
      this.drawList();
      await this.loadArena();
      await this.show();
    } catch (error) {
      this.failed(error);
    }
  }

  async loadArena() {
    if (!this.info.width || this.arena) return;
    const image = new Image();
    image.src = api.session('positions/arena');
    await image.decode().catch(() => {});
    this.arena = image;
  }

  /** Shows the cell that is wanted. */
  async show() {
    const turn = ++this.asked;
    this.since = null;
    delete this.body.dataset.cell;
    try {
      const cell = await this.wanted();
      if (turn !== this.asked || !cell) return;
      this.cell = cell;
      this.closeWho();
      this.draw();
      await this.drawShots(cell, turn);
      if (turn !== this.asked) return;
      this.since = performance.now();
      this.body.dataset.cell = `${cell.id} ${cell.frame}`;
      this.lookAhead();
    } catch (error) {
      if (turn === this.asked) this.failed(error);
    }
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
    this.thisIs.disabled = !cell.tracklet;
    this.thisIsNot.disabled = !cell.tracklet || !isPlaced;
    this.thisIsNot.firstElementChild.textContent = `This is not ${cell.id}`;
    this.openButton.disabled = !cell.shots.some((shot) => shot.relation === 'here');
    this.undoButton.disabled = !this.done.length;
    fill(this.history, historyOf(cell));
    [...this.rows.children].forEach((row, n) =>
      row.firstElementChild.setAttribute('aria-current', String(info.disagreements[n].tracklet === cell.tracklet)),
    );
    this.drawArena();
    this.drawFilm();
  }

  drawArena() {
    const { cell, info } = this;
    if (!cell || !info) return;
    const points = cell.path.length ? cell.path : [[cell.frame, cell.x ?? 1, cell.y ?? 1]];
    // without a background the arena is as large as what is known of it
    const arena = {
      width: info.width ?? Math.max(...points.map(([, x]) => x)) + 20,
      height: info.height ?? Math.max(...points.map(([, , y]) => y)) + 20,
    };
    const image = this.arena?.naturalWidth ? this.arena : null;
    drawArena(this.canvas, image, arena, cell, this.isZoomed);
    const place = cell.x === null ? 'not known' : `x ${cell.x}, y ${cell.y} pixels`;
    this.canvas.setAttribute('aria-label', `Place in the arena: ${place}; its path around that moment`);
    this.canvas.title = this.isZoomed ? 'The whole arena (Z)' : 'Enlarge around the animal (Z)';
  }

  drawFilm() {
    const { cell } = this;
    if (cell.film !== null) {
      fill(this.film, h('p.hint', {}, cell.film));
      return;
    }
    const { movie, movie_frame: movieFrame, tracklet, x, y } = cell;
    const side = this.isWholeFilm || x === null ? 0 : FILM_SIDE;
    const url = api.imageUrl(api.session('positions/film'), {
      movie,
      movie_frame: movieFrame,
      tracklet,
      x: x ?? 0,
      y: y ?? 0,
      side,
    });
    const tell = async () => {
      // an image tells no more than that it did not come; the question asked anew tells why
      const answer = await api.blob(url).catch((error) => error);
      if (answer instanceof Error && this.cell === cell) fill(this.film, h('p.hint', {}, answer.message));
    };
    const image = h('img', {
      src: url,
      alt: `Frame ${count(movieFrame)} of the film, the blob outlined`,
      title: this.isWholeFilm ? 'The part around the animal (F)' : 'The whole frame (F)',
      onclick: () => this.zoomFilm(),
      onerror: tell,
    });
    fill(this.film, image);
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

  drawList() {
    fill(
      this.rows,
      this.info.disagreements.map((one, n) =>
        h(
          'li',
          {},
          h(
            'button.positions-row',
            { type: 'button', onclick: () => this.goTo(n) },
            h('span', {}, h('b', {}, one.label), one.placed ? ` placed ${one.placed}` : ' nobody placed'),
            h(
              'span.faint',
              {},
              `movie ${one.movie}, frame ${one.frame === null ? '?' : count(one.frame)}`,
              one.probability !== null && `, ${percentNumber(one.probability)} % for it`,
            ),
          ),
        ),
      ),
    );
  }

  /** @param {import('messages').PositionRateTold} rate */
  tellRate({ errors, checked, cannot_say: unsaid, rate, low, high, moved, rescored, chosen }) {
    const notes = [
      unsaid && `${count(unsaid)} of which nobody could say`,
      moved && `${count(moved)} of the wrong ones corrected since`,
      rescored && `${count(rescored)} marked on an earlier solution`,
      chosen && `${count(chosen)} chosen by hand not counted`,
    ].filter(Boolean);
    this.rate.title = [
      'Share of the placed cells that are wrong, by the cells drawn at random; Clopper–Pearson interval, 95 %.',
      'Decide beforehand how many to check.',
      ...notes,
    ].join('\n');
    fill(
      this.rate,
      checked
        ? [
            h('b', {}, `${count(errors)} of ${count(checked)} wrong: ${percentNumber(rate)} %`),
            ` (95 %: ${percentNumber(low)} to ${percentNumber(high)} %)`,
          ]
        : 'Nothing checked yet',
      notes.length > 0 && h('span.faint', {}, ` ${notes.join('; ')}`),
    );
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
    fill(this.changes);
    this.show();
  }

  goTo(n) {
    this.at = n;
    fill(this.changes);
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
    fill(this.changes);
    this.show();
  }

  zoomArena() {
    this.isZoomed = !this.isZoomed;
    this.drawArena();
  }

  zoomFilm() {
    this.isWholeFilm = !this.isWholeFilm;
    if (this.cell) this.drawFilm();
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
    if (verdict !== null) this.done.push({ kind: 'mark', cell, list: this.list, number: this.number, at: this.at });
    this.undoButton.disabled = !this.done.length;
    if (verdict === 'wrong') this.askWho(true);
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

  /** Asks which animal it is. After a mark: what it is instead. */
  askWho(isAfterMark = false) {
    const { cell } = this;
    if (!cell?.tracklet || (!isAfterMark && !this.isSeen())) return;
    const ids = app.labels().filter(({ category, label }) => category === 'ant' && label !== cell.id);
    const likely = new Set([cell.label, ...cell.alternatives]);
    ids.sort((a, b) => Number(likely.has(b.label)) - Number(likely.has(a.label)));
    const cancel = () => {
      this.closeWho();
      if (isAfterMark) this.step(1);
    };
    const field = labelField({
      labels: ids,
      name: 'Who is it',
      placeholder: 'Who is it? Solved anew at once',
      onChoose: async (label) => {
        this.closeWho();
        if (cell.mark?.verdict === 'wrong') await this.write(cell, 'wrong', label);
        await this.correct(label, true);
      },
      onCancel: cancel,
    });
    fill(
      this.where,
      field.node,
      h('button.link', { type: 'button', onclick: cancel }, 'Leave it as it is ', h('kbd', {}, 'Esc')),
    );
    this.where.hidden = false;
    field.focus();
  }

  closeWho() {
    if (this.where.hidden) return;
    this.where.hidden = true;
    fill(this.where);
    this.main.focus();
  }

  /**
   * Writes a correction, and shows what followed from it.
   * @param {string|null} label  null: the animal that is placed here
   * @param {boolean} isIt
   */
  async correct(label, isIt) {
    const { cell } = this;
    if (!cell?.tracklet || this.isBusy || (!isIt && (cell.kind === null || !this.isSeen()))) return;
    const { movie, tracklet, colony, id } = cell;
    this.isBusy = true;
    this.say('Solving anew …');
    this.body.setAttribute('aria-busy', 'true');
    try {
      const answer = await api.tell('positions/correct', {
        movie,
        tracklet,
        colony,
        id: label ?? id,
        is_it: isIt,
        who: who.name,
      });
      this.done.push({ kind: 'correction', cell, list: this.list, number: this.number, at: this.at });
      noteVersions(answer.versions);
      this.say(`${sentence(answer.message)} in ${answer.seconds.toFixed(1)} s`);
      await this.again(label ?? id);
      this.tellChanges(answer);
    } catch (error) {
      this.failed(error);
    } finally {
      this.isBusy = false;
      this.body.removeAttribute('aria-busy');
    }
  }

  /** The tracklet on the screen, asked for anew: with the animal that the correction was about. */
  async again(id) {
    const { cell } = this;
    const { movie, frame, tracklet, colony } = cell;
    const [info, fresh] = await Promise.all([
      api.ask('positions', {}, { limit: 120_000 }),
      api.ask('positions/cell', { movie, frame, tracklet, colony, id }),
    ]);
    this.info = info;
    this.ahead.clear();
    this.at = Math.min(this.at, Math.max(0, info.disagreements.length - 1));
    if (!info.disagreements.length) this.list = 'random';
    this.lists[1].textContent = `Disagreements (${count(info.disagreements.length)})`;
    this.drawList();
    this.tellRate(info.rate);
    this.cell = fresh;
    const turn = ++this.asked;
    this.draw();
    await this.drawShots(this.cell, turn);
    this.since = performance.now();
  }

  /** @param {import('messages').Corrected} answer */
  tellChanges({ changes, cells, cut }) {
    if (!changes.length) {
      fill(this.changes, h('p.hint', {}, 'Nothing else changed.'));
      return;
    }
    fill(
      this.changes,
      h('h3', {}, `${plural(changes.length, 'tracklet')}, ${plural(cells, 'cell')} changed`),
      h(
        'ol',
        {},
        changes
          .slice(0, CHANGES_SHOWN)
          .map((one) =>
            h(
              'li',
              {},
              h(
                'button.positions-row',
                { type: 'button', title: one.tracklet, onclick: () => this.look(one) },
                h('span', {}, exchange(one.before, one.after)),
                h('span.faint', {}, `frames ${count(one.first)}–${count(one.last)}`),
              ),
            ),
          ),
      ),
      changes.length > CHANGES_SHOWN && h('p.hint', {}, `and ${count(changes.length - CHANGES_SHOWN)} more`),
      cut &&
        h(
          'p.hint',
          {},
          'The exchange may go on beyond what was solved now; `antrax solve` takes the correction into account everywhere.',
        ),
    );
  }

  /** @param {import('messages').TrackletChange} change */
  async look({ movie, tracklet, before, after }) {
    const turn = ++this.asked;
    try {
      const colony = this.cell.colony;
      const cell = await api.ask('positions/cell', { movie, tracklet, colony, id: after[0] ?? before[0] });
      if (turn !== this.asked) return;
      this.cell = cell;
      this.draw();
      await this.drawShots(cell, turn);
      this.since = performance.now();
    } catch (error) {
      this.failed(error);
    }
  }

  /** Takes back the last mark or correction of this view. */
  async undo() {
    const last = this.done.at(-1);
    if (!last || this.isBusy) return;
    if (last.kind === 'mark') {
      this.done.pop();
      await this.write({ ...last.cell }, null, '');
      this.ahead.clear();
    } else {
      this.isBusy = true;
      try {
        const answer = await api.tell('positions/undo', {});
        this.done.pop();
        noteVersions(answer.versions);
        this.say(sentence(answer.message));
        this.info = await api.ask('positions', {}, { limit: 120_000 });
        this.ahead.clear();
        this.drawList();
        this.tellRate(this.info.rate);
      } catch (error) {
        this.failed(error);
        return;
      } finally {
        this.isBusy = false;
      }
    }
    Object.assign(this, { list: last.list, number: last.number, at: last.at });
    fill(this.changes);
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
    this.status.className = `gallery-status ${kind}`;
    this.status.textContent = message;
  }

  failed(error) {
    this.say(error.message, 'error');
    if (error.status === undefined) toastError(error);
  }

  /** After a click with the mouse, keys are about the cell again, not about the button. */
  giveKeysBack(event) {
    if (event.detail > 0 && event.target.closest('button') && this.where.hidden) this.main.focus();
  }
}

function button(text, key, run) {
  return h('button', { type: 'button', onclick: run }, h('span', {}, text), key && h('kbd', {}, key));
}
