// The cards of the current view: pages as one scrolls, and every change moved to its place.
import { get, post } from "./api.js";
import { makeCard, updateCard } from "./card.js";
import { comparator } from "./view.js";

const PAGE = 60;
const AT_ONCE = 200;

export class Wall {
  constructor(grid, actions, changed) {
    Object.assign(this, { grid, actions, changed });
    this.items = new Map();
    this.cards = new Map();
    this.generation = 0;
    this.waiting = new Set();
  }

  async show(query) {
    this.query = query;
    this.generation += 1;
    await this.load(PAGE, true);
  }

  // Fetches `n` items: the first ones, replacing what hangs there, or those after the last.
  async load(n, fromStart = false) {
    const generation = this.generation;
    if (!fromStart && (this.loading || !this.cursor)) return;
    this.loading = true;
    try {
      const view = new URLSearchParams(this.query);
      view.set("limit", Math.min(n, 500));
      if (!fromStart) view.set("cursor", this.cursor);
      const page = await get(`/api/photos?${view}`);
      if (generation !== this.generation) return;
      if (fromStart) this.clear();
      Object.assign(this, { cursor: page.next_cursor, total: page.total, sort: page.sort });
      this.before = comparator(page.sort);
      for (const item of page.items) this.hang(item, null);
      this.changed();
    } finally {
      if (generation === this.generation) this.loading = false;
    }
  }

  clear() {
    this.items.clear();
    this.cards.clear();
    this.grid.replaceChildren();
  }

  reload() {
    this.generation += 1;
    return this.load(Math.max(PAGE, this.items.size), true);
  }

  hang(item, successor) {
    if (this.cards.has(item.id)) return;
    const card = makeCard(item, this.actions);
    this.items.set(item.id, item);
    this.cards.set(item.id, card);
    this.grid.insertBefore(card, successor);
  }

  // Photographs changed somewhere: asks for them, and updates, moves, hangs or takes down their cards.
  refresh(ids) {
    ids.forEach((id) => this.waiting.add(id));
    this.timer ??= setTimeout(() => this.fetchWaiting(), 80);
  }

  async fetchWaiting() {
    const ids = [...this.waiting].slice(0, AT_ONCE);
    ids.forEach((id) => this.waiting.delete(id));
    const generation = this.generation;
    const view = new URLSearchParams(this.query);
    view.delete("sort");
    try {
      const answer = await post(`/api/photos/by-ids?${view}`, { ids });
      if (generation === this.generation) this.apply(ids, answer);
    } finally {
      this.timer = this.waiting.size ? setTimeout(() => this.fetchWaiting(), 80) : undefined;
    }
  }

  apply(ids, { items, in_view: inView }) {
    const shown = new Set(inView);
    const places = this.places();
    for (const id of ids) if (!shown.has(id)) this.takeDown(id);
    for (const item of items) if (shown.has(item.id)) this.place(item);
    this.glide(places);
    this.changed();
  }

  place(item) {
    const card = this.cards.get(item.id);
    if (card) {
      this.update(item);
      const [previous, next] = [card.previousElementSibling, card.nextElementSibling];
      const stays = (!previous || this.before(this.of(previous), item) < 0) && (!next || this.before(item, this.of(next)) < 0);
      if (stays) return;
      this.keepFocus(card, () => this.grid.insertBefore(card, this.successor(item, card)));
    } else {
      const successor = this.successor(item, null);
      if (successor || !this.cursor) this.hang(item, successor);
    }
  }

  successor(item, itself) {
    return [...this.grid.children].find((card) => card !== itself && this.before(item, this.of(card)) < 0) ?? null;
  }

  keepFocus(card, move) {
    const focused = document.activeElement === card;
    move();
    if (focused) card.focus({ preventScroll: true });
  }

  update(item) {
    this.items.set(item.id, item);
    updateCard(this.cards.get(item.id), item, this.actions);
  }

  of(card) {
    return this.items.get(Number(card.dataset.id));
  }

  takeDown(id) {
    const card = this.cards.get(id);
    if (!card) return;
    const neighbour = card.nextElementSibling ?? card.previousElementSibling;
    const focused = card.contains(document.activeElement);
    card.remove();
    this.cards.delete(id);
    this.items.delete(id);
    if (focused) neighbour?.focus();
  }

  // Cards glide from where they hung to where they hang now.
  places() {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return new Map();
    return new Map([...this.cards].map(([id, card]) => [id, card.getBoundingClientRect()]));
  }

  glide(places) {
    for (const [id, old] of places) {
      const card = this.cards.get(id);
      if (!card) continue;
      const now = card.getBoundingClientRect();
      if (now.bottom < -400 || now.top > innerHeight + 400 || (old.left === now.left && old.top === now.top)) continue;
      const from = `translate(${old.left - now.left}px, ${old.top - now.top}px)`;
      card.animate([{ transform: from }, { transform: "none" }], { duration: 220, easing: "ease-out" });
    }
  }
}
