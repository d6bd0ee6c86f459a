/** Pictures of a cell: the arena with the path around the moment, and the frame of the film. */

import { api } from '../core/api.js';
import { count, fill, h } from '../core/dom.js';
import { drawArena } from './arena.js';

const FILM_SIDE = 260; // pixels of the film around the animal

/**
 * What is shown: a place at a moment, and the path around it.
 * @typedef {Pick<import('messages').PositionCell, 'x'|'y'|'frame'|'path'|'movie'|'movie_frame'|'tracklet'|'film'>} Shown
 */

export class CellPicture {
  /** @param {string} [kind]  what its classes begin with */
  constructor(kind = 'positions') {
    /** @type {{width: number|null, height: number|null}|null} the background */
    this.info = null;
    /** @type {Shown|null} */
    this.cell = null;
    /** @type {HTMLImageElement|null} the background */
    this.arena = null;
    this.isZoomed = false;
    this.isWholeFilm = false;
    this.canvas = h(`canvas.${kind}-arena`, { role: 'img', onclick: () => this.zoomArena() });
    this.film = h(`div.${kind}-film`);
    this.node = h(`div.${kind}-place`, {}, this.canvas, this.film);
  }

  /**
   * Fetches the background, once.
   * @param {{width: number|null, height: number|null}} info
   */
  async loadArena(info) {
    this.info = info;
    if (!info.width || this.arena) return;
    const image = new Image();
    image.src = api.session('positions/arena');
    await image.decode().catch(() => {});
    this.arena = image;
  }

  /** Shows nothing. */
  clear() {
    this.cell = null;
    this.canvas.hidden = true;
    fill(this.film);
  }

  /** Forgets the background: another session has another one. */
  forget() {
    this.clear();
    this.info = this.arena = null;
  }

  /** @param {Shown} cell */
  show(cell) {
    this.cell = cell;
    this.drawArena();
    this.drawFilm();
  }

  zoomArena() {
    this.isZoomed = !this.isZoomed;
    this.drawArena();
  }

  zoomFilm() {
    this.isWholeFilm = !this.isWholeFilm;
    this.drawFilm();
  }

  /** Again, when its place on the screen has another size. */
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
    if (!cell) return;
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
}
