// Bursts: the frames of each side by side, sharpest first; keep one, reject the rest, or decide for all of them.
import { discard, rate, retry, undo } from "../core/actions.js";
import { get, post, session } from "../core/api.js";
import { acted } from "../core/decisions.js";
import { button, byId, counted, el, field } from "../core/dom.js";
import { onKey } from "../core/keys.js";
import { listen, onAny } from "../core/live.js";
import { learn, onPhotos, photo, want } from "../core/photos.js";
import { ask, openDialog, showKeys } from "../parts/dialog.js";
import { setUpHistory } from "../parts/masthead.js";
import { complain, toast } from "../parts/toast.js";
import { CardRow } from "../wall/row.js";

/** @type {[string, string][]} */
const KEYS = [["arrows", "move"], ["1 – 5, 0", "rate"], ["k", "keep this frame"], ["enter", "compare"], ["z", "undo"], ["?", "this list"]];
const PAGE = 30;

/** @type {Map<number, { group: BurstGroup, row: CardRow, element: HTMLElement }>} */
const shown = new Map();
/** @type {number | null} */
let after = null;
let totals = { groups: 0, ties: 0, frames: 0, rest: 0 };

/** @param {BurstGroup} group */
function hang(group) {
  learn(group.photos);
  const ids = group.photos.map((one) => one.id);
  const old = shown.get(group.id);
  const row = old?.row ?? new CardRow({ rate: (id, rating) => void rate([id], rating), retry, discard }, `Frames of burst ${group.id}`);
  row.show(ids);
  row.cards.forEach((card) => card.element.classList.toggle("keeper", card.id === group.keeper_id));
  const element = old?.element ?? el("section", { class: "burst", "data-id": group.id });
  const rest = ids.filter((id) => id !== group.keeper_id && !photo(id)?.rejected).length;
  const said = group.tie ? "A tie: the sharpest frames cannot be told apart. Choose one." : `${photo(group.keeper_id ?? 0)?.filename ?? "The sharpest"} is kept.`;
  element.replaceChildren(
    el("header", {},
      el("h2", { text: when(group) }), el("p", { class: "quiet", text: `${counted(ids.length, "frame")}. ${said}` }),
      el("p", { class: "deeds" },
        button("Keep this frame", () => void keep(group, row.active ?? group.keeper_id, false), { "aria-label": "Keep the frame in focus" }),
        button(`Reject the rest${rest ? ` (${rest})` : ""}`, () => void keep(group, group.keeper_id, true), { disabled: !group.keeper_id || !rest }),
        el("a", { class: "button", href: `/review?mode=browse&filter=bursts&photo=${ids[0]}&compare=${ids.slice(0, 4).join(",")}`, text: "Compare" }))),
    row.element);
  shown.set(group.id, { group, row, element });
  return element;
}

/** @param {BurstGroup} group */
function when(group) {
  const at = group.photos[0]?.captured_at;
  return at ? new Date(at).toLocaleString("en", { dateStyle: "long", timeStyle: "short" }) : `Burst ${group.id}`;
}

async function load(more = false) {
  try {
    const { items, next_after: next, totals: all } = await get(`/api/bursts?limit=${PAGE}${more && after ? `&after=${after}` : ""}`);
    after = next;
    totals = all;
    const elements = items.map(hang);
    if (more) byId("bursts").append(...elements);
    else {
      for (const id of [...shown.keys()]) if (!items.some((/** @type {BurstGroup} */ group) => group.id === id)) shown.delete(id);
      byId("bursts").replaceChildren(...elements);
    }
    byId("more").hidden = !next;
    byId("empty").hidden = shown.size > 0;
    byId("keep-all").toggleAttribute("disabled", !totals.rest);
    byId("said").textContent = totals.groups ? `${counted(totals.groups, "burst")}, ${counted(totals.frames, "frame")}${totals.ties ? `; ${counted(totals.ties, "tie")} to decide by eye` : ""}.` : "";
  } catch (error) {
    complain(error);
  }
}

/** @param {BurstGroup} group @param {number | null} keeper @param {boolean} rejectRest */
async function keep(group, keeper, rejectRest) {
  if (!keeper) return void toast("Choose a frame first: click it, or move to it with the arrow keys.", { error: true });
  try {
    const { action_id: action, changed } = await post(`/api/bursts/${group.id}/keep-best`, { keeper_id: keeper, reject_rest: rejectRest, session });
    if (changed.length) acted(action);
    if (changed.length) toast(`${counted(changed.length, "frame")} rejected, your originals stay.`, { undo: () => void undo(action) });
    else toast(`${photo(keeper)?.filename ?? "This frame"} is the one to keep.`);
    await load();
  } catch (error) {
    complain(error);
  }
}

async function keepAll() {
  const groups = totals.groups - totals.ties;
  const sentence = `In ${counted(groups, "burst")} the sharpest frame stays and ${counted(totals.rest, "other frame")} ${totals.rest === 1 ? "is" : "are"} rejected. ${totals.ties ? `${counted(totals.ties, "tie")} ${totals.ties === 1 ? "is" : "are"} left alone. ` : ""}One undo takes all of it back, and your originals stay.`;
  if (!(await ask("Keep the best of every burst", sentence, `Reject ${counted(totals.rest, "frame")}`))) return;
  try {
    const { action_id: action, changed, ties } = await post("/api/bursts/keep-best", { reject_rest: true, session });
    acted(action);
    toast(`${counted(changed.length, "frame")} rejected${ties ? `, ${counted(ties, "tie")} left alone` : ""}.`, { undo: () => void undo(action) });
    await load();
  } catch (error) {
    complain(error);
  }
}

async function detect() {
  const chosen = await openDialog("Look for bursts", (/** @type {(value: { threshold?: number, gap_s?: number }) => void} */ close) => [
    el("p", { text: "Frames are a burst when they look alike, come from one camera body, and follow each other closely. Empty fields take what was measured for the encoder." }),
    el("form", {
      onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        const [threshold, gap] = [field("threshold").value, field("gap").value];
        close({ ...(threshold && { threshold: Number(threshold) }), ...(gap && { gap_s: Number(gap) }) });
      },
    },
    el("p", {}, el("label", {}, "Alike from (cosine, 0 to 1) ", el("input", { id: "threshold", type: "number", min: 0.01, max: 1, step: 0.005, placeholder: "the encoder’s own" }))),
    el("p", {}, el("label", {}, "Seconds apart at most ", el("input", { id: "gap", type: "number", min: 0.1, max: 3600, step: 0.1, placeholder: "5" }))),
    el("p", { class: "choices" }, el("button", { type: "submit", class: "primary", text: "Look through the archive" }), button("Cancel", () => byId("dialog") instanceof HTMLDialogElement && /** @type {HTMLDialogElement} */ (byId("dialog")).close()))),
  ]);
  if (!chosen) return;
  try {
    await post("/api/bursts/detect", chosen);
    toast("Looking for bursts. They appear here when they are found.");
  } catch (error) {
    complain(error);
  }
}

onKey((key) => {
  if (key === "?") return showKeys(KEYS), true;
  if (key === "z") return void undo(), true;
  const here = [...shown.values()].find(({ row }) => row.active !== null);
  if (!here) return false;
  const { row, group } = here;
  const id = Number(row.active);
  if (key === "left" || key === "right") return row.move(key === "right" ? 1 : -1);
  if (key === "up" || key === "down") return leap(group.id, key === "down" ? 1 : -1);
  if (/^[0-5]$/.test(key)) return void rate([id], Number(key) || null), true;
  if (key === "k") return void keep(group, id, false), true;
  if (key === "enter") { location.href = /** @type {HTMLAnchorElement} */ (here.element.querySelector("a.button")).href; return true; }
  return false;
});

/** @param {number} from @param {number} step */
function leap(from, step) {
  const order = [...byId("bursts").children].map((one) => Number(/** @type {HTMLElement} */ (one).dataset.id));
  const next = shown.get(Number(order[order.indexOf(from) + step]));
  return next ? next.row.move(0) : false;
}

onPhotos((ids) => {
  shown.forEach(({ row }) => row.refresh(ids));
  want([...shown.values()].flatMap(({ row }) => row.cards.map((card) => card.id)));
});
byId("detect").addEventListener("click", () => void detect());
byId("keep-all").addEventListener("click", () => void keepAll());
byId("more").addEventListener("click", () => void load(true));
onAny(["bursts", "removed", "resync"], () => void load());
setUpHistory();
void load();
listen();
