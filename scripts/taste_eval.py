"""How well taste is learned from few ratings, and beside it the baseline rules: rank correlation on whole themes that
were left out. `python scripts/taste_eval.py ARRAYS.npz [MORE.npz] [--json] [--plot FILE.svg] [--splits N]`.

Splits are fixed: for k = 0, 1, ... `default_rng(k)` shuffles the themes; whole themes go to test while test stays at
most n - 140 pictures (n - 400 for several files together), and a permutation of the rest is the random rating order.
Stars are quintiles over the set. Every picture's vector may be used, as an archive is always embedded; no rating of a
test picture is. A CSV of `path,rating` is embedded with the bundled encoder; a picture's folder is its theme.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from rated_pictures import TARGETS, RatedPictures, UnusableError, read

from domain import selection, taste

ARRAYS = Path(__file__).resolve().parents[2] / "shared" / "data" / "taste"
SPLITS = 100
POOL, LARGE_POOL = 140, 400
"""Pictures that may be rated: of one set, and of several together."""
RATINGS = (10, 20, 50, 100, 140)
MORE_RATINGS = 200
BATCH = 10
COMPONENTS, COLLAPSE_RATINGS = 100, 100
METHODS = ("random", "active", "baseline", "ridge")

Report = dict[str, dict[str, dict[str, float]]]
"""Method, target, number of ratings: Spearman's rank correlation, the mean over all splits."""
Key = tuple[str, str, int]
Int = NDArray[np.int64]
Float = NDArray[np.float64]


@dataclass(frozen=True)
class Question:
    """What is measured."""

    pictures: RatedPictures
    pool: int
    counts: tuple[int, ...]
    components: Float
    """The first principal components, for the collapse test."""

    @classmethod
    def of(cls, pictures: RatedPictures, sets: int) -> Question:
        wanted = POOL if sets == 1 else LARGE_POOL
        # A small set of one's own keeps three in ten for the test.
        pool = min(wanted, round(0.7 * len(pictures)))
        counts = (*RATINGS, MORE_RATINGS) if sets > 1 else RATINGS
        return cls(pictures, pool, tuple(n for n in counts if n <= pool), _components(pictures.features))


def split(k: int, themes: NDArray[np.str_], pool: int) -> tuple[Int, Int]:
    """The pictures of the test, and those that may be rated, in random order."""
    rng = np.random.default_rng(k)
    names, sizes = np.unique(themes, return_counts=True)
    size_of = dict(zip(names.tolist(), sizes.tolist(), strict=True))
    rng.shuffle(names)
    left, chosen = len(themes) - pool, []
    for name in names.tolist():
        if size_of[name] <= left:
            chosen.append(name)
            left -= size_of[name]
    tested = np.isin(themes, chosen)
    return np.flatnonzero(tested), rng.permutation(np.flatnonzero(~tested))


def correlations(question: Question, k: int) -> dict[Key, float]:
    """Of one split, by method, target and number of ratings."""
    features = question.pictures.features
    test, order = split(k, question.pictures.themes, question.pool)
    found: dict[Key, float] = {}
    for target, stars in question.pictures.stars.items():
        for method, rate in _METHODS.items():
            for n, predicted in rate(features, stars, order, test, question.counts, k):
                found[method, target, n] = _spearman(predicted, stars[test])
    target, stars = next(iter(question.pictures.stars.items()))
    if len(order) >= COLLAPSE_RATINGS <= len(features):
        components = question.components
        only = (COLLAPSE_RATINGS,)
        for method, name in (("random", "collapse"), ("baseline", "collapse_baseline")):
            for n, predicted in _METHODS[method](components, stars, order, test, only, k):
                found[name, target, n] = _spearman(predicted, stars[test])
    return found


Predictions = Iterator[tuple[int, Float]]


def _random(features: Float, stars: Float, order: Int, test: Int, counts: Iterable[int], _: int) -> Predictions:
    for n in counts:
        rated = order[:n]
        yield n, taste.fit(stars[rated], rated, features, seed=0).predict(test)


def _active(features: Float, stars: Float, order: Int, test: Int, counts: Iterable[int], k: int) -> Predictions:
    pool = np.sort(order)
    rated = np.empty(0, np.int64)
    for n in counts:
        while len(rated) < n:
            model = taste.fit(stars[pool[rated]], pool[rated], features, seed=0)
            size = min(BATCH, n - len(rated))
            rated = np.r_[rated, selection.next_batch(model, rated, features[pool], size, seed=k)]
        yield n, taste.fit(stars[pool[rated]], pool[rated], features, seed=0).predict(test)


def _baseline(features: Float, stars: Float, order: Int, test: Int, counts: Iterable[int], _: int) -> Predictions:
    """`Ridge(alpha=1)` on z-scores."""
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    for n in counts:
        rated = order[:n]
        yield (
            n,
            make_pipeline(StandardScaler(), Ridge(alpha=1.0))
            .fit(features[rated], stars[rated])
            .predict(features[test]),
        )


def _ridge(features: Float, stars: Float, order: Int, test: Int, counts: Iterable[int], _: int) -> Predictions:
    """Ridge on unit vectors, its penalty by leaving one out."""
    from sklearn.linear_model import RidgeCV

    for n in counts:
        rated = order[:n]
        yield n, RidgeCV(np.geomspace(1e-4, 1e3, 22)).fit(features[rated], stars[rated]).predict(features[test])


_METHODS: dict[str, Callable[..., Predictions]] = {
    "random": _random,
    "active": _active,
    "baseline": _baseline,
    "ridge": _ridge,
}


def _spearman(predicted: Float, stars: Float) -> float:
    """A constant prediction tells nothing: 0."""
    return taste.rank_correlation(np.asarray(predicted, np.float64), stars) or 0.0


def _components(features: Float) -> Float:
    u, s, _ = np.linalg.svd(features - features.mean(axis=0), full_matrices=False)
    components: Float = u[:, :COMPONENTS] * s[:COMPONENTS]
    return components


def report_of(parts: list[dict[Key, float]]) -> Report:
    """The means over the splits."""
    report: Report = {method: {} for method in METHODS}
    for method, target, n in parts[0]:
        mean = float(np.mean([part[method, target, n] for part in parts]))
        report.setdefault(method, {}).setdefault(target, {})[str(n)] = mean
    return report


_question: Question


def _begin(question: Question) -> None:
    from threadpoolctl import threadpool_limits

    global _question  # noqa: PLW0603  # one a worker process, so that the arrays travel once
    _question = question
    threadpool_limits(1)


def _one(k: int) -> dict[Key, float]:
    return correlations(_question, k)


def measure(question: Question, splits: int = SPLITS, jobs: int | None = None) -> Report:
    """The report over `splits` splits; the same for any number of processes."""
    parts = []
    with ProcessPoolExecutor(
        jobs or os.cpu_count(), get_context("spawn"), initializer=_begin, initargs=(question,)
    ) as processes:
        for part in processes.map(_one, range(splits)):
            parts.append(part)
            print(f"split {len(parts)} of {splits}", file=sys.stderr)
    return report_of(parts)


def mean(report: Report, method: str) -> dict[int, float]:
    """By number of ratings, the mean over the targets."""
    tables = list(report[method].values())
    return {int(n): float(np.mean([table[n] for table in tables])) for n in tables[0]}


@dataclass(frozen=True)
class Bound:
    name: str
    figure: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.figure >= self.limit


def bounds(report: Report) -> list[Bound]:
    """Each figure beside what it has to reach; none for a set of one's own, for which nothing was promised."""
    if set(report["random"]) != set(TARGETS):
        return []
    random, active = mean(report, "random"), mean(report, "active")
    baseline, ridge = mean(report, "baseline"), mean(report, "ridge")
    found = [Bound(f"random at {n}: baseline + 0.03", random[n], baseline[n] + 0.03) for n in random if n <= 100]
    found += [Bound(f"random at {n}: ridge + 0.04", random[n], ridge[n] + 0.04) for n in (50, 100) if n in random]
    for target, table in report["random"].items():
        worst = min(table, key=lambda n: table[n] - report["baseline"][target][n])
        found.append(
            Bound(
                f"{target} at {worst}, its worst: baseline - 0.01",
                table[worst],
                report["baseline"][target][worst] - 0.01,
            )
        )
    for name, curve in (("random", random), ("active", active)):
        steps = list(zip(curve, list(curve)[1:], strict=False))
        if steps:
            fewer, more = min(steps, key=lambda step: curve[step[1]] - curve[step[0]])
            found.append(Bound(f"{name} at {more}: at {fewer} - 0.01", curve[more], curve[fewer] - 0.01))
    if 50 in random:
        found.append(Bound("active at 50: random at 50 + 0.03", active[50], random[50] + 0.03))
    if 100 in random:
        found.append(Bound("active at 50: random at 100 - 0.01", active[50], random[100] - 0.01))
    if MORE_RATINGS in random:
        found.append(
            Bound(
                f"active at 100: random at {MORE_RATINGS} - 0.01",
                active[100],
                random[MORE_RATINGS] - 0.01,
            )
        )
    for table in report.get("collapse", {}).values():
        found += [Bound(f"collapse test at {n}", figure, 0.38) for n, figure in table.items()]
    return found


def rows() -> list[dict[str, Any]]:
    """For `make bench`: every bound on one set, and what active learning saves on both together."""
    found = []
    for names in (("half",), ("half", "people")):
        paths = [ARRAYS / f"oasis_{name}.npz" for name in names]
        report = measure(Question.of(read(paths), len(paths)))
        wanted = [b for b in bounds(report) if len(names) == 1 or b.name.startswith("active at 100: random")]
        found += [
            {"name": bound.name, "figure": bound.figure, "limit": bound.limit, "unit": "rank correlation at least"}
            for bound in wanted
        ]
    return found


def table(report: Report) -> str:
    """For a person."""
    lines = []
    for method, targets in report.items():
        counts = next(iter(targets.values()))
        rows = dict(targets) if len(targets) == 1 else {**targets, "mean": _by_name(mean(report, method))}
        lines.append(f"{method:18}" + "".join(f"{n:>8}" for n in counts))
        lines += [f"  {name:16}" + "".join(f"{rho:8.3f}" for rho in row.values()) for name, row in rows.items()]
    lines += [
        f"{bound.figure:.3f}, needs {bound.limit:.3f}: {'holds' if bound.holds else 'FALLS SHORT'}  {bound.name}"
        for bound in bounds(report)
    ]
    return "\n".join(lines)


def _by_name(curve: dict[int, float]) -> dict[str, float]:
    return {str(n): rho for n, rho in curve.items()}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="+", type=Path, metavar="ARRAYS.npz|RATINGS.csv")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--splits", type=int, default=SPLITS, help=f"fewer than {SPLITS} for a quick look")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes; they change nothing but the time")
    parser.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw the learning curves")
    options = parser.parse_args(arguments)
    try:
        question = Question.of(read(options.sets), len(options.sets))
        if not question.counts:
            raise UnusableError(f"{len(question.pictures)} pictures are too few; {RATINGS[0]} have to be rated.")
    except UnusableError as e:
        print(e, file=sys.stderr)
        return 1
    report = measure(question, max(options.splits, 1), options.jobs)
    if options.plot:
        from learning_curves import drawn

        options.plot.write_text(drawn({method: mean(report, method) for method in METHODS}), encoding="utf-8")
    print(json.dumps(report) if options.json else table(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
