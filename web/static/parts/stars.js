// Five stars to click. `change` is called with 1 to 5, or null when the current rating is clicked again.
import { el } from "../core/dom.js";

/** @param {(rating: number | null) => void} change */
export function makeStars(change) {
  const row = el("span", { class: "stars", role: "group" });
  for (let n = 1; n <= 5; n += 1) {
    row.append(el("button", {
      type: "button", tabindex: "-1", "aria-label": `${n} ${n === 1 ? "star" : "stars"}`,
      onclick: (/** @type {Event} */ event) => { event.stopPropagation(); change(row.dataset.rating === String(n) ? null : n); },
    }));
  }
  return row;
}

/** @param {HTMLElement} row @param {number | null} rating */
export function showStars(row, rating) {
  row.dataset.rating = String(rating ?? "");
  row.setAttribute("aria-label", rating ? `${rating} of 5 stars` : "not rated");
  [...row.children].forEach((star, n) => {
    const on = n < (rating ?? 0);
    star.textContent = on ? "★" : "☆";
    star.classList.toggle("on", on);
    star.setAttribute("aria-pressed", String(on));
  });
}
