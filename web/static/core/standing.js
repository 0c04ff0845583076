// Whether scores are meant in earnest yet: tentative ones are marked wherever they are shown (base.css).
import { on } from "./live.js";

export const isTentative = () => document.body.dataset.taste === "tentative";

on("progress", ({ taste }) => {
  document.body.dataset.taste = taste?.model?.tentative ? "tentative" : "";
});
