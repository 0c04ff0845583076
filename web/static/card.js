// One photograph on the wall: made once, then brought up to date in place.
import { el } from "./dom.js";
import { stars } from "./stars.js";

export function makeCard(item, actions) {
  const card = el("article", { class: "card", role: "listitem", tabindex: "-1", "data-id": item.id });
  updateCard(card, item, actions);
  return card;
}

export function updateCard(card, item, actions) {
  card.dataset.rating = item.user_rating ?? "";
  card.classList.toggle("rejected", item.rejected);
  card.setAttribute("aria-label", label(item));
  const frame = picture(item, card.querySelector("img"));
  card.replaceChildren(frame, caption(item, actions), ...failure(item, actions));
}

function label(item) {
  const rating = item.user_rating ? `, ${item.user_rating} stars` : "";
  return `${item.filename}${rating}`;
}

function picture(item, old) {
  const frame = el("div", { class: "frame" });
  if (!item.thumb_url) {
    frame.append(el("span", { class: "blank", text: item.status === "failed" ? "no picture" : "developing" }));
  } else {
    const same = old?.getAttribute("src") === item.thumb_url;
    frame.append(same ? old : el("img", {
      src: item.thumb_url, alt: item.subject ?? item.filename, loading: "lazy", decoding: "async",
      width: item.thumb_width, height: item.thumb_height,
    }));
  }
  const badge = item.manual_match ? "Chef’s Pick" : item.is_match ? "Match" : null;
  if (badge) frame.append(el("span", { class: "badge", text: badge }));
  return frame;
}

function caption(item, actions) {
  const facts = [item.preference_score === null ? null : `${item.preference_score}`, item.project].filter(Boolean);
  return el("div", { class: "caption" },
    el("span", { class: "name", text: item.filename, title: item.file_path }),
    el("span", { class: "line" },
      stars(item.user_rating, (rating) => actions.rate(item.id, rating)),
      el("span", { class: "facts", text: facts.join(" · ") })));
}

function failure(item, actions) {
  if (!item.tabs.includes("failed")) return [];
  return [el("div", { class: "failure" },
    el("p", { text: item.failure_reason ?? "A stage gave up on this photograph." }),
    el("p", { class: "choices" },
      el("button", { type: "button", text: "Retry", onclick: () => actions.retry(item.id) }),
      el("button", { type: "button", text: "Discard", onclick: () => actions.discard(item) })))];
}
