// Five stars to click. `change` is called with 1 to 5, or null when the current rating is clicked again.
import { el } from "./dom.js";

export function stars(rating, change) {
  const row = el("span", { class: "stars", role: "group", "aria-label": rating ? `${rating} of 5 stars` : "not rated" });
  for (let n = 1; n <= 5; n += 1) {
    row.append(el("button", {
      type: "button", tabindex: "-1", "aria-label": `${n} ${n === 1 ? "star" : "stars"}`,
      class: n <= (rating ?? 0) ? "on" : null, text: n <= (rating ?? 0) ? "★" : "☆",
      onclick: (event) => { event.stopPropagation(); change(n === rating ? null : n); },
    }));
  }
  return row;
}
