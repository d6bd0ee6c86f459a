/** Images of an animal before and after a moment. */

import { api } from '../core/api.js';
import { count, h, plural } from '../core/dom.js';
import { groundOf } from './montage.js';
import { background } from './tracklet.js';

const SHEET_COLUMNS = 16;
const SMALLEST_IMAGE = 64;
const RELATIONS = {
  here: 'Here',
  before: 'Before',
  after: 'After',
  parent: 'Leads into it',
  child: 'Comes out of it',
};

/**
 * Images of a tracklet, in a row.
 * @param {import('messages').ShotTold} shot
 * @param {import('messages').PositionCell} cell
 * @returns {Promise<HTMLElement>}
 */
export async function shotOf(shot, cell) {
  const sheet = new Image();
  sheet.src = api.imageUrl(api.session('positions/images'), {
    tracklet: shot.tracklet,
    images: shot.images.join(','),
  });
  await sheet.decode().catch(() => {});
  const size = Math.max(1, Math.round(sheet.naturalWidth / SHEET_COLUMNS));
  const shown = Math.max(SMALLEST_IMAGE, size);
  const nearest = shot.frames.reduce((a, b) => (Math.abs(b - cell.frame) < Math.abs(a - cell.frame) ? b : a));
  const images = shot.frames.map((frame, n) => {
    const canvas = h('canvas', { width: size, height: size, role: 'img' });
    canvas.style.width = canvas.style.height = `${shown}px`;
    const isHere = shot.relation === 'here' && frame === nearest;
    canvas.classList.toggle('here', isHere);
    canvas.setAttribute('aria-label', `Frame ${count(frame)}${isHere ? ', the moment itself' : ''}`);
    canvas.title = `Frame ${count(frame)}`;
    const context = canvas.getContext('2d');
    if (!context) throw new Error('this browser cannot draw on a canvas');
    context.fillStyle = groundOf(background());
    context.fillRect(0, 0, size, size);
    if (sheet.naturalWidth)
      context.drawImage(
        sheet,
        (n % SHEET_COLUMNS) * size,
        Math.floor(n / SHEET_COLUMNS) * size,
        size,
        size,
        0,
        0,
        size,
        size,
      );
    return canvas;
  });
  const away = shot.last < cell.frame ? cell.frame - shot.last : shot.first > cell.frame ? shot.first - cell.frame : 0;
  return h(
    'figure.shot',
    { class: shot.relation },
    h('div.shot-images', {}, images),
    h(
      'figcaption',
      {},
      h('b', {}, RELATIONS[shot.relation]),
      ` ${shot.placed.join(', ') || 'nobody placed'}`,
      away > 0 && h('span.faint', {}, ` ${plural(away, 'frame')} ${shot.last < cell.frame ? 'earlier' : 'later'}`),
    ),
  );
}
