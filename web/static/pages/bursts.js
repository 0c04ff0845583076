// Bursts: the frames of each side by side, sharpest first; keep the best in front, reject the rest, keep all of them.
import { discard, rate, retry, undo } from "../core/actions.js";
import { get, post, session } from "../core/api.js";
import { acted } from "../core/decisions.js";
import { button, byId, count, counted, el } from "../core/dom.js";
import { onKey } from "../core/keys.js";
import { listen, on, onAny } from "../core/live.js";
import { learn, onPhotos, photo, want } from "../core/photos.js";
import { askForBursts, askToKeepAll } from "../parts/burst_dialogs.js";
import { showKeys } from "../parts/dialog.js";
import { setUpHistory } from "../parts/masthead.js";
import { complain, toast } from "../parts/toast.js";
import { CardRow } from "../wall/row.js";

/** @type {[string, string][]} */
const KEYS = [
  ["arrows", "move"], ["1 – 5, 0", "rate"], ["k", "keep this frame, the others behind it"], ["x", "keep this frame, reject the others"],
  ["a", "keep all of them"], ["enter", "compare"], ["z", "undo"], ["?", "this list"],
];
const PAGE = 30;
const MOST = 200;
const COMPARED = 4;
const LIKED = 4;
/** @type {[BurstState, string, string][]} */
const STATES = [
  ["open", "To decide", "Nothing is left to decide. Bursts are looked for after each import; frames need a capture time from the camera."],
  ["kept", "Best kept", "No burst has its best frame in front yet."],
  ["whole", "All kept", "No burst was kept whole yet."],
  ["intended", "Brackets, stacks, panoramas", "No exposure brackets, focus stacks or panoramas were found."],
];
const MEANT = { bracket: "An exposure bracket", focus_stack: "A focus stack", panorama: "A panorama" };

/** @typedef {{ group: BurstGroup, row: CardRow, element: HTMLElement, chosen: number | null, unfolded: boolean }} Shown */
/** @type {Map<number, Shown>} */
const shown = new Map();
/** @type {number | null} */
let after = null;
/** @type {BurstTotals} */
let totals = { groups: 0, frames: 0, open: 0, kept: 0, whole: 0, intended: 0, ties: 0, rest: 0, liked: 0 };
const state = /** @type {BurstState} */ (STATES.find(([name]) => name === new URLSearchParams(location.search).get("state"))?.[0] ?? "open");

/** The frame that the buttons mean: the one that was pointed at, else the best. @param {Shown} one */
const meant = (one) => one.chosen ?? one.group.keeper_id;

/** Frames that rejecting the rest would reject, and how many it leaves because they are picked or have four or five stars. @param {BurstGroup} group @param {number | null} frame */
function fate({ photos }, frame) {
  const others = photos.map((item) => photo(item.id) ?? item).filter((item) => item.id !== frame && !item.rejected);
  const liked = others.filter((item) => item.manual_match || (item.user_rating ?? 0) >= LIKED).length;
  return { off: others.length - liked, liked };
}

/** @param {BurstGroup} group @returns {Shown} */
function hang(group) {
  learn(group.photos);
  const old = shown.get(group.id);
  if (old) return Object.assign(old, { group });
  const row = new CardRow({ rate: (id, rating) => void rate([id], rating), retry, discard }, `Frames of the burst of ${when(group)}`);
  const one = { group, row, element: el("section", { class: "burst", "data-id": group.id }), chosen: null, unfolded: false };
  row.element.addEventListener("focusin", () => choose(one, row.active));
  shown.set(group.id, one);
  return one;
}

/** @param {Shown} one @param {number | null} id */
function choose(one, id) {
  if (!id || one.chosen === id) return;
  one.chosen = id;
  label(one);
}

/** @param {Shown} one */
function draw(one) {
  const { group, row, element } = one;
  row.show(visible(one));
  // Made once: taking the row out and putting it back would take the focus from a card.
  if (!element.children.length) element.append(el("header", {}, el("h2", { text: when(group) }), el("p", { class: "quiet said" }), el("p", { class: "deeds" })), row.element);
  label(one);
  return element;
}

/** A stack shows its front until it is unfolded. @param {Shown} one */
function visible({ group, unfolded }) {
  const ids = group.photos.map((item) => item.id);
  if (group.state !== "kept" || !group.keeper_id) return ids;
  const others = ids.filter((id) => id !== group.keeper_id);
  return unfolded ? [group.keeper_id, ...others] : [group.keeper_id];
}

/** What is said of it and can be done, without touching the row that may hold the focus. @param {Shown} one */
function label(one) {
  const { group, row, element } = one;
  row.cards.forEach((card) => {
    card.element.classList.toggle("keeper", card.id === group.keeper_id);
    card.element.classList.toggle("chosen", one.chosen === card.id);
  });
  const said = element.querySelector(".said");
  if (said) said.textContent = sentence(group);
  element.querySelector(".deeds")?.replaceChildren(...deeds(one));
}

/** @param {BurstGroup} group */
function sentence({ photos, intent, state: how, tie, keeper_id: keeper }) {
  const frames = counted(photos.length, "frame");
  const name = photo(keeper ?? 0)?.filename ?? "The best";
  if (how === "intended" && intent) return `${MEANT[intent]} of ${frames}. It belongs together and is never offered.`;
  if (how === "whole") return `All ${frames} are kept. They are not offered again.`;
  if (how === "kept") return `${name} is in front, ${counted(photos.length - 1, "frame")} behind it.`;
  return `${frames}. ${tie ? "A tie: the best frames cannot be told apart. Choose one." : `${name} is the best.`}`;
}

/** @param {Shown} one */
function deeds(one) {
  const { group } = one;
  const frame = meant(one);
  const others = group.photos.length - 1;
  const ids = [...new Set([frame ?? group.photos[0]?.id, ...group.photos.map((item) => item.id)])].slice(0, COMPARED);
  const changed = group.state !== "kept" || frame !== group.keeper_id;
  const { off, liked } = fate(group, frame);
  return [
    group.state === "kept" ? button(one.unfolded ? "Fold together" : `Show the ${counted(others, "frame")} behind it`, () => unfold(one), { "aria-expanded": String(one.unfolded) }) : null,
    button(one.chosen && one.chosen !== group.keeper_id ? "Keep this frame" : "Keep the best", () => void keep(one, false), { class: group.state === "open" ? "primary" : null, disabled: !frame || !changed }),
    button(`Reject the rest${frame && off ? ` (${off})` : ""}`, () => void keep(one, true), { disabled: !frame || !off, title: frame && liked ? `${left(liked)}.` : null }),
    group.state === "open" || group.state === "kept" ? button("Keep all", () => void keepWhole(one)) : null,
    el("a", { class: "button", href: `/review?mode=browse&filter=all&photo=${ids[0]}&compare=${ids.join(",")}`, text: "Compare" }),
  ].filter((deed) => deed !== null);
}

/** @param {BurstGroup} group */
function when(group) {
  const at = group.photos[0]?.captured_at;
  return at ? new Date(at).toLocaleString("en", { dateStyle: "long", timeStyle: "short" }) : `Burst ${group.id}`;
}

/** @param {Shown} one */
function unfold(one) {
  one.unfolded = !one.unfolded;
  draw(one);
  /** @type {HTMLElement | null} */ (one.element.querySelector(".deeds button"))?.focus();
}

async function load(more = false) {
  try {
    const limit = more ? PAGE : Math.min(MOST, Math.max(PAGE, shown.size));
    const { items, next_after: next, totals: all } = await get(`/api/bursts?state=${state}&limit=${limit}${more && after ? `&after=${after}` : ""}`);
    after = next;
    totals = all;
    if (!more) forget(new Set(items.map((/** @type {BurstGroup} */ group) => group.id)));
    const elements = items.map((/** @type {BurstGroup} */ group) => draw(hang(group)));
    if (more) byId("bursts").append(...elements);
    else inOrder(elements);
    summarise();
  } catch (error) {
    complain(error);
  }
}

/** @param {Set<number>} listed */
function forget(listed) {
  const focused = [...shown.values()].find((one) => one.element.contains(document.activeElement));
  const next = focused && !listed.has(focused.group.id) ? following(focused) : null;
  for (const [id, one] of shown) {
    if (listed.has(id)) continue;
    one.element.remove();
    shown.delete(id);
  }
  next?.row.move(0);
}

/** The next that stays, or the one before. @param {Shown} one */
function following({ element }) {
  const place = element.nextElementSibling ?? element.previousElementSibling;
  return place instanceof HTMLElement ? shown.get(Number(place.dataset.id)) : null;
}

/** Puts the sections in order and leaves those in place that are: moving one would take the focus away. @param {HTMLElement[]} elements */
function inOrder(elements) {
  const list = byId("bursts");
  elements.forEach((element, n) => { if (list.children[n] !== element) list.insertBefore(element, list.children[n] ?? null); });
}

function summarise() {
  byId("more").hidden = !after;
  byId("empty").hidden = shown.size > 0;
  byId("empty").textContent = STATES.find(([name]) => name === state)?.[2] ?? "";
  byId("keep-all").toggleAttribute("disabled", totals.open <= totals.ties);
  byId("states").replaceChildren(...STATES.map(([name, words]) =>
    el("a", { href: `/bursts?state=${name}`, "aria-current": name === state ? "page" : null }, words, " ", el("span", { class: "n", text: count(totals[name]) }))));
  byId("said").textContent = totals.groups
    ? `${counted(totals.open, "burst")} to decide${totals.ties ? `, ${counted(totals.ties, "tie")} among them, by eye` : ""}. Deciding hides frames behind the best one; nothing leaves the gallery unless you reject it.` : "";
}

/** @param {number} liked of the frames that stand behind the best one */
const left = (liked) => `${counted(liked, "frame")} that you like ${liked === 1 ? "stays" : "stay"}`;

/** Does it, says it, and can take it back. @param {string} path @param {object} body @param {(liked: number) => string} said `liked`: not rejected with the rest */
async function decide(path, body, said) {
  try {
    const { action_id: action, changed, liked } = await post(`/api/bursts/${path}`, { ...body, session });
    if (changed.length) acted(action);
    toast(said(liked), changed.length ? { undo: () => void undo(action) } : {});
    await load();
  } catch (error) {
    complain(error);
  }
}

/** @param {Shown} one @param {boolean} rejectRest */
async function keep(one, rejectRest) {
  const frame = meant(one);
  if (!frame) return void toast("Choose a frame first: click it, or move to it with the arrow keys.", { error: true });
  const others = one.group.photos.length - 1;
  const name = photo(frame)?.filename ?? "This frame";
  await decide(`${one.group.id}/keep-best`, { keeper_id: frame, reject_rest: rejectRest },
    (liked) => (rejectRest ? `${name} is kept, ${rejected(others, liked)}` : `${name} is in front, ${counted(others, "frame")} behind it.`));
}

/** @param {Shown} one */
const keepWhole = (one) =>
  decide(`${one.group.id}/keep-all`, {}, () => `All ${counted(one.group.photos.length, "frame")} are kept and not offered again.`);

async function keepAll() {
  const answer = await askToKeepAll();
  if (!answer) return;
  const { rest, ...wish } = answer;
  await decide("keep-best", wish, (liked) =>
    `${counted(wish.expected, "burst")} decided, ${wish.reject_rest ? rejected(rest, liked) : `${counted(rest, "frame")} behind the best ones.`}`);
}

/** @param {number} rest @param {number} liked of the rest, and not rejected */
const rejected = (rest, liked) => `${counted(rest - liked, "frame")} rejected${liked ? `, ${left(liked)}` : ""}. Your originals stay.`;

async function detect() {
  const chosen = await askForBursts(totals);
  if (!chosen) return;
  try {
    await post("/api/bursts/detect", chosen);
    toast("Looking for bursts. They appear here when they are found; what you decided stays.");
  } catch (error) {
    complain(error);
  }
}

onKey((key) => {
  if (key === "?") return showKeys(KEYS), true;
  if (key === "z") return void undo().then(() => load()), true;
  const here = [...shown.values()].find(({ row }) => row.active !== null);
  if (!here) return false;
  const { row, group } = here;
  const id = Number(row.active);
  if (key === "left" || key === "right") return row.move(key === "right" ? 1 : -1);
  if (key === "up" || key === "down") return leap(group.id, key === "down" ? 1 : -1);
  if (/^[0-5]$/.test(key)) return void rate([id], Number(key) || null), true;
  if (key === "k" || key === "x") return void keep(here, key === "x"), true;
  if (key === "a" && group.state !== "intended") return void keepWhole(here), true;
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
  shown.forEach((one) => {
    if (!one.row.cards.some((card) => ids.includes(card.id))) return;
    one.row.refresh(ids);
    label(one);
  });
  want([...shown.values()].flatMap(({ row }) => row.cards.map((card) => card.id)));
});
byId("detect").addEventListener("click", () => void detect());
byId("keep-all").addEventListener("click", () => void keepAll());
byId("more").addEventListener("click", () => void load(true));
on("bursts", (data) => { if (!data?.preview) void load(); });
onAny(["decisions", "removed", "resync"], () => void load(), 300);
setUpHistory();
void load();
listen();
