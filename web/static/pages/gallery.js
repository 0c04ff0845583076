// The gallery: views, the wall, keys and what follows from them.
import { discard, pick, rate, reject, retry, retryAll, undo } from "../core/actions.js";
import { get, post } from "../core/api.js";
import { onDecision } from "../core/decisions.js";
import { button, byId, count, counted, el, field } from "../core/dom.js";
import { onKey } from "../core/keys.js";
import { listen, on } from "../core/live.js";
import { Order } from "../core/order.js";
import { onPhotos, photo } from "../core/photos.js";
import { address, belongs, elsewhere, go, link, query, SORTS, TABS } from "../core/view.js";
import { ask, showKeys } from "../parts/dialog.js";
import { showHistory } from "../parts/history.js";
import { setUpHistory } from "../parts/masthead.js";
import { complain, toast } from "../parts/toast.js";
import { Bulk } from "../wall/bulk.js";
import { alike, asked, Asking, searching } from "../wall/asking.js";
import { showChips, showFacets } from "../wall/facets.js";
import { cardOf } from "../wall/card.js";
import { Scrubber } from "../wall/scrubber.js";
import { Selection } from "../wall/selection.js";
import { Wall } from "../wall/wall.js";

/** @type {[string, string][]} */
const KEYS = [
  ["1 – 5", "rate"], ["0", "clear the rating"], ["p", "pick, or no longer"], ["x", "reject, or restore"],
  ["m", "select"], ["shift + arrows", "select a range"], ["arrows, page, home, end", "move"], ["enter", "review from here"],
  ["l", "more like this; with shift, less"], ["h", "history of this photograph"], ["z", "undo"], ["escape", "clear the selection"], ["?", "this list"],
];
const MOVES = ["left", "right", "up", "down", "pageup", "pagedown", "home", "end"];

const selection = new Selection();
const wall = new Wall(byId("wall"), { rate: (id, rating) => rate([id], rating), retry, discard, alike: (id, away) => lookFor([id], away) }, selection);
const scrubber = new Scrubber(byId("scrubber"), wall);
new Bulk(byId("bulk"), selection, () => wall.ids, (ids, away) => lookFor(ids, away));
const asking = new Asking(byId("asking"), narrow);
const order = new Order(hang, (error) => { complain(error); byId("wall").dataset.state = "failed"; });
/** @type {Record<string, number>} */
let tabs = {};
let sort = "";
let fresh = true; // the next order is of another view: it begins at its top, or where the address says

const filter = () => query().get("filter") ?? "all";

/** @param {{ ids: Float64Array | Uint32Array, sort: string, note: string | null }} found */
function hang(found) {
  sort = found.sort;
  asking.say(found.note);
  byId("wall").dataset.state = "hung";
  byId("wall").hidden = found.ids.length === 0; // what is hidden cannot be scrolled
  if (fresh) {
    fresh = false;
    wall.active = null;
    wall.ids = new Uint32Array();
    wall.release();
    wall.setOrder(found.ids);
    const to = Number(address().get("photo"));
    const rank = to ? wall.rankOf(to) : -1;
    if (rank >= 0) {
      wall.active = to;
      wall.activeRank = rank;
      wall.toRank(Math.max(0, rank - wall.columns));
      wall.mark();
    } else wall.toRank(history.state?.rank ?? 0);
  } else wall.setOrder(found.ids);
  selection.keepWithin(found.ids);
  void scrubber.show(sort);
  showState();
}

/** The orders there are: by relevance only while something is looked for. */
function showSorts() {
  const sorts = /** @type {[string, string][]} */ ([...(searching() ? [["relevance", "Relevance"]] : []), ...SORTS]);
  if (field("sort").children.length !== sorts.length) field("sort").replaceChildren(...sorts.map(([name, title]) => el("option", { value: name, text: title })));
}

function showState() {
  showSorts();
  field("sort").value = sort.replace("-", "");
  const descending = sort.startsWith("-");
  byId("turn").textContent = descending ? "↓" : "↑";
  byId("turn").setAttribute("aria-label", descending ? "Descending; turn round" : "Ascending; turn round");
  byId("counted").textContent = byId("wall").dataset.state ? counted(wall.ids.length, "photograph") : "";
  const empty = wall.ids.length === 0 && byId("wall").dataset.state === "hung";
  byId("empty").hidden = !empty;
  byId("wall").hidden = empty;
  if (empty) byId("empty").replaceChildren(...teaching());
}

/** What an empty view says, and the next step. */
function teaching() {
  const view = query();
  const narrowed = [...view.keys()].some((name) => !["filter", "sort"].includes(name));
  if (narrowed) {
    return [el("p", { text: "Nothing hangs here: no photograph fits all of this." }),
      el("p", {}, el("a", { href: `/gallery?filter=${filter()}`, text: "Show the whole tab" }))];
  }
  if (!tabs.all && !tabs.failed && !tabs.rejected) {
    return [el("p", { text: "The wall is empty. Import a folder, and photographs appear here while the work runs." }),
      el("p", {}, el("a", { href: "/", text: "Import a folder" }))];
  }
  /** @type {Record<string, [string, string, string]>} */
  const next = {
    match: ["Nothing matches yet. Rate some twenty photographs, and fineshyt begins to know your taste.", "/review?mode=cull", "Rate in review"],
    no_match: ["Everything matches.", "/gallery", "Show all"],
    rated: ["Nothing is rated yet. Keys 1 to 5 rate the photograph in focus.", "/review?mode=cull", "Begin to cull"],
    unrated: ["Everything is rated. That is rare.", "/taste", "See what was learnt"],
    unseen: ["You have seen everything.", "/review?mode=rate", "Look again at the lowest rated"],
    for_projects: ["No photograph with four or five stars waits for a project.", "/projects", "See the projects"],
    bursts: ["No bursts are known. They are looked for after an import.", "/bursts", "Look for bursts now"],
    rejected: ["The trash is empty.", "/gallery", "Show all"],
    failed: ["Nothing failed.", "/gallery", "Show all"],
  };
  const [words, href, text] = next[filter()] ?? ["Nothing hangs here.", "/", "Import a folder"];
  return [el("p", { text: words }), el("p", {}, el("a", { href, text }))];
}

function show() {
  const view = query();
  fresh = true;
  field("q").value = view.get("q") ?? "";
  byId("wall").dataset.lane = filter();
  wall.measure();
  showTabs();
  revealTab();
  showLane();
  showChips(byId("chips"), narrow);
  asking.show();
  if (!byId("facets").hidden) showFacets(byId("facets"), narrow).catch(complain);
  void order.read();
}

/** Another view: a step for the back button. @param {Record<string, string | number | null>} changes */
function narrow(changes) {
  history.replaceState({ rank: wall.firstRank }, "", location.href);
  selection.clear();
  go({ ...changes, photo: null });
  show();
}

/** What stands in the search field, unless it is looked for already. */
function search() {
  const typed = field("q").value.trim();
  if (typed !== (query().get("q") ?? "")) narrow(asked(typed));
}

/** Photographs like these, or less like them, best first. @param {number[]} ids @param {boolean} [away] */
function lookFor(ids, away = false) {
  const changes = alike(ids, away);
  if (changes) narrow(changes);
}

function showTabs() {
  const current = filter();
  const strip = byId("tabs");
  if (!strip.children.length) {
    strip.append(...TABS.map(([name, title]) =>
      el("a", { "data-tab": name, onclick: (/** @type {MouseEvent} */ event) => follow(event, { filter: name }) }, title, " ", el("span", { class: "n" }))));
  }
  for (const tab of /** @type {NodeListOf<HTMLAnchorElement>} */ (strip.querySelectorAll("a"))) {
    const name = String(tab.dataset.tab);
    tab.href = link("/gallery", { filter: name });
    tab.toggleAttribute("data-current", name === current);
    if (name === current) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
    /** @type {HTMLElement} */ (tab.querySelector(".n")).textContent = tabs[name] === undefined ? "" : count(tabs[name]);
  }
}

/** In a narrow window the tabs scroll. */
const revealTab = () => byId("tabs").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

/** A link of this page, followed without loading it anew. @param {MouseEvent} event @param {Record<string, string | null>} changes */
function follow(event, changes) {
  if (elsewhere(event)) return;
  event.preventDefault();
  narrow(changes);
  /** @type {HTMLElement} */ (event.currentTarget).scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** What only some tabs have: the failed lane's and the trash's actions. */
function showLane() {
  const lane = byId("lane");
  if (filter() === "failed") lane.replaceChildren(button("Retry all", () => void retryAll()));
  else if (filter() === "rejected") lane.replaceChildren(button("Empty the trash…", () => void emptyTrash()));
  else if (filter() === "bursts") lane.replaceChildren(el("a", { class: "button", href: "/bursts", text: "Bursts, side by side" }));
  else if (query().get("stack")) lane.replaceChildren(el("a", { class: "button", href: `/duplicates?photo=${query().get("stack")}`, text: "Split it, or look closer" }));
  else if (query().get("project")) lane.replaceChildren(el("a", { class: "button", href: "/projects", text: "All projects" }));
  else lane.replaceChildren();
}

async function emptyTrash() {
  try {
    const { count: n } = await get("/api/trash");
    if (!n) return void toast("The trash is empty.");
    const sentence = `${counted(n, "rejected photograph")} ${n === 1 ? "leaves" : "leave"} the gallery: their previews are removed, and they are not imported again unless you ask. Your originals stay where they are, and your ratings are kept.`;
    if (!(await ask("Empty the trash", sentence, `Remove ${counted(n, "photograph")}`))) return;
    const { discarded } = await post("/api/trash/empty", { expected: n });
    toast(`${counted(discarded, "photograph")} removed from the gallery. Your originals stay.`);
  } catch (error) {
    complain(error);
  }
}

/** The photographs that a key acts on: what is selected, else the active card. */
function meant() {
  if (selection.size) return [...selection.ids];
  return wall.active === null ? [] : [wall.active];
}

onKey((key, event) => {
  if (key === "?") return void showKeys(KEYS), true;
  if (key === "z") return void undo(), true;
  if (key === "escape" && selection.size) return selection.clear(), true;
  if (event.target instanceof Element && event.target.closest(".tools, .masthead, .scrubber") && MOVES.includes(key)) return false;
  if (MOVES.includes(key)) return move(key, event.shiftKey);
  const ids = meant();
  if (!ids.length) return false;
  if (/^[0-5]$/.test(key)) return void rate(ids, Number(key) || null), true;
  if (key === "l") return lookFor(ids, event.shiftKey), true;
  if (key === "p") return void pick(ids), true;
  if (key === "x") return void reject(ids), true;
  if (wall.active === null) return false;
  if (key === "m" || key === "space") return selection.toggle(wall.active), true;
  if (key === "enter") return open(wall.active), true;
  if (key === "h") return showHistory({ photo: photo(wall.active) }), true;
  return false;
});

/** @param {string} key @param {boolean} extend */
function move(key, extend) {
  const from = wall.move(key);
  if (from === null) return false;
  if (extend && wall.active !== null) {
    selection.anchor ??= Number(wall.ids[Math.max(0, from)]);
    selection.range(wall.ids, wall.rankOf(selection.anchor), wall.activeRank);
  }
  return true;
}

/** @param {number} id */
function open(id) {
  go({ photo: id }, { quietly: true });
  location.href = link("/review", { photo: id });
}

byId("wall").addEventListener("click", (event) => {
  const card = cardOf(event.target);
  if (!card) return;
  const id = Number(card.dataset.id);
  if (event.shiftKey) {
    const from = wall.rankOf(selection.anchor ?? wall.active ?? id);
    selection.anchor ??= wall.active ?? id;
    selection.range(wall.ids, from, wall.rankOf(id));
  } else if (event.ctrlKey || event.metaKey) selection.toggle(id);
  wall.focus(id, false);
});
byId("wall").addEventListener("dblclick", (event) => {
  const card = cardOf(event.target);
  if (card && !(event.target instanceof Element && event.target.closest("button"))) open(Number(card.dataset.id));
});
byId("wall").addEventListener("focusin", (event) => {
  const card = cardOf(event.target);
  if (!card || wall.active === Number(card.dataset.id)) return;
  wall.active = Number(card.dataset.id);
  wall.activeRank = wall.rankOf(wall.active);
  wall.mark();
});

// What leaves the view by the person's own decision leaves it at once.
onDecision((news) => {
  if (news.kind !== "pending" || news.entry.change.seen !== undefined) return;
  const gone = news.ids.filter((id) => {
    const item = photo(id);
    return item && belongs(filter(), item) === false;
  });
  if (gone.length) {
    wall.remove(gone);
    showState();
  }
});
onDecision((news) => { if (news.kind !== "pending") order.soon(); });
onPhotos((ids) => wall.refresh(ids));

field("sort").addEventListener("change", () => narrow({ sort: field("sort").value === "name" ? "name" : `-${field("sort").value}` }));
byId("turn").addEventListener("click", () => narrow({ sort: sort.startsWith("-") ? sort.slice(1) : `-${sort}` }));
byId("bar").addEventListener("submit", (event) => { event.preventDefault(); search(); });
field("q").addEventListener("change", () => search());
byId("narrow").addEventListener("click", () => {
  const panel = byId("facets");
  panel.hidden = !panel.hidden;
  byId("narrow").setAttribute("aria-expanded", String(!panel.hidden));
  if (!panel.hidden) showFacets(panel, narrow).catch(complain);
});
byId("keys").addEventListener("click", () => showKeys(KEYS));
byId("review").addEventListener("click", (event) => {
  event.preventDefault();
  location.href = link("/review", wall.active === null ? {} : { photo: wall.active });
});
addEventListener("popstate", () => { selection.clear(); show(); });
addEventListener("pagehide", () => history.replaceState({ rank: wall.firstRank }, "", location.href));

on("progress", (/** @type {Progress} */ state) => { tabs = state.tabs; showTabs(); });
get("/api/status").then((/** @type {Progress} */ state) => { tabs = state.tabs; showTabs(); revealTab(); showState(); }).catch(complain);
setUpHistory();
order.follow();
show();
listen();
