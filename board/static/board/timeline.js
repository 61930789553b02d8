// The timeline as the client app shows it: Win money, Place money or fixed odds by slots of time to the start.

import { keep, recall } from "./kept.js";
import { colourOf } from "./indicators.js";
import { button, choice, make, write } from "./merge.js";
import { columnOf, MONEY, timelineOf } from "./money.js";
import { dollars, odds, signedDollars, slot } from "./words.js";

const KINDS = { win: ["Win", "Win money"], place: ["Place", "Place money"], odds: ["Odds", "Fixed odds"] };
let shown; // {key, cells}: the table as it stands, and its cells by row
let race;

const kind = () => recall("timeline", "win");

export function showTimeline(news = race) {
  race = news;
  const timeline = timelineOf(race.body.entrants, race.history, race.startMs, kind());
  timeline.rows = timeline.rows.filter(({ entrant }) => !entrant.is_scratched); // its money counts in the slots before
  const key = [kind(), timeline.slots.join(), timeline.rows.map(({ entrant }) => entrant.entrant_id).join()].join(" ");
  if (!timeline.slots.length) return;
  const box = document.getElementById("timeline-table");
  const isNew = shown?.key !== key;
  const isAtEnd = isNew && (!shown || box.scrollLeft + box.clientWidth >= box.scrollWidth - 4); // asks for a layout
  if (isNew) rebuild(box, timeline, key);
  const [column, written] = kind() === "odds" ? ["fixed_win_odds", odds] : [MONEY[kind()], dollars];
  const newest = columnOf(race.history, column);
  timeline.rows.forEach(({ entrant, cells }, row) => {
    cells.forEach((cell, place) => paint(shown.cells[row][place], cell, place));
    write(shown.cells[row].at(-1), written(newest.get(entrant.entrant_id)?.at(-1)));
  });
  if (isNew && isAtEnd) box.scrollLeft = box.scrollWidth;
}

export function chooseTimeline(chosen) {
  keep("timeline", chosen);
  if (race) showTimeline();
}


function paint(td, { cents, price, points }, place) {
  write(td, kind() === "odds" ? odds(price) : place ? signedDollars(cents) : dollars(cents));
  const colour = colourOf(points);
  if (td.dataset.colour === colour) return;
  td.dataset.colour = colour;
  td.style.backgroundColor = colour;
  td.style.color = colour && inkOn(colour);
  td.style.fontWeight = colour ? "700" : "";
}

// Black or white, whichever reads better on a colour of the user's.
function inkOn(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? "#16202b" : "#ffffff";
}

function rebuild(box, { slots, rows }, key) {
  const head = make("tr");
  head.append(...["Runner", ...slots.map(slot), kind() === "odds" ? "Now" : "Pool"].map((words, place) => Object.assign(make("th", place ? "" : "l", words), { scope: "col" })));
  const body = rows.map(({ entrant, cells }) => {
    const row = make("tr");
    const name = Object.assign(make("th", "l"), { scope: "row" });
    name.append(make("b", "", entrant.runner_number), " ", make("span", "", entrant.name));
    row.append(name, ...cells.map(() => make("td")), make("td", "total"));
    return row;
  });
  const table = make("table", "timeline");
  const [thead, tbody] = [make("thead"), make("tbody")];
  thead.append(head);
  tbody.append(...body);
  table.append(thead, tbody);
  box.replaceChildren(table);
  shown = { key, cells: body.map((row) => [...row.querySelectorAll("td")]) };
  write(document.getElementById("timeline-name"), KINDS[kind()][1]);
  drawViews();
}

function drawViews() {
  const buttons = Object.entries(KINDS).map(([name, [words]]) => choice(words, name === kind(), () => chooseTimeline(name)));
  const colours = button("My colours", () => document.getElementById("settings").dispatchEvent(new Event("edit")));
  document.getElementById("timeline-views").replaceChildren(...buttons, colours);
}
