// Keeps a page live. The page itself is the newest state: an event of the stream says that it changed, the page is
// fetched again, and the parts that differ take the place of the old ones. Clocks and ages run on the server's time.

import { keepAlive, showAges } from "./freshness.js";
import { listen } from "./keys.js";
import { fetchPage, merge, write } from "./merge.js";
import { sound, soundState, toggleSound } from "./sound.js";
import { clock, follow } from "./stream.js";
import { clockTime, countdown } from "./words.js";

const page = document.body.dataset;
const TOGETHER_MS = 150; // events of one poll come together
const AGAIN_MS = 2000;
const seen = { polled: null, generated: null, isBehind: false };
let refreshing;

function tick() {
  for (const element of document.querySelectorAll(".countdown[data-status=Open]"))
    write(element, countdown(clock.now() / 1000 - Number(element.dataset.start)));
  write(document.getElementById("clock"), `${clockTime(clock.now())} NZ`);
  showAges({ ...seen, cadence: Number(page.refresh) || null, feedRefresh: Number(page.feedRefresh) });
  write(document.getElementById("sound"), soundState());
  keepAlive();
}

function hear(kind, data) {
  if (kind === "ping") return hearPing(data);
  if (kind === "alert") sound("alert");
  refreshIn(TOGETHER_MS);
}

function hearPing({ newest }) {
  seen.polled = newest?.polled_at ?? null;
  seen.generated = newest?.generated_at ?? null;
}

function refreshIn(milliseconds) {
  clearTimeout(refreshing);
  refreshing = setTimeout(refresh, milliseconds);
}

async function refresh() {
  const fresh = await fetchPage(location.href);
  seen.isBehind = fresh === null;
  if (seen.isBehind) return refreshIn(AGAIN_MS);
  merge(document.querySelector("main"), fresh.querySelector("main"));
  Object.assign(page, fresh.body.dataset);
  tick();
}

listen({
  n: () => page.scheduled && location.assign(`/races/${page.scheduled}`),
  m: () => toggleSound().then(tick),
});
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());

document.body.classList.add("scripted");
follow(`topics=${page.topics}`, hear);
tick();
setInterval(tick, 250);
if (page.renew) setInterval(refresh, 1000 * page.renew);
