// The scrubber beside the wall: where the eye is in the whole archive, and the way to any other place in it.
//
// Marks come from a sample of the view (every so many ranks), so that they cost the same for a hundred photographs and
// for a million; they are exact for the ranks they name.
import { count, el } from "../core/dom.js";
import { fetchPhotos, photo } from "../core/photos.js";

const SAMPLES = 100;
const MARK_ROOM_PX = 26;

/** What a mark says, by sort. @type {Record<string, (item: Item) => string>} */
const LABELS = {
  captured: (item) => item.captured_at?.slice(0, 4) ?? "undated",
  name: (item) => item.filename.slice(0, 1).toUpperCase(),
  preference: (item) => said(item.preference_score),
  vibe: (item) => said(item.vibe_score),
  rating: (item) => (item.user_rating ? `${item.user_rating} ★` : "–"),
  sharpness: (item) => said(item.sharpness_score),
  focus: (item) => said(item.focus_score === null ? null : Math.round(item.focus_score)),
  exposure: (item) => said(item.exposure_score),
  newest: () => "",
};

/** @param {number | null} value */
const said = (value) => (value === null ? "–" : String(value));

const MONTH = new Intl.DateTimeFormat("en", { month: "long", year: "numeric" });

/** What is said while one moves, finer than a mark. @param {string} key @param {Item} item */
function place(key, item) {
  if (key === "captured") return item.captured_at ? MONTH.format(new Date(item.captured_at)) : "undated";
  if (key === "name") return item.filename;
  return LABELS[key]?.(item) ?? "";
}

export class Scrubber {
  /** @param {HTMLElement} element @param {import("./wall.js").Wall} wall */
  constructor(element, wall) {
    this.element = element;
    this.wall = wall;
    this.key = "captured";
    /** @type {number[]} ranks of the sample */
    this.sample = [];
    this.marks = el("div", { class: "marks", "aria-hidden": "true" });
    this.thumb = el("div", { class: "thumb", "aria-hidden": "true" });
    this.bubble = el("div", { class: "bubble", "aria-hidden": "true", hidden: true });
    element.append(this.marks, this.thumb, this.bubble);
    wall.onMove(() => this.follow());
    element.addEventListener("pointerdown", (event) => this.take(event));
    element.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.draw()).observe(element);
  }

  /** Another order: draws the marks anew. @param {string} sort */
  async show(sort) {
    this.key = sort.replace("-", "");
    const ids = this.wall.ids;
    const n = Math.min(SAMPLES, ids.length);
    this.sample = Array.from({ length: n }, (_, i) => Math.floor((i * (ids.length - 1)) / Math.max(1, n - 1)));
    const unknown = this.sample.map((rank) => Number(ids[rank])).filter((id) => !photo(id));
    await fetchPhotos(unknown).catch(() => {}); // without marks it still moves
    if (ids === this.wall.ids) this.draw();
  }

  get track() {
    return Math.max(1, this.element.clientHeight);
  }

  draw() {
    const { ids } = this.wall;
    const label = LABELS[this.key] ?? (() => "");
    let free = 0;
    let before = "";
    const marks = [];
    for (const rank of this.sample) {
      const item = photo(Number(ids[rank]));
      if (!item) continue;
      const text = label(item);
      const y = (rank / Math.max(1, ids.length - 1)) * (this.track - 14);
      if (text === before || y < free) continue;
      const mark = el("span", { text });
      mark.style.top = `${y}px`;
      marks.push(mark);
      before = text;
      free = y + MARK_ROOM_PX;
    }
    this.marks.replaceChildren(...marks);
    this.follow();
  }

  follow() {
    const { wall } = this;
    const highest = Math.max(1, wall.rowCount * wall.rowHeight - wall.scroller.clientHeight);
    const size = Math.max(24, (wall.scroller.clientHeight / Math.max(1, wall.rowCount * wall.rowHeight)) * this.track);
    const share = Math.min(1, wall.offset / highest);
    this.element.hidden = wall.rowCount * wall.rowHeight <= wall.scroller.clientHeight;
    this.thumb.style.height = `${size}px`;
    this.thumb.style.transform = `translateY(${share * (this.track - size)}px)`;
    const rank = Math.max(0, wall.firstRank);
    const item = photo(Number(wall.ids[rank]));
    const words = item ? place(this.key, item) : "";
    const text = `${words ? `${words}, ` : ""}${count(rank + 1)} of ${count(wall.ids.length)}`;
    this.element.setAttribute("aria-valuemax", String(Math.max(1, wall.ids.length)));
    this.element.setAttribute("aria-valuenow", String(Math.min(wall.ids.length, rank + 1)));
    this.element.setAttribute("aria-valuetext", text);
    this.bubble.textContent = text;
    this.bubble.style.top = `${Math.min(this.track - 28, Math.max(0, share * (this.track - size)))}px`;
  }

  /** @param {PointerEvent} event */
  take(event) {
    event.preventDefault();
    this.element.focus({ preventScroll: true });
    this.element.setPointerCapture(event.pointerId);
    this.bubble.hidden = false;
    const to = (/** @type {PointerEvent} */ moved) => {
      const share = (moved.clientY - this.element.getBoundingClientRect().top) / this.track;
      this.toShare(Math.min(1, Math.max(0, share)));
    };
    const done = () => {
      this.bubble.hidden = true;
      this.element.removeEventListener("pointermove", to);
    };
    to(event);
    this.element.addEventListener("pointermove", to);
    this.element.addEventListener("pointerup", done, { once: true });
    this.element.addEventListener("pointercancel", done, { once: true });
  }

  /** @param {number} share 0 is the first row, 1 the last */
  toShare(share) {
    const { wall } = this;
    wall.scrollToOffset(share * Math.max(0, wall.rowCount * wall.rowHeight - wall.scroller.clientHeight + wall.gap));
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { wall } = this;
    const row = wall.rowHeight;
    const page = Math.max(row, (wall.rowCount * row) / 100);
    const step = /** @type {Record<string, number>} */ ({
      ArrowUp: -row, ArrowLeft: -row, ArrowDown: row, ArrowRight: row, PageUp: -page, PageDown: page,
      Home: -Infinity, End: Infinity,
    })[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (Number.isFinite(step)) wall.scrollToOffset(wall.offset + step);
    else this.toShare(step < 0 ? 0 : 1);
  }
}
