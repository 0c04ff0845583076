// A few cards in a row of their own: an offer to rate, the frames of a burst. Arrow keys move, the card in focus is meant.
import { el } from "../core/dom.js";
import { photo } from "../core/photos.js";
import { Card, cardOf } from "./card.js";

const WIDTH_PX = 240;

export class CardRow {
  /** @param {import("./card.js").CardActions} actions @param {string} label */
  constructor(actions, label) {
    this.actions = actions;
    /** @type {Card[]} */
    this.cards = [];
    this.element = el("div", { class: "card-row", role: "list", "aria-label": label });
    this.element.addEventListener("click", ({ target }) => {
      if (!(target instanceof Element && target.closest("button"))) cardOf(target)?.focus();
    });
  }

  /** @param {number[]} ids @param {Map<number, string>} [remarks] a line under each photograph */
  show(ids, remarks = new Map()) {
    const known = new Map(this.cards.map((card) => [card.id, card]));
    this.cards = ids.map((id) => known.get(id) ?? new Card(this.actions, "listitem"));
    ids.forEach((id, n) => {
      const card = /** @type {Card} */ (this.cards[n]);
      card.show(id, photo(id), WIDTH_PX);
      card.element.tabIndex = n === 0 ? 0 : -1;
    });
    this.cards.forEach((card) => card.say(remarks.get(card.id) ?? ""));
    const elements = this.cards.map((card) => card.element);
    if (elements.some((element, n) => this.element.children[n] !== element) || this.element.children.length !== elements.length) this.element.replaceChildren(...elements);
  }

  /** @param {number[]} ids */
  refresh(ids) {
    for (const card of this.cards) if (ids.includes(card.id)) card.show(card.id, photo(card.id), WIDTH_PX);
  }

  /** The photograph in focus, or null. */
  get active() {
    const card = this.cards.find((one) => one.element.contains(document.activeElement));
    return card ? card.id : null;
  }

  /** @param {number} step @returns {boolean} */
  move(step) {
    const from = this.cards.findIndex((one) => one.id === this.active);
    const to = this.cards[from < 0 ? 0 : from + step];
    if (!to) return false;
    this.cards.forEach((card) => { card.element.tabIndex = card === to ? 0 : -1; });
    to.element.focus();
    return true;
  }
}
