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

/** @type {[string, string][]} */
const KEYS = [["arrows", "move"], ["1 – 5", "rate, and on to the next"], ["0", "clear the rating"], ["p", "pick"], ["x", "reject"], ["z", "undo"], ["?", "this list"]];
const TENTATIVE_FROM = 5;
const EARNEST_FROM = 20;
const BATCH = 10;
const EXTREMES = 8;

/** @type {Taste | null} */
let taste = null;
const deeds = { rate: (/** @type {number} */ id, /** @type {number | null} */ rating) => void rate([id], rating), retry, discard };
const offer = new CardRow(deeds, "Photographs to rate next");
const disagreed = new CardRow(deeds, "Photographs on which you and the model disagree");
const most = new CardRow(deeds, "Photographs with the highest scores");
const least = new CardRow(deeds, "Photographs with the lowest scores");
const rows = [offer, disagreed, most, least];
byId("offer").append(offer.element);
byId("disagreed").append(disagreed.element);
byId("most").append(most.element);
byId("least").append(least.element);

async function load() {
  try {
    taste = await get("/api/taste");
    show();
    await showExtremes();
  } catch (error) {
    complain(error);
  }
}

function show() {
  if (!taste) return;
  byId("headline").textContent = headline(taste);
  byId("figures").replaceChildren(...figures(taste).flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { text: value })]));
  const slider = field("threshold");
  if (document.activeElement !== slider) slider.value = String(taste.cut);
  field("auto").checked = taste.threshold === "auto";
  preview(Number(slider.value), taste);
  showLearning(taste.model?.curve ?? []);
  showDisagreements(taste.disagreements);
}

/** @param {Taste} taste */
function headline({ ratings, model, ratings_to_go: toGo }) {
  if (ratings < TENTATIVE_FROM) return `${counted(ratings, "rating")} so far. From ${TENTATIVE_FROM} on there are first, tentative scores; ${count(TENTATIVE_FROM - ratings)} to go.`;
  if (!model) return "Your ratings are being learnt.";
  if (ratings < EARNEST_FROM) return `Tentative: ${counted(ratings, "rating")} so far. From ${EARNEST_FROM} on the scores may be meant in earnest; ${count(EARNEST_FROM - ratings)} to go.`;
  const agreed = model.cv_rank_correlation;
  if (model.tentative) return `Tentative: what it has learnt could still be chance. ${toGo ? `About ${counted(toGo, "rating")} more should tell.` : "How many more ratings it takes cannot be said yet."}`;
  if (agreed === null) return "Better than chance on the shoot that you rated, but not yet tested on another: rate photographs of another shoot.";
  const words = agreed >= 0.6 ? "Your order is known well" : agreed >= 0.35 ? "Your order is known in part" : "Something is known of your order";
  return `${words}: on new shoots, its order and yours correlate by ${agreed.toFixed(2)} (1 would be the same order, 0 chance).`;
}

/** @param {Taste} taste @returns {[string, string][]} */
function figures({ ratings, model, witness }) {
  const share = (/** @type {number | null | undefined} */ value) => (value === null || value === undefined ? "not known yet" : value.toFixed(2));
  const { guesses, rank_correlation: guessed } = witness.random;
  const chance = model?.chance;
  return [
    ["Ratings", count(ratings)],
    ["On new shoots", share(model?.cv_rank_correlation)],
    ["On shoots you have rated", share(model?.cv_ungrouped)],
    ["Guesses at random offers", guessed === null ? `${count(guesses)} so far` : `${guessed.toFixed(2)} over ${count(guesses)}`],
    ["As good by chance", chance === null || chance === undefined ? "not known yet" : `${Math.round(chance * 200)} in 200`],
    ["Standing", !model ? "none" : model.tentative ? "tentative" : "in earnest"],
  ];
}

/** Correlation on new shoots by number of ratings, on a scale of doublings. @param {[number, number][]} curve */
function showLearning(curve) {
  byId("learning").hidden = curve.length < 2;
  const first = curve[0], last = curve.at(-1);
  if (!first || !last || curve.length < 2) return;
  const x = (/** @type {number} */ n) => (100 * Math.log(n / first[0])) / Math.log(last[0] / first[0]);
  byId("learning-curve").setAttribute("points", curve.map(([n, rho]) => `${x(n).toFixed(1)},${(36 - 34 * Math.max(-0.1, rho)).toFixed(1)}`).join(" "));
  const said = curve.map(([n, rho]) => `${rho.toFixed(2)} with ${count(n)}`).join(", ");
  byId("learning-picture").setAttribute("aria-label", `Correlation on new shoots by number of ratings: ${said}`);
  byId("learning-said").textContent = `Correlation on new shoots, as it would be with fewer ratings: ${said}. The dashed line is chance.`;
}

/** @param {Taste["disagreements"]} found */
function showDisagreements(found) {
  byId("disagreements").hidden = !found.length;
  learn(found.map(({ item }) => item));
  disagreed.show(found.map(({ item }) => item.id), new Map(found.map(({ item, stars, predicted }) => [item.id, `You gave ${stars}, expected were ${Math.min(5, Math.max(1, predicted)).toFixed(1)}`])));
}

async function showExtremes() {
  byId("extremes").hidden = !taste?.model;
  if (!taste?.model) return;
  for (const [row, sort] of /** @type {[CardRow, string][]} */ ([[most, "-preference"], [least, "preference"]])) {
    /** @type {{ items: Item[] }} */
    const { items } = await get(`/api/photos?filter=unrated&sort=${sort}&limit=${EXTREMES}`);
    learn(items);
    row.show(items.map((one) => one.id));
  }
}

/** How many would match at a cut, before it is chosen. @param {number} at @param {Taste} taste */
function preview(at, { matches_at: matches, tried_at: tried, liked_share: liked }) {
  byId("cut").textContent = String(at);
  field("threshold").setAttribute("aria-valuetext", `${at}: ${counted(matches[at] ?? 0, "match", "matches")}`);
  byId("matching").textContent = `${counted(matches[at] ?? 0, "photograph")} would match.`;
  byId("precision").textContent = precision(tried[at], liked);
  const highest = Math.max(1, ...matches);
  byId("curve").setAttribute("points", matches.map((n, x) => `${x},${40 - (38 * n) / highest}`).join(" "));
  byId("line").setAttribute("x1", String(at));
  byId("line").setAttribute("x2", String(at));
}

/** @param {[number, number] | undefined} tried @param {number | null} liked */
function precision(tried, liked) {
  if (!tried || liked === null) return "";
  const [shown, kept] = tried;
  if (!shown) return "Of the photographs you rated none would match, judged by models that did not know them.";
  const lift = liked ? ` That is ${(kept / shown / liked).toFixed(1)} times their share among all that you rated.` : "";
  return `Of the photographs you rated ${count(shown)} would match, judged by models that did not know them; to ${count(kept)} (${Math.round((100 * kept) / shown)} %) you gave 4 or 5 stars.${lift}`;
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
    /** @type {{ items: Item[], random: number[] }} */
    const { items, random } = await get(`/api/taste/next?size=${BATCH}`);
    learn(items);
    offer.show(items.map((one) => one.id), new Map(random.map((id) => [id, "Drawn at random"])));
    byId("nothing").hidden = items.length > 0;
    byId("another").hidden = !items.length;
  } catch (error) {
    complain(error);
  }
}

/** The row that keys go to: the offer, unless another holds the focus. */
const inFocus = () => rows.find((row) => row.active !== null) ?? offer;

onKey((key) => {
  if (key === "?") return showKeys(KEYS), true;
  if (key === "z") return void undo(), true;
  if (key === "left" || key === "right") return document.activeElement?.id === "threshold" ? false : inFocus().move(key === "right" ? 1 : -1);
  const row = inFocus();
  const id = row.active;
  if (id === null) return false;
  if (/^[0-5]$/.test(key)) {
    void rate([id], Number(key) || null);
    if (Number(key)) row.move(1);
    return true;
  }
  if (key === "p") return void pick([id]), true;
  if (key === "x") { void reject([id]); row.move(1); return true; }
  return false;
});

field("threshold").addEventListener("input", () => { if (taste) preview(Number(field("threshold").value), taste); });
field("threshold").addEventListener("change", () => void choose(Number(field("threshold").value)));
field("auto").addEventListener("change", () => void choose(field("auto").checked ? "auto" : Number(field("threshold").value)));
byId("another").append(button("Offer others", () => void offerMore()));
onPhotos((ids) => {
  for (const row of rows) row.refresh(ids);
  want(rows.flatMap((row) => row.cards.map((card) => card.id)));
});
onAny(["taste", "scores", "decisions", "resync"], () => void load(), 250);
setUpHistory();
void load();
void offerMore();
listen();
