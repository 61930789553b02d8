// What a race's page shows of the money on each runner: board/money.py in the browser, held to it by
// tests/browser/test_race.py. A history has columns: {timestamps[n], entrants[{entrant_id, and n values of each column}],
// resets: timestamps of readings that cannot be compared with those before}.

export const WINDOWS_SECONDS = [15, 30, 60];
const SLACK_MS = 3_000; // a refresh of the feed comes a little early or late
const SPARK_MS = 15 * 60_000;
const [SPARK_WIDTH, SPARK_HEIGHT] = [70, 20];
const LEAST_POINTS = 0.5;
const LEAST_SHORTENING = 1.1;
const SLOTS_MINUTES = [60, 55, 50, 45, 40, 35, 30, 25, 20, 15, 10, 5, 4, 3, 2, 1, 0];
export const MONEY = { win: "win_pool_amount", place: "place_pool_amount" };

export function amountsOf(entrants, history, alerts) {
  const times = history.timestamps;
  const [money, shares] = [columnOf(history, MONEY.win), sharesOf(history)];
  const prices = columnOf(history, "fixed_win_odds");
  const opened = new Map([...prices].map(([id, column]) => [id, column.find(Boolean) ?? null]));
  const worst = new Map();
  for (const alert of alerts) worst.set(alert.entrant_id, Math.max(alert.severity, worst.get(alert.entrant_id) ?? 0));
  const from = new Map(WINDOWS_SECONDS.map((seconds) => [seconds, since(history, seconds)]));
  const seen = [...from].map(([seconds, place]) => [seconds, seenIn(money, shares, seconds, place)]);
  const running = entrants.filter((entrant) => !entrant.is_scratched);
  const favourite = least(running.map((entrant) => [entrant.entrant_id, entrant.fixed_win_odds]));
  const mover = moverOf(running, opened);
  return entrants.map((entrant) => {
    const id = entrant.entrant_id;
    const column = shares.get(id) ?? [];
    return {
      entrant,
      cents: money.get(id)?.at(-1) ?? null,
      share: column.at(-1) ?? null,
      seen: seen.map(([seconds, found]) => found.get(id) ?? { seconds, cents: null, expected: null }),
      opened: opened.get(id) ?? null,
      spark: sparkOf(times, column),
      severity: worst.get(id) ?? 0,
      direction: direction(column, from.get(60)),
      is_favourite: id === favourite,
      is_mover: id === mover,
    };
  });
}

// Slots of time, and for each entrant a cell a slot: what came (of a pool), or the price at its end ("odds"), and by how
// many points its share of the slot's money rose, or percent by which its price shortened.
export function timelineOf(entrants, history, startMs, kind = "win") {
  const columns = columnOf(history, MONEY[kind] ?? "fixed_win_odds");
  const ends = new Map();
  history.timestamps.forEach((at, place) => ends.set(slotOf(Math.floor((startMs - at) / 1000)), place));
  const places = [...ends.values()];
  const values = entrants.map((entrant) => places.map((place) => columns.get(entrant.entrant_id)?.[place] ?? null));
  const broken = places.map((place, at) => at > 0 && isReset(history, history.timestamps[places[at - 1]], history.timestamps[place]));
  const rows = kind === "odds" ? values.map(shortenings) : moneyRows(values, broken);
  return { slots: [...ends.keys()], rows: entrants.map((entrant, place) => ({ entrant, cells: rows[place] })) };
}

// Each entrant's percentages of the Win pool; reckoned once for each reading, as table and chart both need them.
export function sharesOf(history) {
  const found = known.get(history);
  if (found?.readings === history.timestamps.length) return found.shares;
  const shares = newSharesOf(history);
  known.set(history, { readings: history.timestamps.length, shares });
  return shares;
}

const known = new WeakMap();

function newSharesOf(history) {
  const money = columnOf(history, MONEY.win);
  const totals = history.timestamps.map((_, place) => sum([...money.values()].map((column) => column[place])));
  return new Map([...money].map(([id, column]) => [id, column.map((cents, place) => (cents === null || !totals[place] ? null : (100 * cents) / totals[place]))]));
}

export function columnOf(history, name) {
  return new Map(history.entrants.filter((entrant) => entrant[name]?.length).map((entrant) => [entrant.entrant_id, entrant[name]]));
}

// The slot of the timeline: the largest of 60, 55 … 5, 4 … 0, −0.5 … minutes that is not above the time to the start.
export function slotOf(seconds) {
  return seconds < 0 ? Math.floor(seconds / 30) / 2 : SLOTS_MINUTES.find((minutes) => minutes * 60 <= seconds);
}

export function sparkOf(times, column) {
  const points = times.map((at, place) => [at, column[place] ?? null]).filter(([at, value]) => value !== null && at >= times.at(-1) - SPARK_MS);
  if (points.length < 2) return "";
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const x = (at) => tenths(((at - first) / (last - first)) * (SPARK_WIDTH - 2) + 1);
  const y = (value) => tenths(SPARK_HEIGHT - 2 - ((value - low) / (high - low || 1)) * (SPARK_HEIGHT - 4));
  return points.map(([at, value]) => `${x(at)},${y(value)}`).join(" ");
}

function seenIn(money, shares, seconds, from) {
  const came = new Map([...money].map(([id, column]) => [id, from === null ? null : less(column.at(-1), column[from])]));
  const total = sum([...came.values()]);
  const part = (share) => (share === null ? null : (total * share) / 100);
  return new Map([...came].map(([id, cents]) => [id, { seconds, cents, expected: part(from === null ? null : shares.get(id)[from]) }]));
}

function since(history, seconds) {
  const { timestamps: times } = history;
  const [window, newest] = [1000 * seconds, times.at(-1)];
  const found = times.findLastIndex((at) => newest - at >= window - SLACK_MS);
  const isFar = found < 0 || newest - times[found] > 1.5 * window + SLACK_MS;
  return isFar || isReset(history, times[found], newest) ? null : found;
}

const isReset = ({ resets }, from, until) => resets.some((at) => from < at && at <= until);

function moverOf(running, opened) {
  const ratios = running.map(({ entrant_id: id, fixed_win_odds: now }) => [id, now && opened.get(id) ? opened.get(id) / now : 0]);
  return least(ratios.filter(([, ratio]) => ratio >= LEAST_SHORTENING).map(([id, ratio]) => [id, -ratio]));
}

function least(pairs) {
  return pairs.filter(([, value]) => value).reduce((best, pair) => (best && best[1] <= pair[1] ? best : pair), null)?.[0] ?? null;
}

function moneyRows(values, broken) {
  const came = values.map((row) => row.map((value, place) => (broken[place] ? null : place ? less(value, row[place - 1]) : value)));
  const totals = (came[0] ?? []).map((_, place) => sum(came.map((row) => Math.max(0, row[place] ?? 0))));
  return came.map((row) => {
    const parts = row.map((cents, place) => (cents === null || !totals[place] ? null : (100 * Math.max(0, cents)) / totals[place]));
    return row.map((cents, place) => ({ cents, points: place ? less(parts[place], parts[place - 1]) : null }));
  });
}

function shortenings(row) {
  return row.map((price, place) => {
    const before = place ? row[place - 1] : null;
    return { price, points: price === null || !before ? null : (100 * (before - price)) / before };
  });
}

function direction(column, from) {
  const moved = column.length && from !== null ? less(column.at(-1), column[from]) : null;
  return moved === null || Math.abs(moved) < LEAST_POINTS ? "" : moved > 0 ? "▲" : "▼";
}

const sum = (values) => values.reduce((total, value) => total + (value ?? 0), 0);
const less = (after, before) => (after == null || before == null ? null : after - before);
const tenths = (number) => (Math.floor(number * 10 + 0.5) / 10).toFixed(1);
