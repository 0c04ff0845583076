// The first page: start and stop imports, watch the stages, hang one picture, read what happened.
import { retryAll } from "../core/actions.js";
import { call, get, post } from "../core/api.js";
import { button, byId, count, counted, el, field } from "../core/dom.js";
import { listen, on, onAny } from "../core/live.js";
import { showActivity } from "../parts/activity.js";
import { setUpChooser } from "../parts/chooser.js";
import { ask } from "../parts/dialog.js";
import { setUpHistory } from "../parts/masthead.js";
import { setUpDrop } from "../parts/placard.js";
import { countDown, lasting, rate, showStages } from "../parts/stages.js";
import { complain, toast } from "../parts/toast.js";

const OPEN = ["scanning", "running"];
const SHOWN = 8;

/** @param {ImportState} item @param {number} perSecond */
function describe(item, perSecond) {
  const found = item.status === "scanning" ? `${count(item.files_found)} found in ${count(item.folders_done)} of ${count(item.folders_found)} folders` : null;
  /** @type {[number, string][]} */
  const facts = [
    [item.ready, "ready"], [item.waiting, "waiting"], [item.failed, "failed"], [item.files_known, "known already"],
    [item.photos_merged, "known by their pixels"], [item.files_discarded, "discarded before"],
    [item.paths_skipped, "skipped"], [item.ratings_found, "ratings taken over"],
  ];
  const pace = OPEN.includes(item.status) && perSecond
    ? [`${perSecond.toFixed(perSecond < 10 ? 1 : 0)} a second`, ...(item.waiting ? [`about ${lasting(item.waiting / perSecond)} left`] : [])] : [];
  return [
    found, ...(item.nothing_new ? ["nothing new here"] : []), ...facts.filter(([n]) => n).map(([n, what]) => `${count(n)} ${what}`),
    ...pace, OPEN.includes(item.status) ? item.reason : null,
  ].filter(Boolean).join(" · ") || item.status;
}

/** @param {ImportState} item */
function row(item) {
  const done = item.ready + item.failed;
  const all = done + item.waiting;
  const open = OPEN.includes(item.status);
  return el("article", { class: "import", "data-id": item.id, "data-status": item.status },
    el("a", { class: "where", href: `/gallery?import=${item.id}`, text: item.path }),
    open
      ? button("Stop", () => void stop(item), { "aria-label": `Stop importing ${item.path}` })
      : el("span", { class: "label", text: item.status }),
    el("p", { text: describe(item, open ? rate(`import ${item.id}`, done) : 0) }),
    open && all ? el("progress", { max: all, value: done, "aria-label": `Photographs done of ${item.path}` }) : null);
}

/** @param {ImportState[]} imports */
function showImports(imports) {
  if (!imports.length) return;
  const focused = /** @type {HTMLElement | null} */ (document.activeElement?.closest(".import"))?.dataset.id;
  byId("imports").replaceChildren(...imports.slice(0, SHOWN).map(row));
  if (focused) /** @type {HTMLElement | null} */ (byId("imports").querySelector(`[data-id="${focused}"] :is(a, button)`))?.focus({ preventScroll: true });
}

/** @param {ImportState} item */
async function stop(item) {
  const sentence = `${count(item.ready)} converted ${item.ready === 1 ? "photograph stays" : "photographs stay"} in the gallery; ${count(item.waiting)} that wait are forgotten and can be imported again.`;
  if (!(await ask(`Stop importing ${item.path}?`, sentence, "Stop"))) return;
  try {
    await call("DELETE", `/api/imports/${item.id}`);
    toast("Stopped. What is converted stays; the rest can be imported again.");
    await look();
  } catch (error) {
    complain(error);
  }
}

/** @param {Event} event */
async function start(event) {
  event.preventDefault();
  byId("note").textContent = "";
  try {
    const sample = field("all").checked ? "all" : Number(field("sample").value);
    const begun = await post("/api/imports", { path: field("path").value.trim(), sample, project: field("project").value.trim() || null });
    toast(`Importing ${begun.path}`);
    await look();
  } catch (error) {
    byId("note").textContent = error instanceof Error ? error.message : String(error);
  }
}

async function look() {
  show(await get("/api/status"));
}

/** @param {Progress} state */
function show(state) {
  showImports(state.imports);
  showStages(byId("stages"), state);
  const { ready = 0, failed = 0, waiting = 0 } = state.photos;
  byId("totals").textContent = `${counted(ready, "photograph")} in the gallery${waiting ? `, ${count(waiting)} on the way` : ""}.`;
  byId("failed").hidden = !failed;
  byId("failed-link").textContent = `${counted(failed, "photograph")} failed`;
}

byId("import-form").addEventListener("submit", (event) => void start(event));
byId("all").addEventListener("change", () => { field("sample").disabled = field("all").checked; });
byId("retry-all").addEventListener("click", () => void retryAll());
void setUpChooser();
setUpDrop();
setUpHistory();
showActivity(byId("activity"));
countDown(byId("stages"));
on("progress", show);
onAny(["import", "stages", "resync"], () => look().catch(complain));
look().catch(complain);
listen();
