// Plays a finished race again: the page of the race as it was at each second, from the same history and by the same
// code. Only what readings have is replayed; who was scratched at the end is scratched throughout.

import { showAlerts } from "./alerts.js";
import { showChart } from "./chart.js";
import { readIndicators, editIndicators } from "./indicators.js";
import { bind } from "./keys.js";
import { write } from "./merge.js";
import { columnOf, MONEY } from "./money.js";
import { drawRunners, showRunners, sortRunners } from "./runners.js";
import { stateOf } from "./state.js";
import { chooseTimeline, showTimeline } from "./timeline.js";
import { clockTime, countdown, dollars } from "./words.js";

const byId = (id) => document.getElementById(id);
const { live, history } = stateOf(document);
const startMs = Date.parse(live.race.start_time);
const closeMs = Date.parse(live.race.actual_start ?? live.race.start_time);
const BEFORE_SECONDS = 15 * 60;
const AFTER_MS = 60_000; // the close
const STEP_MS = 100;
const at = byId("at");
const race = { id: live.race.race_id, body: live, history, startMs };
let playing, place;

// ── The race as it was ──
const now = () => startMs + 1000 * at.valueAsNumber;

/** The history up to a reading. */
export function until({ timestamps, entrants, resets }, count) {
  const cut = (column) => (Array.isArray(column) ? column.slice(0, count) : column);
  const shorter = (entrant) => Object.fromEntries(Object.entries(entrant).map(([name, value]) => [name, cut(value)]));
  return { timestamps: cut(timestamps), entrants: entrants.map(shorter), resets };
}

function bodyAt(count) {
  const [fixed, tote] = ["fixed_win_odds", "pool_win_odds"].map((name) => columnOf(race.history, name));
  const priced = (entrant) => ({ ...entrant, fixed_win_odds: fixed.get(entrant.entrant_id)?.at(-1) ?? null, pool_win_odds: tote.get(entrant.entrant_id)?.at(-1) ?? null });
  const alerts = live.alerts.filter((alert) => Date.parse(alert.reading_at) <= history.timestamps[count - 1]);
  return { ...live, entrants: live.entrants.map(priced), alerts, silent_because: null };
}

// ── What is shown ──
function show() {
  const count = history.timestamps.findLastIndex((instant) => instant <= now()) + 1;
  showClock();
  if (count === place) return;
  place = count;
  race.history = until(history, count);
  race.body = bodyAt(count);
  showRunners(race, playing !== undefined);
  showAlerts(race.body);
  showChart(race);
  showTimeline(race);
  showPools();
}

function showClock() {
  const isOpen = now() < closeMs;
  const words = countdown(at.valueAsNumber);
  for (const clock of document.querySelectorAll("[data-clock]")) write(clock, words);
  write(byId("status"), isOpen ? "OPEN" : "CLOSED");
  byId("status").className = `pill ${isOpen ? "open" : "closed"}`;
  write(byId("clock-says"), `at ${clockTime(now())}${isOpen ? "" : `, closed ${clockTime(closeMs)}`}`);
  at.setAttribute("aria-valuetext", words);
  byId("result").hidden = at.value !== at.max;
  document.title = `${words} R${live.race.race_number} ${live.meeting.meeting_name}, replay`;
}

function showPools() {
  const totals = Object.fromEntries(Object.entries(MONEY).map(([kind, name]) => [`${kind}_pool_total`, sumOf(name)]));
  for (const total of document.querySelectorAll("#pools [data-pool]")) write(total, dollars(totals[total.dataset.pool]));
}

function sumOf(name) {
  const newest = [...columnOf(race.history, name).values()].map((column) => column.at(-1)).filter((cents) => cents != null);
  return newest.length ? newest.reduce((total, cents) => total + cents) : null;
}

// ── What the user does ──
function step(seconds) {
  at.valueAsNumber += seconds;
  show();
}

function play() {
  if (at.value === at.max) at.value = at.min;
  let [left, before] = [0, performance.now()];
  playing = setInterval(() => {
    left += ((performance.now() - before) / 1000) * Number(byId("speed").value);
    before = performance.now();
    step(Math.floor(left));
    left %= 1;
    if (at.value === at.max) pause();
  }, STEP_MS);
  write(byId("play"), "Pause");
}

function pause() {
  clearInterval(playing);
  playing = undefined;
  write(byId("play"), "Play");
  show();
}

const toggle = () => (playing === undefined ? play() : pause());

function begin() {
  const newest = history.timestamps.at(-1);
  const closed = history.timestamps.find((instant) => instant >= closeMs) ?? newest; // what came until the close is in it
  const last = Math.max(Math.min(newest, closeMs + AFTER_MS), closed);
  const [min, max] = [history.timestamps[0], last].map((instant) => Math.ceil((instant - startMs) / 1000));
  Object.assign(at, { min: Math.max(min, -BEFORE_SECONDS), max, value: max });
  document.body.classList.add("scripted", "replay");
  at.oninput = show;
  byId("play").onclick = toggle;
  byId("sort").onclick = sortRunners;
  byId("settings").addEventListener("edit", () => editIndicators(byId("settings"), showTimeline));
  bind(
    [
      [" ", "play or pause", toggle],
      ["ArrowLeft", "a second back", () => step(-1)],
      ["ArrowRight", "a second on", () => step(1)],
      ["w", "timeline: Win", () => chooseTimeline("win")],
      ["p", "timeline: Place", () => chooseTimeline("place")],
      ["o", "timeline: Odds", () => chooseTimeline("odds")],
      ["s", "sort by number, share, money lately", sortRunners],
    ],
    byId("keys-dialog"),
  );
  drawRunners();
  showAlerts(live); // as the page brought them
  show();
  readIndicators().then(() => showTimeline(race));
}

if (history.timestamps.length) begin();
