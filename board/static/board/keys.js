// Shortcuts of a page: bound in one list, shown by "?", and all turned off by whoever needs their keys for something else.

import { keep, recall } from "./kept.js";
import { button, make } from "./merge.js";

const HAS_OWN_KEYS = "input, textarea, select, dialog, [contenteditable]";
const TAKES_SPACE = "button, a, summary";

// Bind shortcuts, each [key, words, run], and return how to open the list of them.
export function bind(shortcuts, dialog) {
  const open = () => (fill(dialog, shortcuts), dialog.showModal());
  listen({ ...Object.fromEntries(shortcuts.map(([key, , run]) => [key, run])), "?": open });
  return open;
}

// Run what a key is bound to, unless all keys are turned off or this one is for something else.
export function listen(runs) {
  addEventListener("keydown", (event) => {
    if (!Object.hasOwn(runs, event.key) || recall("keysAreOff", false) || isForAnother(event)) return;
    event.preventDefault();
    runs[event.key]();
  });
}

function isForAnother(event) {
  const at = event.target.closest ? event.target : document.body;
  const isScrolling = event.key.startsWith("Arrow") && at.closest(".wide, .card[tabindex]");
  return event.ctrlKey || event.metaKey || event.altKey || isScrolling || at.closest(HAS_OWN_KEYS) || (event.key === " " && at.closest(TAKES_SPACE));
}

function fill(dialog, shortcuts) {
  const name = make("h2", "", "Keys");
  name.id = "keys-name";
  const list = make("dl", "keys");
  for (const [key, words] of [["?", "this list"], ...shortcuts]) {
    const term = make("dt");
    term.append(make("kbd", "", key === " " ? "space" : key.replace("ArrowLeft", "←").replace("ArrowRight", "→")));
    list.append(term, make("dd", "", words));
  }
  const off = make("input");
  off.type = "checkbox";
  off.checked = recall("keysAreOff", false);
  off.onchange = () => keep("keysAreOff", off.checked);
  const label = make("label");
  label.append(off, " turn all keys off");
  dialog.replaceChildren(name, list, label, button("Close", () => dialog.close()));
}
