// What was done, in words, where a person sees it; with a way back where there is one.
import { byId, button, el } from "../core/dom.js";

const SHOWN_MS = 6_000;
const AT_ONCE = 3;

/**
 * @param {string} sentence
 * @param {{ undo?: () => void, error?: boolean, keep?: boolean }} [how] `keep`: until it is removed by the caller
 */
export function toast(sentence, { undo, error = false, keep = false } = {}) {
  const note = el("div", { class: error ? "toast error" : "toast" }, el("span", { text: sentence }));
  const remove = () => note.remove();
  if (undo) note.append(button("Undo", () => { remove(); undo(); }));
  const toasts = byId("toasts");
  toasts.append(note);
  const passing = [...toasts.querySelectorAll(".toast:not(.kept)")];
  passing.slice(0, Math.max(0, passing.length - AT_ONCE)).forEach((old) => old.remove());
  if (keep) note.classList.add("kept");
  else setTimeout(remove, error ? 2 * SHOWN_MS : SHOWN_MS);
  return remove;
}

/** @param {unknown} error */
export const complain = (error) => void toast(error instanceof Error ? error.message : String(error), { error: true });
