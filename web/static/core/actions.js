// What a person does to photographs, anywhere: shown at once, said in a toast, taken back from there.
import { post } from "./api.js";
import { decide, onWaiting, takeBack } from "./decisions.js";
import { counted } from "./dom.js";
import { photo } from "./photos.js";
import { ask } from "../parts/dialog.js";
import { complain, toast } from "../parts/toast.js";

/** @param {number[]} ids */
function known(ids) {
  return ids.map(photo).filter((item) => item !== undefined);
}

/** "IMG_1.tif" or "12 photographs". @param {number[]} ids */
function named(ids) {
  const only = ids.length === 1 ? photo(ids[0]) : undefined;
  return only ? only.filename : counted(ids.length, "photograph");
}

/** @param {number[]} ids @param {Change} change @param {string} sentence */
async function act(ids, change, sentence) {
  if (!ids.length) return;
  const { action, answered } = decide(ids, change, known(ids));
  toast(sentence, { undo: () => void undo(action) });
  try {
    await answered;
  } catch (error) {
    complain(error);
  }
}

/** @param {number[]} ids @param {number | null} rating */
export const rate = (ids, rating) =>
  act(ids, { rating }, `${named(ids)}: ${rating ? "★".repeat(rating) : "rating cleared"}`);

/** Picks them, or no longer where all of them are picked. @param {number[]} ids */
export function pick(ids) {
  const picked = known(ids).some((item) => !item.manual_match);
  return act(ids, { manual_match: picked }, `${named(ids)}: ${picked ? "picked" : "no longer picked"}`);
}

/** Rejects them, or restores where all of them are rejected. @param {number[]} ids @param {boolean} [to] */
export function reject(ids, to) {
  const rejected = to ?? known(ids).some((item) => !item.rejected);
  const said = rejected ? `rejected, your ${ids.length === 1 ? "original stays" : "originals stay"}` : "restored";
  return act(ids, { rejected }, `${named(ids)}: ${said}`);
}

/** @param {number[]} ids @param {string | null} project */
export const assign = (ids, project) =>
  act(ids, { project }, project ? `${named(ids)}: in ${project}` : `${named(ids)}: in no project`);

/** @param {number[]} ids @param {string[]} add @param {string[]} remove */
export const tag = (ids, add, remove = []) =>
  act(ids, { ...(add.length && { tags_add: add }), ...(remove.length && { tags_remove: remove }) },
    `${named(ids)}: ${[...add.map((t) => `+ ${t}`), ...remove.map((t) => `− ${t}`)].join(", ")}`);

/** Stand and are rated alone from now on. @param {number[]} ids */
export const split = (ids) => act(ids, { apart: true }, `${named(ids)}: split from ${ids.length === 1 ? "its" : "their"} versions`);

/** Copies that stay, and are not offered again. @param {number[]} ids */
export const keepCopies = (ids) => act(ids, { copy_kept: true }, `${named(ids)}: kept`);

/** Passed by in review. Says nothing. @param {number} id */
export function see(id) {
  const item = photo(id);
  if (item && !item.seen) decide([id], { seen: true }).answered.catch(() => {});
}

/** Takes back one action, or this session's latest. @param {string} [action] @returns {Promise<number[]>} what is as it was */
export async function undo(action) {
  try {
    const { reverted, kept } = await takeBack(action);
    const left = kept.length ? ` ${counted(kept.length, "photograph")} changed since and stayed.` : "";
    toast(reverted.length ? `Undone for ${named(reverted)}.${left}` : `Nothing to put back.${left}`);
    return reverted;
  } catch (error) {
    complain(error);
    return [];
  }
}

/** @param {number} id */
export async function retry(id) {
  try {
    await post(`/api/photos/${id}/retry`);
    toast("Trying again.");
  } catch (error) {
    complain(error);
  }
}

export async function retryAll() {
  try {
    const { retried } = await post("/api/photos/retry-failed");
    toast(`Trying ${counted(retried, "photograph")} again.`);
  } catch (error) {
    complain(error);
  }
}

/** @param {Item} item */
export async function discard(item) {
  const sentence = `${item.filename} leaves the gallery and is not imported again unless you ask. Your original stays where it is.`;
  if (!(await ask("Discard", sentence, "Discard"))) return;
  try {
    await post(`/api/photos/${item.id}/discard`);
    toast(`${item.filename} is discarded. Your original stays.`);
  } catch (error) {
    complain(error);
  }
}

/** @type {(() => void) | undefined} */
let waitingNote;
let waitingCount = 0;
onWaiting((waiting) => {
  if (waiting === waitingCount) return;
  waitingNote?.();
  waitingNote = waiting
    ? toast(`No connection. ${counted(waiting, "decision")} ${waiting === 1 ? "waits" : "wait"} and will be sent.`, { keep: true, error: true })
    : undefined;
  if (!waiting && waitingCount) toast(`${counted(waitingCount, "decision")} sent.`);
  waitingCount = waiting;
});

