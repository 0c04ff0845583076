// Keys of the gallery, by physical position and numeric pad; never while typing, never with Ctrl, Cmd or Alt.
import { el } from "./dom.js";

const HELP = [
  ["1 – 5", "rate"], ["0", "clear the rating"], ["p", "pick, or no longer"], ["x", "reject, or restore"],
  ["arrows", "move"], ["z", "undo"], ["?", "this list"],
];

export function bindKeys(wall, actions, dialog) {
  const { grid } = wall;
  const focused = () => document.activeElement?.closest(".card") ?? null;
  grid.addEventListener("click", (event) => event.target.closest(".card")?.focus({ preventScroll: true }));

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    if (event.target.closest("input, select, textarea")) return;
    if (act(event)) event.preventDefault();
  });

  function act(event) {
    if (event.key === "?") return showHelp(dialog);
    if (event.code === "KeyZ") return actions.undo();
    if (event.code.startsWith("Arrow")) return move(event.code);
    const card = focused();
    const digit = /^(?:Digit|Numpad)([0-5])$/.exec(event.code)?.[1];
    if (!card) return false;
    const id = Number(card.dataset.id);
    if (digit !== undefined) return actions.rate(id, Number(digit) || null);
    if (event.code === "KeyP") return actions.pick(id);
    if (event.code === "KeyX") return actions.reject(id);
    return false;
  }

  function move(code) {
    const cards = [...grid.children];
    const at = cards.indexOf(focused());
    const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }[code];
    const next = at < 0 ? cards[0] : cards[at + step];
    next?.focus({ preventScroll: true });
    next?.scrollIntoView({ block: "nearest" });
    return true;
  }
}

export function showHelp(dialog) {
  dialog.replaceChildren(
    el("h2", { text: "Keys" }),
    el("dl", { class: "keys" }, ...HELP.flatMap(([key, what]) => [el("dt", { text: key }), el("dd", { text: what })])),
    el("p", { class: "choices" }, el("button", { type: "button", text: "Close", onclick: () => dialog.close() })));
  dialog.showModal();
  return true;
}
