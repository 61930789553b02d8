// What one event of the stream makes of a race's live body: moneyflow/live/deltas.py in the browser.

const PARTS = ["race", "meeting"]; // told in part
const WHOLE = ["pools", "results", "navigation", "silent_because"]; // told whole

// Return the body as it reads after one event; the old one stays as it is.
export function apply(body, kind, data) {
  if (kind === "snapshot") return data;
  const after = { ...body };
  for (const name of PARTS) if (name in data) after[name] = { ...body[name], ...data[name] };
  for (const name of WHOLE) if (name in data) after[name] = data[name];
  if (data.alert) after.alerts = [...keyed([...body.alerts, data.alert], keyOf).values()];
  if (data.entrants) {
    const news = keyed(data.entrants, (entrant) => entrant.entrant_id);
    after.entrants = body.entrants.map((entrant) => ({ ...entrant, ...news.get(entrant.entrant_id) }));
  }
  if (data.polled_at) after.freshness = { ...body.freshness, polled_at: data.polled_at };
  if (after.results === null) delete after.results;
  return after;
}

// A Map keeps the place of what is replaced.
const keyed = (items, key) => new Map(items.map((item) => [key(item), item]));
const keyOf = (alert) => `${alert.entrant_id} ${alert.severity}`;
