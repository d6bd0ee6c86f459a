/** The images of a tracklet, one after the other at the speed of the film, over and over; or one that is chosen. */

import { sheetUrl } from '../core/browse.js';
import { count, h, plural } from '../core/dom.js';
import { PER_ROW, PER_SHEET, loadSheet, peekSheet, prefetch } from '../core/sheets.js';
import { toast } from '../core/toast.js';
import { groundOf } from './montage.js';
import { positionAfter, rateOf } from './playing.js';

export class Player {
  /** @param {{onImage: (i: number) => void, ground: () => 'white'|'black'}} options  onImage: another image is shown */
  constructor({ onImage, ground }) {
    this.onImage = onImage;
    this.ground = ground;
    /** @type {import('messages').Tracklet|null} */
    this.info = null;
    this.image = 0;
    this.isPlaying = false;
    this.rate = 1;
    this.position = 0;
    this.last = 0;
    this.canvas = h('canvas.player-image', { role: 'img' });
    this.play = h('button', { type: 'button', onclick: () => this.toggle() }, 'Play');
    this.slider = h('input', { type: 'range', min: '0', 'aria-label': 'Image', oninput: () => this.#chosen() });
    this.where = h('span.faint');
    this.bar = h('div.player-bar', {}, this.play, this.slider, this.where);
  }

  /**
   * Shows a tracklet from its image `image` on. The film goes on where it was played.
   * @param {import('messages').Tracklet|null} info
   * @param {number} image
   */
  show(info, image = 0) {
    this.info = info;
    if (!info?.images) {
      this.pause();
      this.canvas.hidden = this.bar.hidden = true;
      return;
    }
    this.canvas.hidden = this.bar.hidden = false;
    this.image = this.position = Math.min(image, info.images - 1);
    this.slider.max = String(info.images - 1);
    this.slider.disabled = this.play.disabled = info.images < 2;
    if (info.images < 2) this.pause();
    this.#render();
  }

  /** @param {number|null} fps  of the film; null: it is not known */
  setRate(fps) {
    if (!this.info) return;
    this.rate = rateOf(this.info.images, this.info.last - this.info.first + 1, fps);
    const speed = `${plural(Math.round(this.rate), 'image')} a second`;
    this.play.title =
      (fps === null
        ? `${speed}: the movie table does not tell how fast the film is`
        : `At the speed of the film, ${speed}`) + ' (P where no label begins so, or Shift+Space)';
  }

  /** Plays, or pauses. */
  toggle() {
    if (this.isPlaying) this.pause();
    else if ((this.info?.images ?? 0) < 2) toast('This tracklet has no images to play.');
    else {
      this.isPlaying = true;
      this.last = performance.now();
      requestAnimationFrame((now) => this.#tick(now));
      this.#renderPlay();
    }
  }

  pause() {
    this.isPlaying = false;
    this.#renderPlay();
    if (this.info?.images) this.onImage(this.image);
  }

  /** Draws it again: the ground or the theme is another one. */
  redraw() {
    if (this.info?.images) this.#draw();
  }

  #chosen() {
    this.pause();
    this.image = this.position = Number(this.slider.value);
    this.#render();
  }

  /** @param {number} now */
  #tick(now) {
    const { info } = this;
    if (!this.isPlaying || !info) return;
    const elapsed = Math.max(0, now - this.last);
    this.last = now;
    // while images are on their way the film waits for them
    if (peekSheet(this.#sheet(this.image))) {
      this.position = positionAfter(this.position, elapsed, this.rate, info.images);
      const image = Math.floor(this.position);
      if (image !== this.image) {
        this.image = image;
        this.#render();
        const next = image + PER_SHEET / 2;
        if (next < info.images && !peekSheet(this.#sheet(next))) prefetch(this.#sheet(next));
      }
    }
    requestAnimationFrame((later) => this.#tick(later));
  }

  /** @param {number} i */
  #sheet(i) {
    return sheetUrl(/** @type {import('messages').Tracklet} */ (this.info), i - (i % PER_SHEET));
  }

  #renderPlay() {
    this.play.textContent = this.isPlaying ? 'Pause' : 'Play';
    this.play.setAttribute('aria-pressed', String(this.isPlaying));
  }

  #render() {
    const { info, image } = this;
    if (!info) return;
    this.slider.value = String(image);
    const text = `Image ${count(image + 1)} of ${count(info.images)}`;
    this.slider.setAttribute('aria-valuetext', text);
    this.canvas.setAttribute('aria-label', text);
    this.canvas.dataset.image = String(image);
    this.where.textContent = `${count(image + 1)} / ${count(info.images)}`;
    this.#draw();
    this.onImage(image);
  }

  #draw() {
    const { info, image, canvas } = this;
    if (!info) return;
    const url = this.#sheet(image);
    const sheet = peekSheet(url);
    const { size } = info;
    if (canvas.width !== size) canvas.width = canvas.height = size;
    if (!sheet) {
      const again = () => this.info === info && this.image === image && this.#draw();
      loadSheet(url).then(again, () => {});
      return;
    }
    const context = canvas.getContext('2d');
    if (!context) return;
    context.fillStyle = groundOf(this.ground());
    context.fillRect(0, 0, size, size);
    const n = image % PER_SHEET;
    const [x, y] = [(n % PER_ROW) * size, Math.floor(n / PER_ROW) * size];
    context.drawImage(sheet, x, y, size, size, 0, 0, size, size);
  }
}
