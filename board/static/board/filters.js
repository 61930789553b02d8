// Filters of a page. They are kept in its address and applied by a style sheet, so all filters share one body, and a
// part of the page that is renewed stays filtered.

const form = document.getElementById("filters");
const sheet = new CSSStyleSheet();
document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

function apply() {
  const query = new URLSearchParams(location.search);
  for (const field of form.elements) field.value = query.get(field.name) ?? "";
  const chosen = [...form.elements].filter((field) => field.value);
  const matches = chosen.map((field) => `[data-${field.name}~="${CSS.escape(field.value)}"]`);
  const hiding = chosen.map((field, place) => `[data-${field.name}]:not(${matches[place]})`);
  const rules = hiding.map((selector) => `${selector} { display: none !important; }`);
  if (chosen.length) rules.push(`.filtered:not(:has(${matches.join("")})) > .no-match { display: block; }`);
  sheet.replaceSync(rules.join("\n"));
}

function choose() {
  const url = new URL(location.href);
  for (const field of form.elements) field.value ? url.searchParams.set(field.name, field.value) : url.searchParams.delete(field.name);
  history.replaceState(null, "", url);
  apply();
}

// The days before and after keep the filters.
function carry(event) {
  const link = event.target.closest("a[rel=prev], a[rel=next]");
  if (!link) return;
  const url = new URL(link.href);
  for (const field of form.elements) if (field.value) url.searchParams.set(field.name, field.value);
  link.href = url;
}

form.addEventListener("change", choose);
document.addEventListener("click", carry);
apply();
