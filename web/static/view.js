// Which view of the gallery is shown: kept in the address, so that it can be linked and gone back to.

export const TABS = [
  ["all", "All"], ["for_projects", "For Projects"], ["match", "Match"], ["no_match", "No match"], ["rated", "Rated"],
  ["unrated", "Unrated"], ["unseen", "Unseen"], ["bursts", "Bursts"], ["rejected", "Rejected"], ["failed", "Failed"],
];
export const SORTS = [
  ["preference", "Preference"], ["captured", "Captured"], ["newest", "Newest"], ["vibe", "Vibe"], ["rating", "Rating"],
  ["sharpness", "Sharpness"], ["focus", "Focus"], ["exposure", "Exposure"], ["name", "File name"],
];
const KEYS = {
  preference: (item) => item.preference_score, captured: (item) => item.captured_at, newest: (item) => item.id,
  vibe: (item) => item.vibe_score, rating: (item) => item.user_rating, sharpness: (item) => item.sharpness_score,
  focus: (item) => item.focus_score, exposure: (item) => item.exposure_score,
  name: (item) => item.filename.toLowerCase(),
};

export function readView() {
  return new URLSearchParams(location.search);
}

export function writeView(changes) {
  const view = readView();
  for (const [name, value] of Object.entries(changes)) {
    if (value) view.set(name, value);
    else view.delete(name);
  }
  history.pushState(null, "", view.size ? `?${view}` : location.pathname);
}

export function comparator(sort) {
  // The server's order: without a key last in both directions, ties by id.
  const key = KEYS[sort.replace("-", "")];
  const sign = sort.startsWith("-") ? -1 : 1;
  return (a, b) => {
    const [x, y] = [key(a), key(b)];
    if ((x ?? null) === null || (y ?? null) === null) {
      if ((x ?? null) !== null) return -1;
      if ((y ?? null) !== null) return 1;
    } else if (x !== y) {
      return (x < y ? -1 : 1) * sign;
    }
    return (a.id - b.id) * sign;
  };
}
