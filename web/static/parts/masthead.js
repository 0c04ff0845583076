// What every page's masthead does beside its links.
import { byId } from "../core/dom.js";
import { showHistory } from "./history.js";

export function setUpHistory() {
  byId("history").addEventListener("click", () => showHistory());
}
