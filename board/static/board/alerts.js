// The alerts of a race in sentences, the worst of each runner, the newest first. A new one is told to screen readers.

import { make } from "./merge.js";
import { dollars, odds, percent, rounded, signedDollars, sinceStart } from "./words.js";

let told;

export function worstOfEach(alerts) {
  const worst = new Map([...alerts].sort((one, other) => one.severity - other.severity).map((alert) => [alert.entrant_id, alert]));
  return [...worst.values()].sort((one, other) => (one.raised_at < other.raised_at ? 1 : -1));
}

export function showAlerts(body) {
  const alerts = worstOfEach(body.alerts);
  const key = JSON.stringify([alerts.map((alert) => [alert.entrant_id, alert.severity]), alerts.length || body.silent_because]);
  if (key === told) return;
  const isNew = told !== undefined;
  told = key;
  if (!isNew) return; // the page brought them
  const nothing = make("p", "sub", `No unusual late money seen.${body.silent_because ? ` ${sentence(body.silent_because)}.` : ""}`);
  const box = document.getElementById("late-money");
  box.replaceChildren(...(alerts.length ? alerts.map(alertElement) : [nothing]));
  if (alerts.length) {
    box.firstChild.setAttribute("role", "alert");
    box.firstChild.classList.add("changed");
  }
}

const sentence = (words) => words[0].toUpperCase() + words.slice(1);

function alertElement(alert) {
  const element = make("div", "alert");
  const money = make("span", "", "");
  money.append(make("b", "", signedDollars(alert.seen_cents)), ` in ${alert.window_seconds} s, expected ${dollars(alert.expected_cents)}, 1 in ${rounded(alert.one_in_races)} races`);
  const evidence = [
    `share ${percent(alert.share_before_percentage)} → ${percent(alert.share_after_percentage)}`,
    `tote ${odds(alert.tote_odds_before)} → ${odds(alert.tote_odds_after)}`,
    `fixed ${odds(alert.fixed_odds_before)} → ${odds(alert.fixed_odds_after)} · ${sinceStart(alert.seconds_since_start)}`,
  ];
  element.append(make("b", "", `▲ ${alert.runner_number} ${alert.name}`), " ", money, " ", make("span", "sub", evidence.join(", ")));
  const { settled, won, expected } = alert.record;
  if (settled) element.append(" ", make("span", "sub", `such alerts won ${won} of ${settled}${expected ? `, ${expected.toFixed(1)} expected` : ""}`));
  return element;
}
