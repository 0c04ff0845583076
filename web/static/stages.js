// The stages at work: counts, rate over the last half minute, time left, pause and resume.
import { post } from "./api.js";
import { count, el } from "./dom.js";
import { complain } from "./toast.js";

const WINDOW_MS = 30_000;
const seen = new Map(); // stage: [time, done] pairs

function rate(name, done) {
  const now = Date.now();
  const points = (seen.get(name) ?? []).filter(([at]) => now - at < WINDOW_MS);
  points.push([now, done]);
  seen.set(name, points);
  const [first, before] = points[0];
  return now - first > 1500 ? Math.max(0, (done - before) / (now - first)) * 1000 : 0;
}

function left(open, perSecond) {
  if (!open || !perSecond) return "";
  const seconds = open / perSecond;
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} min` : `${Math.ceil(seconds / 3600)} h`;
}

function state(stage, open, workers) {
  if (stage.paused) return stage.reason ?? "paused";
  if (open && !workers) return "no consumer is running";
  return open ? "at work" : "at rest";
}

export function showStages(body, { stages, workers = {} }) {
  const focused = document.activeElement?.closest("tr")?.dataset.stage;
  body.replaceChildren(...Object.entries(stages).map(([name, stage]) => {
    const open = stage.due + stage.queued + stage.running;
    const perSecond = rate(name, stage.done + stage.failed);
    const act = stage.paused ? "resume" : "pause";
    return el("tr", { "data-stage": name },
      el("td", { text: name }), el("td", { text: count(stage.due + stage.queued) }), el("td", { text: count(stage.running) }),
      el("td", { text: count(stage.done) }), el("td", { text: count(stage.failed) }),
      el("td", { text: perSecond ? `${perSecond.toFixed(perSecond < 10 ? 1 : 0)}/s` : "" }), el("td", { text: left(open, perSecond) }),
      el("td", {}, state(stage, open, workers[name === "render" ? "convert" : name] ?? 0),
        el("button", { type: "button", text: act, "aria-label": `${act} ${name}`, onclick: () => post(`/api/stages/${name}/${act}`).catch(complain) })));
  }));
  if (focused) body.querySelector(`[data-stage="${focused}"] button`)?.focus({ preventScroll: true });
}
