// What one event of the stream changes in a race's live body: moneyflow/live/deltas.py in the browser.

const WHOLE = ["pools", "results", "navigation", "silent_because"];

export function apply(body, kind, data) {
  if (kind === "snapshot") return data;
  const after = { ...body };
  for (const name of ["race", "meeting"]) if (name in data) after[name] = { ...body[name], ...data[name] };
  for (const name of WHOLE) if (name in data) after[name] = data[name];
  if (data.alert) after.alerts = [...body.alerts.filter((alert) => keyOf(alert) !== keyOf(data.alert)), data.alert];
  if (data.entrants) {
    const news = new Map(data.entrants.map((entrant) => [entrant.entrant_id, entrant]));
    after.entrants = body.entrants.map((entrant) => ({ ...entrant, ...news.get(entrant.entrant_id) }));
  }
  if (data.polled_at) after.freshness = { ...body.freshness, polled_at: data.polled_at };
  if (after.results === null) delete after.results;
  return after;
}

const keyOf = (alert) => `${alert.entrant_id} ${alert.severity}`;
