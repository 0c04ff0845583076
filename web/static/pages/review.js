// Review: one photograph at a time over the whole view, or two to four side by side.
import { pick, rate, reject, see, undo } from "../core/actions.js";
import { get, orderedIds } from "../core/api.js";
import { onDecision } from "../core/decisions.js";
import { button, byId, count, el } from "../core/dom.js";
import { onKey } from "../core/keys.js";
import { listen, on } from "../core/live.js";
import { fetchPhotos, onPhotos, photo, want } from "../core/photos.js";
import { address, elsewhere, go, link, query } from "../core/view.js";
import { Compare, MOST } from "../loupe/compare.js";
import { drawTiles } from "../loupe/focus.js";
import { preview } from "../loupe/previews.js";
import { Zoom } from "../loupe/zoom.js";
import { showKeys } from "../parts/dialog.js";
import { showHistory } from "../parts/history.js";
import { medium } from "../parts/placard.js";
import { makeStars, showStars } from "../parts/stars.js";
import { complain } from "../parts/toast.js";
import { showWhy } from "../parts/why.js";

/** @type {[string, string][]} */
const KEYS = [
  ["→ · space", "next"], ["←", "back"], ["1 – 5", "rate (and on, in Cull)"], ["0 · u", "clear the rating"], ["p", "pick, or no longer"],
  ["x", "reject, or restore"], ["z", "undo"], ["f", "100 %, and back"], ["+ · −", "closer, farther"], ["arrows", "pan, while zoomed"],
  ["c", "compare"], ["o", "where it is sharp"], ["v", "in monochrome"], ["i", "facts"], ["h", "history of this photograph"],
  ["l", "more like this"], ["w", "why this score"], ["escape", "back"], ["?", "this list"],
];
/** @type {[string, string][]} */
const COMPARE_KEYS = [
  ["→ · ←", "another challenger"], ["up · down", "the keys go to another frame"], ["enter", "pin the chosen frame"], ["+ · −", "more frames, fewer"],
  ["f", "100 %, and back"], ["shift + arrows", "pan all"], ["1 – 5, 0, p, x, z", "as in review, for the chosen frame"], ["c · escape", "back to one"],
];
const AHEAD = [1, 2, -1];
const STRIP = 5;
const DWELL_MS = 350;
const PAN = 0.15;
const SWIPE_PX = 50;
/** Where an arrow pans to, in shares of what is seen. @type {Record<string, [number, number]>} */
const ARROWS = { left: [-PAN, 0], right: [PAN, 0], up: [0, -PAN], down: [0, PAN] };
const MODES = /** @type {const} */ ([["browse", "Browse"], ["cull", "Cull"], ["rate", "Rate"]]);

/** @type {Float64Array | Uint32Array} */
let ids = new Uint32Array();
let at = 0;
let over = false; // past the last frame
let overlay = false;
let facts = false;
/** @type {Detail | null} */
let detail = null;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let dwelling;

const zoom = new Zoom(byId("zoom"));
const compare = new Compare(byId("compare"), { rate: (id, rating) => void rate([id], rating), fail: complain });
const stars = makeStars((rating) => void rate([id()], rating));
byId("stars").append(stars);
zoom.failed = complain;
zoom.clicked = () => void unzoom();

const id = () => Number(ids[at]);
const item = () => photo(id());
/** @param {number | null | undefined} one @returns {number} -1 where the view does not hold it */
const rankOf = (one) => (one ? ids.indexOf(/** @type {never} */ (one)) : -1);
const zoomed = () => !byId("zoom").hidden;
const comparing = () => !byId("compare").hidden;

// ── What is reviewed ────────────────────────────────────────────────────────────────────────────────────────────────

function mode() {
  const wanted = address().get("mode");
  if (wanted === "cull" || wanted === "rate" || wanted === "browse") return wanted;
  return address().size ? "browse" : "cull";
}

/** The query of the mode: the gallery's own, or what Cull and Rate make of it. */
function asked() {
  const view = query();
  if (mode() === "cull") {
    view.set("filter", "unrated");
    view.set("sort", address().get("order") === "best" ? "-preference" : "captured");
  } else if (mode() === "rate") {
    view.set("filter", "rated");
    view.set("sort", "rating");
  }
  return view;
}

const placeKey = () => `review ${mode()} ${asked()}`;

async function begin() {
  showModes();
  byId("stage").dataset.state = "loading";
  try {
    const found = await orderedIds(asked());
    ids = found.ids;
    over = false;
    at = await whereToBegin();
  } catch (error) {
    return complain(error);
  }
  byId("stage").dataset.state = "";
  await fetchPhotos(around(3).filter((one) => !photo(one))).catch(complain);
  await show();
  const together = (address().get("compare") ?? "").split(",").map(Number).filter(Boolean);
  if (together.length > 1) await openCompare(together, true);
}

/** The photograph of the address, else where this view was left, else the first that was never seen. */
async function whereToBegin() {
  const named = rankOf(Number(address().get("photo")));
  if (named >= 0) return named;
  const left = rankOf(Number(localStorage.getItem(placeKey())));
  if (left >= 0) return left;
  if (mode() !== "cull") return 0;
  const view = asked();
  view.set("filter", "unseen");
  const [first] = (await orderedIds(view)).ids;
  return Math.max(0, rankOf(Number(first)));
}

/** @param {number} reach */
function around(reach) {
  return Array.from(ids.slice(Math.max(0, at - reach), at + reach + 1), Number);
}

// ── One frame ───────────────────────────────────────────────────────────────────────────────────────────────────────

async function show() {
  clearTimeout(dwelling);
  detail = null;
  const empty = !ids.length;
  byId("end").hidden = !(over || empty);
  byId("figure").hidden = over || empty;
  showPosition();
  if (over || empty) {
    unzoom();
    byId("caption").hidden = true;
    byId("end").replaceChildren(...ending(empty));
    return;
  }
  byId("caption").hidden = false;
  go({ photo: id() }, { quietly: true });
  localStorage.setItem(placeKey(), String(id()));
  want(around(STRIP + 2));
  const shown = item();
  if (shown) showItem(shown);
  for (const step of AHEAD) {
    const near = photo(Number(ids[at + step]));
    if (near) preview(near);
  }
  dwelling = setTimeout(() => void dwell(id()), DWELL_MS);
}

/** @param {Item} shown */
function showItem(shown) {
  const figure = byId("figure");
  const image = preview(shown);
  const box = byId("box");
  box.style.setProperty("--shape", `${shown.width ?? 3} / ${shown.height ?? 2}`);
  box.style.setProperty("--ratio", String((shown.width ?? 3) / (shown.height ?? 2)));
  figure.dataset.id = String(shown.id);
  if (image) {
    image.alt = shown.subject ?? shown.filename;
    if (box.firstChild !== image || box.children.length > 1) box.replaceChildren(image);
  } else box.replaceChildren(el("p", { class: "blank", text: shown.failure_reason ?? "developing" }));
  figure.classList.toggle("rejected", shown.rejected);
  byId("name").textContent = shown.filename;
  byId("medium").textContent = medium(shown);
  showVersions(shown);
  showStars(stars, shown.user_rating);
  figure.dataset.rating = String(shown.user_rating ?? "");
  const badge = shown.rejected ? "Rejected" : shown.manual_match ? "Chef’s Pick" : shown.is_match ? "Match" : "";
  byId("badge").textContent = badge;
  byId("score").textContent = shown.preference_score === null ? "" : String(shown.preference_score);
  byId("score").hidden = shown.preference_score === null;
  byId("score").title = "What fineshyt expects you to think of it, of 100. Why?";
  showStrip();
  showDetail();
}

/** The way to the other versions of it: the stack in the loupe, and from there the page where it can be split. @param {Item} shown */
function showVersions(shown) {
  const way = /** @type {HTMLAnchorElement} */ (byId("versions"));
  way.hidden = !shown.versions;
  const within = Number(query().get("stack")) === shown.stack_front;
  way.textContent = within ? "Split this stack" : `${shown.versions} versions`;
  way.href = within ? `/duplicates?photo=${shown.id}` : `/review?mode=browse&sort=name&stack=${shown.stack_front}&photo=${shown.id}`;
}

/** Looked at for a moment: everything that is known of it is fetched, and it is described earlier. @param {number} wanted */
async function dwell(wanted) {
  const found = await get(`/api/photos/${wanted}`).catch(() => null);
  if (!found || wanted !== id()) return;
  detail = found;
  showDetail();
}

function showDetail() {
  const box = byId("box");
  box.querySelector(".tiles")?.remove();
  byId("facts").hidden = !facts;
  if (overlay) {
    const tiles = detail?.focus_tiles;
    if (tiles && !zoomed()) box.append(drawTiles(tiles));
    if (zoomed()) zoom.overlay(tiles ? drawTiles(tiles) : null);
  } else if (zoomed()) zoom.overlay(null);
  const shown = detail ?? item();
  if (facts && shown) byId("facts").replaceChildren(...sheet(shown));
  byId("overlay").setAttribute("aria-pressed", String(overlay));
  byId("facts-button").setAttribute("aria-pressed", String(facts));
}

/** Everything worth knowing, as a catalogue's entry. @param {Item | Detail} shown */
function sheet(shown) {
  /** @type {[string, string | number | null | undefined][]} */
  const lines = [
    ["Taken", shown.captured_at ? new Date(shown.captured_at).toLocaleString("en", { dateStyle: "long", timeStyle: "medium" }) : "unknown"],
    ["Camera", shown.camera], ["Lens", shown.lens], ["Size", shown.width ? `${shown.width} × ${shown.height}` : null],
    ["Subject", shown.subject], ["Mood", shown.artistic_mood], ["Light", shown.lighting_critique], ["Tags", shown.tags.join(", ")],
    ["Project", shown.project], ["Score", shown.preference_score], ["Vibe", shown.vibe_score], ["Focus", shown.focus_score === null ? null : shown.focus_score.toFixed(1)],
    ["Sharpness", shown.sharpness_score], ["Exposure", shown.exposure_score], ["Technical", shown.technical_score],
    ["File", shown.file_path], ["Notes", shown.warnings.join(" ")],
  ];
  return [el("h2", { text: shown.filename }),
    el("dl", {}, ...lines.filter(([, value]) => value !== null && value !== undefined && value !== "").flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: String(value) })]))];
}

function showPosition() {
  byId("position").textContent = ids.length ? `${count(Math.min(at + 1, ids.length))} of ${count(ids.length)}` : "";
  const here = address().get("photo");
  /** @type {HTMLAnchorElement} */ (byId("back")).href = link("/gallery", here ? { photo: here } : {});
}

function showModes() {
  byId("modes").replaceChildren(...MODES.map(([name, title]) => {
    const view = query();
    view.set("mode", name);
    return el("a", {
      href: `/review?${view}`, text: title, "aria-current": name === mode() ? "page" : null,
      onclick: (/** @type {MouseEvent} */ event) => {
        if (elsewhere(event)) return;
        event.preventDefault();
        go({ mode: name, photo: null, compare: null });
        void begin();
      },
    });
  }));
  const best = address().get("order") === "best";
  byId("order").hidden = mode() !== "cull";
  byId("order").textContent = best ? "Best first" : "By time";
  byId("order").setAttribute("aria-label", best ? "Best first; show by time" : "By time; show the best first");
}

function showStrip() {
  byId("strip").replaceChildren(...Array.from({ length: 2 * STRIP + 1 }, (_, n) => {
    const rank = at - STRIP + n;
    const one = photo(Number(ids[rank]));
    if (rank < 0 || rank >= ids.length) return el("span", { class: "gap" });
    const image = one?.thumb_url ? el("img", { src: one.thumb_url, alt: "" }) : null;
    return el("button", {
      type: "button", class: one?.user_rating ? "rated" : null, "aria-label": one?.filename ?? "not loaded yet", "aria-current": rank === at ? "true" : null,
      onclick: () => void to(rank),
    }, image);
  }));
}

/** @param {boolean} empty */
function ending(empty) {
  const gallery = el("a", { class: "button", href: link("/gallery", {}), text: "Back to the gallery" });
  if (!empty) {
    return [el("h2", { text: "That was the last one." }), el("p", { text: `${count(ids.length)} in this view. ← goes back.` }),
      el("p", { class: "choices" }, button("From the beginning", () => void to(0)), gallery)];
  }
  /** @type {Record<string, string>} */
  const words = {
    cull: "Everything here is rated.", rate: "Nothing here is rated yet. Cull first: keys 1 to 5.", browse: "Nothing hangs in this view.",
  };
  return [el("h2", { text: words[mode()] }), el("p", { class: "choices" }, gallery, el("a", { class: "button", href: "/", text: "Import a folder" }))];
}

/** @param {number} rank */
async function to(rank) {
  const place = zoomed() ? zoom.place : null;
  if (rank > at && !over) see(id());
  if (rank >= ids.length) over = true;
  else {
    over = false;
    at = Math.max(0, rank);
  }
  await show();
  const shown = item();
  if (place && shown && !over) await zoom.open(shown, place).catch(complain);
  if (place) showDetail();
}

const next = () => void to(at + 1);
const back = () => void to(over ? ids.length - 1 : at - 1);

// ── Zoom ────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** @param {{ x: number, y: number } | null} [point] share of width and height; absent: where it is sharpest, else the middle */
async function zoomIn(point = null) {
  const shown = item();
  if (!shown?.preview_url || over) return;
  byId("zoom").hidden = false;
  byId("stage").classList.add("zoomed");
  try {
    await zoom.open(shown);
    if (!zoomed()) return;
    const where = point ?? sharpest() ?? { x: 0.5, y: 0.5 };
    await zoom.native(where.x, where.y);
    showDetail();
  } catch (error) {
    unzoom();
    complain(error);
  }
}

function unzoom() {
  if (!zoomed()) return;
  byId("zoom").hidden = true;
  byId("stage").classList.remove("zoomed");
  zoom.close();
  showDetail();
}

function sharpest() {
  const tiles = detail?.focus_tiles;
  if (!tiles?.values.length) return null;
  const best = tiles.values.indexOf(Math.max(...tiles.values));
  return { x: ((best % tiles.cols) + 0.5) / tiles.cols, y: (Math.floor(best / tiles.cols) + 0.5) / tiles.rows };
}

byId("box").addEventListener("click", (event) => {
  const box = byId("box").getBoundingClientRect();
  void zoomIn({ x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height });
});

// ── Compare ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Frames of the same burst if it is one, else the next. */
function companions() {
  const shown = item();
  const near = around(MOST * 2).map(photo).filter((one) => one !== undefined);
  const burst = near.filter((one) => shown?.burst_group && one.burst_group === shown.burst_group && one.id !== shown.id);
  const others = burst.length ? burst : near.filter((one) => one.id === Number(ids[at + 1] ?? ids[at - 1]));
  return [id(), ...others.map((one) => one.id)].slice(0, MOST);
}

/** @param {number[]} together @param {boolean} [known] it is in the address already */
async function openCompare(together, known = false) {
  if (together.length < 2) return complain(new Error("There is nothing to compare it with: this view holds one photograph."));
  unzoom();
  if (!known) go({ compare: together.join(",") });
  byId("compare").hidden = false;
  byId("stage").classList.add("comparing");
  const unknown = together.filter((one) => !photo(one));
  if (unknown.length) await fetchPhotos(unknown).catch(complain);
  await compare.show(together.slice(0, MOST).filter((one) => photo(one)));
  compare.panes[compare.active]?.element.focus({ preventScroll: true });
}

function closeCompare() {
  const chosen = rankOf(compare.ids[0]);
  byId("compare").hidden = true;
  byId("stage").classList.remove("comparing");
  compare.close();
  go({ compare: null });
  if (chosen >= 0) at = chosen;
  void show();
}

/** @param {number[]} together */
async function change(together) {
  go({ compare: together.join(",") }, { quietly: true });
  await compare.show(together);
}

/** Another frame challenges in the active pane. @param {number} step */
function challenge(step) {
  const pane = Math.max(1, compare.active);
  compare.active = pane;
  const shown = compare.ids;
  let rank = rankOf(shown[pane]);
  do rank += step; while (rank >= 0 && rank < ids.length && shown.includes(Number(ids[rank])));
  if (rank < 0 || rank >= ids.length) return;
  const challenger = Number(ids[rank]);
  if (mode() === "cull") see(Number(shown[pane]));
  shown[pane] = challenger;
  const put = () => void change(shown).catch(complain);
  if (photo(challenger)) put();
  else fetchPhotos([challenger]).then(put, complain);
  const beyond = Number(ids[rank + step]);
  if (beyond && !photo(beyond)) void fetchPhotos([beyond]).catch(() => {});
}

/** @param {number} step */
function panes(step) {
  const shown = compare.ids;
  if (step < 0 && shown.length > 2) return void change(shown.slice(0, -1));
  if (step < 0 || shown.length >= MOST) return;
  const last = rankOf(shown.at(-1));
  for (let rank = last + 1; rank < ids.length; rank += 1) {
    const one = Number(ids[rank]);
    if (shown.includes(one)) continue;
    return void fetchPhotos([one]).then(() => change([...shown, one])).catch(complain);
  }
}

/** @param {string} key @param {KeyboardEvent} event */
function comparingKey(key, event) {
  const chosen = Number(compare.id);
  const pane = compare.panes[compare.active];
  if (key === "?") showKeys(COMPARE_KEYS);
  else if (event.shiftKey && ARROWS[key]) pane?.zoom.pan(...ARROWS[key]);
  else if (key === "right" || key === "space") challenge(1);
  else if (key === "left") challenge(-1);
  else if (key === "down") compare.turn(1);
  else if (key === "up") compare.turn(-1);
  else if (key === "enter") { const order = compare.promote(); compare.active = 1; void change(order); }
  else if (key === "+") panes(1);
  else if (key === "-") panes(-1);
  else if (key === "f") { if (Number(pane?.zoom.element.dataset.scale) >= 99) compare.fit(); else void pane?.zoom.native(); }
  else if (/^[0-5]$/.test(key)) void rate([chosen], Number(key) || null);
  else if (key === "u") void rate([chosen], null);
  else if (key === "p") void pick([chosen]);
  else if (key === "x") void reject([chosen]);
  else if (key === "z") void undo();
  else if (key === "v") monochrome();
  else if (key === "c" || key === "escape") closeCompare();
  else return false;
  return true;
}

// ── Keys ────────────────────────────────────────────────────────────────────────────────────────────────────────────

function monochrome() {
  const on_ = byId("stage").classList.toggle("monochrome");
  byId("monochrome").setAttribute("aria-pressed", String(on_));
}

/** @param {number | null} rating */
function stamp(rating) {
  void rate([id()], rating);
  if (rating && mode() === "cull") next();
}

/** @param {string} key @param {KeyboardEvent} event */
function zoomedKey(key, event) {
  if (ARROWS[key] && !event.shiftKey) return zoom.pan(...ARROWS[key]), true;
  if (key === "escape") return unzoom(), true;
  if (key === "+" || key === "-") return zoom.by(key === "+" ? 1.4 : 1 / 1.4), true;
  return false;
}

onKey((key, event) => {
  if (comparing()) return comparingKey(key, event);
  if (key === "?") return showKeys(KEYS), true;
  if (key === "z") return void takeBack(), true;
  if (key === "left") { if (!zoomed() || event.shiftKey) return back(), true; }
  if (key === "escape" && !zoomed()) return leave(), true;
  if (over || !ids.length) return false;
  if (zoomed() && zoomedKey(key, event)) return true;
  if (key === "right" || key === "space") return next(), true;
  if (key === "home") return void to(0), true;
  if (key === "end") return void to(ids.length - 1), true;
  if (/^[0-5]$/.test(key)) return stamp(Number(key) || null), true;
  if (key === "u") return stamp(null), true;
  if (key === "p") return void pick([id()]), true;
  if (key === "x") {
    const away = !item()?.rejected;
    void reject([id()]);
    if (away && mode() === "cull") next();
    return true;
  }
  if (key === "f" || key === "+") return void (zoomed() ? unzoom() : zoomIn()), true;
  if (key === "c") return void openCompare(companions()), true;
  if (key === "v") return monochrome(), true;
  if (key === "o") { overlay = !overlay; return showDetail(), true; }
  if (key === "i") { facts = !facts; return showDetail(), true; }
  if (key === "h") return showHistory({ photo: item() }), true;
  if (key === "l") return findAlike(), true;
  if (key === "w") return void showWhy(id()), true;
  return false;
});

/** What is taken back is shown. */
async function takeBack() {
  const [reverted] = await undo();
  const rank = rankOf(reverted);
  if (rank >= 0) await to(rank);
}

const findAlike = () => { location.href = `/gallery?like=${id()}`; };

function leave() {
  location.href = /** @type {HTMLAnchorElement} */ (byId("back")).href;
}

onPhotos((changed) => {
  if (comparing()) compare.refresh(changed);
  want(around(STRIP + 2));
  if (over || !ids.length || comparing()) return;
  const shown = item();
  if (shown && changed.includes(shown.id)) showItem(shown);
  else if (changed.some((one) => around(STRIP).includes(one))) showStrip();
});
onDecision((news) => { if (news.kind === "done") want(around(STRIP + 2)); });
on("removed", ({ ids: gone }) => {
  const away = new Set(gone);
  if (!around(ids.length).some((one) => away.has(one))) return;
  const here = id();
  ids = /** @type {Uint32Array} */ (ids.filter((/** @type {number} */ one) => !away.has(one)));
  const rank = rankOf(here);
  at = rank >= 0 ? rank : Math.min(at, Math.max(0, ids.length - 1));
  void show();
});

for (const [name, act] of /** @type {[string, () => void][]} */ ([
  ["previous", back], ["next", next], ["pick", () => void pick([id()])], ["reject", () => void reject([id()])],
  ["zoom-button", () => void (zoomed() ? unzoom() : zoomIn())], ["compare-button", () => void openCompare(companions())],
  ["monochrome", monochrome], ["overlay", () => { overlay = !overlay; showDetail(); }], ["facts-button", () => { facts = !facts; showDetail(); }],
  ["history", () => showHistory({ photo: item() })], ["alike", findAlike], ["score", () => showWhy(id())], ["keys", () => showKeys(comparing() ? COMPARE_KEYS : KEYS)],
  ["order", () => { go({ order: address().get("order") === "best" ? null : "best", photo: null }); void begin(); }],
])) byId(name).addEventListener("click", act);

// A swipe turns the page.
/** @type {Touch | null} */
let touched = null;
byId("figure").addEventListener("touchstart", (event) => { touched = event.touches.length === 1 ? /** @type {Touch} */ (event.touches[0]) : null; }, { passive: true });
byId("figure").addEventListener("touchend", (event) => {
  const end = event.changedTouches[0];
  if (!touched || !end) return;
  const [dx, dy] = [end.clientX - touched.clientX, end.clientY - touched.clientY];
  if (Math.abs(dx) < SWIPE_PX || Math.abs(dx) < 2 * Math.abs(dy)) return;
  event.preventDefault(); // no click follows
  if (dx < 0) next();
  else back();
});

addEventListener("popstate", () => {
  unzoom();
  if (comparing() && !address().get("compare")) {
    byId("compare").hidden = true;
    byId("stage").classList.remove("comparing");
    compare.close();
  }
  void begin();
});

void begin();
listen();
