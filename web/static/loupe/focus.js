// Where a picture is sharp: the tiles that convert measured, drawn over it.

const CELL_PX = 24;
/** Of the sharpest tile; what lies below is not outlined. */
const SHARP = 0.6;

/** A drawing with one cell per tile, to be laid over the picture. @param {FocusTiles} tiles */
export function drawTiles({ rows, cols, values }) {
  const canvas = document.createElement("canvas");
  canvas.className = "tiles";
  canvas.width = cols * CELL_PX;
  canvas.height = rows * CELL_PX;
  canvas.setAttribute("role", "img");
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const most = Math.max(1, ...values);
  const sharp = values.filter((value) => value >= SHARP * most && value > 0).length;
  canvas.setAttribute("aria-label", `Sharp in ${sharp} of ${values.length} tiles`);
  values.forEach((value, n) => {
    const share = value / most;
    if (share < SHARP || value === 0) return;
    const [x, y] = [(n % cols) * CELL_PX, Math.floor(n / cols) * CELL_PX];
    const strength = (share - SHARP) / (1 - SHARP);
    pen.lineWidth = 1 + 2 * strength;
    // Light within dark: seen on paper-white and on black alike.
    pen.strokeStyle = `rgb(0 0 0 / ${0.3 + 0.5 * strength})`;
    pen.strokeRect(x + 2, y + 2, CELL_PX - 4, CELL_PX - 4);
    pen.strokeStyle = `rgb(255 255 255 / ${0.45 + 0.55 * strength})`;
    pen.strokeRect(x + 4, y + 4, CELL_PX - 8, CELL_PX - 8);
  });
  return canvas;
}
