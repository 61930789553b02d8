// What stands on the chart beside its lines: the advertised start, alerts, and the runners' numbers.

import { worstOfEach } from "./alerts.js";
import { signedDollars } from "./words.js";

const LINES = ["#e6194b", "#4363d8", "#2f9e44", "#d9730d", "#911eb4", "#0093a3", "#a38800", "#d629cf", "#8a5a2b", "#6b7f00", "#008080", "#808080"];
const LABEL_HEIGHT = 12;

export const colourAt = (place) => LINES[place % LINES.length];

let inks = {};

// Read the colours of the style sheet anew, in words that a canvas understands.
export function readInks() {
  const probe = document.getElementById("drawn");
  const read = (name) => ((probe.style.outlineColor = `var(--${name})`), getComputedStyle(probe).outlineColor);
  inks = Object.fromEntries(["dim", "line", "in", "card"].map((name) => [name, read(name)]));
  return inks;
}

// The advertised start, and each runner's worst alert where it was raised. lines: entrants with {values, place, isHidden}.
export function drawMarks(plot, lines, { body, startMs }) {
  const { ctx, bbox } = plot;
  const start = plot.valToPos(startMs / 1000, "x", true);
  ctx.save();
  ctx.font = `${11 * devicePixelRatio}px system-ui`;
  if (start >= bbox.left && start <= bbox.left + bbox.width) upright(plot, start, "advertised start");
  ctx.font = `600 ${11 * devicePixelRatio}px system-ui`;
  worstOfEach(body.alerts).forEach((alert, row) => drawAlert(plot, lines.find(({ entrant_id: id }) => id === alert.entrant_id), alert, row));
  ctx.restore();
}

function drawAlert(plot, line, alert, row) {
  const at = Date.parse(alert.reading_at) / 1000;
  const value = line?.values[plot.data[0].findIndex((seconds) => seconds >= at - 0.5)];
  if (value == null || line.isHidden) return;
  const [x, y] = [plot.valToPos(at, "x", true), plot.valToPos(value, "y", true)];
  if (x < plot.bbox.left) return;
  const size = devicePixelRatio;
  const { ctx } = plot;
  ctx.fillStyle = inks.in;
  ctx.beginPath();
  ctx.moveTo(x, y - 7 * size);
  ctx.lineTo(x + 6 * size, y + 4 * size);
  ctx.lineTo(x - 6 * size, y + 4 * size);
  ctx.fill();
  label(plot, `▲ ${signedDollars(alert.seen_cents)} on ${alert.runner_number}`, x - 8 * size, plot.bbox.top + (14 + 15 * row) * size);
}

// A label that ends at x, readable on whatever lines lie under it.
function label({ ctx, bbox }, words, x, y) {
  const { width } = ctx.measureText(words);
  const left = Math.max(bbox.left, x - width);
  ctx.textAlign = "left";
  ctx.fillStyle = inks.card;
  ctx.fillRect(left - 2, y - 11 * devicePixelRatio, width + 4, 14 * devicePixelRatio);
  ctx.fillStyle = inks.in;
  ctx.fillText(words, left, y);
}

function upright({ ctx, bbox }, x, words) {
  ctx.strokeStyle = ctx.fillStyle = inks.dim;
  ctx.setLineDash([4, 3]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.textAlign = "right";
  ctx.fillText(words, x, bbox.top - 4 * devicePixelRatio);
}

// The runners' numbers at the ends of their lines, pushed apart where lines meet.
export function drawNumbers(plot, lines) {
  const { ctx, bbox } = plot;
  const ends = lines
    .filter(({ values, isHidden }) => values.at(-1) != null && !isHidden)
    .map((line) => ({ ...line, y: plot.valToPos(line.values.at(-1), "y", true) }))
    .sort((one, other) => one.y - other.y);
  spread(ends, LABEL_HEIGHT * devicePixelRatio, bbox.top, bbox.top + bbox.height);
  ctx.save();
  ctx.font = `700 ${11 * devicePixelRatio}px system-ui`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  for (const { runner_number: number, place, y } of ends) {
    ctx.fillStyle = colourAt(place);
    ctx.fillText(number, bbox.left + bbox.width + 4 * devicePixelRatio, y);
  }
  ctx.restore();
}

// Move labels down, then up, until none covers another, as far as there is room.
function spread(labels, step, top, bottom) {
  const room = Math.min(step, (bottom - top) / Math.max(1, labels.length - 1));
  labels.forEach((one, place) => (one.y = Math.max(one.y, place ? labels[place - 1].y + room : top)));
  labels.reverse().forEach((one, place) => (one.y = Math.min(one.y, place ? labels[place - 1].y - room : bottom)));
}
