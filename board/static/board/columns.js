// How a reading of the stream goes on with a history as columns: moneyflow/live/readings.py in the browser.

// Add the reading of a `flow` event to {timestamps, entrants[{entrant_id, columns …}]}, unless it is there already.
// Return false if the history must be fetched again: a reading is missing before this one, or it knows a new runner.
export function append({ timestamps, entrants }, reading) {
  if (timestamps.includes(reading.timestamp)) return true;
  const places = new Map(reading.entrant_ids.map((id, place) => [id, place]));
  const known = new Set(entrants.filter((entrant) => namesOf(entrant, reading).length).map((entrant) => entrant.entrant_id));
  const isNext = reading.previous_timestamp === (timestamps.at(-1) ?? null);
  if (!isNext || ![...places.keys()].every((id) => known.has(id))) return false;
  timestamps.push(reading.timestamp);
  for (const entrant of entrants)
    for (const name of namesOf(entrant, reading)) entrant[name].push(reading[name][places.get(entrant.entrant_id)] ?? null);
  return true;
}

const namesOf = (entrant, reading) => Object.keys(entrant).filter((name) => Array.isArray(entrant[name]) && name in reading);
