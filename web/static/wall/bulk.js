// What is done to all that is selected: one action each, so that one undo takes it back.
import { assign, pick, rate, reject, tag } from "../core/actions.js";
import { get } from "../core/api.js";
import { button, count, el } from "../core/dom.js";
import { photo } from "../core/photos.js";
import { query } from "../core/view.js";
import { ask, askFor } from "../parts/dialog.js";
import { showHistory } from "../parts/history.js";
import { complain } from "../parts/toast.js";

const ASKED_FROM = 200;

/** The server takes no more in one action. */
const MOST = 200_000;

export class Bulk {
  /**
   * @param {HTMLElement} bar
   * @param {import("./selection.js").Selection} selection
   * @param {() => ArrayLike<number>} order of the view, for "select all"
   * @param {(ids: number[], away: boolean) => void} lookFor
   */
  constructor(bar, selection, order, lookFor) {
    this.bar = bar;
    this.selection = selection;
    this.order = order;
    this.said = el("p", { class: "said", role: "status" });
    this.out = button("Out of the project", () => void this.on("Take out of the project", (ids) => assign(ids, null)));
    const all = button("Select all", () => this.selection.all(this.order()));
    const stars = [1, 2, 3, 4, 5].map((n) =>
      button("★".repeat(n), () => this.on(`Rate ${"★".repeat(n)}`, (ids) => rate(ids, n)), { "aria-label": `Rate ${n} stars`, class: "star" }));
    this.bar.replaceChildren(
      this.said, all,
      el("span", { class: "group", role: "group", "aria-label": "Rate" }, ...stars, button("Clear stars", () => this.on("Clear the rating", (ids) => rate(ids, null)))),
      el("span", { class: "group" },
        button("Pick", () => this.on("Pick", pick)),
        button("Reject", () => this.on("Reject", (ids) => reject(ids, true))),
        button("Restore", () => this.on("Restore", (ids) => reject(ids, false)))),
      el("span", { class: "group" },
        button("Project…", () => void this.project()),
        button("Tags…", () => void this.tags()),
        button("More like these", () => lookFor([...selection.ids], false)),
        button("Less like these", () => lookFor([...selection.ids], true)),
        button("History…", () => showHistory({ ids: [...this.selection.ids] }))),
      this.out,
      button("Done", () => this.selection.clear(), { "aria-label": "Clear the selection" }));
    selection.onChange(() => this.show());
    this.show();
  }

  show() {
    this.bar.hidden = this.selection.size === 0;
    this.out.hidden = !query().get("project");
    this.said.textContent = `${count(this.selection.size)} selected`;
  }

  /** Asks first where it is many. @param {string} what @param {(ids: number[]) => unknown} act */
  async on(what, act) {
    const ids = [...this.selection.ids];
    if (ids.length > MOST) return complain(new Error(`At most ${count(MOST)} photographs can be changed in one action; ${count(ids.length)} are selected.`));
    if (ids.length >= ASKED_FROM && !(await ask(what, `${what}: ${count(ids.length)} photographs. One undo takes all of it back.`, what))) return;
    act(ids);
  }

  async project() {
    const { items } = await get("/api/projects");
    const name = await askFor("Project", "Name", { choices: items.map((/** @type {Project} */ p) => p.name), hint: "Leave it empty to take them out of their project." });
    if (name !== null) void this.on(name ? `Put into ${name}` : "Take out of the project", (ids) => assign(ids, name || null));
  }

  async tags() {
    const mine = new Set([...this.selection.ids].slice(0, 200).flatMap((id) => photo(id)?.tags ?? []));
    const text = await askFor("Tags", "Add or remove", { choices: [...mine], hint: "Separated by commas; a leading minus takes a tag away: harbour, night, −blurred" });
    if (!text) return;
    const words = text.split(",").map((word) => word.trim().toLowerCase()).filter(Boolean);
    const away = words.filter((word) => /^[-−]/.test(word)).map((word) => word.slice(1).trim());
    const add = words.filter((word) => !/^[-−]/.test(word));
    void this.on("Tag", (ids) => tag(ids, add, away));
  }
}
