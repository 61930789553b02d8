// How the pages write figures: board/templatetags in the browser. What is not known is a dash, never 0.

export const UNKNOWN = "–";
const NZ = { timeZone: "Pacific/Auckland", hour12: false };
const TIME = new Intl.DateTimeFormat("en-NZ", { ...NZ, timeStyle: "medium" });

export function dollars(cents) {
  if (cents == null) return UNKNOWN;
  const size = Math.abs(cents);
  const rounded = Math.round(size / 100);
  const whole = size % 100 === 50 && rounded % 2 ? rounded - 1 : rounded; // half to even, as the server rounds
  return `${cents < 0 && whole ? "−" : ""}$${grouped(whole)}`;
}

export function signedDollars(cents) {
  const written = dollars(cents);
  return cents > 0 && written !== "$0" ? `+${written}` : written;
}

export const percent = (share) => (share == null ? UNKNOWN : `${tenths(share)} %`);

export const odds = (price) => (price == null ? UNKNOWN : price < 100 ? price.toFixed(2) : String(Math.floor(price)));

export const slot = (minutes) => (minutes > 0 ? `${minutes}m` : `${minutes}`.replace("-", "−"));

export const clockTime = (instant) => TIME.format(instant);

export function ago(seconds) {
  if (seconds === null) return "never";
  const minutes = Math.floor(Math.max(0, Math.round(seconds)) / 60);
  return minutes < 2 ? `${Math.max(0, Math.round(seconds))} s ago` : minutes < 120 ? `${minutes} min ago` : `${Math.floor(minutes / 60)} h ago`;
}

export const rounded = (number) => (number == null ? UNKNOWN : grouped(Number(number.toPrecision(2))));

export function countdown(seconds) {
  const total = Math.abs(Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60), total % 60];
  const two = (number) => String(number).padStart(2, "0");
  return (Math.round(seconds) < 0 ? "−" : "+") + (hours ? `${hours}:${two(minutes)}` : minutes) + `:${two(rest)}`;
}

export const sinceStart = (seconds) => `${Math.abs(seconds)} s ${seconds < 0 ? "before" : "after"} the advertised start`;

// The browser's own way takes 40 µs for a number.
const grouped = (whole) => String(whole).replace(/\B(?=(\d{3})+$)/g, ",");

// One decimal, and half to even where a number lies exactly between two.
function tenths(number) {
  const isBetween = (number * 4) % 1 === 0 && (number * 20) % 2 === 1;
  return (isBetween ? (2 * Math.round(number * 5)) / 10 : number).toFixed(1);
}
