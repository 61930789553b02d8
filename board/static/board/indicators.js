// The user's six colours of the timeline: read, edited and stored by /api/user-alert-configs, applied in this browser.

import { keep, recall } from "./kept.js";
import { button, make, write } from "./merge.js";

const ADDRESS = "/api/user-alert-configs";
const DEFAULTS = [[5, 10, "#E5E7EB"], [10, 15, "#BFDBFE"], [15, 20, "#FEF3C7"], [20, 25, "#BBF7D0"], [25, 50, "#FECACA"], [50, null, "#F3E8FF"]];
let indicators = DEFAULTS.map(([from, to, color]) => ({ percentage_range_min: from, percentage_range_max: to, color, enabled: true }));
let config;

const user = () => recall("user", "Default User");

// Return the colour of a rise, "" where none of the user's ranges has it.
export function colourOf(points) {
  if (points === null || config?.toggle_all === false) return "";
  const found = indicators.find(({ enabled, percentage_range_min: from, percentage_range_max: to }) => enabled && from <= points && (to === null || points < to));
  return found?.color ?? "";
}

// Read the settings of whoever uses this browser; without an answer the default ranges stay.
export async function readIndicators() {
  const response = await fetch(`${ADDRESS}?user_id=${encodeURIComponent(user())}`).catch(() => null);
  if (response?.ok) take(await response.json());
}

function take(answer) {
  config = answer;
  indicators = [...answer.indicators].sort((one, other) => one.display_order - other.display_order);
}

export function editIndicators(dialog, done) {
  const fault = make("p", "bad");
  fault.role = "alert";
  const name = make("h2", "", "My colours of the timeline");
  name.id = "settings-name";
  const owner = field("text", user(), "User");
  const rows = indicators.map(rowOf);
  const send = async (path, method, body) => {
    keep("user", owner.control.value.trim() || "Default User");
    const answer = await sendJson(path, method, { ...body, user_id: user() });
    if (answer.fault) return write(fault, answer.fault);
    take(answer);
    dialog.close();
    done();
  };
  const save = button("Save", () => send(ADDRESS, "POST", settingsOf(rows)));
  const reset = button("Back to the defaults", () => send(`${ADDRESS}/reset`, "PUT", {}));
  const load = button("Load this user’s", async () => {
    keep("user", owner.control.value.trim() || "Default User");
    await readIndicators();
    done();
    dialog.close();
  });
  dialog.replaceChildren(name, make("p", "sub", "A cell has the colour of the first range that its rise is in: in points of a column’s money, or percent of a price."), owner, ...rows.map(({ row }) => row), fault, save, reset, load, button("Close", () => dialog.close()));
  dialog.showModal();
}

function rowOf(indicator, place) {
  const row = make("fieldset");
  const legend = make("legend", "", `Range ${place + 1}`);
  const [from, to] = [field("number", indicator.percentage_range_min, "from"), field("number", indicator.percentage_range_max ?? "", "to below")];
  const [colour, on] = [field("color", indicator.color.toLowerCase(), "colour"), field("checkbox", "", "on")];
  on.control.checked = indicator.enabled;
  row.append(legend, from, to, colour, on);
  return { row, indicator, inputs: [from, to, colour, on].map((label) => label.control) };
}

function settingsOf(rows) {
  const stored = rows.map(({ indicator, inputs: [from, to, colour, on] }, place) => ({
    indicator_id: indicator.indicator_id ?? null,
    display_order: place + 1,
    percentage_range_min: Number(from.value),
    percentage_range_max: to.value === "" ? null : Number(to.value),
    color: colour.value.toUpperCase(),
    is_default: false,
    enabled: on.checked,
    indicator_type: "percentage_range",
  }));
  return { indicators: stored, toggle_all: config?.toggle_all ?? true, audible_alerts_enabled: config?.audible_alerts_enabled ?? true };
}

async function sendJson(path, method, body) {
  const response = await fetch(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }).catch(() => null);
  if (!response) return { fault: "Raceday does not answer. Nothing was stored." };
  const answer = await response.json();
  return response.ok ? answer : { fault: `Not stored: ${answer.error} ${JSON.stringify(answer.details ?? "")}` };
}

function field(type, value, words) {
  const label = make("label", "field");
  const input = make("input");
  Object.assign(input, { type, value });
  if (type === "number") Object.assign(input, { min: 0, max: 100, step: "any" });
  label.append(...(type === "checkbox" ? [input, ` ${words}`] : [`${words} `, input]));
  return label;
}
