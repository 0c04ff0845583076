// Facets: what the view can be narrowed to, with counts, and what it is narrowed to already.
import { get } from "../core/api.js";
import { button, count, el } from "../core/dom.js";
import { FACETS, HELD, query, RANGES } from "../core/view.js";

/** @typedef {(changes: Record<string, string | number | null>) => void} Narrow */

/** Chips of the facets in force; a click takes one away. @param {HTMLElement} place @param {Narrow} narrow */
export function showChips(place, narrow) {
  const view = query();
  const chips = [];
  for (const [name, title] of FACETS) {
    const value = view.get(name);
    if (value) chips.push(chip(`${title}: ${shortened(name, value)}`, () => narrow({ [name]: null })));
  }
  for (const [name, title] of RANGES) {
    const [least, most] = [view.get(`min_${name}`), view.get(`max_${name}`)];
    if (least || most) chips.push(chip(`${title}: ${least ?? "…"} – ${most ?? "…"}`, () => narrow({ [`min_${name}`]: null, [`max_${name}`]: null })));
  }
  for (const [name, words] of HELD) if (view.get(name)) chips.push(chip(words, () => narrow({ [name]: null })));
  place.replaceChildren(...chips);
}

/** @param {string} text @param {() => void} act */
const chip = (text, act) => button(`${text} ×`, act, { class: "chip", "aria-label": `Remove ${text}` });

/** @param {string} name @param {string} value */
const shortened = (name, value) => (name === "folder" ? value.split("/").slice(-2).join("/") : value);

/** The panel with every facet's values. @param {HTMLElement} panel @param {Narrow} narrow */
export async function showFacets(panel, narrow) {
  const view = query();
  /** @type {Facets} */
  const facets = await get(`/api/facets?${view}`);
  panel.replaceChildren(
    ...FACETS.map(([name, title]) => choices(name, title, /** @type {Facet[]} */ (facets[name] ?? []), view.get(name), narrow)),
    ...fronts(view, narrow),
    ...RANGES.map(([name, title]) => range(name, title, facets.ranges[name] ?? null, view, narrow)));
}

/**
 * @param {string} name @param {string} title @param {Facet[]} values @param {string | null} current @param {Narrow} narrow
 */
function choices(name, title, values, current, narrow) {
  const select = el("select", { name, onchange: () => narrow({ [name]: select.value || null }) },
    el("option", { value: "", text: values.length || current ? "any" : "none known" }),
    ...values.map(({ value, label, count: n }) => el("option", { value: String(value), text: `${label ?? value} (${count(n)})` })));
  if (current && !values.some(({ value }) => String(value) === current)) select.append(el("option", { value: current, text: current }));
  select.value = current ?? "";
  select.disabled = !values.length && !current;
  return el("label", {}, title, select);
}

/** Whether of a stack of versions only the one in front hangs here. @param {URLSearchParams} view @param {Narrow} narrow */
function fronts(view, narrow) {
  const select = el("select", { name: "versions", onchange: () => narrow({ versions: select.value || null }) },
    el("option", { value: "", text: "shown, with a mark" }), el("option", { value: "front", text: "hidden behind the front" }));
  select.value = view.get("versions") ?? "";
  return [el("label", {}, "Versions", select), el("a", { href: "/duplicates", text: "Copies and versions" })];
}

/**
 * @param {string} name @param {string} title @param {[number, number] | null} known @param {URLSearchParams} view @param {Narrow} narrow
 */
function range(name, title, known, view, narrow) {
  const bound = (/** @type {"min" | "max"} */ side) => {
    const input = el("input", {
      type: "number", step: "any", name: `${side}_${name}`, value: view.get(`${side}_${name}`), "aria-label": `${title}, ${side === "min" ? "at least" : "at most"}`,
      placeholder: known ? String(Math.round(known[side === "min" ? 0 : 1])) : "", disabled: !known && !view.get(`${side}_${name}`),
      onchange: () => narrow({ [`${side}_${name}`]: input.value }),
    });
    return input;
  };
  return el("div", { class: "range", role: "group", "aria-label": title }, el("span", { class: "label", text: title }), bound("min"), el("span", { text: "–", "aria-hidden": "true" }), bound("max"));
}
