// What this browser remembers for its user; nothing where it may not remember.

export function recall(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(`raceday.${name}`)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

export function keep(name, value) {
  try {
    localStorage.setItem(`raceday.${name}`, JSON.stringify(value));
  } catch {
    // It is forgotten with the page.
  }
}
