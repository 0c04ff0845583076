// One dropped picture, answered with a museum placard as soon as it is developed.
import { get, post } from "../core/api.js";
import { byId, el, field } from "../core/dom.js";
import { onAny } from "../core/live.js";
import { complain } from "./toast.js";

/** @type {string | null} where to ask what became of the picture */
let current = null;

export function setUpDrop() {
  const drop = byId("drop");
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    const file = event.dataTransfer?.files[0];
    if (file) void hang(file);
  });
  field("file").addEventListener("change", () => { const file = field("file").files?.[0]; if (file) void hang(file); });
  onAny(["photos", "removed", "scores"], () => { if (current) look().catch(complain); });
}

/** @param {File} file */
async function hang(file) {
  say(`Developing ${file.name} …`);
  const form = new FormData();
  form.append("file", file);
  try {
    current = (await post("/api/uploads", form)).url;
    await look();
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
  }
}

async function look() {
  if (!current) return;
  /** @type {{ item: Item | null }} */
  const { item } = await get(current);
  if (!item) return;
  if (item.status === "failed") say(item.failure_reason ?? "This picture could not be read.");
  else if (item.preview_url) show(item);
}

/** @param {string} text */
const say = (text) => byId("placard").replaceChildren(el("p", { text, role: "status" }));

/** Camera, lens and exposure, as a museum names the medium. @param {Item} item */
export function medium(item) {
  const exposure = [
    item.focal_length_mm && `${Math.round(item.focal_length_mm)} mm`, item.aperture && `f/${Math.round(item.aperture * 10) / 10}`,
    item.shutter_s && (item.shutter_s < 0.4 ? `1/${Math.round(1 / item.shutter_s)} s` : `${item.shutter_s} s`), item.iso && `ISO ${item.iso}`,
  ].filter(Boolean).join(", ");
  return [item.camera, item.lens, exposure].filter(Boolean).join(" · ");
}

/** @param {Item} item */
function show(item) {
  const lines = [
    medium(item), item.captured_at && new Date(item.captured_at).toLocaleDateString("en", { dateStyle: "long" }),
    item.artistic_mood, item.lighting_critique, item.tags.join(", "),
    item.preference_score !== null && `Your taste: ${item.preference_score} of 100`,
  ].filter(Boolean);
  byId("placard").replaceChildren(el("article", { class: "placard" },
    el("img", { src: item.preview_url, alt: item.subject ?? item.filename, width: item.width, height: item.height }),
    el("div", { class: "card-text" },
      el("h3", { text: item.subject ?? item.filename }), ...lines.map((text) => el("p", { text: String(text) })),
      el("p", {}, el("a", { href: `/review?mode=browse&photo=${item.id}`, text: "Look at it closely" })))));
}
