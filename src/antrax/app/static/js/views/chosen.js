/** Drawing of chosen and struck-out images of a montage, visible without colour vision. */

/**
 * Paints a frame and a tick over a cell. Nothing over the image itself: people judge it by its colours.
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} cell  its side
 * @param {number} line  how thick a thin line is
 * @param {[string, string]} colours  of the frame, and of the tick on it
 */
export function paintChosen(context, x, y, cell, line, [accent, onAccent]) {
  context.save();
  context.fillStyle = accent;
  context.strokeStyle = accent;
  context.lineWidth = line * 2;
  context.strokeRect(x + line, y + line, cell - line * 2, cell - line * 2);
  const side = line * 7;
  context.fillRect(x + cell - side, y, side, side);
  context.strokeStyle = onAccent;
  context.lineWidth = line;
  context.beginPath();
  context.moveTo(x + cell - side * 0.75, y + side * 0.5);
  context.lineTo(x + cell - side * 0.55, y + side * 0.7);
  context.lineTo(x + cell - side * 0.22, y + side * 0.3);
  context.stroke();
  context.restore();
}

/**
 * Paints a cross over a cell: what was struck out is not judged any more.
 * @param {CanvasRenderingContext2D} context
 * @param {number} x
 * @param {number} y
 * @param {number} cell  its side
 * @param {number} line  how thick a thin line is
 * @param {[string, string]} colours  of the cross, and of its edge
 */
export function paintStruck(context, x, y, cell, line, [accent, onAccent]) {
  context.save();
  context.fillStyle = onAccent;
  context.globalAlpha = 0.55;
  context.fillRect(x, y, cell, cell);
  context.globalAlpha = 1;
  const inset = line * 2;
  for (const [colour, width] of /** @type {[string, number][]} */ ([
    [onAccent, line * 4],
    [accent, line * 2],
  ])) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(x + inset, y + inset);
    context.lineTo(x + cell - inset, y + cell - inset);
    context.moveTo(x + cell - inset, y + inset);
    context.lineTo(x + inset, y + cell - inset);
    context.stroke();
  }
  context.restore();
}
