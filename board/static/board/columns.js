// A history as columns, and how a reading of the stream goes on with it.

// Append the reading of a `flow` event; false if one before it is missing here.
export function append(history, flow) {
  const times = history.timestamps;
  const at = Date.parse(flow.at);
  if (times.length && at <= times.at(-1)) return true; // it is here already
  if (flow.before && Date.parse(flow.before) !== times.at(-1)) return false;
  times.push(at);
  const runners = new Map(flow.entrants.map((entrant) => [entrant.entrant_id, entrant]));
  for (const entrant of history.entrants)
    for (const name of Object.keys(entrant)) if (Array.isArray(entrant[name])) entrant[name].push(runners.get(entrant.entrant_id)?.[name] ?? null);
  return true;
}
