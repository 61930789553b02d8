// One stream for all tabs of a browser: one tab has the connection and hands its events to the others.
//
// Web Locks say who is there. The tab that has the lock HOLDER is connected; when it goes, the next in line gets the
// lock and connects. Each tab also has a lock that is named by what it follows: so the holder knows what to ask for,
// and nobody has to say that it left. A page that is not a secure context has no Web Locks and its own connection.

const HOLDER = "raceday stream";
const FOLLOWS = "raceday follows ";
const DAY = "";
const KINDS = ["snapshot", "pool", "odds", "status", "alert", "flow", "resync", "ping"];
const SILENT_MS = 25_000; // the stream pings every 5 s
const MISSED_MS = 7_000; // one ping did not come
const REFUSED_MS = 10_000; // before a server that refused is asked again; one that does not answer, the browser asks

const followers = new Set();
const locks = navigator.locks;
const channel = locks && new BroadcastChannel(HOLDER);
const server = { now: Number(document.body.dataset.now) * 1000, speed: 1, at: Date.now() };
const heard = { at: -Infinity, running: -Infinity };
const newcomers = new Set(); // races of tabs that joined, and DAY: they have no snapshot yet
let source, lastId = "", asked = "", connections = 0, triedAt = performance.now(), isHolder = false, isInLine = false;

// The time by the server's clock, in epoch milliseconds, and how many of its seconds pass in one of ours.
export const clock = {
  now: () => server.now + (Date.now() - server.at) * server.speed,
  get speed() {
    return server.speed;
  },
};

// When the stream was last heard, by this computer's clock in epoch milliseconds; −Infinity: never.
export const heardAt = () => Date.now() - silence();

// How the stream is: "live", "silent" for 25 s or more, or "new": nothing was heard yet, but it is not late.
export function health() {
  if (silence() <= SILENT_MS) return "live";
  return performance.now() > SILENT_MS ? "silent" : "new";
}

// One of these clocks stands still while the computer sleeps, the other may be set anew.
const silence = () => Math.max(Date.now() - heard.at, performance.now() - heard.running);

// Call hear(kind, data) for each event of `query` (race_id, topics and all_races as the stream's address has them), for
// each ping, and for "resync" when events may have been missed. Return a function that ends this.
export function follow(query, hear) {
  const follower = { ...wishes(query), query, hear };
  followers.add(follower);
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  if (locks) locks.request(FOLLOWS + query, { mode: "shared" }, () => (join(follower), ended));
  else join(follower);
  return () => (followers.delete(follower), end());
}

function wishes(query) {
  const given = new URLSearchParams(query);
  const list = (name) => (given.get(name) ?? "").split(",").filter(Boolean);
  const [races, topics, everywhere] = [list("race_id"), list("topics"), list("all_races")];
  return races.length ? { races, topics, everywhere } : { races, topics: [], everywhere: [...everywhere, ...topics] };
}

// ── Who is connected ──
function join({ races }) {
  if (locks && !isInLine) standInLine();
  isInLine = true;
  isHolder ||= !locks;
  channel?.postMessage({ joined: races });
  welcome(races);
}

// This tab serves newcomers, or the one that does goes and this one takes over.
function welcome(races) {
  for (const each of races.length ? races : [DAY]) newcomers.add(each);
  if (isHolder) connect();
}

function standInLine() {
  locks.request(HOLDER, hold).catch(() => (lose(), standInLine()));
}

// Its holder sleeps: this tab is in line still, and will be again if another one takes the lock from it.
function takeOver() {
  locks.request(HOLDER, { steal: true }, hold).catch(lose);
}

function hold() {
  isHolder = true;
  connect();
  return new Promise(() => {}); // until the tab is closed
}

function lose() {
  isHolder = false;
  source?.close();
}

// ── The connection ──
async function connect() {
  const mine = ++connections;
  triedAt = performance.now();
  const query = address(await allQueries());
  if (mine !== connections || !isHolder) return;
  source?.close();
  asked = query;
  source = new EventSource(`/api/stream?${query}${lastId && `&since=${lastId}${missing(query)}`}`);
  for (const kind of KINDS) source.addEventListener(kind, receive);
  // From its first ping on, a connection brings all that happens: who looks then has missed nothing.
  if (newcomers.has(DAY)) source.addEventListener("ping", () => share({ kind: "resync", text: "{}", isForDay: true }), { once: true });
  source.onerror = ({ target }) => {
    if (target.readyState === EventSource.CLOSED) setTimeout(() => mine === connections && connect(), REFUSED_MS);
  };
}

// Asks again for each snapshot that has not come: the connection before may have been closed ahead of it.
function missing(query) {
  const races = wishes(query).races.filter((race) => newcomers.has(race));
  return races.length ? `&snapshot_of=${races.map(encodeURIComponent)}` : "";
}

async function allQueries() {
  if (!locks) return [...followers].map((follower) => follower.query);
  const { held } = await locks.query();
  return held.filter(({ name }) => name.startsWith(FOLLOWS)).map(({ name }) => name.slice(FOLLOWS.length));
}

function address(queries) {
  const every = queries.map(wishes);
  const joined = (name) => [...new Set(every.flatMap((wish) => wish[name]))].sort().join(",");
  const [races, topics, everywhere] = ["races", "topics", "everywhere"].map(joined);
  const named = races ? { race_id: races, topics: `${topics},ping`, all_races: everywhere } : { topics: `${everywhere},ping` };
  return new URLSearchParams(Object.entries(named).filter(([, value]) => value)).toString();
}

async function leaveOut() {
  if (address(await allQueries()) !== asked) connect();
}

// ── What comes ──
function receive({ type, data, lastEventId }) {
  share({ kind: type, text: data, id: lastEventId });
  if (type === "ping") leaveOut(); // what only tabs followed that have gone
}

function share(message) {
  channel?.postMessage(message);
  take(message);
}

function take({ kind, text, id, isForDay }) {
  if (id) lastId = id;
  Object.assign(heard, { at: Date.now(), running: performance.now() });
  const data = JSON.parse(text);
  if (kind === "ping") Object.assign(server, { now: data.now, speed: data.speed, at: Date.now() });
  if (isForDay) newcomers.delete(DAY);
  if (kind === "snapshot") newcomers.delete(raceOf(data));
  for (const follower of followers) if (wants(follower, kind, data, isForDay)) follower.hear(kind, data);
}

// Newcomers get snapshots of races; of the day there is none, so they look for themselves.
function wants({ races, topics, everywhere }, kind, data, isForDay) {
  if (kind === "ping") return true;
  if (kind === "resync") return !isForDay || !races.length;
  const isNamed = races.includes(raceOf(data));
  return everywhere.includes(kind) || (isNamed && (kind === "snapshot" || topics.includes(kind)));
}

const raceOf = (data) => data.race_id ?? data.race?.race_id;

channel?.addEventListener("message", ({ data }) => {
  if (data.joined) welcome(data.joined);
  else take(data);
});

// ── When nothing comes ──
function renew() {
  if (isHolder) connect();
  else if (document.visibilityState === "visible") takeOver();
}

function watch() {
  if (silence() > SILENT_MS && performance.now() - triedAt > SILENT_MS) renew();
}

addEventListener("online", () => isHolder && connect());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible" && silence() > MISSED_MS) renew();
});
setInterval(watch, 1000);
