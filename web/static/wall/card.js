// One photograph on the wall. Cards are reused: a card shows whatever photograph comes into sight.
import { el } from "../core/dom.js";
import { isTentative } from "../core/standing.js";
import { makeStars, showStars } from "../parts/stars.js";

/** @typedef {{ rate: (id: number, rating: number | null) => void, retry: (id: number) => void, discard: (item: Item) => void, alike?: (id: number, away: boolean) => void }} CardActions */

const MEANT = { bracket: "Bracket", focus_stack: "Focus stack", panorama: "Panorama" };

export class Card {
  /** @param {CardActions} actions @param {string} [role] */
  constructor(actions, role = "gridcell") {
    this.actions = actions;
    this.id = 0;
    this.frame = el("div", { class: "frame" });
    this.name = el("span", { class: "name" });
    this.score = el("span", { class: "score" });
    this.project = el("span", {});
    this.facts = el("span", { class: "facts" }, this.score, this.project);
    this.remark = el("span", { class: "remark", hidden: true });
    this.stars = makeStars((rating) => actions.rate(this.id, rating));
    this.alike = el("button", { type: "button", class: "alike", text: "≈", tabindex: "-1", title: "More like this; with shift, less" });
    this.alike.addEventListener("click", (event) => { event.stopPropagation(); actions.alike?.(this.id, event.shiftKey); });
    this.failure = el("div", { class: "failure", hidden: true });
    this.element = el("div", { class: "card", role, tabindex: "-1" },
      this.frame,
      el("div", { class: "caption" }, this.name, el("span", { class: "line" }, this.stars, this.facts), this.remark, this.failure));
    /** @type {HTMLImageElement | null} */
    this.image = null;
    this.shown = "";
  }

  /** @param {number} id @param {Item | undefined} item @param {number} width of the card in CSS pixels */
  show(id, item, width) {
    if (this.id !== id) {
      this.id = id;
      this.element.dataset.id = String(id);
      this.picture(undefined, width);
      this.shown = "";
    }
    const state = item ? JSON.stringify([item, width]) : `none ${id}`;
    if (state === this.shown) return;
    this.shown = state;
    this.element.classList.toggle("waiting", !item);
    this.element.classList.toggle("rejected", item?.rejected ?? false);
    this.element.dataset.rating = String(item?.user_rating ?? "");
    this.element.setAttribute("aria-label", item ? spoken(item) : "not loaded yet");
    this.picture(item, width);
    this.name.textContent = item?.filename ?? "";
    this.alike.setAttribute("aria-label", `More like ${item?.filename ?? "this"}`);
    this.name.title = item?.file_path ?? "";
    showStars(this.stars, item?.user_rating ?? null);
    this.score.textContent = String(item?.preference_score ?? "");
    this.project.textContent = item?.project ?? "";
    this.fail(item);
  }

  /** A line of its own under the photograph. @param {string} text */
  say(text) {
    this.remark.textContent = text;
    this.remark.hidden = !text;
  }

  /** @param {Item | undefined} item @param {number} width */
  picture(item, width) {
    const badge = !item ? null : item.manual_match ? "Chef’s Pick" : item.is_match ? "Match" : null;
    /** @type {Node[]} */
    const inside = [];
    if (!item) this.image = null;
    else if (!item.thumb_url) {
      this.image = null;
      inside.push(el("span", { class: "blank", text: item.status === "failed" ? "no picture" : "developing" }));
    } else inside.push(this.imageOf(item, width));
    if (badge) inside.push(el("span", { class: "badge", text: badge }));
    if (item?.burst_group) inside.push(el("span", { class: "badge stacked", text: item.burst_intent ? MEANT[item.burst_intent] : item.burst_keeper ? "Burst · best" : "Burst" }));
    if (item?.thumb_url && this.actions.alike) inside.push(this.alike);
    if (item?.versions) inside.push(el("span", { class: `badge versions${item.stack_front === item.id ? " front" : ""}`, text: item.stack_front === item.id ? `${item.versions} versions` : "Version" }));
    this.frame.replaceChildren(...inside);
  }

  /** @param {Item} item @param {number} width */
  imageOf(item, width) {
    if (this.image?.getAttribute("src") !== item.thumb_url) {
      this.image = el("img", {
        src: item.thumb_url, srcset: `${item.thumb_url} ${item.thumb_width}w`, decoding: "async", draggable: "false",
        width: item.thumb_width, height: item.thumb_height,
      });
      // Its own colour until it is there.
      this.image.style.backgroundColor = item.dominant_color ?? "";
    }
    const image = /** @type {HTMLImageElement} */ (this.image);
    image.alt = item.subject ?? "";
    const wide = (item.thumb_width ?? 1) >= (item.thumb_height ?? 1);
    const shown = wide ? width : Math.round((width * (item.thumb_width ?? 1)) / (item.thumb_height ?? 1));
    image.sizes = `${Math.round(shown)}px`;
    return image;
  }

  /** @param {Item | undefined} item */
  fail(item) {
    const failed = item?.tabs.includes("failed") ?? false;
    this.failure.hidden = !failed;
    if (!item || !failed) return this.failure.replaceChildren();
    const act = (/** @type {() => void} */ what) => (/** @type {Event} */ event) => { event.stopPropagation(); what(); };
    this.failure.replaceChildren(
      el("p", { text: item.failure_reason ?? "A stage gave up on this photograph.", title: item.failure_reason }),
      el("p", { class: "choices" },
        el("button", { type: "button", text: "Retry", "aria-label": `Retry ${item.filename}`, onclick: act(() => this.actions.retry(item.id)) }),
        el("button", { type: "button", text: "Discard", "aria-label": `Discard ${item.filename}`, onclick: act(() => this.actions.discard(item)) }),
        el("a", { href: `/logs?q=${encodeURIComponent(item.filename)}`, text: "Details", "aria-label": `What the log says of ${item.filename}` })));
  }
}

/** The card that an event happened in. @param {EventTarget | null} target @returns {HTMLElement | null} */
export function cardOf(target) {
  return target instanceof Element ? target.closest(".card") : null;
}

/** What a screen reader says of it. @param {Item} item */
export function spoken(item) {
  return [
    item.filename, item.subject, item.user_rating ? `${item.user_rating} stars` : "not rated",
    item.preference_score === null ? null : `${isTentative() ? "tentative score" : "score"} ${item.preference_score}`,
    item.manual_match ? "picked" : item.is_match ? "match" : null, item.rejected ? "rejected" : null,
    item.versions ? (item.stack_front === item.id ? `in front of ${item.versions} versions` : "a version, not in front") : null,
  ].filter(Boolean).join(", ");
}
