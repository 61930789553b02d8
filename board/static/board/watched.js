// A row of up to six watched races, each with a key, its clock, status and whether late money was seen in it.

import { keep, recall } from "./kept.js";
import { make, write } from "./merge.js";
import { clock } from "./stream.js";
import { countdown } from "./words.js";

export const MOST_WATCHED = 6;
const bodies = new Map(); // what the stream has told of them, by race

export const watchedIds = () => recall("watched", []).map(({ id }) => id);

export const isWatched = (id) => watchedIds().includes(id);

// Watch a race, or watch it no more; false if the row is full.
export function toggleWatched(race) {
  const watched = recall("watched", []);
  const rest = watched.filter(({ id }) => id !== race.id);
  if (rest.length === watched.length && watched.length >= MOST_WATCHED) return false;
  keep("watched", rest.length < watched.length ? rest : [...watched, race]);
  drawWatched();
  return true;
}

export function hearWatched(id, body) {
  bodies.set(id, body);
  tickWatched();
}

export function drawWatched() {
  const strip = document.getElementById("watched");
  strip.replaceChildren(...recall("watched", []).map(chip));
  strip.hidden = !strip.children.length;
  tickWatched();
}

export function tickWatched() {
  for (const link of document.querySelectorAll("#watched a")) {
    const body = bodies.get(link.dataset.id);
    const start = Date.parse(body?.race.start_time ?? link.dataset.start);
    const status = body?.race.status ?? "Open";
    write(link.querySelector("b"), status === "Open" ? countdown((clock.now() - start) / 1000) : status.toUpperCase());
    write(link.querySelector(".in"), body?.alerts.length ? " ▲" : "");
    write(link.querySelector(".status"), body ? `${body.race.race_type} · ${status}` : "");
  }
}

function chip({ id, name, start }, place) {
  const link = make("a", "chip");
  link.href = `/races/${id}`;
  Object.assign(link.dataset, { id, start });
  if (link.pathname === location.pathname) link.setAttribute("aria-current", "page");
  const late = make("span", "in");
  late.title = "unusual late money";
  const title = make("small", "", `${name} `);
  title.append(make("kbd", "", place + 1));
  link.append(title, make("b"), late, make("small", "status"));
  const item = make("li");
  item.append(link);
  return item;
}
