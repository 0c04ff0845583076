// Why a photograph has its score: what each rated photograph lends it, down to the sum.
import { get } from "../core/api.js";
import { button, counted, el } from "../core/dom.js";
import { openDialog } from "./dialog.js";
import { complain } from "./toast.js";

/** @param {number} id */
export async function showWhy(id) {
  try {
    /** @type {Reasons} */
    const reasons = await get(`/api/taste/why/${id}`);
    await openDialog(`Why ${reasons.score} of 100`, (close) => [
      el("p", { class: "quiet", text: said(reasons) }),
      el("table", { class: "reasons" },
        el("tbody", {},
          row(null, "The mean of your ratings", reasons.mean, false),
          ...reasons.parts.map((part) => row(part, `${part.points < 0 ? "Unlike what you like: " : ""}${"★".repeat(part.stars)} ${part.item.filename}`, part.points)),
          reasons.others.count ? row(null, `${counted(reasons.others.count, "other rated photograph")} together`, reasons.others.points) : null,
        ),
        el("tfoot", {}, row(null, sumOf(reasons), reasons.sum, false))),
      el("p", { class: "choices" }, button("Close", () => close(null), { autofocus: true })),
    ], { wide: true });
  } catch (error) {
    complain(error);
  }
}

/** @param {Reasons} reasons */
function said({ parts, tentative }) {
  const first = parts[0];
  const most = first ? `Above all it is like ${first.item.filename}, to which you gave ${counted(first.stars, "star")}. ` : "";
  return `${most}${tentative ? "These scores are tentative: they are not yet shown to be better than chance." : "The parts add up to the score."}`;
}

/** @param {Reasons} reasons */
const sumOf = ({ sum, score }) => (Math.abs(sum - score) > 0.51 ? `Sum, which counts as ${score}` : "Sum");

/** @param {{ item: Item } | null} part @param {string} text @param {number} points @param {boolean} [signed] */
function row(part, text, points, signed = true) {
  const picture = part?.item.thumb_url ? el("a", { href: `/review?mode=browse&photo=${part.item.id}`, "aria-label": `Look at ${part.item.filename}` }, el("img", { src: part.item.thumb_url, alt: "", loading: "lazy" })) : null;
  return el("tr", {}, el("td", { class: "thumb" }, picture), el("th", { scope: "row", text }), el("td", { class: "points", text: signed ? signedPoints(points) : points.toFixed(1) }));
}

/** @param {number} points */
const signedPoints = (points) => `${points < 0 ? "−" : "+"}${Math.abs(points).toFixed(1)}`;
