// Which folder: chips for the roots and the last imports, and a list to walk through.
import { get } from "../core/api.js";
import { button, byId, counted, el, field } from "../core/dom.js";
import { complain } from "./toast.js";

const chooser = () => /** @type {HTMLDetailsElement} */ (document.getElementById("chooser"));

export async function setUpChooser() {
  chooser().addEventListener("toggle", () => { if (chooser().open) walk(field("path").value).catch(() => walk("").catch(complain)); });
  try {
    const [roots, imports] = await Promise.all([get("/api/roots"), get("/api/imports")]);
    /** @type {Set<string>} */
    const paths = new Set([...imports.items.slice(0, 5), ...roots.items].map((/** @type {{ path: string }} */ place) => place.path));
    byId("places").replaceChildren(...[...paths].map((path) => button(path, () => choose(path), { class: "chip" })));
  } catch (error) {
    complain(error);
  }
}

/** @param {string} path */
function choose(path) {
  field("path").value = path;
  if (chooser().open) walk(path).catch(complain);
}

/** @param {string} path "" is above the roots */
async function walk(path) {
  const here = await get(path ? `/api/folders?path=${encodeURIComponent(path)}` : "/api/folders");
  byId("here").textContent = here.path ? `${here.path}: ${counted(here.pictures, "picture")}` : "Library roots";
  byId("up").hidden = !here.path;
  byId("up").onclick = () => { if (here.parent) choose(here.parent); else walk("").catch(complain); };
  byId("folder-list").replaceChildren(...here.folders.map((/** @type {{ name: string, path: string }} */ folder) =>
    el("li", {}, button(folder.name, () => choose(folder.path)))));
}
