// Projects: covers and counts; open, rename, merge, take the label off.
import { call, get, post, session } from "../core/api.js";
import { undo } from "../core/actions.js";
import { button, byId, count, counted, el } from "../core/dom.js";
import { listen, onAny } from "../core/live.js";
import { ask, askFor } from "../parts/dialog.js";
import { setUpHistory } from "../parts/masthead.js";
import { complain, toast } from "../parts/toast.js";

/** @type {Project[]} */
let projects = [];

/** @param {Project} project */
function cover(project) {
  const { name, photos } = project;
  return el("article", { class: "project", "data-name": name },
    el("a", { href: `/gallery?project=${encodeURIComponent(name)}` },
      el("span", { class: "frame" }, project.cover_url ? el("img", { src: project.cover_url, alt: "", decoding: "async" }) : el("span", { class: "blank", text: "empty" })),
      el("h2", { text: name })),
    el("p", { class: "quiet", text: counted(photos, "photograph") }),
    el("p", { class: "deeds" },
      button("Rename", () => void rename(project), { "aria-label": `Rename ${name}` }),
      button("Merge", () => void merge(project), { "aria-label": `Merge ${name} into another`, disabled: projects.length < 2 }),
      button("Delete", () => void remove(project), { "aria-label": `Delete the label ${name}` })));
}

async function load() {
  try {
    ({ items: projects } = await get("/api/projects"));
  } catch (error) {
    return complain(error);
  }
  const focused = /** @type {HTMLElement | null} */ (document.activeElement?.closest(".project"))?.dataset.name;
  const at = document.activeElement instanceof HTMLElement ? document.activeElement.textContent : "";
  byId("projects").replaceChildren(...projects.map(cover));
  byId("empty").hidden = projects.length > 0;
  if (!focused) return;
  const again = [...byId("projects").children].find((one) => /** @type {HTMLElement} */ (one).dataset.name === focused);
  const target = [...(again?.querySelectorAll("a, button") ?? [])].find((one) => one.textContent === at);
  /** @type {HTMLElement | undefined} */ (target)?.focus({ preventScroll: true });
}

const path = (/** @type {string} */ name) => `/api/projects/${name.split("/").map(encodeURIComponent).join("/")}`;

/** @param {string} from @param {string} to */
async function renameTo(from, to) {
  await call("PATCH", path(from), { name: to });
  await load();
}

/** @param {Project} project */
async function rename({ name }) {
  const wanted = await askFor(`Rename ${name}`, "Name", { value: name, yes: "Rename" });
  if (!wanted || wanted === name) return;
  try {
    await renameTo(name, wanted);
    toast(`${name} is called ${wanted} now.`, { undo: () => void renameTo(wanted, name).catch(complain) });
  } catch (error) {
    complain(error);
  }
}

/** @param {Project} project */
async function merge({ name, photos }) {
  const others = projects.map((one) => one.name).filter((one) => one !== name);
  const into = await askFor(`Merge ${name}`, "Into", { choices: others, yes: "Merge", hint: `${counted(photos, "photograph")} move there, and the label ${name} goes. One undo takes it back.` });
  if (!into || into.toLowerCase() === name.toLowerCase()) return;
  try {
    const { action_id: action } = await post("/api/projects/merge", { sources: [name], into, session });
    toast(`${counted(photos, "photograph")} of ${name} are in ${into} now.`, { undo: () => void undo(action) });
    await load();
  } catch (error) {
    complain(error);
  }
}

/** @param {Project} project */
async function remove({ name }) {
  try {
    const { photos } = await get(path(name));
    const sentence = `${counted(photos, "photograph")} ${photos === 1 ? "loses" : "lose"} the label ${name}. The photographs themselves, their stars and your originals stay.`;
    if (!(await ask(`Delete ${name}`, sentence, "Delete the label"))) return;
    const { action_id: action, changed } = await call("DELETE", `${path(name)}?session=${session}`);
    toast(`The label ${name} is off ${counted(changed.length, "photograph")}.`, changed.length ? { undo: () => void undo(action) } : {});
    await load();
  } catch (error) {
    complain(error);
  }
}

get("/api/status").then((/** @type {Progress} */ { tabs }) => {
  const n = tabs.for_projects ?? 0;
  byId("waiting").hidden = n === 0;
  /** @type {HTMLElement} */ (byId("waiting").firstElementChild).textContent = `${count(n)} with four or five stars ${n === 1 ? "waits" : "wait"} for a project`;
}).catch(complain);
onAny(["decisions", "scores", "removed", "resync"], () => void load(), 300);
setUpHistory();
void load();
listen();
