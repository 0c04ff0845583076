"""`scripts/taste_eval.py` as a person starts it, with few splits."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
ARRAYS = ROOT / ".." / "shared" / "data" / "taste"
TARGETS = {"valence_mean", "arousal_mean"}


def evaluated(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "taste_eval.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def report_of(*arguments: object) -> dict[str, Any]:
    ran = evaluated(*arguments, "--json")
    assert ran.returncode == 0, ran.stderr
    report: dict[str, Any] = json.loads(ran.stdout)
    return report


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """160 pictures in themes of four; what they are worth lies in one direction of their vectors."""
    rng = np.random.default_rng(0)
    features = rng.standard_normal((160, 12))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    np.savez(
        tmp_path / "set.npz",
        features=features.astype(np.float16), theme=np.array([f"t{i // 4:02}" for i in range(160)]),
        valence_mean=features[:, 0].astype(np.float32), arousal_mean=features[:, 1].astype(np.float32),
    )  # fmt: skip
    return tmp_path / "set.npz"


def test_the_report_holds_every_method_target_and_number_the_same_each_time(arrays: Path) -> None:
    report = report_of(arrays, "--splits", 2, "--jobs", 1)
    assert set(report) >= {"random", "active", "baseline", "ridge"}
    for method in ("random", "active", "baseline", "ridge"):
        assert set(report[method]) == TARGETS
        assert list(report[method]["valence_mean"]) == ["10", "20", "50", "100"]
    assert report["random"]["valence_mean"]["100"] > 0.8
    assert report == report_of(arrays, "--splits", 2, "--jobs", 2)


def test_the_plot_is_an_svg(arrays: Path, tmp_path: Path) -> None:
    assert evaluated(arrays, "--splits", 1, "--plot", tmp_path / "plot.svg").returncode == 0
    labels = [text.text for text in ET.parse(tmp_path / "plot.svg").iter("{http://www.w3.org/2000/svg}text")]
    assert {"random", "active", "baseline", "ridge"} <= set(labels)


def test_the_splits_are_those_of_the_rule() -> None:
    """Whole themes in shuffled order while the test stays at most n - 140; the rest permuted."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        from taste_eval import split
    finally:
        sys.path.remove(str(ROOT / "scripts"))
    themes = np.repeat(np.array(["c", "a", "b", "d"]), [120, 50, 20, 10])
    for k in range(5):
        rng = np.random.default_rng(k)
        names = np.array(["a", "b", "c", "d"])
        rng.shuffle(names)
        chosen: list[str] = []
        for name in names:
            if np.isin(themes, [*chosen, name]).sum() <= 60:
                chosen.append(str(name))
        test, order = split(k, themes, 140)
        assert np.array_equal(test, np.flatnonzero(np.isin(themes, chosen)))
        assert np.array_equal(order, rng.permutation(np.flatnonzero(~np.isin(themes, chosen))))


def test_the_real_arrays_give_the_numbers_that_are_asked_for() -> None:
    path = ARRAYS / "oasis_half.npz"
    if not path.exists():
        pytest.skip(f"the taste arrays are not here: {path}")
    report = report_of(path, "--splits", 2)
    assert list(report["active"]["arousal_mean"]) == ["10", "20", "50", "100", "140"]
    assert list(report["collapse"]["valence_mean"]) == ["100"]


def test_a_csv_is_embedded_and_a_missing_picture_stops_nothing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = ["path,rating", "gone.jpg,3", "0/00.jpg,no"]
    for i in range(24):
        path = tmp_path / str(i // 3) / f"{i:02}.jpg"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize((64, 64)).save(path)
        lines.append(f"{i // 3}/{i:02}.jpg,{i % 5 + 1}")
    (tmp_path / "ratings.csv").write_text("\n".join(lines), encoding="utf-8")
    ran = evaluated(tmp_path / "ratings.csv", "--splits", 1, "--json")
    assert ran.returncode == 0, ran.stderr
    assert list(json.loads(ran.stdout)["random"]["rating"]) == ["10"]
    assert "gone.jpg is not there, so it is left out." in ran.stderr
    assert "line 3: no rating from 1 to 5" in ran.stderr


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    ran = evaluated(tmp_path / "none.npz")
    assert ran.returncode == 1
    assert ran.stderr.strip().endswith("none.npz is not there; say where the arrays or the CSV are.")
