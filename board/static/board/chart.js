// The chart of all runners over time: share of the Win pool, or fixed odds on a log scale. uPlot draws the canvas; the
// legend under it hides and shows runners, and a table has the figures for who cannot see it.

import { keep, recall } from "./kept.js";
import { choice, make, write } from "./merge.js";
import { colourAt, drawMarks, drawNumbers, readInks } from "./marks.js";
import { columnOf, sharesOf } from "./money.js";
import { odds, percent, UNKNOWN } from "./words.js";

const DASHES = [[], [7, 4], [2, 3]]; // the second and third dozen lines
const VIEWS = { share: "Share of the Win pool", odds: "Fixed odds, on a log scale" };
const SPAN_SECONDS = 15 * 60;
const MINUTES_AGO = [10, 5, 2, 1, 0];
const hidden = new Set();
let drawn, now; // the plot, and what it shows

const view = () => recall("chart", "share");

// Show a race: {body, history, startMs}. Called again for each reading.
export function showChart(race) {
  now = race;
  if (!globalThis.uPlot) return addEventListener("load", () => showChart(now), { once: true }); // the rest is there first
  if (!race.history.timestamps.length) return;
  if (drawn?.key === keyOf(race)) drawn.plot.setData(dataOf(race));
  else rebuild();
  showFigures();
}

export function chooseChart(chosen) {
  keep("chart", chosen);
  rebuild();
}

export function redraw() {
  if (drawn) rebuild();
}

// ── What is drawn ──
const runners = (race) => race.body.entrants.filter((entrant) => !entrant.is_scratched);
const isHot = (race, id) => race.body.alerts.some((alert) => alert.entrant_id === id);
const keyOf = (race) => runners(race).map(({ entrant_id: id }) => `${id}${isHot(race, id) ? "▲" : ""}`).join();
const valuesOf = (race) => (view() === "odds" ? columnOf(race.history, "fixed_win_odds") : sharesOf(race.history));
const written = (value) => (view() === "odds" ? odds(value) : percent(value));

function dataOf(race) {
  const values = valuesOf(race);
  const nothing = race.history.timestamps.map(() => null);
  return [race.history.timestamps.map((at) => at / 1000), ...runners(race).map(({ entrant_id: id }) => values.get(id) ?? nothing)];
}

function rebuild() {
  const box = document.getElementById("drawn");
  drawn?.plot.destroy();
  document.getElementById("still").hidden = true;
  box.hidden = false;
  const plotBox = box.querySelector(".plot") ?? box.appendChild(make("div", "plot"));
  const plot = new uPlot(optionsFor(now, plotBox.clientWidth), dataOf(now), plotBox);
  drawn = { plot, key: keyOf(now) };
  drawLegend(box);
  drawViews();
  resizes.observe(plotBox);
}

const resizes = new ResizeObserver(([{ contentRect }]) => contentRect.width && drawn.plot.setSize(sizeFor(contentRect.width)));

const sizeFor = (width) => ({ width, height: Math.max(220, Math.min(320, Math.round(width * 0.6))) });

function optionsFor(race, width) {
  const isOdds = view() === "odds";
  const { dim, line } = readInks();
  const axis = { stroke: dim, grid: { stroke: line, width: 1 }, ticks: { stroke: line }, font: "12px system-ui" };
  return {
    ...sizeFor(width),
    legend: { show: false },
    padding: [14, 26, 0, 0],
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Pacific/Auckland"),
    cursor: { drag: { x: true, y: false }, focus: { prox: 24 } },
    focus: { alpha: 0.35 },
    scales: { x: { range: (plot, low, high) => [recall("wholeDay", false) ? low : Math.max(low, high - SPAN_SECONDS), high + 5] }, y: isOdds ? { distr: 3 } : { range: (plot, low, high) => [0, Math.max(10, high * 1.05)] } },
    axes: [
      { ...axis, values: "{HH}:{mm}" },
      { ...axis, size: 44, values: (plot, ticks) => ticks.map((tick) => (tick === null ? "" : isOdds ? tick : `${tick} %`)), ...(isOdds && { filter: (plot, ticks) => ticks.map((tick) => (/^[125]0*$/.test(tick) ? tick : null)) }) },
    ],
    series: [{}, ...runners(race).map((runner, place) => lineOf(race, runner, place))],
    hooks: { draw: [drawAll], setCursor: [showFigures] },
  };
}

function drawAll(plot) {
  const lines = runners(now).map((runner, place) => ({ ...runner, place, values: plot.data[place + 1], isHidden: hidden.has(runner.entrant_id) }));
  drawMarks(plot, lines, now);
  drawNumbers(plot, lines);
}

function lineOf(race, { entrant_id: id }, place) {
  return { stroke: colourAt(place), width: isHot(race, id) ? 3 : 1.5, dash: DASHES[Math.floor(place / 12) % DASHES.length], points: { show: false }, spanGaps: true, show: !hidden.has(id) };
}

// ── Legend, views and table ──
function drawLegend(box) {
  const legend = box.querySelector(".legend") ?? box.appendChild(make("div", "legend"));
  legend.replaceChildren(
    ...runners(now).map((runner, place) => {
      const key = choice("", !hidden.has(runner.entrant_id), () => toggle(runner.entrant_id, place + 1, key));
      const swatch = make("i");
      swatch.style.background = colourAt(place);
      key.append(swatch, make("b", "", runner.runner_number), " ", make("span"));
      key.title = `${runner.name}: click to hide or show`;
      return key;
    }),
  );
  const table = box.querySelector("details") ?? box.appendChild(make("details"));
  if (!table.firstChild) table.append(make("summary", "", "The chart as a table"), make("table"));
  table.ontoggle = showFigures;
}

function toggle(id, line, key) {
  if (!hidden.delete(id)) hidden.add(id);
  key.ariaPressed = String(!hidden.has(id));
  drawn.plot.setSeries(line, { show: !hidden.has(id) });
}

function drawViews() {
  write(document.getElementById("chart-name"), VIEWS[view()]);
  const buttons = [["share", "Share"], ["odds", "Odds"]].map(([name, words]) => choice(words, name === view(), () => chooseChart(name)));
  const whole = choice("All day", recall("wholeDay", false), () => (keep("wholeDay", !recall("wholeDay", false)), rebuild()));
  document.getElementById("chart-views").replaceChildren(...buttons, whole);
}

// The values under the crosshair, else the newest, in the legend; and the table if it is open.
function showFigures() {
  if (!drawn) return;
  const place = drawn.plot.cursor.idx ?? drawn.plot.data[0].length - 1;
  document.querySelectorAll(".legend button span").forEach((label, line) => write(label, written(drawn.plot.data[line + 1]?.[place])));
  const details = document.querySelector("#drawn details");
  if (details.open) details.querySelector("table").replaceChildren(...tableRows());
}

function tableRows() {
  const [times, ...lines] = drawn.plot.data;
  const places = MINUTES_AGO.map((minutes) => times.findLastIndex((at) => at <= times.at(-1) - 60 * minutes));
  const head = make("tr");
  head.append(...["Runner", ...MINUTES_AGO.map((minutes) => (minutes ? `−${minutes} min` : "now"))].map((words) => Object.assign(make("th", "", words), { scope: "col" })));
  const rows = runners(now).map((runner, line) => {
    const row = make("tr");
    row.append(Object.assign(make("th", "l", `${runner.runner_number} ${runner.name}`), { scope: "row" }), ...places.map((place) => make("td", "", place < 0 ? UNKNOWN : written(lines[line][place]))));
    return row;
  });
  return [head, ...rows];
}
