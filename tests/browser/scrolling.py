"""What a page says of its own frames: for the tests and for the benchmark."""

from __future__ import annotations

SCROLL = """async (seconds) => {
  const wall = document.getElementById("wall");
  let frames = 0, long = 0;
  const count = (list) => { long += list.getEntries().filter((entry) => entry.duration > 50).length; };
  const observer = new PerformanceObserver(count);
  observer.observe({ type: "longtask" });
  const begun = performance.now();
  while (performance.now() - begun < seconds * 1000) {
    await new Promise(requestAnimationFrame);
    wall.scrollTop += 60;
    frames += 1;
  }
  await new Promise((done) => setTimeout(done, 200));
  observer.disconnect();
  return { frames, long, fps: frames / seconds, nodes: wall.querySelectorAll("*").length };
}"""
"""Called with seconds: `{frames, long, fps, nodes}`; `long` counts tasks over 50 ms, `nodes` what the wall holds."""
