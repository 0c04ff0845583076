// Decisions on their way: shown at once, sent one after the other, kept when nobody answers, taken back where refused.
//
// The queue lies in the tab's session storage, so that what was decided while the server was away is sent from the
// next page too. Each has an action id: sending one twice changes nothing the second time.
import { ApiError, post, put, session } from "./api.js";
import { on } from "./live.js";

/** `takesBack`: the action to take back, or "latest".
 * @typedef {{ action: string, ids: number[], change: Change, takesBack?: string }} Entry */
/** @typedef {{ kind: "pending" | "done" | "refused", ids: number[], entry: Entry, answer?: any, error?: Error }} News */

const KEPT = "decisions on their way";
const RETRY_MS = 1_000;
const SLOWEST_MS = 10_000;
const REMEMBERED = 100;

/** @type {Entry[]} */
const queue = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
/** What these photographs were before this page's latest actions: lets `z` act before the server answers.
 * @type {{ action: string, before: Map<number, Item> }[]} */
const past = [];
/** @type {((news: News) => void)[]} */
const readers = [];
/** @type {((waiting: number) => void)[]} */
const watchers = [];
/** @type {Map<string, { resolve: (answer: any) => void, reject: (error: Error) => void }>} */
const promises = new Map();
let sending = false;
let pause = RETRY_MS;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/** @param {(news: News) => void} reader */
export const onDecision = (reader) => readers.push(reader);
/** Told how many decisions wait because nobody answers; 0 when all is sent. @param {(waiting: number) => void} watcher */
export const onWaiting = (watcher) => watchers.push(watcher);

/** @param {News} news */
const tell = (news) => readers.forEach((reader) => reader(news));

function keep() {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(queue));
  } catch {
    // Too many for the browser's storage: they are sent all the same, and lost only if the tab is closed before.
  }
}

/**
 * Decides. `answered` resolves with the server's answer and rejects where it refuses.
 * @param {number[]} ids
 * @param {Change} change
 * @param {Item[]} [before] the items as they are, for an undo that does not wait
 */
export function decide(ids, change, before = []) {
  const entry = { action: crypto.randomUUID(), ids, change };
  if (change.seen === undefined) remember(entry.action, before);
  return { action: entry.action, answered: add(entry) };
}

/** Takes back an action, or this session's latest that is not taken back yet. @param {string} [action] */
export function takeBack(action) {
  const at = action ? past.findIndex((one) => one.action === action) : past.length - 1;
  const [known] = at >= 0 ? past.splice(at, 1) : [];
  const entry = { action: crypto.randomUUID(), ids: [...(known?.before.keys() ?? [])], change: {}, takesBack: action ?? "latest" };
  if (known) undone.set(entry.action, known.before);
  return add(entry);
}

/** An action of this session that did not go through here: `z` takes it back next. @param {string} action */
export const acted = (action) => remember(action, []);

/** @type {Map<string, Map<number, Item>>} */
const undone = new Map();

/** @param {string} action @param {Item[]} before */
function remember(action, before) {
  past.push({ action, before: new Map(before.map((item) => [item.id, item])) });
  if (past.length > REMEMBERED) past.shift();
}

/** @param {Entry} entry @returns {Promise<any>} */
function add(entry) {
  queue.push(entry);
  keep();
  tell({ kind: "pending", ids: entry.ids, entry });
  const answered = new Promise((resolve, reject) => promises.set(entry.action, { resolve, reject }));
  void send();
  return answered;
}

/** The item as the person decided it, whether the server knows already or not. @param {Item} item @returns {Item} */
export function decided(item) {
  let shown = item;
  for (const entry of queue) {
    if (!entry.ids.includes(item.id)) continue;
    const old = undone.get(entry.action)?.get(item.id);
    shown = old ? { ...shown, ...decisionOf(old) } : { ...shown, ...effect(entry.change, shown) };
  }
  return shown;
}

/** @param {Item} item */
function decisionOf({ user_rating, manual_match, rejected, project, tags, is_match }) {
  return { user_rating, manual_match, rejected, project, tags, is_match };
}

/** @param {Change} change @param {Item} item @returns {Partial<Item>} */
export function effect(change, item) {
  /** @type {Partial<Item>} */
  const changed = {};
  if (change.rating !== undefined) changed.user_rating = change.rating;
  if (change.manual_match !== undefined) changed.manual_match = change.manual_match;
  if (change.rejected !== undefined) changed.rejected = change.rejected;
  if (change.project !== undefined) changed.project = change.project;
  if (change.seen !== undefined) changed.seen = change.seen;
  if (change.tags_add || change.tags_remove) {
    const away = change.tags_remove ?? [];
    changed.tags = [...new Set([...item.tags, ...(change.tags_add ?? [])])].filter((tag) => !away.includes(tag));
  }
  const picked = changed.manual_match ?? item.manual_match;
  const stars = changed.user_rating === undefined ? item.user_rating : changed.user_rating;
  if (picked) changed.is_match = true;
  else if (stars !== null && stars <= 3) changed.is_match = false;
  return changed;
}

async function send() {
  if (sending) return;
  sending = true;
  clearTimeout(timer);
  try {
    while (queue.length) await sendFirst();
    watchers.forEach((watcher) => watcher(0));
    pause = RETRY_MS;
  } catch {
    watchers.forEach((watcher) => watcher(queue.length));
    timer = setTimeout(() => void send(), pause);
    pause = Math.min(2 * pause, SLOWEST_MS);
  } finally {
    sending = false;
  }
}

async function sendFirst() {
  const entry = /** @type {Entry} */ (queue[0]);
  /** @type {News} */
  let news;
  try {
    news = { kind: "done", ids: entry.ids, entry, answer: await transmit(entry) };
  } catch (error) {
    if (error instanceof ApiError && error.passing) throw error;
    news = { kind: "refused", ids: entry.ids, entry, error: /** @type {Error} */ (error) };
  }
  queue.shift();
  undone.delete(entry.action);
  keep();
  if (entry.takesBack && news.answer) news.ids = [...news.answer.reverted, ...news.answer.kept];
  tell(news);
  const promise = promises.get(entry.action);
  promises.delete(entry.action);
  if (news.error) promise?.reject(news.error);
  else promise?.resolve(news.answer);
}

/** @param {Entry} entry */
function transmit({ action, ids, change, takesBack }) {
  if (takesBack) return post("/api/undo", { session, undo_id: action, action_id: takesBack === "latest" ? null : takesBack });
  const named = { ...change, action_id: action, session };
  return ids.length === 1 ? put(`/api/photos/${ids[0]}/decision`, named) : post("/api/photos/decisions", { ...named, ids });
}

/** Tries again now: the connection is back. */
export function sendAgain() {
  pause = RETRY_MS;
  if (queue.length) void send();
}

addEventListener("online", sendAgain);
on("connected", sendAgain);
sendAgain();
