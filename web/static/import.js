// The first page: start and stop imports, watch the stages, hang one picture, read what happened.
import { call, get, post } from "./api.js";
import { byId, count, el } from "./dom.js";
import { showActivity } from "./activity.js";
import { setUpChooser } from "./chooser.js";
import { listen, on } from "./live.js";
import { setUpDrop } from "./placard.js";
import { showStages } from "./stages.js";
import { complain, toast } from "./toast.js";

const OPEN = ["scanning", "running"];

function describe(item) {
  const found = item.status === "scanning" ? `${count(item.files_found)} found in ${count(item.folders_done)} of ${count(item.folders_found)} folders` : null;
  const facts = [
    [item.ready, "ready"], [item.waiting, "waiting"], [item.failed, "failed"], [item.files_known, "known already"],
    [item.photos_merged, "known by their pixels"], [item.files_discarded, "discarded before"],
    [item.paths_skipped, "skipped"], [item.ratings_found, "ratings taken over"],
  ].filter(([n]) => n).map(([n, what]) => `${count(n)} ${what}`);
  const said = item.nothing_new ? ["nothing new here"] : [];
  return [found, ...said, ...facts, OPEN.includes(item.status) ? item.reason : null].filter(Boolean).join(" · ") || item.status;
}

function row(item) {
  const done = item.ready + item.failed;
  const all = done + item.waiting;
  const open = OPEN.includes(item.status);
  return el("article", { class: "import", "data-id": item.id, "data-status": item.status },
    el("a", { class: "where", href: `/gallery?import=${item.id}`, text: item.path }),
    open
      ? el("button", { type: "button", text: "Stop", "aria-label": `Stop importing ${item.path}`, onclick: () => stop(item) })
      : el("span", { class: "quiet", text: item.status }),
    el("p", { text: describe(item) }),
    open && all ? el("progress", { max: all, value: done, "aria-label": "Photographs done" }) : null);
}

function showImports(imports) {
  if (!imports.length) return;
  byId("imports").replaceChildren(...imports.slice(0, 8).map(row));
}

async function stop(item) {
  try {
    await call("DELETE", `/api/imports/${item.id}`);
    toast("Stopped. What is converted stays; the rest can be imported again.");
    await look();
  } catch (error) {
    complain(error);
  }
}

async function start(event) {
  event.preventDefault();
  const form = new FormData(byId("import-form"));
  byId("note").textContent = "";
  try {
    const sample = byId("all").checked ? "all" : Number(form.get("sample"));
    const begun = await post("/api/imports", { path: form.get("path").trim(), sample, project: form.get("project").trim() || null });
    toast(`Importing ${begun.path}`);
    await look();
  } catch (error) {
    byId("note").textContent = error.message;
  }
}

async function look() {
  show(await get("/api/status"));
}

function show(state) {
  showImports(state.imports);
  showStages(byId("stages"), state);
}

byId("import-form").addEventListener("submit", start);
byId("all").addEventListener("change", () => { byId("sample").disabled = byId("all").checked; });
setUpChooser();
setUpDrop();
showActivity(byId("activity"));
on("progress", show);
on("import", () => look().catch(complain));
on("stages", () => look().catch(complain));
on("resync", () => look().catch(complain));
look().catch(complain);
listen();
