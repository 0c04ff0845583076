// What a search is made of: photographs and words with plus and minus, and a score that what is found moves up by.
// All of it stands in the address: q, like, unlike, minus, toward.
import { button, byId, el } from "../core/dom.js";
import { fetchPhotos, photo } from "../core/photos.js";
import { FACETS, query, RANGES } from "../core/view.js";
import { complain } from "../parts/toast.js";

/** The server takes no more on either side. */
const MOST = 20;
const PARTS = ["q", "like", "unlike", "minus", "toward"];
/** @type {[string, string][]} */
const TOWARDS = [["sharper", "sharper"], ["better_exposed", "better exposed"], ["more_liked", "more to my taste"]];

/** @typedef {Record<string, string | number | null>} Changes */

/** Whether there is an order by relevance. */
export const searching = () => ["q", "like", "unlike"].some((name) => query().get(name));

/** @param {string} name */
const listed = (name) => (query().get(name) ?? "").split(",").map((part) => part.trim()).filter(Boolean);

/** @param {string} name @param {string[]} parts @returns {Changes} */
const put = (name, parts) => ({ [name]: [...new Set(parts)].join(",") || null });

/**
 * The view that has these photographs in its search, with plus or minus. Where there is no search it is a new one in
 * the whole archive.
 * @param {number[]} ids @param {boolean} [away]
 * @returns {Changes | null} null where they are too many, which is said
 */
export function alike(ids, away = false) {
  const [to, from] = away ? ["unlike", "like"] : ["like", "unlike"];
  const kept = listed(to).concat(ids.map(String));
  if (new Set(kept).size > MOST) {
    complain(new Error(`A search compares with ${MOST} photographs at most.`));
    return null;
  }
  const others = listed(from).filter((id) => !ids.includes(Number(id)));
  return { ...(searching() ? {} : nothing()), ...put(to, kept), ...put(from, others) };
}

/** Neither tab nor facets, ranges, order or search. @returns {Changes} */
function nothing() {
  const names = [...PARTS, "filter", "sort", ...FACETS.map(([name]) => name), ...RANGES.flatMap(([name]) => [`min_${name}`, `max_${name}`])];
  return Object.fromEntries(names.map((name) => [name, null]));
}

/** What was typed: `harbour -people -"at night"` leaves people and nights out. @param {string} typed @returns {Changes} */
export function asked(typed) {
  const away = listed("minus");
  const words = typed.replace(/(^|\s)[-−](?:"([^",]+)"|([^\s,"]+))/g, (_, space, quoted, word) => {
    away.push(quoted ?? word);
    return space;
  });
  return { q: words.trim().replace(/\s+/g, " "), ...put("minus", away), sort: null };
}

export class Asking {
  /** @param {HTMLElement} place @param {(changes: Changes) => void} narrow */
  constructor(place, narrow) {
    this.place = place;
    this.narrow = narrow;
    this.parts = el("span", { class: "parts" });
    this.note = el("span", { class: "quiet", role: "status" });
    this.away = el("input", { id: "without", maxlength: 80, placeholder: "without …", "aria-label": "Leave out what shows", autocomplete: "off" });
    this.toward = el("select", { id: "toward", "aria-label": "What is found moves up by" },
      el("option", { value: "", text: "as it is" }), ...TOWARDS.map(([value, text]) => el("option", { value, text })));
    this.away.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault(); // the form's own Enter searches for words
      if (this.away.value.trim()) narrow(put("minus", [...listed("minus"), this.away.value.trim()]));
    });
    this.toward.addEventListener("change", () => narrow({ toward: this.toward.value || null }));
    place.replaceChildren(this.parts, this.away, this.toward, this.note);
  }

  /** As the address says. */
  show() {
    this.place.hidden = !PARTS.some((name) => query().get(name));
    this.away.value = "";
    this.toward.value = query().get("toward") ?? "";
    this.toward.hidden = !searching();
    const unknown = [...listed("like"), ...listed("unlike")].map(Number).filter((id) => !photo(id));
    this.draw();
    if (unknown.length) fetchPhotos(unknown).then(() => this.draw(), complain);
  }

  draw() {
    const focused = this.parts.contains(document.activeElement);
    this.parts.replaceChildren(
      ...listed("like").map((id) => this.photo(Number(id), "like", "unlike")),
      ...listed("unlike").map((id) => this.photo(Number(id), "unlike", "like")),
      ...listed("minus").map((words) => this.chip(`− ${words}`, put("minus", listed("minus").filter((other) => other !== words)))));
    if (focused) byId("q").focus();
  }

  /** @param {number} id @param {string} from @param {string} to its other side */
  photo(id, from, to) {
    const shown = photo(id);
    const name = shown?.filename ?? `photograph ${id}`;
    const rest = put(from, listed(from).filter((other) => Number(other) !== id));
    const turned = { ...rest, ...put(to, [...listed(to), String(id)]) };
    const plus = from === "like";
    return el("span", { class: "part" },
      button(plus ? "+" : "−", () => this.narrow(turned), { class: "sign", "aria-label": plus ? `Keep away from ${name} instead` : `Look for what is like ${name} instead` }),
      shown?.thumb_url ? el("img", { src: shown.thumb_url, alt: "" }) : null,
      this.chip(name, rest));
  }

  /** @param {string} text @param {Changes} without */
  chip(text, without) {
    return button(`${text} ×`, () => this.narrow(without), { class: "chip", "aria-label": `Remove ${text}` });
  }

  /** What the server says of the search. @param {string | null} sentence */
  say(sentence) {
    this.note.textContent = sentence ?? "";
  }
}
