// Copies and versions: which file of the same pixels stays, and which versions of a photograph belong together.
import { discard, keepCopies, rate, retry, split, undo } from "../core/actions.js";
import { get, post, session } from "../core/api.js";
import { acted } from "../core/decisions.js";
import { button, byId, count, counted, el } from "../core/dom.js";
import { onKey } from "../core/keys.js";
import { listen, on, onAny } from "../core/live.js";
import { learn, onPhotos, photo, want } from "../core/photos.js";
import { address } from "../core/view.js";
import { ask, showKeys } from "../parts/dialog.js";
import { setUpHistory } from "../parts/masthead.js";
import { complain, toast } from "../parts/toast.js";
import { CardRow } from "../wall/row.js";

/** @type {[string, string][]} */
const KEYS = [
  ["arrows", "move"], ["1 – 5, 0", "rate the whole stack"], ["k", "keep this copy, reject the others"], ["a", "keep all copies"],
  ["s", "split this version"], ["enter", "look at it in review"], ["z", "undo"], ["?", "this list"],
];
const PAGE = 20;
const SOON_MS = 150;
const WHY = /** @type {Record<string, string>} */ ({ pixels: "the same pixels", name: "the same name", instant: "the same instant, the same camera", look: "looks the same" });
const LISTS = /** @type {const} */ ({ same_pixels: "copies", versions: "stacks" });

/** @typedef {{ group: DuplicateGroup, row: CardRow, element: HTMLElement }} Hung */
/** @type {Map<string, Hung>} */
const shown = new Map();
/** Where each list goes on. @type {Record<string, number | null>} */
const after = {};
let totals = { copies: 0, rejectable: 0, stacks: 0, stacked: 0 };
let looking = false;

/** @param {DuplicateGroup} group */
const keyOf = (group) => `${group.kind} ${group.id}`;
/** @param {Hung} hung @returns {number} the photograph in focus, else the one that would stay or is in front */
const meant = ({ group, row }) => row.active ?? group.keep_id ?? group.id;

/** @param {DuplicateGroup} group */
function hang(group) {
  learn(group.photos);
  const ids = group.photos.map(({ id }) => id);
  const key = keyOf(group);
  const row = shown.get(key)?.row ?? new CardRow({ rate: (id, rating) => void rate([id], rating), retry, discard }, `Files of ${group.photos[0]?.filename}`);
  row.show(ids);
  row.cards.forEach((card) => card.element.classList.toggle("keeper", card.id === (group.keep_id ?? group.id)));
  const element = shown.get(key)?.element ?? el("section", { class: "burst", "data-key": key });
  const hung = { group, row, element };
  element.replaceChildren(group.kind === "versions" ? headOfStack(hung) : headOfCopies(hung), row.element, paths(group));
  shown.set(key, hung);
  return element;
}

/** @param {Hung} hung */
function headOfCopies(hung) {
  const { group } = hung;
  const stays = photo(group.keep_id);
  const rest = group.rejectable?.length ?? 0;
  const said = rest ? `${stays?.filename} in ${folder(stays)} would stay.` : "None of them can be read now, so nothing is proposed. Is the drive connected?";
  return el("header", {},
    el("h3", { text: stays?.filename ?? "" }), el("p", { class: "quiet", text: `${counted(group.photos.length, "copy", "copies")}. ${said}` }),
    el("p", { class: "deeds" },
      button(`Keep one, reject ${count(rest)}…`, () => void keep(hung), { disabled: !rest, "aria-label": `Keep the copy in focus, else the one marked, and reject ${count(rest)}` }),
      button("Keep all", () => void keepAll(hung))));
}

/** @param {Hung} hung */
function headOfStack(hung) {
  const { group } = hung;
  const ids = group.photos.map(({ id }) => id);
  return el("header", {},
    el("h3", { text: group.photos[0]?.filename ?? "" }), el("p", { class: "quiet", text: `${counted(ids.length, "version")}, ${group.photos[0]?.filename} in front.` }),
    el("p", { class: "deeds" },
      button("Split this one", () => void splitOne(hung), { "aria-label": "Split the version in focus from the others" }),
      button("Split all", () => void apart(ids)),
      el("a", { class: "button", href: `/review?mode=browse&sort=name&stack=${group.id}&photo=${ids[0]}&compare=${ids.slice(0, 4).join(",")}`, text: "Compare" })));
}

/** @param {Item | undefined} item */
const folder = (item) => item?.file_path.split("/").slice(-2, -1)[0] ?? "";

/** Where each file lies, how large it is, and why it is here. @param {DuplicateGroup} group */
function paths(group) {
  return el("ul", { class: "paths" }, ...group.photos.map((one, n) => el("li", {},
    el("em", { text: one.file_path }), ` ${one.width ?? "?"} × ${one.height ?? "?"}${group.reasons && n ? `, ${WHY[group.reasons[n] ?? ""] ?? ""}` : ""}`)));
}

/** @param {"same_pixels" | "versions"} kind @param {boolean} [more] */
async function load(kind, more = false) {
  const list = byId(LISTS[kind]);
  const only = address().get("photo");
  const wanted = new URLSearchParams({ kind, limit: String(PAGE) });
  if (only) wanted.set("photo", only);
  if (more && after[kind]) wanted.set("after", String(after[kind]));
  const { items, next_after: next, totals: all, search } = await get(`/api/duplicates?${wanted}`);
  after[kind] = next;
  totals = all;
  looking = search.wanted;
  const elements = items.map(hang);
  if (more) list.append(...elements);
  else {
    const kept = new Set(items.map(keyOf));
    for (const [key, { group }] of shown) if (group.kind === kind && !kept.has(key)) shown.delete(key);
    list.replaceChildren(...elements);
  }
  byId(`more-${LISTS[kind]}`).hidden = !next;
  byId(`${LISTS[kind]}-section`).hidden = !list.children.length;
}

async function reload() {
  try {
    await load("same_pixels");
    await load("versions");
    say();
  } catch (error) {
    complain(error);
  }
}

function say() {
  const words = [];
  if (totals.copies) words.push(`${counted(totals.copies, "picture")} ${totals.copies === 1 ? "is" : "are"} there more than once.`);
  if (totals.stacks) words.push(`${counted(totals.stacked, "file")} are versions of ${counted(totals.stacks, "photograph")}.`);
  if (looking) words.push("Looking through the archive…");
  byId("said").textContent = words.join(" ");
  byId("empty").hidden = shown.size > 0;
  byId("every").hidden = !address().get("photo");
  byId("reject-all").toggleAttribute("disabled", !totals.rejectable);
}

/** The group as the server has it now. @param {DuplicateGroup} group @returns {Promise<DuplicateGroup & { kept: number[] }>} */
async function anew(group) {
  const { items } = await get(`/api/duplicates?kind=same_pixels&photo=${group.id}`);
  if (!items.length) throw new Error("These copies were decided meanwhile.");
  return items[0];
}

/** @param {Hung} hung */
async function keep(hung) {
  try {
    const group = await anew(hung.group);
    const chosen = meant(hung);
    const rest = group.photos.filter(({ id }) => id !== chosen && !group.kept.includes(id));
    const stays = photo(chosen);
    if (!rest.length) return void toast("The other copies were kept before. There is nothing to reject.");
    const sentence = `${stays?.filename} in ${folder(stays)} stays, ${counted(rest.length, "copy", "copies")} with exactly its pixels ${rest.length === 1 ? "is" : "are"} rejected. One undo takes it back, and your originals stay.`;
    if (!(await ask("Keep one copy", sentence, `Reject ${counted(rest.length, "copy", "copies")}`))) return;
    await rejected(await post(`/api/duplicates/${chosen}/keep`, { expected: rest.length, session }));
  } catch (error) {
    complain(error);
  }
}

async function rejectAll() {
  try {
    const { totals: now } = await get("/api/duplicates?kind=same_pixels&limit=1");
    const sentence = `Of ${counted(now.copies, "picture")} one file stays, one that can be read now, and ${counted(now.rejectable, "copy", "copies")} with exactly the same pixels ${now.rejectable === 1 ? "is" : "are"} rejected. One undo takes all of it back, and your originals stay.`;
    if (!now.rejectable || !(await ask("Reject every copy", sentence, `Reject ${counted(now.rejectable, "copy", "copies")}`))) return;
    await rejected(await post("/api/duplicates/reject", { expected: now.rejectable, session }));
  } catch (error) {
    complain(error);
  }
}

/** @param {{ action_id: string, changed: number[], left_alone?: number }} answer */
async function rejected({ action_id: action, changed, left_alone: alone }) {
  if (changed.length) acted(action);
  const left = alone ? ` ${counted(alone, "picture")} left alone: no file of it can be read now.` : "";
  toast(`${counted(changed.length, "copy", "copies")} rejected, your originals stay.${left}`, changed.length ? { undo: () => void undo(action) } : {});
  await reload();
}

/** @param {Hung} hung */
async function keepAll({ group }) {
  await keepCopies(group.photos.map(({ id }) => id));
  await reload();
}

/** @param {Hung} hung */
const splitOne = (hung) => (hung.row.active ? apart([hung.row.active]) : toast("Choose a version first: click it, or move to it with the arrow keys.", { error: true }));

/** @param {number[]} ids */
async function apart(ids) {
  await split(ids);
  await reload();
}

onKey((key) => {
  if (key === "?") return showKeys(KEYS), true;
  if (key === "z") return void undo().then(reload), true;
  const here = [...shown.values()].find(({ row }) => row.active !== null);
  if (!here) return false;
  const { row, group } = here;
  const id = Number(row.active);
  if (key === "left" || key === "right") return row.move(key === "right" ? 1 : -1);
  if (key === "up" || key === "down") return leap(group, key === "down" ? 1 : -1);
  if (/^[0-5]$/.test(key)) return void rate([id], Number(key) || null), true;
  if (key === "enter") { location.href = `/review?mode=browse&sort=name&photo=${id}${group.kind === "versions" ? `&stack=${group.id}` : ""}`; return true; }
  if (group.kind === "versions") return key === "s" ? (void apart([id]), true) : false;
  if (key === "k") return void keep(here), true;
  if (key === "a") return void keepAll(here), true;
  return false;
});

/** @param {DuplicateGroup} from @param {number} step */
function leap(from, step) {
  const order = [...document.querySelectorAll("[data-key]")].map((one) => String(/** @type {HTMLElement} */ (one).dataset.key));
  const next = shown.get(order[order.indexOf(keyOf(from)) + step] ?? "");
  return next ? next.row.move(0) : false;
}

onPhotos((ids) => {
  shown.forEach(({ row }) => row.refresh(ids));
  want([...shown.values()].flatMap(({ row }) => row.cards.map((card) => card.id)));
});
byId("detect").addEventListener("click", () => {
  post("/api/duplicates/detect").then(() => toast("Looking for versions. They appear here when they are found."), complain);
});
byId("reject-all").addEventListener("click", () => void rejectAll());
for (const kind of /** @type {("same_pixels" | "versions")[]} */ (Object.keys(LISTS))) byId(`more-${LISTS[kind]}`).addEventListener("click", () => load(kind, true).catch(complain));
onAny(["versions", "decisions", "removed", "resync"], () => void reload(), SOON_MS);
on("photos", ({ stage }) => { if (stage === "convert") void reload(); });
setUpHistory();
void reload();
listen();
