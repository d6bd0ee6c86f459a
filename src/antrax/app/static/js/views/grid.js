/** Positions of the cells of a montage. All lengths are in screen pixels unless CSS pixels are mentioned. */

/** CSS pixels between cells, and around all of them. */
export const GAP = 3;
export const PAD = 12;

const SMALLEST = 2; // CSS pixels an image pixel: "fit" makes images no smaller, and scrolls instead
const MANY = 400; // but of more images than this each may be as small as it is
const LARGEST = 760; // nor larger: a single image fills the area, but not a very large screen
const COMFORTABLE = 100; // smaller cells than this are made larger if that takes a few screens only
const SCREENS = 3;
const SHRUNK = [2, 3, 4, 6]; // where all are to be seen at once, so many image pixels may share a screen pixel
const TALLEST = 20_000_000; // browsers end at 33 million pixels

/**
 * How large a cell is at least, in CSS pixels.
 * @param {number} size  of an image, in its pixels
 * @param {'fit'|'all'|number} scale
 * @returns {number}
 */
export function atLeast(size, scale) {
  if (scale === 'all') return size / SHRUNK[SHRUNK.length - 1];
  return scale === 'fit' ? size : size * scale;
}

/**
 * Arranges images in rows.
 * @param {{count: number, size: number, scale: 'fit'|'all'|number}} content  fit: comfortable to look at; all: all in sight at once
 * @param {number} width  of the visible area
 * @param {number} height
 * @param {number} ratio  screen pixels a CSS pixel
 * @returns {{factor: number, cell: number, columns: number, rows: number, total: number, ratio: number, gap: number, pitch: number,
 *   width: number, height: number, left: number, top: number, visibleRows: number}}
 *   factor: screen pixels an image pixel, a whole number, or less than 1 where all are to be in sight; total: height of all; pitch: from cell to cell; left, top: of the first one
 */
export function arrange({ count, size, scale }, width, height, ratio) {
  const gap = Math.round(GAP * ratio);
  const pad = Math.round(PAD * ratio);
  const inRows = (/** @type {number} */ factor) => {
    const cell = Math.max(1, Math.floor(size * factor));
    const columns = Math.max(1, Math.min(count, Math.floor((width - 2 * pad + gap) / (cell + gap))));
    const rows = Math.ceil(count / columns);
    return { factor, cell, columns, rows, total: rows * (cell + gap) - gap + 2 * pad };
  };
  const least = Math.ceil((count > MANY ? 1 : SMALLEST) * ratio);
  let grid =
    typeof scale === 'string'
      ? fit(inRows, scale === 'all' ? 1 : least, size, width - 2 * pad, height, ratio, scale === 'all')
      : inRows(Math.max(1, Math.round(scale * ratio)));
  while (grid.factor > 1 && grid.total > TALLEST * ratio) grid = inRows(grid.factor - 1);
  const wide = grid.columns * (grid.cell + gap) - gap;
  return {
    ...grid,
    ratio,
    gap,
    width,
    height,
    pitch: grid.cell + gap,
    left: Math.max(pad, Math.floor((width - wide) / 2)),
    top: Math.max(pad, Math.floor((height - grid.total) / 2) + pad),
    visibleRows: Math.max(1, Math.floor((height - pad) / (grid.cell + gap))),
  };
}

/**
 * The largest whole factor that lets all be seen. Where none does: a larger one than the least if images would be tiny, and some
 * scrolling shows them all.
 * @template {{factor: number, cell: number, total: number}} G
 * @param {(factor: number) => G} inRows
 * @param {number} least
 * @param {number} size
 * @param {number} width
 * @param {number} height
 * @param {number} ratio
 * @param {boolean} isAll
 * @returns {G}
 */
function fit(inRows, least, size, width, height, ratio, isAll) {
  let grid = inRows(Math.max(least, Math.floor((LARGEST * ratio) / size)));
  while (grid.factor > least && (grid.total > height || grid.cell > width)) grid = inRows(grid.factor - 1);
  if (isAll) {
    for (const by of SHRUNK) if (grid.total > height) grid = inRows(1 / by);
    return grid;
  }
  const larger = inRows(grid.factor + 1);
  const isTiny = grid.total > height && grid.cell < COMFORTABLE * ratio && larger.cell <= width;
  return isTiny && larger.total <= SCREENS * height ? larger : grid;
}
