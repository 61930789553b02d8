// The state that a page brings: a live body, and a history as columns, whose values are steps from the one before.

const PRICES = ["fixed_win_odds", "pool_win_odds"]; // in cents

export function stateOf(root) {
  const { live, history } = JSON.parse(root.getElementById("state").textContent);
  return { live, history: { ...history, timestamps: summed(history.timestamps), entrants: history.entrants.map(unpacked) } };
}

function unpacked(entrant) {
  const columns = Object.entries(entrant).filter(([, values]) => Array.isArray(values));
  const values = ([name, steps]) => [name, PRICES.includes(name) ? summed(steps).map(dollars) : summed(steps)];
  return { ...entrant, ...Object.fromEntries(columns.map(values)) };
}

function summed(steps) {
  let value = 0;
  return steps.map((step) => (step === null ? null : (value += step)));
}

const dollars = (cents) => (cents === null ? null : cents / 100);
