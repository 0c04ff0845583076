// The wall: a window of rows over any number of photographs.
//
// The DOM holds the rows in sight and two beyond, whatever the archive's size. Browsers limit an element's height (some
// 17 to 33 million pixels), so the canvas is never higher than `TALLEST`: where the archive is higher, `base` says
// which row the canvas begins with, and the canvas is moved under the eye when its end comes near.
import { el, stillness } from "../core/dom.js";
import { photo, want } from "../core/photos.js";
import { Card } from "./card.js";

const TALLEST = 4_000_000;
const BEYOND = 2;
const ASK_EVERY_MS = 80;
const GLIDE_MS = 220;

/** @typedef {{ element: HTMLElement, index: number, cards: Card[] }} Row */

export class Wall {
  /**
   * @param {HTMLElement} scroller
   * @param {import("./card.js").CardActions} actions
   * @param {import("./selection.js").Selection} selection
   */
  constructor(scroller, actions, selection) {
    this.scroller = scroller;
    this.canvas = el("div", { class: "canvas", role: "presentation" });
    scroller.replaceChildren(this.canvas);
    this.actions = actions;
    this.selection = selection;
    /** @type {Float64Array | Uint32Array} */
    this.ids = new Uint32Array();
    this.columns = 1;
    this.cell = 200;
    this.gap = 16;
    this.rowHeight = 300;
    this.base = 0;
    /** @type {Map<number, Row>} */
    this.rows = new Map();
    /** @type {Card[]} */
    this.spare = [];
    /** @type {Map<number, Card>} */
    this.cards = new Map();
    /** @type {number | null} the photograph that keys act on */
    this.active = null;
    this.activeRank = 0;
    /** @type {(() => void)[]} */
    this.readers = [];
    this.frame = 0;
    this.asked = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.asking = undefined;
    this.smallest = 15; // rem
    scroller.addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.measure()).observe(scroller);
    selection.onChange(() => this.mark());
    this.measure();
  }

  /** Told when another place is shown or another photograph is the active one. @param {() => void} reader */
  onMove(reader) {
    this.readers.push(reader);
  }

  // ── Geometry ──────────────────────────────────────────────────────────────────────────────────────────────────────

  get rowCount() {
    return Math.ceil(this.ids.length / this.columns);
  }

  get canvasRows() {
    return Math.min(this.rowCount, Math.floor(TALLEST / this.rowHeight));
  }

  /** How far the eye is from the first row, in pixels; may be millions. */
  get offset() {
    return this.base * this.rowHeight + this.scroller.scrollTop;
  }

  get rowsInSight() {
    return Math.max(1, Math.floor(this.scroller.clientHeight / this.rowHeight));
  }

  /** The rank of the first photograph in sight. */
  get firstRank() {
    return Math.min(this.ids.length - 1, Math.max(0, Math.round(this.offset / this.rowHeight) * this.columns));
  }

  /** Columns and row height from the room there is. The photograph at the top stays at the top. */
  measure() {
    const style = getComputedStyle(this.scroller);
    const room = this.scroller.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    if (room <= 0) return;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.gap = Math.round(Math.min(2.2 * rem, Math.max(0.9 * rem, room * 0.018)));
    const smallest = Math.min(this.smallest * rem, room * 0.44);
    const columns = Math.max(1, Math.floor((room + this.gap) / (smallest + this.gap)));
    const cell = (room - this.gap * (columns - 1)) / columns;
    const caption = parseFloat(style.getPropertyValue("--caption")) * rem;
    const rowHeight = Math.round(cell + caption + this.gap);
    if (columns === this.columns && rowHeight === this.rowHeight && cell === this.cell) return this.layout();
    const rank = this.firstRank;
    Object.assign(this, { columns, cell, rowHeight });
    this.canvas.style.setProperty("--columns", String(columns));
    this.canvas.style.setProperty("--gap", `${this.gap}px`);
    this.canvas.style.setProperty("--cell", `${cell}px`);
    this.activeRank = Math.max(0, this.rankOf(this.active));
    this.scroller.setAttribute("aria-colcount", String(columns));
    this.release();
    this.toRank(rank);
  }

  /** @param {number} offset in pixels from the first row */
  scrollToOffset(offset) {
    const highest = Math.max(0, this.rowCount * this.rowHeight - this.scroller.clientHeight + this.gap);
    const to = Math.min(Math.max(0, offset), highest);
    const spare = this.rowCount - this.canvasRows;
    const row = Math.floor(to / this.rowHeight);
    this.base = Math.min(spare, Math.max(0, row - Math.floor(this.canvasRows / 2)));
    this.size();
    this.scroller.scrollTop = to - this.base * this.rowHeight;
    this.layout();
  }

  size() {
    this.canvas.style.height = `${this.canvasRows * this.rowHeight}px`;
    this.scroller.setAttribute("aria-rowcount", String(this.rowCount));
  }

  /** The row of `rank` becomes the first in sight. @param {number} rank */
  toRank(rank) {
    this.scrollToOffset(Math.floor(rank / this.columns) * this.rowHeight);
  }

  /** Where the canvas ends before the archive does, it is moved under the eye. */
  rebase() {
    const spare = this.rowCount - this.canvasRows;
    if (spare <= 0) return;
    const top = this.scroller.scrollTop;
    const end = this.canvasRows * this.rowHeight - this.scroller.clientHeight;
    const margin = 20 * this.rowHeight;
    if ((top < margin && this.base > 0) || (top > end - margin && this.base < spare)) this.scrollToOffset(this.offset);
  }

  // ── Rows ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  soon() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = 0;
      this.rebase();
      this.layout();
    });
  }

  /** Hangs the rows in sight; those out of sight give their cards to them. */
  layout() {
    const first = Math.max(0, Math.floor(this.offset / this.rowHeight) - BEYOND);
    const last = Math.min(this.rowCount - 1, Math.ceil((this.offset + this.scroller.clientHeight) / this.rowHeight) + BEYOND);
    const needed = new Set();
    for (let index = first; index <= last; index += 1) needed.add(index);
    // The focus lies in the active card: its row stays, wherever the eye goes.
    const held = Math.floor(this.activeRank / this.columns);
    if (this.active !== null && this.rows.has(held) && this.rows.get(held)?.element.contains(document.activeElement)) needed.add(held);
    for (const [index, row] of this.rows) if (!needed.has(index)) this.takeDown(row);
    for (const index of needed) {
      const row = this.rows.get(index) ?? this.hang(index);
      row.element.style.transform = `translateY(${(index - this.base) * this.rowHeight}px)`;
    }
    this.ask(first, last);
    this.tell();
  }

  /** @param {number} index @returns {Row} */
  hang(index) {
    const element = el("div", { class: "row", role: "row", "aria-rowindex": String(index + 1) });
    /** @type {Row} */
    const row = { element, index, cards: [] };
    const end = Math.min(this.ids.length, (index + 1) * this.columns);
    for (let rank = index * this.columns; rank < end; rank += 1) {
      const id = Number(this.ids[rank]);
      const card = this.cards.get(id) ?? this.spare.pop() ?? new Card(this.actions);
      card.show(id, photo(id), this.cell);
      card.element.setAttribute("aria-colindex", String((rank % this.columns) + 1));
      this.cards.set(id, card);
      row.cards.push(card);
      element.append(card.element);
      this.markCard(card);
    }
    this.rows.set(index, row);
    this.canvas.append(element);
    return row;
  }

  /** @param {Row} row */
  takeDown(row) {
    for (const card of row.cards) {
      if (this.cards.get(card.id) === card) this.cards.delete(card.id);
      this.spare.push(card);
    }
    row.element.remove();
    this.rows.delete(row.index);
  }

  /** Takes all rows down, cards ready to be hung again. */
  release() {
    for (const row of [...this.rows.values()]) this.takeDown(row);
  }

  /** @param {number} first @param {number} last rows */
  ask(first, last) {
    clearTimeout(this.asking);
    const ids = Array.from(this.ids.slice(first * this.columns, (last + 1) * this.columns), Number);
    const now = performance.now();
    const act = () => {
      this.asked = performance.now();
      want(ids);
    };
    if (now - this.asked > ASK_EVERY_MS) act();
    else this.asking = setTimeout(act, ASK_EVERY_MS);
  }

  /** They look different now. @param {number[]} ids */
  refresh(ids) {
    let stale = false;
    for (const id of ids) {
      const card = this.cards.get(id);
      if (!card) continue;
      card.show(id, photo(id), this.cell);
      this.markCard(card);
      stale = true;
    }
    if (stale) want([...this.cards.keys()]);
    this.tell();
  }

  // ── Order ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** @param {number | null} id */
  rankOf(id) {
    return id === null ? -1 : this.ids.indexOf(/** @type {never} */ (id));
  }

  /**
   * Another order, or other photographs. The active one, else the first in sight, keeps its place on screen; at the
   * very top the top stays. Cards glide from where they hung.
   * @param {Float64Array | Uint32Array} ids
   */
  setOrder(ids) {
    if (same(ids, this.ids)) return;
    const places = this.places();
    const focused = this.scroller.contains(document.activeElement) && document.activeElement !== this.scroller;
    const anchor = this.anchor();
    const offset = this.offset;
    this.ids = ids;
    const rank = this.rankOf(this.active);
    if (rank >= 0) this.activeRank = rank;
    else if (this.active !== null) {
      this.activeRank = Math.min(this.activeRank, ids.length - 1);
      this.active = ids.length ? Number(ids[this.activeRank]) : null;
    }
    const kept = new Map(this.cards);
    this.release();
    // A photograph that stays keeps its card, so that its picture is not decoded again.
    this.cards = new Map([...kept].filter(([id, card]) => card.id === id));
    this.spare = this.spare.filter((card) => this.cards.get(card.id) !== card);
    this.scrollToOffset(anchor ? this.rowTop(anchor.id) - anchor.top : offset);
    const hung = new Set([...this.rows.values()].flatMap((row) => row.cards));
    for (const [id, card] of this.cards) if (!hung.has(card)) { this.cards.delete(id); this.spare.push(card); }
    this.spare.length = Math.min(this.spare.length, 200);
    if (focused) this.focus(this.active, false);
    this.glide(places);
    this.tell();
  }

  /** What stays where it is: the active card if it is in sight, else the first one; nothing at the very top. */
  anchor() {
    if (this.offset < 4) return null;
    const inSight = (/** @type {number} */ rank) => {
      const top = Math.floor(rank / this.columns) * this.rowHeight - this.offset;
      return rank >= 0 && top > -this.rowHeight / 2 && top < this.scroller.clientHeight ? top : null;
    };
    const active = inSight(this.rankOf(this.active));
    if (this.active !== null && active !== null) return { id: this.active, top: active };
    const first = this.firstRank;
    return first >= 0 ? { id: Number(this.ids[first]), top: inSight(first) ?? 0 } : null;
  }

  /** @param {number} id */
  rowTop(id) {
    const rank = this.rankOf(id);
    return rank < 0 ? this.offset : Math.floor(rank / this.columns) * this.rowHeight;
  }

  /** Takes photographs down at once, before the server has said so. @param {number[]} gone */
  remove(gone) {
    const without = new Set(gone);
    const kept = this.ids.filter((/** @type {number} */ id) => !without.has(id));
    if (kept.length !== this.ids.length) this.setOrder(/** @type {Uint32Array} */ (kept));
  }

  /** @returns {Map<number, DOMRect>} */
  places() {
    if (stillness()) return new Map();
    return new Map([...this.cards].map(([id, card]) => [id, card.element.getBoundingClientRect()]));
  }

  /** @param {Map<number, DOMRect>} places */
  glide(places) {
    for (const [id, old] of places) {
      const card = this.cards.get(id);
      if (!card?.element.isConnected) continue;
      const now = card.element.getBoundingClientRect();
      if (old.left === now.left && old.top === now.top) continue;
      const from = `translate(${old.left - now.left}px, ${old.top - now.top}px)`;
      card.element.animate([{ transform: from }, { transform: "none" }], { duration: GLIDE_MS, easing: "ease-out" });
    }
  }

  // ── The active card ───────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a photograph the active one, in sight, and gives it the focus. @param {number | null} id @param {boolean} [scroll] */
  focus(id, scroll = true) {
    const rank = this.rankOf(id);
    if (rank < 0) return;
    this.active = id;
    this.activeRank = rank;
    if (scroll) this.intoSight(rank);
    else this.layout();
    const row = Math.floor(rank / this.columns);
    if (!this.rows.has(row)) this.hang(row).element.style.transform = `translateY(${(row - this.base) * this.rowHeight}px)`;
    this.mark();
    this.cards.get(Number(id))?.element.focus({ preventScroll: true });
    this.tell();
  }

  /** @param {number} rank */
  intoSight(rank) {
    const top = Math.floor(rank / this.columns) * this.rowHeight;
    const room = this.scroller.clientHeight;
    if (top < this.offset) this.scrollToOffset(top);
    else if (top + this.rowHeight > this.offset + room) this.scrollToOffset(top + this.rowHeight - room);
    else this.layout();
  }

  /** Moves the active card; from nowhere, to the first in sight. @param {string} key @returns {number | null} the rank it came from */
  move(key) {
    const last = this.ids.length - 1;
    if (last < 0) return null;
    const from = this.rankOf(this.active);
    const page = this.rowsInSight * this.columns;
    const steps = /** @type {Record<string, number>} */ ({
      left: -1, right: 1, up: -this.columns, down: this.columns, pageup: -page, pagedown: page, home: -last, end: last,
    });
    const to = from < 0 ? this.firstRank : from + /** @type {number} */ (steps[key]);
    const onto = ["up", "down"].includes(key) && (to < 0 || to > last) ? from : Math.min(last, Math.max(0, to));
    this.focus(Number(this.ids[onto]));
    return from;
  }

  mark() {
    for (const card of this.cards.values()) this.markCard(card);
  }

  /** @param {Card} card */
  markCard(card) {
    const active = card.id === this.active || (this.active === null && card.id === Number(this.ids[0]));
    const selected = this.selection.has(card.id);
    card.element.tabIndex = active ? 0 : -1;
    card.element.classList.toggle("selected", selected);
    card.element.setAttribute("aria-selected", String(selected));
  }

  tell() {
    this.readers.forEach((reader) => reader());
  }
}

/** @param {ArrayLike<number>} a @param {ArrayLike<number>} b */
function same(a, b) {
  if (a.length !== b.length) return false;
  for (let n = 0; n < a.length; n += 1) if (a[n] !== b[n]) return false;
  return true;
}
