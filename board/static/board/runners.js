// The table of runners: writes the cells that differ, and sorts rows only while nobody can be about to click one.

import { keep, recall } from "./kept.js";
import { flash, mark, write } from "./merge.js";
import { amountsOf } from "./money.js";
import { dollars, odds, percent } from "./words.js";

const ORDERS = {
  number: ["by number", () => 0],
  share: ["by share", (runner) => -(runner.share ?? -1)],
  lately: ["by money in 60 s", (runner) => -(runner.seen.at(-1).cents ?? -Infinity)],
};
const FLASHING = ["fixed", "tote"];
const body = () => document.getElementById("runners").tBodies[0];
let rows = new Map(); // by entrant: the row and its cells
let shown = [];

// Find the rows and their cells again, after the table has changed.
export function drawRunners() {
  rows = new Map([...body().rows].map((row) => [row.dataset.id, { row, cells: cellsOf(row) }]));
}

function cellsOf(row) {
  const cells = Object.fromEntries([...row.querySelectorAll("[data-cell]")].map((cell) => [cell.dataset.cell, cell]));
  return { ...cells, bar: row.querySelector(".share rect"), spark: row.querySelector(".spark polyline") };
}

export function showRunners(race, isClosing) {
  shown = amountsOf(race.body.entrants, race.history, race.body.alerts);
  for (const runner of shown) if (rows.has(runner.entrant.entrant_id)) showRunner(rows.get(runner.entrant.entrant_id), runner);
  const isInUse = isClosing || body().matches(":hover, :focus-within");
  if (!isInUse) order();
}

function showRunner({ row, cells }, runner) {
  const { entrant, share, seen } = runner;
  mark(row, "class", `${runner.severity ? "hot" : ""}${entrant.is_scratched ? " gone" : ""}`);
  const marks = `${runner.severity ? "▲" : ""}${runner.is_favourite ? "★" : ""}${runner.is_mover ? "↘" : ""}`;
  const texts = {
    marks,
    rider: entrant.is_scratched ? "scratched" : entrant.jockey ?? "",
    fixed: odds(entrant.fixed_win_odds),
    opened: runner.opened ? `from ${odds(runner.opened)}` : "",
    tote: odds(entrant.pool_win_odds),
    direction: runner.direction,
    share: percent(share),
    cents: dollars(runner.cents),
  };
  for (const { seconds, cents, expected } of seen) Object.assign(texts, { [`seen-${seconds}`]: dollars(cents), [`expected-${seconds}`]: `of ${dollars(expected)}` });
  for (const [name, text] of Object.entries(texts)) if (write(cells[name], text) && FLASHING.includes(name)) flash(cells[name].closest("td"));
  mark(cells.direction, "class", runner.direction === "▲" ? "in" : "out");
  mark(cells.bar, "width", (share ?? 0).toFixed(1));
  mark(cells.spark, "points", runner.spark);
}

export function sortRunners() {
  const names = Object.keys(ORDERS);
  keep("order", names[(names.indexOf(recall("order", "number")) + 1) % names.length]);
  order();
}

function order() {
  const [words, key] = ORDERS[recall("order", "number")];
  write(document.getElementById("sort"), words);
  const wanted = shown.map((runner, place) => [key(runner), place, rows.get(runner.entrant.entrant_id)?.row]).sort((one, other) => one[0] - other[0] || one[1] - other[1]);
  const sorted = wanted.map(([, , row]) => row).filter(Boolean);
  if (sorted.some((row, place) => row !== body().rows[place])) body().append(...sorted);
}
