// Keys by physical position and numeric pad; never while typing, never with Ctrl, Cmd or Alt, never under a dialog.

/** @type {Record<string, string>} */
const NAMES = {
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down", Space: "space", Enter: "enter", Escape: "escape",
  Home: "home", End: "end", PageUp: "pageup", PageDown: "pagedown", NumpadEnter: "enter", Equal: "+", Minus: "-",
  NumpadAdd: "+", NumpadSubtract: "-",
};

/** @param {KeyboardEvent} event */
function nameOf(event) {
  if (event.key === "?") return "?";
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code)?.[1];
  if (digit !== undefined) return digit;
  const letter = /^Key([A-Z])$/.exec(event.code)?.[1];
  return letter ? letter.toLowerCase() : NAMES[event.code];
}

/** @param {EventTarget | null} target */
function typing(target) {
  return target instanceof Element && target.closest("input:not([type=checkbox], [type=range]), select, textarea, [contenteditable]") !== null;
}

/**
 * Calls `act(name, event)` for every key that is ours: "1", "p", "left", "space", "?". What it handles (true) is handled.
 * @param {(name: string, event: KeyboardEvent) => boolean | void} act
 */
export function onKey(act) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    const name = nameOf(event);
    // Space and Enter belong to the button or link that has the focus.
    if (!name || (["space", "enter"].includes(name) && event.target instanceof Element && event.target.closest("button, a, summary"))) return;
    if (act(name, event)) event.preventDefault();
  });
}
