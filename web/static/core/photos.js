// The photographs that the pages have looked at, fetched in batches, with undecided decisions shown over them.
import { post } from "./api.js";
import { decided, effect, onDecision } from "./decisions.js";
import { on } from "./live.js";

const KEPT = 6_000;
const AT_ONCE = 120;
const IN_FLIGHT = 2;

/** @type {Map<number, Item>} */
const known = new Map();
/** @type {Set<number>} */
const stale = new Set();
/** @type {Set<number>} */
const asked = new Set();
/** @type {((ids: number[]) => void)[]} */
const readers = [];
/** @type {number[]} */
let wanted = [];
let inFlight = 0;

/** @param {number[]} ids */
const tell = (ids) => readers.forEach((reader) => reader(ids));

/** Told which photographs look different now. @param {(ids: number[]) => void} reader */
export const onPhotos = (reader) => readers.push(reader);

/** The photograph as the person sees it, or undefined until it is fetched. @param {number | undefined} id */
export function photo(id) {
  const item = id === undefined ? undefined : known.get(id);
  return item && decided(item);
}

/** What is on screen now: fetched if it is not known. Replaces what was wanted before. @param {number[]} ids */
export function want(ids) {
  wanted = ids.filter((id) => !asked.has(id) && (!known.has(id) || stale.has(id)));
  void fetchNext();
}

async function fetchNext() {
  if (inFlight >= IN_FLIGHT || !wanted.length) return;
  const ids = wanted.splice(0, AT_ONCE);
  ids.forEach((id) => asked.add(id));
  inFlight += 1;
  try {
    await fetchPhotos(ids);
  } catch {
    setTimeout(() => want([...wanted, ...ids]), 2_000); // the connection's note says why nothing comes
  } finally {
    inFlight -= 1;
    ids.forEach((id) => asked.delete(id));
  }
  void fetchNext();
}

/** Fetches these anew, whatever is known. @param {number[]} ids @returns {Promise<Item[]>} */
export async function fetchPhotos(ids) {
  if (!ids.length) return [];
  const { items } = await post("/api/photos/by-ids", { ids });
  learn(items);
  const found = new Set(items.map((/** @type {Item} */ item) => item.id));
  const gone = ids.filter((id) => !found.has(id));
  gone.forEach((id) => known.delete(id));
  tell(ids);
  return items.map(decided);
}

/** Items that came with another answer. @param {Item[]} items */
export function learn(items) {
  for (const item of items) {
    known.delete(item.id); // last in, last out
    known.set(item.id, item);
    stale.delete(item.id);
  }
  for (const id of known.keys()) {
    if (known.size <= KEPT) break;
    known.delete(id);
  }
}

/** They changed somewhere; what is on screen is asked for again by its page. @param {Iterable<number>} ids */
export function markStale(ids) {
  for (const id of ids) if (known.has(id)) stale.add(id);
}

onDecision((news) => {
  if (news.answer?.item) learn([news.answer.item]);
  else if (news.kind === "done") {
    const { change, ids } = news.entry;
    // Until the server's own item comes, what it was told is what it says.
    for (const id of ids) {
      const item = known.get(id);
      if (item) known.set(id, { ...item, ...effect(change, item) });
    }
  }
  markStale(news.kind === "pending" || news.answer?.item ? [] : news.ids);
  tell(news.ids);
});

on("photos", ({ ids }) => changed(ids));
on("decisions", ({ ids }) => changed(ids));
on("scores", ({ ids }) => changed(ids ?? [...known.keys()]));
on("versions", ({ ids }) => changed(ids));
on("bursts", () => changed([...known.keys()]));
on("resync", () => changed([...known.keys()]));
on("removed", ({ ids }) => {
  for (const id of ids) known.delete(id);
  tell(ids);
});

/** @param {number[]} ids */
function changed(ids) {
  markStale(ids);
  tell(ids);
}
