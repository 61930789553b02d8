// Changes what is on a page and only that, so that focus and scroll positions stay.

const PATIENCE_MS = 10_000;

// Return the page at an address as it is now, null if it cannot be had.
export async function fetchPage(address) {
  const options = { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE_MS) };
  const text = await fetch(address, options).then((response) => (response.ok ? response.text() : null)).catch(() => null);
  return text === null ? null : new DOMParser().parseFromString(text, "text/html");
}

// Change an element into a fresh one where they differ. Where their children are not the same kinds in the same order,
// it is replaced whole.
export function merge(old, fresh) {
  const [before, after] = [[...old.childNodes], [...fresh.childNodes]];
  const isAlike = before.length === after.length && before.every((node, place) => node.nodeName === after[place].nodeName);
  if (!isAlike) return old.replaceWith(fresh);
  for (const attribute of fresh.attributes ?? []) if (old.getAttribute(attribute.name) !== attribute.value) old.setAttribute(attribute.name, attribute.value);
  before.forEach((node, place) => {
    const newer = after[place];
    if (node.isEqualNode(newer)) return;
    if (node.nodeType === Node.ELEMENT_NODE) return merge(node, newer);
    node.data = newer.data;
    flash(old.closest("td"));
  });
}

// Write a text where it differs; tell whether it did.
export function write(element, text) {
  if (!element || element.textContent === text) return false;
  element.textContent = text;
  return true;
}

// Set an attribute where it differs: also what stays as it is would cost the browser a look at its style.
export function mark(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

// Show for a moment that a cell has changed.
export function flash(cell) {
  if (!cell) return;
  cell.classList.remove("changed");
  requestAnimationFrame(() => cell.classList.add("changed"));
}

// Make an element: make("b", "in", "text").
export function make(kind, className, text = "") {
  const element = document.createElement(kind);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

// Make a button that does something.
export function button(words, run) {
  const made = make("button", "", words);
  made.type = "button";
  made.onclick = run;
  return made;
}

// Make a button that is pressed or not.
export function choice(words, isPressed, run) {
  const made = button(words, run);
  made.ariaPressed = String(isPressed);
  return made;
}
