// One dropped picture, answered with a museum placard as soon as it is developed.
import { get, post } from "./api.js";
import { byId, el } from "./dom.js";
import { on } from "./live.js";

let current = null;

export function setUpDrop() {
  const drop = byId("drop");
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    if (event.dataTransfer.files[0]) hang(event.dataTransfer.files[0]);
  });
  byId("file").addEventListener("change", () => byId("file").files[0] && hang(byId("file").files[0]));
  for (const kind of ["photos", "removed", "scores"]) on(kind, () => current && look());
}

async function hang(file) {
  say("Developing…");
  const form = new FormData();
  form.append("file", file);
  try {
    current = (await post("/api/uploads", form)).url;
    await look();
  } catch (error) {
    say(error.message);
  }
}

async function look() {
  const { item } = await get(current);
  if (!item) return;
  if (item.status === "failed") say(item.failure_reason);
  else if (item.preview_url) show(item);
}

const say = (text) => byId("placard").replaceChildren(el("p", { text, role: "status" }));

function medium(item) {
  const exposure = [
    item.focal_length_mm && `${Math.round(item.focal_length_mm)} mm`, item.aperture && `f/${item.aperture}`,
    item.shutter_s && (item.shutter_s < 0.4 ? `1/${Math.round(1 / item.shutter_s)} s` : `${item.shutter_s} s`), item.iso && `ISO ${item.iso}`,
  ].filter(Boolean).join(", ");
  return [item.camera, item.lens, exposure].filter(Boolean).join(" · ");
}

function show(item) {
  const lines = [
    medium(item), item.captured_at && new Date(item.captured_at).toLocaleDateString(undefined, { dateStyle: "long" }),
    item.artistic_mood, item.lighting_critique, item.tags.join(", "),
    item.preference_score !== null && `Your taste: ${item.preference_score} of 100`,
  ].filter(Boolean);
  byId("placard").replaceChildren(el("article", { class: "placard" },
    el("img", { src: item.preview_url, alt: item.subject ?? item.filename, width: item.width, height: item.height }),
    el("div", { class: "card-text" }, el("h3", { text: item.subject ?? item.filename }), ...lines.map((text) => el("p", { text })))));
}
