// The log of failed attempts: live, to filter, to look into, to clear.
import { call, get } from "./api.js";
import { ask, byId, count, el } from "./dom.js";
import { listen, on } from "./live.js";
import { complain, toast } from "./toast.js";

let before = null;

function query() {
  const wanted = new URLSearchParams();
  for (const name of ["worker", "status", "q"]) if (byId(name).value.trim()) wanted.set(name, byId(name).value.trim());
  return wanted;
}

function line(item) {
  const attempt = item.attempt && item.max_attempts ? `, attempt ${item.attempt} of ${item.max_attempts}` : "";
  return el("li", {},
    el("span", { class: "who", text: `${new Date(item.at).toLocaleString()} · ${item.worker} · ${item.status}${attempt}` }),
    el("div", { text: item.reason }),
    el("details", {}, el("summary", { text: item.file ?? "detail" }), el("pre", { text: JSON.stringify(item.detail, null, 2) })));
}

async function load(older = false) {
  const wanted = query();
  if (older && before) wanted.set("before", before);
  const { items, next_before: next } = await get(`/api/logs?${wanted}`);
  before = next;
  if (!older) byId("log").replaceChildren();
  byId("log").append(...items.map(line));
  byId("more").hidden = !next;
  byId("end").textContent = byId("log").children.length ? "" : "Nothing went wrong.";
}

async function clear() {
  if (!(await ask(byId("dialog"), "Clear the log? What failed stays in the failed lane.", "Clear"))) return;
  const { deleted } = await call("DELETE", "/api/logs");
  toast(`${count(deleted)} lines cleared.`);
  await load();
}

const again = () => load().catch(complain);
byId("bar").addEventListener("submit", (event) => event.preventDefault());
for (const name of ["worker", "status", "q"]) byId(name).addEventListener("change", again);
byId("clear").addEventListener("click", () => clear().catch(complain));
byId("more").addEventListener("click", () => load(true).catch(complain));
on("log", again);
on("resync", again);
again();
listen();
