// The order of the view: all its ids, read again when photographs come, go or change places.
import { orderedIds } from "./api.js";
import { on, onAny } from "./live.js";
import { query } from "./view.js";

const SOON_MS = 120;
const REST = 4; // of the time that reading takes, so that an archive of a million is not read without end

export class Order {
  /**
   * @param {(order: { ids: Float64Array | Uint32Array, sort: string, note: string | null }) => void} show
   * @param {(error: unknown) => void} fail
   * @param {() => URLSearchParams} [ask]
   */
  constructor(show, fail, ask = query) {
    this.show = show;
    this.fail = fail;
    this.ask = ask;
    this.generation = 0;
    this.cost = 0;
    this.failed = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** Follows what happens. */
  follow() {
    onAny(["photos", "removed", "scores", "decisions", "bursts", "versions", "resync"], () => this.soon());
    on("connected", () => { if (this.failed) this.soon(); });
  }

  soon() {
    this.timer ??= setTimeout(() => void this.read(), Math.max(SOON_MS, REST * this.cost));
  }

  async read() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.generation += 1;
    const { generation } = this;
    const begun = performance.now();
    try {
      const order = await orderedIds(this.ask());
      this.failed = false;
      if (generation === this.generation) this.show(order);
    } catch (error) {
      this.failed = true;
      if (generation === this.generation) this.fail(error);
    }
    this.cost = performance.now() - begun;
  }
}
