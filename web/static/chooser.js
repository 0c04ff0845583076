// Which folder: chips for the roots and the last imports, and a list to walk through.
import { get } from "./api.js";
import { byId, count, el } from "./dom.js";
import { complain } from "./toast.js";

export async function setUpChooser() {
  byId("chooser").addEventListener("toggle", () => byId("chooser").open && walk(byId("path").value).catch(() => walk("").catch(complain)));
  try {
    const [roots, imports] = await Promise.all([get("/api/roots"), get("/api/imports")]);
    const paths = new Set([...imports.items.slice(0, 5).map((i) => i.path), ...roots.items.map((r) => r.path)]);
    byId("chips").append(...[...paths].map((path) =>
      el("button", { type: "button", class: "chip", text: path, onclick: () => choose(path) })));
  } catch (error) {
    complain(error);
  }
}

function choose(path) {
  byId("path").value = path;
  if (byId("chooser").open) walk(path).catch(complain);
}

async function walk(path) {
  const here = await get(path ? `/api/folders?path=${encodeURIComponent(path)}` : "/api/folders");
  byId("here").textContent = here.path ? `${here.path}: ${count(here.pictures)} pictures` : "Library roots";
  byId("up").hidden = !here.path;
  byId("up").onclick = () => (here.parent ? choose(here.parent) : walk("").catch(complain));
  byId("folder-list").replaceChildren(...here.folders.map((folder) =>
    el("li", {}, el("button", { type: "button", text: folder.name, onclick: () => choose(folder.path) }))));
}
