// What this browser remembers for its user, in all its tabs; nothing where it may not remember.

const PREFIX = "raceday.";
const known = new Map(); // what is stored is slow to ask for in each cell

export function recall(name, otherwise) {
  if (!known.has(name)) known.set(name, read(name));
  return known.get(name) ?? otherwise;
}

export function keep(name, value) {
  known.set(name, value);
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // It is forgotten with the page.
  }
}

function read(name) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + name));
  } catch {
    return null;
  }
}

addEventListener("storage", () => known.clear());
