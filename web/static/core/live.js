// One EventSource for all tabs of this browser: the tab that holds the lock listens and passes on what it hears.
import { byId } from "./dom.js";

const KINDS = /** @type {const} */ ([
  "photos", "removed", "scores", "decisions", "import", "stages", "taste", "bursts", "versions", "log", "progress", "resync",
]);
/** @typedef {typeof KINDS[number] | "connected"} Kind */

/** @type {Map<Kind, ((data: any) => void)[]>} */
const handlers = new Map([...KINDS, /** @type {const} */ ("connected")].map((kind) => [kind, []]));
const channel = new BroadcastChannel("fineshyt-live");
let cursor = Number(document.body.dataset.cursor);
let state = "";

/** @param {Kind} kind @param {(data: any) => void} handler */
export function on(kind, handler) {
  handlers.get(kind)?.push(handler);
}

/** The same for several kinds; with `pauseMs`, once when it is quiet for so long.
 * @param {readonly Kind[]} kinds @param {() => void} act */
export function onAny(kinds, act, pauseMs = 0) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const soon = () => { clearTimeout(timer); timer = setTimeout(act, pauseMs); };
  for (const kind of kinds) on(kind, pauseMs ? soon : act);
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
  /** @param {string} connection */
  function say(connection) {
    channel.postMessage({ kind: "connection", data: connection });
    show(connection);
  }
}

/** @param {{ kind: any, data: any, id?: number | null }} message */
function receive({ kind, data, id }) {
  if (kind === "connection") return show(data);
  if (id) cursor = Math.max(cursor, id);
  show("open");
  for (const handler of handlers.get(kind) ?? []) handler(data);
}

/** @param {string} connection */
function show(connection) {
  if (state === connection) return;
  state = connection;
  const note = byId("live");
  note.dataset.state = connection;
  note.textContent = connection === "open" ? "live" : "no connection, trying again";
  if (connection === "open") for (const handler of handlers.get("connected") ?? []) handler(null);
}
