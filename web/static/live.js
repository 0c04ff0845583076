// One EventSource for all tabs of this browser: the tab that holds the lock listens and passes on what it hears.
import { byId } from "./dom.js";

const KINDS = ["photos", "removed", "scores", "decisions", "import", "stages", "taste", "bursts", "log", "progress", "resync"];
const handlers = new Map(KINDS.map((kind) => [kind, []]));
const channel = new BroadcastChannel("fineshyt-live");
let cursor = Number(document.body.dataset.cursor);

export function on(kind, handler) {
  handlers.get(kind).push(handler);
}

export function listen() {
  channel.addEventListener("message", ({ data }) => receive(data));
  // Waits until the tab that listens is closed; a browser without locks listens in every tab.
  if (navigator.locks) navigator.locks.request("fineshyt-live", () => new Promise(connect));
  else connect();
}

function connect() {
  const source = new EventSource(`/events?after=${cursor}`);
  for (const kind of KINDS) {
    source.addEventListener(kind, (event) => {
      const message = { kind, data: JSON.parse(event.data), id: Number(event.lastEventId) || null };
      channel.postMessage(message);
      receive(message);
    });
  }
  source.addEventListener("open", () => say("open"));
  source.addEventListener("error", () => say("error"));
  function say(state) {
    channel.postMessage({ kind: "connection", data: state });
    show(state);
  }
}

function receive({ kind, data, id }) {
  if (kind === "connection") return show(data);
  if (id) cursor = Math.max(cursor, id);
  show("open");
  for (const handler of handlers.get(kind) ?? []) handler(data);
}

function show(state) {
  const note = byId("live");
  note.dataset.state = state;
  note.textContent = state === "open" ? "live" : "no connection, trying again";
}
