// The gallery page: views, the wall, keys and what follows from them.
import { decide, get, post, undo } from "./api.js";
import { ask, byId, count, el } from "./dom.js";
import { bindKeys, showHelp } from "./keys.js";
import { listen, on } from "./live.js";
import { complain, toast } from "./toast.js";
import { readView, SORTS, TABS, writeView } from "./view.js";
import { Wall } from "./wall.js";

const FACETS = ["project", "folder", "import", "camera", "lens", "type", "tag"];
const actions = { rate, pick, reject, retry, discard, undo: takeBack };
const wall = new Wall(byId("grid"), actions, showState);
let tabs = {};

async function show() {
  const view = readView();
  const sort = view.get("sort");
  byId("q").value = view.get("q") ?? "";
  showTabs();
  showFacets(view);
  byId("lane").hidden = view.get("filter") !== "failed";
  try {
    await wall.show(view);
    byId("sort").value = (sort ?? wall.sort).replace("-", "");
  } catch (error) {
    complain(error);
  }
}

function change(changes) {
  writeView(changes);
  show();
}

function showTabs() {
  const current = readView().get("filter") ?? "all";
  byId("tabs").replaceChildren(...TABS.map(([name, title]) => {
    const view = readView();
    view.set("filter", name);
    return el("a", {
      href: `?${view}`, "data-tab": name, "aria-current": name === current ? "page" : null,
      onclick: (event) => { event.preventDefault(); change({ filter: name }); },
    }, title, " ", el("span", { class: "n", text: count(tabs[name]) }));
  }));
  byId("tabs").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

function showFacets(view) {
  byId("facets").replaceChildren(...FACETS.filter((name) => view.get(name)).map((name) =>
    el("button", { type: "button", class: "chip", text: `${name}: ${view.get(name)} ×`, onclick: () => change({ [name]: null }) })));
}

function showState() {
  const descending = wall.sort?.startsWith("-");
  byId("turn").textContent = descending ? "descending" : "ascending";
  byId("end").textContent = wall.cursor ? "" : wall.items.size
    ? `${count(wall.items.size)} ${wall.items.size === 1 ? "photograph" : "photographs"}`
    : "Nothing hangs here. Import a folder, or choose another view.";
}

function rated(item, rating) {
  return { ...item, user_rating: rating };
}

async function rate(id, rating) {
  await apply(id, (item) => rated(item, rating), { rating },
    (item) => rating ? `${item.filename}: ${"★".repeat(rating)}` : `${item.filename}: rating cleared`);
}

async function pick(id) {
  const picked = !wall.items.get(id)?.manual_match;
  await apply(id, (item) => ({ ...item, manual_match: picked }), { manual_match: picked },
    (item) => picked ? `${item.filename}: picked` : `${item.filename}: no longer picked`);
}

async function reject(id) {
  const rejected = !wall.items.get(id)?.rejected;
  await apply(id, (item) => ({ ...item, rejected }), { rejected },
    (item) => rejected ? `${item.filename}: rejected, your original stays` : `${item.filename}: restored`);
}

// Shown at once, stored after; put back where the server refuses.
async function apply(id, changed, decision, sentence) {
  const before = wall.items.get(id);
  if (!before) return;
  wall.update(changed(before));
  try {
    await decide(id, decision);
    toast(sentence(before), { undo: takeBack });
  } catch (error) {
    if (wall.cards.has(id)) wall.update(before);
    complain(error);
  }
}

async function takeBack() {
  try {
    const { reverted, kept } = await undo();
    wall.refresh([...reverted, ...kept]);
    const left = kept.length ? ` ${count(kept.length)} changed since and stayed.` : "";
    toast(reverted.length ? `Undone for ${count(reverted.length)}.${left}` : `Nothing to put back.${left}`);
  } catch (error) {
    complain(error);
  }
}

async function retry(id) {
  try {
    await post(`/api/photos/${id}/retry`);
    toast("Trying again.");
  } catch (error) {
    complain(error);
  }
}

async function retryAll() {
  try {
    const { retried } = await post("/api/photos/retry-failed");
    toast(`Trying ${count(retried)} again.`);
  } catch (error) {
    complain(error);
  }
}

async function discard(item) {
  const sure = await ask(byId("dialog"), `Discard ${item.filename}? Your original stays where it is.`, "Discard");
  if (!sure) return;
  try {
    await post(`/api/photos/${item.id}/discard`);
    wall.takeDown(item.id);
    toast(`${item.filename} is discarded. Your original stays.`);
  } catch (error) {
    complain(error);
  }
}

function setUp() {
  byId("sort").append(...SORTS.map(([name, title]) => el("option", { value: name, text: title })));
  byId("sort").addEventListener("change", (event) => change({ sort: event.target.value === "name" ? "name" : `-${event.target.value}` }));
  byId("turn").addEventListener("click", () => {
    const key = wall.sort.replace("-", "");
    change({ sort: wall.sort.startsWith("-") ? key : `-${key}` });
  });
  byId("bar").addEventListener("submit", (event) => event.preventDefault());
  byId("q").addEventListener("change", (event) => change({ q: event.target.value.trim() }));
  byId("help-button").addEventListener("click", () => showHelp(byId("dialog")));
  byId("lane").append(el("button", { type: "button", text: "Retry all", onclick: retryAll }));
  new IntersectionObserver(([entry]) => entry.isIntersecting && wall.load(60).catch(complain), { rootMargin: "1200px" })
    .observe(byId("more"));
  addEventListener("popstate", show);
  bindKeys(wall, actions, byId("dialog"));
}

function follow() {
  on("photos", ({ ids }) => wall.refresh(ids));
  on("decisions", ({ ids }) => wall.refresh(ids));
  on("removed", ({ ids }) => { ids.forEach((id) => wall.takeDown(id)); showState(); });
  on("scores", ({ ids }) => ids ? wall.refresh(ids) : wall.reload().catch(complain));
  on("bursts", () => wall.reload().catch(complain));
  on("resync", () => wall.reload().catch(complain));
  on("progress", (state) => { tabs = state.tabs; showTabs(); });
  listen();
}

setUp();
get("/api/status").then((state) => { tabs = state.tabs; showTabs(); }).catch(complain);
show().then(follow);
