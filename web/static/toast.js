// What was done, in words, where a person sees it; with a way back where there is one.
import { byId, el } from "./dom.js";

const SHOWN_MS = 5000;

export function toast(sentence, { undo, error = false } = {}) {
  const note = el("div", { class: error ? "toast error" : "toast" }, el("span", { text: sentence }));
  const remove = () => note.remove();
  if (undo) note.append(el("button", { type: "button", text: "Undo", onclick: () => { remove(); undo(); } }));
  byId("toasts").append(note);
  while (byId("toasts").children.length > 3) byId("toasts").firstChild.remove();
  setTimeout(remove, error ? 2 * SHOWN_MS : SHOWN_MS);
}

export const complain = (error) => toast(error.message, { error: true });
