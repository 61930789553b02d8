// One sentence on the state of a race for screen readers, at most each 15 s and only where it has news.

import { write } from "./merge.js";
import { sharesOf } from "./money.js";
import { percent } from "./words.js";

const EACH_MS = 15_000;
let toldAt = -Infinity;

export function summarise(race, nowMs) {
  if (performance.now() - toldAt < EACH_MS) return;
  toldAt = performance.now();
  write(document.getElementById("summary"), sentenceOf(race, nowMs));
}

function sentenceOf({ body, history, startMs }, nowMs) {
  const isStale = document.body.classList.contains("stale");
  const shares = sharesOf(history);
  const runners = body.entrants.map((entrant) => ({ ...entrant, share: shares.get(entrant.entrant_id)?.at(-1) ?? 0 }));
  const first = runners.reduce((best, runner) => (runner.share > best.share ? runner : best), { share: 0 });
  const leader = first.share ? ` Most money: ${first.runner_number} ${first.name}, ${percent(first.share)}.` : "";
  const alerts = body.alerts.length ? ` Unusual late money on ${[...new Set(body.alerts.map(({ name }) => name))].join(", ")}.` : "";
  return `${isStale ? "Stale. " : ""}${when(body.race.status, (startMs - nowMs) / 1000)}${leader}${alerts}`;
}

function when(status, seconds) {
  if (status !== "Open") return `${status}.`;
  const minutes = Math.floor(Math.abs(seconds) / 60);
  const size = minutes >= 2 ? `${minutes} minutes` : `${Math.round(Math.abs(seconds) / 15) * 15} seconds`;
  return seconds > 0 ? `${size} to the advertised start.` : `Open ${size} after the advertised start.`;
}
