// How old what the page shows is, and whether it may look live.

import { write } from "./merge.js";
import { clock, heardAt } from "./stream.js";
import { ago } from "./words.js";

const STREAM_SILENT_MS = 25_000; // the stream pings every 5 s
const SLACK_SECONDS = 5;

const age = (instant) => (instant ? (clock.now() - Date.parse(instant)) / 1000 : null);

// Show the ages of a race's figures, and return whether they are stale.
// seen: {polled, generated, pools} as instants, cadence in seconds (null: polled no more), feedRefresh in seconds.
export function showAges(seen) {
  const [polled, generated] = [age(seen.polled), age(seen.generated)];
  const isSilent = Date.now() - heardAt() > STREAM_SILENT_MS;
  const cadences = seen.cadence ? polled / seen.cadence : 0;
  const isFrozen = Boolean(seen.cadence) && generated > 2 * seen.feedRefresh + seen.cadence + SLACK_SECONDS;
  write(document.querySelector("[data-age=polled]"), ago(polled));
  write(document.querySelector("[data-age=pools]"), ago(age(seen.pools)));
  const isStale = isSilent || cadences > 2 || isFrozen;
  for (const word of document.querySelectorAll("#stream, [data-age=stream]")) {
    write(word, isSilent ? "STALE" : "live");
    word.classList.toggle("live", !isSilent);
  }
  document.body.classList.toggle("stale", isStale);
  write(document.getElementById("verdict"), isStale ? "STALE" : "");
  const banner = isSilent
    ? "STALE: the stream is cut. The figures are not renewed."
    : isFrozen ? `STALE: the feed itself has not renewed this race for ${Math.round(generated)} s.`
    : cadences > 3 ? `STALE: this race was last polled ${Math.round(polled)} s ago.` : "";
  const warning = document.getElementById("warning");
  write(warning, banner);
  warning.hidden = !banner;
  return isStale;
}

// Restart the animation whose end would say that this page has stopped.
export function keepAlive() {
  for (const animation of document.querySelector(".stopped").getAnimations()) animation.currentTime = 0;
}
