// Why a photograph has its score: what each rated photograph lends it, down to the sum; and the same sum in words.
import { get } from "../core/api.js";
import { button, counted, el } from "../core/dom.js";
import { openDialog } from "./dialog.js";
import { complain } from "./toast.js";

/** @typedef {Reasons["parts"][number]} Part */

/** @param {number} id */
export async function showWhy(id) {
  try {
    /** @type {Reasons} */
    const reasons = await get(`/api/taste/why/${id}`);
    await openDialog(`Why ${reasons.score} of 100`, (close) => [
      el("p", { class: "quiet", text: said(id, reasons) }),
      el("table", { class: "reasons" },
        el("tbody", {},
          meanOf(reasons),
          ...reasons.parts.map((part) => row(part, named(id, part, reasons.mean), part.points)),
          reasons.others.count ? row(null, `${counted(reasons.others.count, "other rated photograph")} together`, reasons.others.points) : null,
        ),
        totalOf(reasons)),
      ...(reasons.in_words ? [inWords(reasons, reasons.in_words)] : []),
      el("p", { class: "choices" }, button("Close", () => close(null), { autofocus: true })),
    ], { wide: true });
  } catch (error) {
    complain(error);
  }
}

/** @param {Reasons} reasons @param {NonNullable<Reasons["in_words"]>} told */
function inWords(reasons, { parts, rest }) {
  return el("table", { class: "reasons" },
    el("caption", { text: parts.length ? "The same in words, as the encoder understands them" : "In words: none tells what these scores go by" }),
    el("tbody", {},
      meanOf(reasons),
      ...parts.map((part) => row(null, part.word, part.points)),
      row(null, "What no word tells", rest)),
    totalOf(reasons));
}

/** @param {Reasons} reasons */
const meanOf = (reasons) => row(null, "The mean of your ratings", reasons.mean, false);

/** @param {Reasons} reasons */
const totalOf = (reasons) => el("tfoot", {}, row(null, sumOf(reasons), reasons.sum, false));

/** Stars above the mean that add, or stars below it that take away, speak of a likeness. @param {Part} part @param {number} mean */
const isAlike = ({ stars, points }, mean) => (stars - 1) * 25 > mean === points > 0;

/** @param {number} id @param {Part} part @param {number} mean */
function named(id, part, mean) {
  const stars = "★".repeat(part.stars);
  return part.item.id === id ? `Your own rating of it, ${stars}` : `${isAlike(part, mean) ? "Like" : "Unlike"} ${part.item.filename}, ${stars}`;
}

/** @param {number} id @param {Reasons} reasons */
function said(id, { parts, tentative, mean }) {
  const first = parts.find((part) => part.item.id !== id);
  const most = first ? `Of the others, most comes from ${first.item.filename}, to which you gave ${counted(first.stars, "star")}: it is ${isAlike(first, mean) ? "like" : "unlike"} this one. ` : "";
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
