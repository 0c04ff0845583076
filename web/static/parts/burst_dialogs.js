// Two questions about bursts: with which parameters to look for them, and whether to keep the best of every one.
import { get, post } from "../core/api.js";
import { button, count, counted, el, field } from "../core/dom.js";
import { openDialog } from "./dialog.js";
import { complain } from "./toast.js";

const ASK_AGAIN_MS = 400;
const PAGE = 60;

/** @typedef {{ threshold?: number, gap_s?: number }} Wish */

/**
 * The parameters of a search, and on demand what it would find with them; null when it was cancelled.
 * @param {BurstTotals} now
 * @returns {Promise<Wish | null>}
 */
export function askForBursts(now) {
  return openDialog("Look for bursts", (/** @type {(value: Wish | null) => void} */ close) => {
    const told = el("p", { class: "told", role: "status" });
    let asked = 0;
    const preview = async () => {
      const mine = ++asked;
      told.textContent = "Counting…";
      try {
        const found = await counts(wish(), () => asked === mine && told.isConnected);
        if (found && asked === mine) told.textContent = compared(found, now);
      } catch (error) {
        told.textContent = "";
        complain(error);
      }
    };
    return [
      el("p", { text: "Frames are a burst when they look alike, come from one camera body, and follow each other closely. Empty fields take what was measured for the encoder." }),
      el("form", { onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); close(wish()); } },
        el("p", {}, el("label", {}, "Alike from (cosine, 0 to 1) ", el("input", { id: "threshold", type: "number", min: 0.01, max: 1, step: 0.005, placeholder: "measured" }))),
        el("p", {}, el("label", {}, "Seconds apart at most ", el("input", { id: "gap", type: "number", min: 0.1, max: 3600, step: 0.1, placeholder: "5" }))),
        told,
        el("p", { class: "choices" },
          el("button", { type: "submit", class: "primary", text: "Look through the archive" }),
          button("Preview", () => void preview()), button("Cancel", () => close(null)))),
    ];
  });
}

/** @returns {Wish} */
function wish() {
  const [threshold, gap] = [field("threshold").value, field("gap").value];
  return { ...(threshold && { threshold: Number(threshold) }), ...(gap && { gap_s: Number(gap) }) };
}

/** Asks for a preview and waits for it, while `wanted`. @param {Wish} params @param {() => boolean} wanted @returns {Promise<BurstCounts | null>} */
async function counts(params, wanted) {
  await post("/api/bursts/detect", { ...params, preview: true });
  while (wanted()) {
    const { running, found, error } = await get("/api/bursts/preview");
    if (error) throw new Error(error);
    if (!running) return found;
    await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
  }
  return null;
}

/** @param {BurstCounts} found @param {BurstTotals} now */
function compared(found, now) {
  const meant = [
    [found.brackets, "exposure bracket"], [found.focus_stacks, "focus stack"], [found.panoramas, "panorama"],
  ].filter(([n]) => Number(n) > 0).map(([n, word]) => counted(Number(n), String(word)));
  const bursts = now.groups - now.intended;
  return `With ${found.threshold.toFixed(3).replace(/0+$/, "")} and ${found.gap_s} s: ${counted(found.groups, "burst")} of ${counted(found.photos, "frame")}`
    + `${found.ties ? `, ${counted(found.ties, "tie")} among them` : ""}${meant.length ? `, and ${meant.join(", ")}` : ""}. Now there ${bursts === 1 ? "is" : "are"} ${count(bursts)}. Nothing is replaced yet.`;
}

/**
 * Shows every burst that would be decided, with the server's counts; null when it was cancelled.
 * @returns {Promise<{ reject_rest: boolean, expected: number, rest: number } | null>} `rest`: frames behind the best ones
 */
export async function askToKeepAll() {
  /** @type {BurstPlan} */
  let plan;
  try {
    plan = await get(`/api/bursts/keep-best?limit=${PAGE}`);
  } catch (error) {
    complain(error);
    return null;
  }
  const { groups, rest, liked, ties, intended } = plan;
  const left = [ties ? counted(ties, "tie") : "", intended ? counted(intended, "bracket, stack or panorama", "brackets, stacks and panoramas") : ""].filter(Boolean);
  return openDialog("Keep the best of every burst", (close) => {
    const list = el("ol", { class: "plan", tabindex: "0", "aria-label": "What would be decided" }, ...plan.items.map(planned));
    const more = button("Show more", () => void next(), { hidden: !plan.next_after });
    async function next() {
      try {
        const page = await get(`/api/bursts/keep-best?limit=${PAGE}&after=${plan.next_after}`);
        plan.next_after = page.next_after;
        list.append(...page.items.map(planned));
        more.hidden = !page.next_after;
      } catch (error) {
        complain(error);
      }
    }
    return [
      el("p", { text: `In ${counted(groups, "burst")} the best frame comes to the front and ${counted(rest, "other frame")} ${rest === 1 ? "stays" : "stay"} behind it. ${left.length ? `${left.join(" and ")} ${ties + intended === 1 ? "is" : "are"} left alone. ` : ""}One undo takes all of it back, and your originals stay.` }),
      liked ? el("p", { text: `${count(liked)} of the other frames ${liked === 1 ? "is" : "are"} picked or ${liked === 1 ? "has" : "have"} four or five stars: rejecting leaves ${liked === 1 ? "it as it is" : "them as they are"}.` }) : null,
      list, el("p", {}, more),
      el("p", { class: "choices" },
        button(`Stack ${counted(groups, "burst")}`, () => close({ reject_rest: false, expected: groups, rest }), { class: "primary" }),
        button(`Reject ${counted(rest - liked, "frame")}`, () => close({ reject_rest: true, expected: groups, rest }), { disabled: rest === liked }),
        button("Cancel", () => close(null), { autofocus: true })),
    ].filter((node) => node !== null);
  }, { wide: true });
}

/** @param {BurstPlan["items"][number]} group */
function planned({ best, rest }) {
  const liked = rest.filter((one) => one.liked).length;
  return el("li", {},
    frame(best, true), ...rest.map((one) => frame(one, false)),
    el("span", { class: "words", text: `${best.filename}, before ${counted(rest.length, "frame")}${liked ? `, ${count(liked)} of them liked` : ""}` }));
}

/** A picture, and under it what the person said of it. @param {PlannedFrame} one @param {boolean} best */
function frame({ filename, thumb_url: url, user_rating: stars, manual_match: picked, liked }, best) {
  return el("figure", { class: best ? "best" : liked ? "liked" : null },
    url ? el("img", { src: url, alt: best ? `Kept: ${filename}` : filename, loading: "lazy", height: 64 }) : el("span", { class: "quiet", text: filename }),
    stars || picked ? el("figcaption", {},
      picked ? el("span", { text: "Chef’s Pick" }) : null,
      stars ? el("span", { role: "img", "aria-label": counted(stars, "star"), text: "★".repeat(stars) }) : null) : null);
}
