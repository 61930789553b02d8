// Keeps a page live. The page itself is the newest state: an event of the stream says that it changed, the page is
// fetched again, and the parts that differ take the place of the old ones. Clocks and ages run on the server's time.

import { merge, write } from "./merge.js";
import { clock as serverClock, follow, health } from "./stream.js";

const page = document.body.dataset;
const TOGETHER_MS = 150; // events of one poll come together
const state = { polled: page.polled, generated: page.generated, renewed: Date.now() };
let refreshing, sound;

// ── What moves by itself ──
export function countdown(seconds) {
  const total = Math.abs(Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60), total % 60];
  const two = (number) => String(number).padStart(2, "0");
  return (Math.round(seconds) < 0 ? "−" : "+") + (hours ? `${hours}:${two(minutes)}` : minutes) + `:${two(rest)}`;
}

function tick() {
  for (const clock of document.querySelectorAll(".countdown[data-status=Open]"))
    write(clock, countdown(serverClock.now() / 1000 - Number(clock.dataset.start)));
  write(document.getElementById("clock"), new Intl.DateTimeFormat("en-NZ", { timeStyle: "medium", hour12: false, timeZone: "Pacific/Auckland" }).format(serverClock.now()) + " NZ");
  const ages = { polled: age(state.polled), generated: age(state.generated) };
  for (const [name, seconds] of Object.entries(ages))
    if (seconds !== null) write(document.querySelector(`[data-age=${name}]`), `${Math.max(0, Math.round(seconds))} s ago`);
  judge(ages.polled);
  write(document.getElementById("sound"), sound ? "on" : "off");
  document.title = title();
  keepAlive();
}

const age = (text) => (text ? (serverClock.now() - Date.parse(text)) / 1000 : null);

function title() {
  const clock = document.querySelector(".clock .countdown[data-status=Open]");
  const name = document.title.replace(/^[−+][\d:]+ /, "");
  return clock ? `${clock.textContent} ${name}` : name;
}

// Restart the animation whose end would say that this page has stopped.
function keepAlive() {
  for (const animation of document.querySelector(".stopped").getAnimations()) animation.currentTime = 0;
}

// ── What is honest ──
function judge(polledSeconds) {
  const cadence = Number(page.refresh);
  const isLate = Boolean(cadence) && polledSeconds > 2 * cadence;
  const isSilent = health() === "silent";
  const isOld = page.renew && Date.now() - state.renewed > 3000 * page.renew;
  const stream = document.getElementById("stream");
  write(stream, { live: "live", silent: "STALE", new: "not live" }[health()]);
  stream.classList.toggle("live", health() === "live");
  document.body.classList.toggle("stale", isLate || isSilent || isOld);
  const warning = document.getElementById("warning");
  const words = isSilent
    ? "STALE: the stream is cut. The figures are not renewed."
    : isOld ? `STALE: this page was last renewed ${Math.round((Date.now() - state.renewed) / 1000)} s ago.`
    : isLate ? `STALE: ${page.race ? "this race" : "a race"} was last polled ${Math.round(polledSeconds)} s ago.` : "";
  write(warning, words);
  warning.hidden = !words;
}

// ── The stream ──
function hear(kind, data) {
  if (kind === "ping") {
    state.polled = (page.race ? data.polled[page.race] : data.newest?.polled_at) ?? state.polled;
    state.generated = data.generated[page.race] ?? state.generated;
    return;
  }
  if (kind === "alert") beep();
  clearTimeout(refreshing);
  refreshing = setTimeout(refresh, TOGETHER_MS);
}

// ── The newest state ──
async function refresh() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!response.ok) return;
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
  merge(document.querySelector("main"), fresh.querySelector("main"));
  Object.assign(page, fresh.body.dataset);
  if (page.polled > (state.polled ?? "")) state.polled = page.polled;
  state.renewed = Date.now();
  if (page.generated > (state.generated ?? "")) state.generated = page.generated;
  tick();
}

// ── Sound and keys ──
function beep() {
  if (!sound || sound.state !== "running") return;
  const tone = sound.createOscillator();
  tone.connect(sound.destination);
  tone.frequency.value = 880;
  tone.start();
  tone.stop(sound.currentTime + 0.2);
}

async function toggleSound() {
  const before = sound;
  sound = before ? undefined : new AudioContext();
  await before?.close();
  beep();
}

const go = (race) => race && location.assign(`/races/${race}`);
const KEYS = {
  n: () => go(page.scheduled),
  ArrowLeft: () => go(page.previous),
  ArrowRight: () => go(page.next),
  m: toggleSound,
};

addEventListener("keydown", (event) => {
  const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.nodeName) || event.target.isContentEditable;
  const isScrolling = event.key.startsWith("Arrow") && event.target.closest?.(".wide, .card[tabindex]");
  if (!isTyping && !isScrolling && !event.ctrlKey && !event.metaKey && !event.altKey) KEYS[event.key]?.();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState !== "visible") return;
  refresh();
});

document.body.classList.add("scripted");
follow(page.race ? `race_id=${encodeURIComponent(page.race)}&topics=pool,odds,status,alert` : `topics=${page.topics}`, hear);
tick();
setInterval(tick, 250);
if (page.renew) setInterval(refresh, 1000 * page.renew);
