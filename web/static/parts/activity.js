// What happened: the last hundred lines, the last half hour filled in on load.
import { get } from "../core/api.js";
import { counted, el } from "../core/dom.js";
import { on } from "../core/live.js";
import { complain } from "./toast.js";

const KEPT = 100;
/** @type {Record<string, string>} */
const WORDS = { convert: "ready", embed: "embedded", curate: "described" };

/** @param {HTMLElement} list */
export function showActivity(list) {
  /** @param {string} text */
  function add(text, at = new Date()) {
    list.querySelector("li.quiet")?.remove();
    list.prepend(el("li", {}, el("time", { datetime: at.toISOString(), text: at.toLocaleTimeString() }), text));
    while (list.children.length > KEPT) list.lastElementChild?.remove();
  }
  /** @param {number} minutes @param {number[]} [fresh] */
  async function logged(minutes, fresh) {
    const { items } = await get(`/api/logs?minutes=${minutes}&limit=${KEPT}`);
    for (const item of items.reverse()) {
      if (!fresh || fresh.includes(item.id)) add(`${item.worker}, ${item.status}: ${item.reason}`, new Date(item.at));
    }
  }
  logged(30).catch(complain);
  on("log", ({ ids }) => logged(2, ids).catch(complain));
  on("photos", ({ ids, stage }) => { if (WORDS[stage]) add(`${counted(ids.length, "photograph")} ${WORDS[stage]}`); });
  on("taste", () => add("Taste was learnt anew"));
  on("stages", ({ names }) => add(`${names.join(", ")}: paused or resumed`));
}
