// Which view of the gallery is shown: kept in the address, so that it can be linked and gone back to.

export const TABS = /** @type {const} */ ([
  ["all", "All"], ["for_projects", "For Projects"], ["match", "Match"], ["no_match", "No match"], ["rated", "Rated"],
  ["unrated", "Unrated"], ["unseen", "Unseen"], ["bursts", "Bursts"], ["rejected", "Rejected"], ["failed", "Failed"],
]);
export const SORTS = /** @type {const} */ ([
  ["preference", "Preference"], ["captured", "Captured"], ["newest", "Newest"], ["vibe", "Vibe"], ["rating", "Rating"],
  ["sharpness", "Sharpness"], ["focus", "Focus"], ["exposure", "Exposure"], ["name", "File name"],
]);
export const FACETS = /** @type {const} */ ([
  ["folder", "Folder"], ["import", "Import"], ["project", "Project"], ["camera", "Camera"], ["lens", "Lens"],
  ["type", "Type"], ["tag", "Tag"],
]);
export const RANGES = /** @type {const} */ ([
  ["preference", "Preference"], ["vibe", "Vibe"], ["rating", "Stars"], ["technical", "Technical"],
  ["sharpness", "Sharpness"], ["exposure", "Exposure"], ["focus", "Focus"],
]);
/** What a view can be held to beside the facets, with the words of its chip. */
export const HELD = /** @type {const} */ ([["versions", "Versions behind the front are hidden"], ["stack", "One stack of versions"]]);
/** What the page keeps in the address beside the query of the API. */
const OF_THE_PAGE = ["photo", "mode", "order", "compare", "zoom"];

/** Everything in the address. */
export const address = () => new URLSearchParams(location.search);

/** The query of the API that the address asks for. */
export function query() {
  const view = address();
  OF_THE_PAGE.forEach((name) => view.delete(name));
  return view;
}

/**
 * Writes changes into the address: a step for the back button, or (`quietly`) in place.
 * @param {Record<string, string | number | null | undefined>} changes
 * @param {{ quietly?: boolean }} [how]
 */
export function go(changes, { quietly = false } = {}) {
  const view = address();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === undefined || value === "") view.delete(name);
    else view.set(name, String(value));
  }
  const to = view.size ? `?${view}` : location.pathname;
  if (quietly) history.replaceState(history.state, "", to);
  else history.pushState(null, "", to);
}

/** Whether a click on a link asks for another tab or window: that is the browser's. @param {MouseEvent} event */
export const elsewhere = (event) => event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0;

/** The query with something else in it, as a link. @param {string} path @param {Record<string, string | number | null>} changes */
export function link(path, changes) {
  const view = query();
  for (const [name, value] of Object.entries(changes)) {
    if (value === null) view.delete(name);
    else view.set(name, String(value));
  }
  return view.size ? `${path}?${view}` : path;
}

/** Whether a photograph belongs to a tab, as far as its decision says; null where only the server knows.
 * @param {string} tab @param {Item} item @returns {boolean | null} */
export function belongs(tab, item) {
  if (tab === "failed") return null;
  if (tab === "rejected") return item.rejected;
  if (item.rejected) return false;
  const rating = item.user_rating;
  if (tab === "rated") return rating !== null;
  if (tab === "unrated") return rating === null;
  if (tab === "unseen") return rating === null && !item.seen ? null : false;
  if (tab === "for_projects") return rating !== null && rating >= 4 && !item.project;
  if (tab === "match") return item.manual_match || (rating !== null && rating <= 3 ? false : null);
  if (tab === "no_match") return item.manual_match ? false : null;
  return null;
}
