// Keeps the page of a race live. The page brings its state, a live body and a history as columns; each event of the
// stream changes the state, and the cells that differ are written. After a hole the page is fetched again.

import { showAlerts } from "./alerts.js";
import { redraw, showChart } from "./chart.js";
import { append } from "./columns.js";
import { apply } from "./deltas.js";
import { keepAlive, showAges } from "./freshness.js";
import { editIndicators, readIndicators } from "./indicators.js";
import { bind } from "./keys.js";
import { fetchPage, mark, merge, write } from "./merge.js";
import { drawRunners, showRunners, sortRunners } from "./runners.js";
import { sound, soundState, toggleSound } from "./sound.js";
import { stateOf } from "./state.js";
import { clock, follow } from "./stream.js";
import { summarise } from "./summary.js";
import { chooseTimeline, showTimeline } from "./timeline.js";
import { drawWatched, hearWatched, isWatched, MOST_WATCHED, tickWatched, toggleWatched, watchedIds } from "./watched.js";
import { clockTime, countdown, dollars } from "./words.js";

const page = document.body.dataset;
const byId = (id) => document.getElementById(id);
const TOPICS = "pool,odds,status,alert,flow";
const OTHERS = "status,alert"; // of watched races
const ALL = ["runners", "alerts", "pools", "chart", "timeline"];
const CHANGED_BY = { pool: ["pools"], odds: ["runners"], alert: ["alerts", "runners", "chart"], status: ["alerts"] };
const AGAIN_MS = 400; // a hole is filled once the bodies of its poll are published
const BEHIND_MS = 2000;
const MINUTE_MS = 60_000;
const ENDED = ["Final", "Abandoned"];
const race = { id: page.race, body: null, history: null, startMs: 0 };
const seen = { polled: null, generated: null, isBehind: false };
let toldMs = 0; // the newest reading that the stream has told of
let isPaused = false;
let isMinuteTold = true;
let again, stopFollowing;
const outdated = new Set(); // the parts of the page that the next frames write

// ── The state ──
function adopt(root) {
  const { live, history } = stateOf(root);
  race.history = history;
  take(live);
}

function take(body) {
  race.body = body;
  race.startMs = Date.parse(body.race.start_time);
  see(body.freshness.polled_at, body.freshness.generated_at);
}

function hear(kind, data) {
  if (kind === "ping") return hearPing(data);
  if (kind === "resync") return fetchSoon();
  if (kind === "flow") return hearReading(data);
  const before = race.body;
  if (kind === "snapshot" && (data.known === false || idsOf(data) !== idsOf(before))) return fetchSoon();
  take(apply(before, kind, data));
  if (kind === "alert" && !before.alerts.some((alert) => alert.entrant_id === data.alert.entrant_id && alert.severity >= data.alert.severity)) sound("alert");
  if (race.body.race.status !== before.race.status || "results" in data) fetchSoon();
  hearWatched(race.id, race.body);
  const isScratching = data.entrants?.some((entrant) => "is_scratched" in entrant);
  show(...((!isScratching && CHANGED_BY[kind]) || ALL));
}

function hearReading(reading) {
  toldMs = Math.max(toldMs, reading.timestamp);
  const isNew = !race.history.timestamps.includes(reading.timestamp);
  if (!append(race.history, reading)) return fetchSoon();
  if (isNew && reading.incremental_win_amount.every((cents) => cents === null)) race.history.resets.push(reading.timestamp);
  see(reading.polled_at, new Date(reading.timestamp).toISOString());
  if (isNew) show("runners", "chart", "timeline");
}

function hearPing({ polled, generated }) {
  see(polled[race.id], generated[race.id]);
}

function see(polled, generated) {
  if (isLater(polled, seen.polled)) seen.polled = polled;
  if (isLater(generated, seen.generated)) seen.generated = generated;
}

const isLater = (instant, other) => Boolean(instant) && (!other || Date.parse(instant) > Date.parse(other));

const others = new Map();
function hearWatchedRaces(kind, data) {
  const id = data.race_id ?? data.race?.race_id;
  if (!id) return; // a ping
  if ((kind !== "snapshot" && !others.has(id)) || data.known === false) return;
  others.set(id, apply(others.get(id), kind, data));
  hearWatched(id, others.get(id));
}

const idsOf = (body) => body.entrants.map(({ entrant_id: id }) => id).join();

// ── The page again: after a hole, with other entrants, at the end ──
function fetchSoon() {
  clearTimeout(again);
  again = setTimeout(fetchAgain, AGAIN_MS);
}

async function fetchAgain() {
  clearTimeout(again);
  const fresh = await fetchPage(location.pathname);
  if (fresh) takePage(fresh);
  seen.isBehind = fresh === null || (race.history.timestamps.at(-1) ?? 0) < toldMs;
  if (seen.isBehind) again = setTimeout(fetchAgain, BEHIND_MS);
}

function takePage(fresh) {
  const before = race.body;
  adopt(fresh);
  const isSame = idsOf(race.body) === idsOf(before);
  if (isSame && isLater(before.freshness.polled_at, race.body.freshness.polled_at)) take(before); // events were faster
  if (!isSame) merge(byId("runners").tBodies[0], fresh.getElementById("runners").tBodies[0]);
  for (const id of ["result", "conditions"]) merge(byId(id), fresh.getElementById(id));
  drawRunners();
  show(...ALL);
}

// ── What is shown ──
const PARTS = {
  runners: () => showRunners(race, secondsToStart() < 90 && isOpen()),
  alerts: () => showAlerts(race.body),
  pools: () => showPools(race.body.pools ?? {}),
  chart: () => showChart(race),
  timeline: () => showTimeline(race),
};

function show(...parts) {
  if (!outdated.size && !isPaused) requestAnimationFrame(showOutdated);
  for (const part of parts) outdated.add(part);
}

// One part a frame: all at once would keep keys and clock waiting.
function showOutdated() {
  if (isPaused || !outdated.size) return;
  const [part] = outdated;
  outdated.delete(part);
  if (outdated.size) requestAnimationFrame(showOutdated); // first: a part that fails must not end all that follow
  PARTS[part]();
}

const isOpen = () => race.body.race.status === "Open";
const secondsToStart = () => (race.startMs - clock.now()) / 1000;

function showPools(pools) {
  for (const total of document.querySelectorAll("#pools [data-pool]")) write(total, dollars(pools[total.dataset.pool]));
  write(byId("quality"), String(pools.data_quality_score ?? "–"));
}

function showClock() {
  const { status, actual_start: closed, start_time: start } = race.body.race;
  const isPast = secondsToStart() <= 0;
  write(byId("status"), status.toUpperCase());
  mark(byId("status"), "class", `pill ${status.toLowerCase()}`);
  const at = isOpen() ? countdown(-secondsToStart()) : clockTime(Date.parse(closed ?? start));
  const [big, small] = document.querySelectorAll("[data-clock]");
  write(big, at);
  write(small, isOpen() ? at : `${status.toUpperCase()} ${at}`);
  const words = isOpen() ? `${isPast ? "past" : "to"} the advertised start at ${clockTime(race.startMs)}` : closed ? "closed" : "advertised start";
  write(byId("clock-says"), words);
  byId("closes").hidden = !isOpen();
  const alerted = [...new Set(race.body.alerts.map(({ runner_number: number }) => number))].map((number) => ` ▲${number}`).join("");
  write(document.head.querySelector("title"), `${isOpen() ? at : status} R${race.body.race.race_number} ${race.body.meeting.meeting_name}${alerted}`);
}

function tick() {
  showClock();
  const refresh = race.body.freshness.refresh_seconds;
  const cadence = ENDED.includes(race.body.race.status) ? null : refresh;
  showAges({ ...seen, pools: race.body.pools?.last_updated, cadence, feedRefresh: Number(page.feedRefresh) });
  write(byId("clock"), `${clockTime(clock.now())} NZ`);
  showButtons();
  tickWatched();
  tellMinute();
  summarise(race, clock.now());
  keepAlive();
}

function tellMinute() {
  const isWithin = isOpen() && secondsToStart() * 1000 <= MINUTE_MS;
  if (isWithin && !isMinuteTold) sound("minute");
  isMinuteTold = isWithin;
}

function showButtons() {
  const says = { off: "Sound off", on: "Sound on", blocked: "Sound blocked by the browser: press" };
  press("sound", says[soundState()], soundState() === "on");
  press("pause", isPaused ? `Paused: figures of ${race.pausedAt}` : "Pause", isPaused);
  press("watch", isWatched(race.id) ? "Watched" : "Watch", isWatched(race.id));
}

function press(id, words, isOn) {
  write(byId(id), words);
  mark(byId(id), "aria-pressed", String(isOn));
}

// ── What the user does ──
function togglePause() {
  isPaused = !isPaused;
  race.pausedAt = clockTime(clock.now());
  document.body.classList.toggle("paused", isPaused);
  if (!isPaused) requestAnimationFrame(showOutdated);
  tick();
}

function toggleWatch() {
  const { race_number: number, start_time: start } = race.body.race;
  const name = `R${number} ${race.body.meeting.meeting_name}`;
  const isDone = toggleWatched({ id: race.id, name, start });
  if (!isDone) write(byId("watch"), `${MOST_WATCHED} are watched already`);
  hearWatched(race.id, race.body);
  followWatched();
}

function followWatched() {
  stopFollowing?.();
  const ids = watchedIds().filter((id) => id !== race.id);
  stopFollowing = ids.length ? follow(`race_id=${ids.map(encodeURIComponent).join()}&topics=${OTHERS}`, hearWatchedRaces) : null;
}

const go = (id) => id && location.assign(`/races/${id}`);
const navigation = (name) => () => go(race.body.navigation[name]?.race_id);

const openKeys = bind(
  [
    ["n", "next to jump", navigation("nextScheduledRace")],
    ["ArrowLeft", "the race before", navigation("previousRace")],
    ["ArrowRight", "the race after", navigation("nextRace")],
    ...Array.from({ length: MOST_WATCHED }, (_, place) => [String(place + 1), `watched race ${place + 1}`, () => go(watchedIds()[place])]),
    ["a", "watch this race, or no more", toggleWatch],
    ["w", "timeline: Win", () => chooseTimeline("win")],
    ["p", "timeline: Place", () => chooseTimeline("place")],
    ["o", "timeline: Odds", () => chooseTimeline("odds")],
    ["s", "sort by number, share, money lately", sortRunners],
    ["m", "sound on or off", () => toggleSound().then(showButtons)],
    [" ", "pause the figures", togglePause],
  ],
  byId("keys-dialog"),
);

function begin() {
  adopt(document);
  document.body.classList.add("scripted");
  byId("sort").onclick = sortRunners;
  byId("sound").onclick = () => toggleSound().then(showButtons);
  byId("pause").onclick = togglePause;
  byId("watch").onclick = toggleWatch;
  byId("keys").onclick = openKeys;
  byId("settings").addEventListener("edit", () => editIndicators(byId("settings"), showTimeline));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && fetchSoon());
  drawRunners();
  drawWatched();
  hearWatched(race.id, race.body);
  show(...ALL);
  tick();
  readIndicators().then(() => show("timeline"));
  follow(`race_id=${encodeURIComponent(race.id)}&topics=${TOPICS}`, hear);
  followWatched();
  setInterval(tick, 250);
}

begin();
