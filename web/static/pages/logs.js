// The log of attempts that went wrong: live, to filter, to look into, to clear. What is asked for stands in the address.
import { call, get } from "../core/api.js";
import { button, byId, counted, el, field } from "../core/dom.js";
import { listen, onAny } from "../core/live.js";
import { address, go } from "../core/view.js";
import { ask } from "../parts/dialog.js";
import { setUpHistory } from "../parts/masthead.js";
import { complain, toast } from "../parts/toast.js";

/** @typedef {{ id: number, at: string, worker: string, file: string | null, photo_id: number | null, reason: string, status: string, attempt: number | null, max_attempts: number | null, detail: unknown }} Line */

const FIELDS = ["worker", "status", "q"];
/** @type {number | null} */
let before = null;
/** @type {Set<number>} lines that a person has opened: they stay open */
const opened = new Set();

/** @param {Line} item */
function line(item) {
  const attempt = item.attempt && item.max_attempts ? ` · attempt ${item.attempt} of ${item.max_attempts}` : "";
  const detail = el("details", { open: opened.has(item.id), ontoggle: () => { if (detail.open) opened.add(item.id); else opened.delete(item.id); } },
    el("summary", { text: item.file ?? "detail" }), el("pre", { text: JSON.stringify(item.detail, null, 2), tabindex: "0" }));
  return el("li", { "data-status": item.status },
    el("span", { class: "who" }, el("time", { datetime: item.at, text: new Date(item.at).toLocaleString() }), ` · ${item.worker} · ${item.status}${attempt}`),
    el("p", { class: "reason", text: item.reason }), detail,
    item.photo_id && item.status === "failed" ? el("p", {}, button("Retry", () => void again(Number(item.photo_id)), { "aria-label": `Retry ${item.file ?? ""}` })) : null);
}

/** @param {number} id */
async function again(id) {
  try {
    await call("POST", `/api/photos/${id}/retry`, {});
    toast("Trying again.");
  } catch (error) {
    complain(error);
  }
}

async function load(older = false) {
  const wanted = new URLSearchParams(FIELDS.map((name) => [name, address().get(name) ?? ""]).filter(([, value]) => value));
  if (older && before) wanted.set("before", String(before));
  const { items, next_before: next } = await get(`/api/logs?${wanted}`);
  before = next;
  if (!older) byId("log").replaceChildren();
  byId("log").append(...items.map(line));
  byId("more").hidden = !next;
  byId("end").textContent = byId("log").children.length ? "" : wanted.size ? "No line fits all of this." : "Nothing went wrong.";
}

async function clear() {
  try {
    const { count: total } = await get("/api/logs/count");
    if (!total) return void toast("The log is empty.");
    const sentence = `${counted(total, "line")} of the log ${total === 1 ? "is" : "are"} forgotten. What failed stays in the failed lane, and can still be tried again.`;
    if (!(await ask("Clear the log", sentence, `Clear ${counted(total, "line")}`))) return;
    const { deleted } = await call("DELETE", "/api/logs");
    toast(`${counted(deleted, "line")} cleared.`);
    await load();
  } catch (error) {
    complain(error);
  }
}

function fill() {
  for (const name of FIELDS) field(name).value = address().get(name) ?? "";
  load().catch(complain);
}

const reload = () => void load().catch(complain);
byId("bar").addEventListener("submit", (event) => event.preventDefault());
for (const name of FIELDS) field(name).addEventListener("change", () => { go({ [name]: field(name).value.trim() }); reload(); });
byId("clear").addEventListener("click", () => void clear());
byId("more").addEventListener("click", () => load(true).catch(complain));
addEventListener("popstate", fill);
onAny(["log", "resync"], reload);
setUpHistory();
fill();
listen();
