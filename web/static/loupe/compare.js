// Two to four frames side by side, one zoom for all: the first is pinned, the others are challengers that change.
import { el } from "../core/dom.js";
import { photo } from "../core/photos.js";
import { makeStars, showStars } from "../parts/stars.js";
import { Zoom } from "./zoom.js";

export const MOST = 4;

/** @typedef {{ element: HTMLElement, zoom: Zoom, id: number, name: HTMLElement, stars: HTMLElement, badge: HTMLElement }} Pane */

export class Compare {
  /**
   * @param {HTMLElement} place
   * @param {{ rate: (id: number, rating: number | null) => void, fail: (error: unknown) => void }} actions
   */
  constructor(place, actions) {
    this.place = place;
    this.actions = actions;
    /** @type {Pane[]} */
    this.panes = [];
    this.active = 1;
    this.spreading = false;
  }

  get ids() {
    return this.panes.map((pane) => pane.id);
  }

  /** The frame that keys act on. */
  get id() {
    return this.panes[this.active]?.id;
  }

  /** @param {number[]} ids two to four; panes that show theirs already stay as they are */
  async show(ids) {
    while (this.panes.length > ids.length) this.panes.pop()?.zoom.destroy();
    while (this.panes.length < ids.length) this.panes.push(this.make(this.panes.length));
    this.place.replaceChildren(...this.panes.map((pane) => pane.element));
    this.place.dataset.panes = String(ids.length);
    this.active = Math.min(this.active, ids.length - 1);
    const seen = this.panes.find((pane) => pane.zoom.item)?.zoom;
    const at = seen && seen.closer ? seen.place : null;
    await Promise.all(this.panes.map((pane, n) => (pane.id === ids[n] ? undefined : this.put(pane, Number(ids[n]), at))));
    this.mark();
  }

  /** @param {number} n @returns {Pane} */
  make(n) {
    const stage = el("div", { class: "pane-stage" });
    const name = el("span", { class: "name" });
    const badge = el("span", { class: "label" });
    /** @type {Pane} */
    const pane = {
      element: el("section", { class: "pane", tabindex: "-1" }), zoom: new Zoom(stage), id: 0, name, badge,
      stars: makeStars((rating) => this.actions.rate(pane.id, rating)),
    };
    pane.element.append(stage, el("p", { class: "pane-caption" }, badge, name, pane.stars));
    pane.element.addEventListener("pointerdown", () => { this.active = this.panes.indexOf(pane); this.mark(); });
    pane.zoom.failed = this.actions.fail;
    pane.zoom.onPlace((at) => this.spread(pane, at));
    pane.element.dataset.pane = String(n);
    return pane;
  }

  /** @param {Pane} pane @param {number} id @param {import("./zoom.js").Place | null} at */
  async put(pane, id, at) {
    pane.id = id;
    const item = photo(id);
    this.refresh([id]);
    if (item) await pane.zoom.open(item, at).catch(this.actions.fail);
  }

  /** Where one looks in one pane, one looks in all. @param {Pane} from @param {import("./zoom.js").Place} at */
  spread(from, at) {
    if (this.spreading) return;
    this.spreading = true;
    for (const pane of this.panes) if (pane !== from && pane.zoom.item) pane.zoom.apply(at);
    this.spreading = false;
  }

  /** @param {number[]} ids */
  refresh(ids) {
    for (const pane of this.panes) {
      const item = ids.includes(pane.id) ? photo(pane.id) : undefined;
      if (!item) continue;
      pane.name.textContent = item.filename;
      pane.element.classList.toggle("rejected", item.rejected);
      showStars(pane.stars, item.user_rating);
      pane.element.dataset.rating = String(item.user_rating ?? "");
    }
    this.mark();
  }

  mark() {
    this.panes.forEach((pane, n) => {
      const item = photo(pane.id);
      pane.element.classList.toggle("active", n === this.active);
      pane.element.setAttribute("aria-current", String(n === this.active));
      pane.element.setAttribute("aria-label", `${n === 0 ? "Pinned" : "Challenger"}: ${item?.filename ?? ""}`);
      pane.badge.textContent = [n === 0 ? "Pinned" : "Challenger", item?.manual_match ? "Chef’s Pick" : null, item?.rejected ? "rejected" : null].filter(Boolean).join(" · ");
    });
  }

  /** Each frame whole. */
  fit() {
    this.spreading = true; // each has its own scale
    this.panes.forEach((pane) => pane.zoom.fit());
    this.spreading = false;
  }

  /** The next pane gets the keys. @param {number} step */
  turn(step) {
    this.active = (this.active + step + this.panes.length) % this.panes.length;
    this.mark();
    this.panes[this.active]?.element.focus({ preventScroll: true });
  }

  /** The active frame becomes the pinned one. @returns {number[]} the frames in their new order */
  promote() {
    const ids = this.ids;
    const [chosen] = ids.splice(this.active, 1);
    return [Number(chosen), ...ids];
  }

  close() {
    this.panes.forEach((pane) => pane.zoom.destroy());
    this.panes = [];
    this.place.replaceChildren();
  }
}
