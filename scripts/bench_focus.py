"""How often `focus` picks the sharpest frame of a burst, over 500 synthetic bursts of real photographs.

Each frame goes through convert, and the burst's own rule picks: a tie says "look yourself", and counts as not picked.
See `focus_cases.py` for what the bursts are. Run it alone: `python scripts/bench_focus.py [--cases N] [--json]`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]

from focus_cases import Case, case, frames  # noqa: E402

CASES = 500
LIMIT = 95.0
CAP = 10**9


@dataclass(frozen=True)
class Outcome:
    """`picked`: number of the frame, None for a tie. `scores` and `noises` of every frame."""

    case: Case
    picked: int | None
    scores: tuple[float, ...]
    noises: tuple[float, ...]

    @property
    def right(self) -> bool:
        return self.picked == self.case.sharpest

    @property
    def wrong(self) -> bool:
        return self.picked is not None and not self.right

    @property
    def pixels_lost(self) -> float:
        """By how many pixels of blur the pick is softer than the sharpest."""
        blurs = self.case.blurs
        return 0.0 if self.picked is None else blurs[self.picked] - blurs[self.case.sharpest]


def numbered(number: int) -> Outcome:
    return outcome(case(number))


def outcome(made: Case) -> Outcome:
    """Makes one burst, converts its frames and lets the burst's rule pick."""
    from domain.imaging.conversion import convert

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        found = []
        for frame in frames(made, out):
            fact = convert(frame, preview_path=out / "p.jpg", thumb_path=out / "t.jpg", pixel_cap=CAP)
            frame.unlink()
            found.append((fact.focus_score or 0.0, fact.focus_noise or 0.0))
    scores, noises = zip(*found, strict=True)
    return Outcome(made, keeper(scores, noises), scores, noises)


def keeper(scores: Sequence[float], noises: Sequence[float]) -> int | None:
    """The frame that a burst of look-alikes keeps; None where it is a tie."""
    from domain.bursts import KEEPER, TABLE, detect

    n = len(scores)
    table = np.zeros(n, TABLE)
    table["photo_id"], table["at_us"] = np.arange(n), np.arange(n) * 1_000_000
    table["focus"], table["focus_noise"] = scores, noises
    answer = detect(table, np.ones((n, 1), np.float32), 0.5, 5.0)
    kept = answer[answer[:, 2] == KEEPER, 0]
    return int(kept[0]) if len(kept) else None


def outcomes(numbers: Iterable[int], processes: int | None = None) -> list[Outcome]:
    with multiprocessing.get_context("spawn").Pool(processes or os.cpu_count()) as pool:
        return list(pool.imap_unordered(numbered, numbers))


KINDS: dict[str, Callable[[Case], str]] = {
    "blur": lambda c: "motion" if c.blur == "motion" else "defocus",
    "depth": lambda c: c.depth,
    "noise": lambda c: c.noise,
    "grain": lambda c: c.grain,
    "step": lambda c: f"{c.step:g} px softer",
    "size": lambda c: "whole photograph" if np.isinf(c.megapixels) else f"{c.megapixels:g} megapixels",
    "file": lambda c: {"jpeg": "JPEG", "tiff": "16-bit TIFF"}[c.file],
}


def shares(found: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Percent right, wrong and tied: over all, and for each kind of case."""
    groups: dict[str, list[Outcome]] = {"all cases": list(found)}
    for kind in KINDS.values():
        for name in sorted({kind(o.case) for o in found}):
            groups[name] = [o for o in found if kind(o.case) == name]
    return [
        {
            "kind": name, "cases": len(members),
            "right": percent(o.right for o in members),
            "wrong": percent(o.wrong for o in members),
            "tie": percent(o.picked is None for o in members),
            "pixels_lost": max(o.pixels_lost for o in members),
        }
        for name, members in groups.items()
    ]  # fmt: skip


def percent(held: Iterable[bool]) -> float:
    return 100 * float(np.mean(list(held)))


def rows() -> list[dict[str, Any]]:
    """For `make bench`: the share of right picks, over all and for the halves that are asked for."""
    table = {row["kind"]: row["right"] for row in shares(outcomes(range(CASES)))}
    named = ("all cases", "defocus", "motion", "whole frame", "shallow depth")
    return [
        {"name": f"sharpest picked, {name}", "figure": table[name], "limit": LIMIT, "unit": "% at least"}
        for name in named
    ]


def _plain(found: Outcome) -> dict[str, Any]:
    return {**asdict(found), "right": found.right, "sharpest": found.case.sharpest}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--processes", type=int)
    parser.add_argument("--json", action="store_true", help="every case with what was found")
    options = parser.parse_args(arguments)
    found = sorted(outcomes(range(options.cases), options.processes), key=lambda o: o.case.number)
    if options.json:
        print(json.dumps([_plain(o) for o in found]))
        return 0
    print(f"{'':20}{'cases':>7}{'right':>9}{'wrong':>9}{'tie':>9}   most lost by a wrong pick")
    for row in shares(found):
        share = "".join(f"{row[name]:8.1f}%" for name in ("right", "wrong", "tie"))
        print(f"{row['kind']:20}{row['cases']:7}{share}   {row['pixels_lost']:.2f} px")
    return 0 if percent(o.right for o in found) >= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
