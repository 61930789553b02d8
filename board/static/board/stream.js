// Follows the stream, on the server's clock.

const SILENT_MS = 25_000; // the stream pings every 5 s
const KINDS = ["snapshot", "pool", "odds", "status", "alert", "flow", "resync", "ping"];
const page = document.body.dataset;
const server = { offset: Number(page.now) * 1000 - Date.now(), speed: 1, at: Date.now() };
let heard = Date.now();

export const clock = { now: () => Date.now() + server.offset + (server.speed - 1) * (Date.now() - server.at) };
export const heardAt = () => heard;

// Hear all events of a query until the function that is returned is called.
export function follow(query, hear) {
  let source;
  const open = () => {
    source?.close();
    source = new EventSource(`//${location.hostname}:${page.streamPort}/api/stream?${query}`);
    for (const kind of KINDS) source.addEventListener(kind, (event) => take(kind, JSON.parse(event.data), hear));
  };
  open();
  const watch = setInterval(() => Date.now() - heard > SILENT_MS && open(), 5_000);
  return () => (clearInterval(watch), source.close());
}

function take(kind, data, hear) {
  heard = Date.now();
  if (kind === "ping") Object.assign(server, { offset: data.now - Date.now(), speed: data.speed, at: Date.now() });
  hear(kind, data);
}
