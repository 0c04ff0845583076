// The page's own dialog: questions, lists of keys, forms. Nothing native, nothing that blocks the page's work.
import { byId, button, el } from "../core/dom.js";

const dialog = () => /** @type {HTMLDialogElement} */ (byId("dialog"));

/**
 * Opens the dialog; resolves when it is closed, with what `close` was given, or null for Escape.
 * @template T
 * @param {string} title
 * @param {(close: (value: T | null) => void) => Node[]} content
 * @param {{ wide?: boolean }} [how]
 * @returns {Promise<T | null>}
 */
export function openDialog(title, content, { wide = false } = {}) {
  const box = dialog();
  if (box.open) box.close();
  return new Promise((resolve) => {
    /** @type {T | null} */
    let answer = null;
    const close = (/** @type {T | null} */ value) => { answer = value; box.close(); };
    box.classList.toggle("wide", wide);
    box.replaceChildren(el("h2", { id: "dialog-title", text: title }), ...content(close));
    box.addEventListener("close", () => resolve(answer), { once: true });
    box.showModal();
    box.scrollTop = 0; // a button at the end of a long one has the focus, and is not what is read first
  });
}

/**
 * A question: what will happen, and whether it shall.
 * @param {string} title @param {string} sentence @param {string} yes
 */
export async function ask(title, sentence, yes) {
  const answer = await openDialog(title, (/** @type {(value: boolean) => void} */ close) => [
    el("p", { text: sentence }),
    el("p", { class: "choices" },
      button(yes, () => close(true), { class: "primary" }), button("Cancel", () => close(false), { autofocus: true })),
  ]);
  return answer === true;
}

/**
 * Asks for a line of text; null when it was cancelled.
 * @param {string} title @param {string} label @param {{ value?: string, yes?: string, choices?: string[], hint?: string }} [how]
 * @returns {Promise<string | null>}
 */
export function askFor(title, label, { value = "", yes = "Save", choices = [], hint = "" } = {}) {
  return openDialog(title, (/** @type {(value: string | null) => void} */ close) => {
    const input = el("input", { id: "answer", value, list: "answers", maxlength: 200, autocomplete: "off", autofocus: true });
    return [
      el("form", { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); close(input.value.trim()); } },
        el("label", { class: "wide" }, label, input),
        el("datalist", { id: "answers" }, ...choices.map((text) => el("option", { value: text }))),
        hint ? el("p", { class: "quiet", text: hint }) : null,
        el("p", { class: "choices" },
          el("button", { class: "primary", type: "submit", text: yes }), button("Cancel", () => close(null)))),
    ];
  });
}

/** @param {[string, string][]} keys */
export function showKeys(keys) {
  void openDialog("Keys", (close) => [
    el("dl", { class: "keys" }, ...keys.flatMap(([key, what]) => [el("dt", { text: key }), el("dd", { text: what })])),
    el("p", { class: "choices" }, button("Close", () => close(null), { autofocus: true })),
  ]);
}
