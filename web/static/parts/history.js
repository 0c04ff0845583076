// What was decided when: the history, one action taken back, or everything as it was at a date, shown before it is done.
import { undo } from "../core/actions.js";
import { get, post, session } from "../core/api.js";
import { acted } from "../core/decisions.js";
import { button, count, counted, el } from "../core/dom.js";
import { openDialog } from "./dialog.js";
import { complain, toast } from "./toast.js";

const SHOWN = 30;
const WORDS = /** @type {Record<string, string>} */ ({
  rating: "stars", manual_match: "pick", rejected: "rejected", project: "project", tags_added: "tags added", tags_removed: "tags removed",
  burst_front: "burst",
  apart: "split from its versions", copy_kept: "stays as a copy",
});

/**
 * Opens the history: of everything, of one photograph, or for putting a selection back.
 * @param {{ photo?: Item, ids?: number[] }} [scope]
 */
export function showHistory({ photo, ids } = {}) {
  const only = photo ? [photo.id] : ids;
  const title = photo ? `History of ${photo.filename}` : ids ? `History for ${counted(ids.length, "photograph")}` : "History";
  void openDialog(title, (close) => {
    const list = el("ol", { class: "history" });
    const more = button("Show older", () => void load());
    const preview = el("div", { class: "preview", role: "status" });
    /** @type {number | null} */
    let before = null;

    async function load() {
      const wanted = new URLSearchParams({ limit: String(SHOWN) });
      if (photo) wanted.set("photo_id", String(photo.id));
      if (before) wanted.set("before", String(before));
      try {
        const { items, next_before: next } = await get(`/api/history?${wanted}`);
        before = next;
        list.append(...items.map((/** @type {HistoryAction} */ action) => line(action, refresh)));
        more.hidden = !next;
        if (!list.children.length) list.append(el("li", { class: "quiet", text: "Nothing was decided yet. Rate a photograph, and it stands here." }));
      } catch (error) {
        complain(error);
      }
    }

    function refresh() {
      before = null;
      list.replaceChildren();
      void load();
    }

    if (!ids) void load();
    return [
      asOf(only, preview, refresh), preview,
      ...(ids ? [] : [list, el("p", {}, more)]),
      el("p", { class: "choices" }, button("Close", () => close(null))),
    ];
  }, { wide: true });
}

/** @param {HistoryAction} action @param {() => void} refresh */
function line(action, refresh) {
  const [first] = action.changes;
  const thumbs = [...new Map(action.changes.map((change) => [change.photo_id, change])).values()].slice(0, 5);
  const back = () => undo(action.action_id).then(refresh);
  const words = first ? `${described(first)}${action.photos > 1 ? `, ${counted(action.photos, "photograph")}` : first.filename ? `, ${first.filename}` : ""}` : counted(action.photos, "photograph");
  return el("li", { class: action.undone ? "undone" : null },
    el("span", { class: "thumbs" }, ...thumbs.filter((one) => one.thumb_url).map((one) => el("img", { src: one.thumb_url, alt: "", loading: "lazy", height: 40 }))),
    el("span", { class: "what" },
      el("time", { datetime: action.at, text: new Date(action.at).toLocaleString() }),
      el("span", { text: `${action.undoes ? "Taken back: " : ""}${words}` })),
    action.undone ? el("span", { class: "quiet", text: "taken back" }) : button("Take back", () => void back(), { "aria-label": `Take back: ${words}` }));
}

/** "stars: – → ★★★★". @param {{ field: string, old: unknown, new: unknown }} change */
function described({ field, old, new: now }) {
  return `${WORDS[field] ?? field}: ${value(field, old)} → ${value(field, now)}`;
}

/** @param {string} name @param {any} what */
function value(name, what) {
  if (what === null || what === undefined) return "none";
  if (name === "rating") return "★".repeat(what);
  if (typeof what === "boolean") return what ? "yes" : "no";
  if (name === "burst_front") return what ? "decided" : "all kept";
  if (Array.isArray(what)) return what.join(", ") || "none";
  return what.name ?? String(what);
}

/** The form that puts things back as they were. @param {number[] | undefined} ids @param {HTMLElement} preview @param {() => void} refresh */
function asOf(ids, preview, refresh) {
  const when = el("input", { type: "datetime-local", required: true, id: "as-of", step: 1 });
  const look = async (/** @type {Event} */ event) => {
    event.preventDefault();
    const moment = new Date(when.value).toISOString();
    try {
      const found = await post("/api/history/preview", { as_of: moment, ...(ids && { ids }) });
      preview.replaceChildren(...shown(found, moment, ids, () => { preview.replaceChildren(); refresh(); }));
    } catch (error) {
      complain(error);
    }
  };
  return el("form", { class: "as-of", onsubmit: (/** @type {Event} */ event) => void look(event) },
    el("label", {}, `${ids ? "These" : "All"} as they were on`, when), el("button", { type: "submit", text: "Show what would change" }));
}

/** @param {any} found @param {string} moment @param {number[] | undefined} ids @param {() => void} done */
function shown(found, moment, ids, done) {
  if (!found.changes) return [el("p", { text: "Nothing was decided since then: nothing would change." })];
  const restore = async () => {
    try {
      const { action_id: action, reverted } = await post("/api/undo", { as_of: moment, session, ...(ids && { ids }) });
      acted(action);
      toast(`Put back for ${counted(reverted.length, "photograph")}. It stands in the history and can be taken back.`);
      done();
    } catch (error) {
      complain(error);
    }
  };
  return [
    el("p", { text: `${counted(found.changes, "change")} on ${counted(found.photos, "photograph")} would be put back:` }),
    el("ul", {}, ...found.items.slice(0, 12).map((/** @type {any} */ change) =>
      el("li", { text: `${change.filename ?? `photograph ${change.photo_id}`}: ${described({ field: change.field, old: change.now, new: change.then })}` }))),
    found.changes > 12 ? el("p", { class: "quiet", text: `and ${count(found.changes - 12)} more` }) : el("span"),
    el("p", {}, button(`Put ${counted(found.photos, "photograph")} back`, () => void restore(), { class: "primary" })),
  ];
}
