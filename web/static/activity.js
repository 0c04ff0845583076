// What happened: the last hundred lines, the last half hour filled in on load.
import { get } from "./api.js";
import { count, el } from "./dom.js";
import { on } from "./live.js";
import { complain } from "./toast.js";

const KEPT = 100;
const WORDS = { convert: "ready", embed: "embedded", curate: "described" };

export function showActivity(list) {
  function add(text, at = new Date()) {
    list.querySelector("li.quiet")?.remove();
    list.prepend(el("li", {}, el("time", { text: at.toLocaleTimeString() }), text));
    while (list.children.length > KEPT) list.lastChild.remove();
  }
  async function logged(minutes, fresh) {
    const { items } = await get(`/api/logs?minutes=${minutes}&limit=${KEPT}`);
    items.filter((item) => !fresh || fresh.includes(item.id)).reverse().forEach((item) => add(`${item.worker}, ${item.status}: ${item.reason}`, new Date(item.at)));
  }
  logged(30).catch(complain);
  on("log", ({ ids }) => logged(2, ids).catch(complain));
  on("photos", ({ ids, stage }) => WORDS[stage] && add(`${count(ids.length)} ${ids.length === 1 ? "photograph" : "photographs"} ${WORDS[stage]}`));
  on("taste", () => add("Taste was learnt anew"));
  on("stages", ({ names }) => add(`${names.join(", ")}: paused or resumed`));
}
