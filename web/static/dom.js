// Elements from data. Texts are set as text: names, EXIF and what a model said never become markup.

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

export const count = (n) => Number(n ?? 0).toLocaleString("en");

export function ask(dialog, sentence, yes) {
  // A question in the page's own dialog; resolves to whether the answer was yes.
  return new Promise((resolve) => {
    const answer = (value) => () => { dialog.close(); resolve(value); };
    dialog.replaceChildren(
      el("p", { text: sentence }),
      el("p", { class: "choices" },
        el("button", { type: "button", class: "primary", text: yes, onclick: answer(true) }),
        el("button", { type: "button", text: "Cancel", onclick: answer(false) })));
    dialog.addEventListener("cancel", () => resolve(false), { once: true });
    dialog.showModal();
  });
}
