/** The place of an animal in the arena: the background image with its path around a moment. */

const PATH = 2; // pixels of the screen
const POINT = 5;
const ZOOMED = 5;

/**
 * Which part of an arena is shown, so that a place lies in it: left and top in its pixels, and how large one of them is.
 * @param {{width: number, height: number}} arena  in its own pixels
 * @param {{width: number, height: number}} box  in pixels of the screen
 * @param {{x: number, y: number}|null} place
 * @param {boolean} isZoomed
 * @returns {{left: number, top: number, scale: number}}
 */
export function viewOf(arena, box, place, isZoomed) {
  const whole = Math.min(box.width / arena.width, box.height / arena.height);
  const scale = isZoomed && place ? whole * ZOOMED : whole;
  const at = isZoomed && place ? place : { x: arena.width / 2, y: arena.height / 2 };
  /** @type {(middle: number, size: number, seen: number) => number} */
  const keep = (middle, size, seen) =>
    seen >= size ? (size - seen) / 2 : Math.min(Math.max(0, middle - seen / 2), size - seen);
  return {
    left: keep(at.x, arena.width, box.width / scale),
    top: keep(at.y, arena.height, box.height / scale),
    scale,
  };
}

/**
 * Draws it.
 * @param {HTMLCanvasElement} canvas
 * @param {CanvasImageSource|null} image  the background
 * @param {{width: number, height: number}} arena
 * @param {Pick<import('messages').PositionCell, 'x'|'y'|'frame'|'path'>} cell
 * @param {boolean} isZoomed
 */
export function drawArena(canvas, image, arena, cell, isZoomed) {
  const ratio = devicePixelRatio || 1;
  const box = { width: canvas.clientWidth, height: canvas.clientHeight };
  canvas.width = Math.max(1, Math.round(box.width * ratio));
  canvas.height = Math.max(1, Math.round(box.height * ratio));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const style = getComputedStyle(canvas);
  const colour = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  const place = cell.x === null || cell.y === null ? null : { x: cell.x, y: cell.y };
  const { left, top, scale } = viewOf(arena, box, place, isZoomed);
  /** @type {(x: number, y: number) => [number, number]} */
  const at = (x, y) => [(x - left) * scale, (y - top) * scale];
  context.scale(ratio, ratio);
  if (image) context.drawImage(image, ...at(0, 0), arena.width * scale, arena.height * scale);
  context.lineJoin = 'round';
  /** @type {(points: typeof cell.path, name: string) => void} */
  const line = (points, name) => {
    // a light line under it, to be seen on any ground
    for (const [width, stroke] of [
      [PATH + 2, '#ffffffb0'],
      [PATH, colour(name)],
    ]) {
      context.beginPath();
      points.forEach(([frame, x, y], n) => {
        const isNext = n > 0 && frame - points[n - 1][0] <= 2;
        if (isNext) context.lineTo(...at(x, y));
        else context.moveTo(...at(x, y));
      });
      context.lineWidth = /** @type {number} */ (width);
      context.strokeStyle = /** @type {string} */ (stroke);
      context.stroke();
    }
  };
  line(
    cell.path.filter(([frame]) => frame <= cell.frame),
    '--strip-runner-up',
  );
  line(
    cell.path.filter(([frame]) => frame >= cell.frame),
    '--strip-assigned',
  );
  if (!place) return;
  const [x, y] = at(place.x, place.y);
  context.beginPath();
  context.arc(x, y, POINT, 0, 2 * Math.PI);
  context.fillStyle = colour('--cursor');
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = '#ffffff';
  context.stroke();
}
