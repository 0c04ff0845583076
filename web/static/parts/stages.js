// The stages at work: counts, age of the oldest, rate over the last half minute, time left, why one waits, pause and resume.
import { post } from "../core/api.js";
import { button, count, el } from "../core/dom.js";
import { complain, toast } from "./toast.js";

const WINDOW_MS = 30_000;
/** @type {Map<string, [number, number][]>} stage: (time, done) pairs */
const seen = new Map();
/** @type {Progress | null} */
let latest = null;

/** @param {string} name @param {number} done */
export function rate(name, done) {
  const now = Date.now();
  const points = (seen.get(name) ?? []).filter(([at]) => now - at < WINDOW_MS);
  points.push([now, done]);
  seen.set(name, points);
  const [first, before] = /** @type {[number, number]} */ (points[0]);
  return now - first > 1500 ? (Math.max(0, done - before) / (now - first)) * 1000 : 0;
}

/** "20 s", "4 min", "2 h". @param {number} seconds */
export function lasting(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
}

/** How long the first in line has waited for its turn. @param {StageState} stage */
function age(stage) {
  return stage.oldest_due ? lasting(Math.max(0, (Date.now() - new Date(stage.oldest_due).getTime()) / 1000)) : "";
}

/** @param {StageState} stage @param {number} open @param {number} workers */
function state(stage, open, workers) {
  if (stage.paused) {
    const seconds = stage.until ? (new Date(stage.until).getTime() - Date.now()) / 1000 : 0;
    return `${stage.reason ?? "Paused."}${seconds > 0 ? ` Retrying in ${lasting(seconds)}.` : ""}`;
  }
  if (open && !workers) return "No consumer is running.";
  return open ? "at work" : "at rest";
}

/** @param {string} name @param {"pause" | "resume"} act */
async function turn(name, act) {
  try {
    await post(`/api/stages/${name}/${act}`);
    toast(act === "pause" ? `${name} is paused; what is in hand is finished.` : `${name} goes on.`, { undo: () => void turn(name, act === "pause" ? "resume" : "pause") });
  } catch (error) {
    complain(error);
  }
}

/** @param {HTMLElement} body @param {Progress} progress */
export function showStages(body, progress) {
  latest = progress;
  const { stages, workers = {} } = progress;
  const focused = document.activeElement?.closest("tr")?.dataset.stage;
  body.replaceChildren(...Object.entries(stages).map(([name, stage]) => {
    const open = stage.due + stage.queued + stage.running;
    const perSecond = rate(name, stage.done + stage.failed);
    const act = stage.paused ? "resume" : "pause";
    return el("tr", { "data-stage": name, class: stage.paused ? "paused" : open ? "working" : null },
      el("th", { scope: "row", text: name }), el("td", { text: count(stage.due + stage.queued) }), el("td", { class: "oldest", text: age(stage) }), el("td", { text: count(stage.running) }),
      el("td", { text: count(stage.done) }),
      el("td", {}, stage.failed ? el("a", { href: "/gallery?filter=failed", text: count(stage.failed) }) : "0"),
      el("td", { text: perSecond ? `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s` : "" }),
      el("td", { text: open && perSecond ? lasting(open / perSecond) : "" }),
      el("td", {}, el("span", { class: "state", text: state(stage, open, workers[name === "render" ? "convert" : name] ?? 0) }),
        button(act, () => void turn(name, act), { "aria-label": `${act} ${name}` })));
  }));
  if (focused) /** @type {HTMLElement | null} */ (body.querySelector(`[data-stage="${focused}"] button`))?.focus({ preventScroll: true });
}

/** Counts ages up and the seconds to the next try down, between two looks of the server. @param {HTMLElement} body */
export function countDown(body) {
  setInterval(() => {
    for (const [name, stage] of Object.entries(latest?.stages ?? {})) {
      const cell = stage.paused && stage.until ? body.querySelector(`[data-stage="${name}"] .state`) : null;
      if (cell) cell.textContent = state(stage, 0, 1);
      const oldest = body.querySelector(`[data-stage="${name}"] .oldest`);
      if (oldest) oldest.textContent = age(stage);
    }
  }, 1000);
}
