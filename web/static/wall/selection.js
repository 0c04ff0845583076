// Which photographs are selected: ids, so that it holds across rows that were never loaded.

export class Selection {
  constructor() {
    /** @type {Set<number>} */
    this.ids = new Set();
    /** @type {number | null} where a range starts */
    this.anchor = null;
    /** @type {(() => void)[]} */
    this.readers = [];
  }

  /** @param {() => void} reader */
  onChange(reader) {
    this.readers.push(reader);
  }

  tell() {
    this.readers.forEach((reader) => reader());
  }

  get size() {
    return this.ids.size;
  }

  /** @param {number} id */
  has(id) {
    return this.ids.has(id);
  }

  /** @param {number} id */
  toggle(id) {
    if (!this.ids.delete(id)) this.ids.add(id);
    this.anchor = id;
    this.tell();
  }

  /** From the anchor to `rank`, in the view's order, whatever of it was loaded.
   * @param {ArrayLike<number>} order @param {number} from @param {number} to ranks, both included */
  range(order, from, to) {
    for (let rank = Math.min(from, to); rank <= Math.max(from, to); rank += 1) this.ids.add(Number(order[rank]));
    this.tell();
  }

  /** @param {ArrayLike<number>} order */
  all(order) {
    this.ids = new Set(Array.from(order));
    this.tell();
  }

  /** Keeps those that the view still holds. @param {ArrayLike<number>} order */
  keepWithin(order) {
    if (!this.ids.size) return;
    const before = this.ids.size;
    const kept = new Set();
    for (let rank = 0; rank < order.length; rank += 1) if (this.ids.has(Number(order[rank]))) kept.add(order[rank]);
    this.ids = kept;
    if (kept.size !== before) this.tell();
  }

  clear() {
    this.anchor = null;
    if (!this.ids.size) return;
    this.ids.clear();
    this.tell();
  }
}
