// Elements from data. Texts are set as text: names, EXIF and what a model said never become markup.

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [attributes] `text` is the content, `on…` a listener; null, undefined and false are left out
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) if (child !== null && child !== undefined) node.append(child);
  return node;
}

/** @param {string} id */
export const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} id */
export const field = (id) => /** @type {HTMLInputElement} */ (document.getElementById(id));

/** @param {number | null | undefined} n */
export const count = (n) => Number(n ?? 0).toLocaleString("en");

/** "1 photograph", "2,000 photographs". @param {number} n @param {string} one @param {string} [many] */
export const counted = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

/** @param {string} label @param {() => void} act @param {Record<string, any>} [more] */
export const button = (label, act, more = {}) => el("button", { type: "button", text: label, onclick: act, ...more });

export const stillness = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
