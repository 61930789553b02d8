// How old what the page shows is, and whether it may look live.

import { write } from "./merge.js";
import { clock, health } from "./stream.js";
import { ago } from "./words.js";

const SLACK_SECONDS = 5;
const PING_SECONDS = 5; // a poll may be that old, by the computer's time, before a ping tells of it
const WORDS = { live: "live", silent: "cut", new: "not live" };

const age = (instant) => (instant ? (clock.now() - Date.parse(instant)) / 1000 : null);

// Show the ages of a page's figures, and return whether they are stale.
// seen: {polled, generated, pools} as instants, cadence in seconds (null: nothing is polled now), feedRefresh in seconds;
// isBehind: newer figures were told of and could not be fetched.
export function showAges(seen) {
  const [polled, generated] = [age(seen.polled), age(seen.generated)];
  const untold = PING_SECONDS * clock.speed;
  const isSilent = health() === "silent";
  const cadences = seen.cadence ? (polled - untold) / seen.cadence : 0;
  const isFrozen = Boolean(seen.cadence) && generated - untold > 2 * seen.feedRefresh + seen.cadence + SLACK_SECONDS;
  write(document.querySelector("[data-age=polled]"), ago(polled));
  write(document.querySelector("[data-age=pools]"), ago(age(seen.pools)));
  const isStale = isSilent || cadences > 2 || isFrozen || Boolean(seen.isBehind);
  write(document.getElementById("stream"), isStale ? "STALE" : WORDS[health()]);
  write(document.querySelector("[data-age=stream]"), WORDS[health()]);
  for (const word of document.querySelectorAll("#stream, [data-age=stream]"))
    word.classList.toggle("live", health() === "live" && !isStale);
  document.body.classList.toggle("stale", isStale);
  write(document.getElementById("verdict"), isStale ? "STALE" : "");
  const banner = isSilent
    ? "STALE: the stream is cut. The figures are not renewed."
    : seen.isBehind ? "STALE: newer figures could not be fetched."
    : isFrozen ? `STALE: the feed itself has renewed nothing for ${Math.round(generated)} s.`
    : cadences > 3 ? `STALE: last polled ${Math.round(polled)} s ago.` : "";
  const warning = document.getElementById("warning");
  write(warning, banner);
  warning.hidden = !banner;
  return isStale;
}

// Restart the animations whose end would say that this page has stopped.
export function keepAlive() {
  for (const animation of document.querySelector(".stopped").getAnimations({ subtree: true })) animation.currentTime = 0;
}
