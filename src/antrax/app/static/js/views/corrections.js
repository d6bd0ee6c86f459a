/** Corrections of positions: asks which animal it is, stores the answer, and shows what solving again has changed. */

import { api, who } from '../core/api.js';
import { app, noteVersions } from '../core/app.js';
import { askLabelIn, keyButton } from '../core/controls.js';
import { fill, h, sentence } from '../core/dom.js';
import { changesOf } from './positionlists.js';

/** The part of the view *Positions* that corrects the cell it shows. */
export class Corrections {
  /** @param {import('./positions.js').Positions} view */
  constructor(view) {
    this.view = view;
    this.thisIs = keyButton('This is …', 'I', () => this.askWho());
    this.thisIsNot = keyButton('', 'N', () => this.correct(null, false));
    this.buttons = h(
      'div.positions-correct',
      { role: 'group', 'aria-label': 'Corrections' },
      this.thisIs,
      this.thisIsNot,
    );
    this.where = h('div.positions-who', { hidden: true });
    this.changes = h('div.positions-changes', { role: 'status' });
  }

  /** @param {import('messages').PositionCell} cell */
  show(cell) {
    this.thisIs.disabled = !cell.tracklet;
    this.thisIsNot.disabled = !cell.tracklet || cell.kind === null;
    /** @type {Element} */ (this.thisIsNot.firstElementChild).textContent = `This is not ${cell.id}`;
  }

  /** Takes away what followed from the last correction. */
  clear() {
    fill(this.changes);
  }

  get isAsking() {
    return !this.where.hidden;
  }

  /** Asks which animal it is. After a mark: what it is instead. */
  askWho(isAfterMark = false) {
    const { view } = this;
    const { cell } = view;
    if (!cell?.tracklet || (!isAfterMark && !view.isSeen())) return;
    const ids = app.labels().filter(({ category, label }) => category === 'ant' && label !== cell.id);
    const likely = new Set([cell.label, ...cell.alternatives]);
    ids.sort((a, b) => Number(likely.has(b.label)) - Number(likely.has(a.label)));
    const cancel = () => {
      this.closeWho();
      if (isAfterMark) view.step(1);
    };
    askLabelIn(this.where, {
      labels: ids,
      name: 'Who is it',
      placeholder: 'Who is it? Solved anew at once',
      cancelText: 'Leave it as it is ',
      close: () => this.closeWho(),
      onChoose: async (label) => {
        if (cell.mark?.verdict === 'wrong') await view.write(cell, 'wrong', label);
        await this.correct(label, true);
      },
      onCancel: cancel,
    });
  }

  closeWho() {
    if (this.where.hidden) return;
    this.where.hidden = true;
    fill(this.where);
    this.view.main?.focus();
  }

  /**
   * Writes a correction, and shows what followed from it.
   * @param {string|null} label  null: the animal that is placed here
   * @param {boolean} isIt
   */
  async correct(label, isIt) {
    const { view } = this;
    const { cell } = view;
    if (!cell?.tracklet || view.isBusy || (!isIt && (cell.kind === null || !view.isSeen()))) return;
    const { movie, tracklet, colony, id } = cell;
    view.isBusy = true;
    view.say('Solving anew …');
    view.body?.setAttribute('aria-busy', 'true');
    try {
      const answer = await api.tell('positions/correct', {
        movie,
        tracklet,
        colony,
        id: label ?? id,
        is_it: isIt,
        who: who.name,
      });
      view.noteDone('correction', cell);
      noteVersions(answer.versions);
      view.say(`${sentence(answer.message)} in ${answer.seconds.toFixed(1)} s`);
      await this.again(label ?? id);
      fill(
        this.changes,
        changesOf(answer, (change) => this.look(change)),
      );
    } catch (error) {
      view.failed(error);
    } finally {
      view.isBusy = false;
      view.body?.removeAttribute('aria-busy');
    }
  }

  /**
   * The tracklet on the screen, asked for anew: with the animal that the correction was about.
   * @param {string} id
   */
  async again(id) {
    const { view } = this;
    const { movie, frame, tracklet, colony } = /** @type {import('messages').PositionCell} */ (view.cell);
    const [info, fresh] = await Promise.all([
      api.ask('positions', {}, { limit: 120_000 }),
      api.ask('positions/cell', { movie, frame, tracklet, colony, id }),
    ]);
    view.take(info);
    await view.showCell(fresh, view.turn());
  }

  /** @param {import('messages').TrackletChange} change */
  async look({ movie, tracklet, before, after }) {
    const { view } = this;
    const turn = view.turn();
    try {
      const colony = view.cell?.colony;
      const cell = await api.ask('positions/cell', { movie, tracklet, colony, id: after[0] ?? before[0] });
      if (turn === view.asked) await view.showCell(cell, turn);
    } catch (error) {
      view.failed(error);
    }
  }
}
