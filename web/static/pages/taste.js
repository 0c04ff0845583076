// Taste: what the model has learnt, how far it can be trusted, where the line for MATCH lies, and what to rate next.
import { discard, pick, rate, reject, retry, undo } from "../core/actions.js";
import { get, put } from "../core/api.js";
import { button, byId, count, counted, el, field } from "../core/dom.js";
import { onKey } from "../core/keys.js";
import { listen, onAny } from "../core/live.js";
import { learn, onPhotos, want } from "../core/photos.js";
import { showKeys } from "../parts/dialog.js";
import { setUpHistory } from "../parts/masthead.js";
import { complain, toast } from "../parts/toast.js";
import { CardRow } from "../wall/row.js";

/** @typedef {{ ratings: number, model: TasteModel | null, threshold: string, cut: number, matches_at: number[] }} Taste */

/** @type {[string, string][]} */
const KEYS = [["arrows", "move"], ["1 – 5", "rate, and on to the next"], ["0", "clear the rating"], ["p", "pick"], ["x", "reject"], ["z", "undo"], ["?", "this list"]];
const TENTATIVE_FROM = 5;
const EARNEST_FROM = 20;
const BATCH = 10;

/** @type {Taste | null} */
let taste = null;
const offer = new CardRow({ rate: (id, rating) => void rate([id], rating), retry, discard }, "Photographs to rate next");
byId("offer").append(offer.element);

async function load() {
  try {
    taste = await get("/api/taste");
    show();
  } catch (error) {
    complain(error);
  }
}

function show() {
  if (!taste) return;
  const { ratings, model, threshold, cut, matches_at: matches } = taste;
  byId("headline").textContent = headline(ratings, model);
  byId("figures").replaceChildren(...figures(ratings, model).flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: value })]));
  const slider = field("threshold");
  if (document.activeElement !== slider) slider.value = String(cut);
  field("auto").checked = threshold === "auto";
  preview(Number(slider.value), matches);
}

/** @param {number} ratings @param {TasteModel | null} model */
function headline(ratings, model) {
  if (ratings < TENTATIVE_FROM) return `${counted(ratings, "rating")} so far. From ${TENTATIVE_FROM} on there are first, tentative scores; ${count(TENTATIVE_FROM - ratings)} to go.`;
  if (!model) return "Your ratings are being learnt.";
  if (ratings < EARNEST_FROM) return `Tentative: ${counted(ratings, "rating")} so far. From ${EARNEST_FROM} on the scores are meant in earnest; ${count(EARNEST_FROM - ratings)} to go.`;
  const agreed = model.cv_rank_correlation;
  if (agreed === null) return "Learnt, but not yet tested: rate photographs of another shoot.";
  const words = agreed >= 0.6 ? "Your order is known well" : agreed >= 0.35 ? "Your order is known in part" : agreed >= 0.15 ? "Something is known of your order" : "Nothing reliable is known yet";
  return `${words}: on shoots it had not seen, its order and yours correlate by ${agreed.toFixed(2)} (1 would be the same order, 0 chance).`;
}

/** @param {number} ratings @param {TasteModel | null} model @returns {[string, string][]} */
function figures(ratings, model) {
  const share = (/** @type {number | null | undefined} */ value) => (value === null || value === undefined ? "not known yet" : value.toFixed(2));
  return [
    ["Ratings", count(ratings)],
    ["On new shoots", share(model?.cv_rank_correlation)],
    ["On shoots you have rated", share(model?.cv_ungrouped)],
    ["Learnt", model ? new Date(model.created_at).toLocaleString("en", { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" }) : "not yet"],
    ["Standing", !model ? "none" : model.tentative ? "tentative" : "in earnest"],
  ];
}

/** How many would match at a cut, before it is chosen. @param {number} at @param {number[]} matches */
function preview(at, matches) {
  byId("cut").textContent = String(at);
  field("threshold").setAttribute("aria-valuetext", `${at}: ${counted(matches[at] ?? 0, "match", "matches")}`);
  byId("matching").textContent = `${counted(matches[at] ?? 0, "photograph")} would match.`;
  const most = Math.max(1, ...matches);
  byId("curve").setAttribute("points", matches.map((n, x) => `${x},${40 - (38 * n) / most}`).join(" "));
  byId("line").setAttribute("x1", String(at));
  byId("line").setAttribute("x2", String(at));
}

/** @param {number | "auto"} value */
async function choose(value) {
  const before = taste?.threshold;
  try {
    const { cut } = await put("/api/taste/threshold", { value });
    const back = before === "auto" ? "auto" : Number(before);
    toast(`MATCH begins at ${cut}${value === "auto" ? ", chosen from your ratings" : ""}.`, { undo: () => void choose(back) });
    await load();
  } catch (error) {
    complain(error);
  }
}

async function offerMore() {
  try {
    const { items } = await get(`/api/taste/next?size=${BATCH}`);
    learn(items);
    offer.show(items.map((/** @type {Item} */ one) => one.id));
    byId("nothing").hidden = items.length > 0;
    byId("another").hidden = !items.length;
  } catch (error) {
    complain(error);
  }
}

onKey((key) => {
  if (key === "?") return showKeys(KEYS), true;
  if (key === "z") return void undo(), true;
  if (key === "left" || key === "right") return document.activeElement?.id === "threshold" ? false : offer.move(key === "right" ? 1 : -1);
  const id = offer.active;
  if (id === null) return false;
  if (/^[0-5]$/.test(key)) {
    void rate([id], Number(key) || null);
    if (Number(key)) offer.move(1);
    return true;
  }
  if (key === "p") return void pick([id]), true;
  if (key === "x") { void reject([id]); offer.move(1); return true; }
  return false;
});

field("threshold").addEventListener("input", () => { if (taste) preview(Number(field("threshold").value), taste.matches_at); });
field("threshold").addEventListener("change", () => void choose(Number(field("threshold").value)));
field("auto").addEventListener("change", () => void choose(field("auto").checked ? "auto" : Number(field("threshold").value)));
byId("another").append(button("Offer others", () => void offerMore()));
onPhotos((ids) => {
  offer.refresh(ids);
  want(offer.cards.map((card) => card.id));
});
onAny(["taste", "scores", "decisions", "resync"], () => void load(), 250);
setUpHistory();
void load();
void offerMore();
listen();
