"""What is computed from the measured figures: more machines help until something that is one of a kind is full."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import capacity

KIND = capacity.Kind("scan", megabytes=100.0, convert_s=1.5)
RATES = capacity.Rates(embedded={"e": 4.0}, relayed=2000.0, written_convert=1000.0, written_embed=1000.0)


def test_a_machine_works_through_convert_and_embed_with_all_its_cores() -> None:
    # 1.5 s to convert and two cores for a quarter of a second: two core seconds on two cores, of which 0.85 count.
    assert capacity.hours(KIND, "e", RATES, 3600, machines=1, cores=2) == pytest.approx(1 / 0.85)
    assert capacity.hours(KIND, "e", RATES, 3600, machines=4, cores=2) == pytest.approx(0.25 / 0.85)


def test_no_number_of_machines_is_quicker_than_the_one_writer() -> None:
    # Two results a photograph at 1,000 a second.
    assert capacity.hours(KIND, "e", RATES, 3600, machines=10_000, cores=2) == pytest.approx(0.002)


def test_the_shared_disk_must_deliver_the_originals_meanwhile() -> None:
    assert capacity.network_mb(KIND, photos=36, taken_h=1.0) == pytest.approx(1.0)


def test_a_made_raw_file_is_one_that_convert_reads(tmp_path: Path, shared_data: Path) -> None:
    import bench_convert

    source = sorted((shared_data / "photos").glob("*.jpg"))[0]
    raw = capacity.write_raw(tmp_path / "a.dng", 0.5, source)
    made = bench_convert.ours(raw, tmp_path / "p.jpg", tmp_path / "t.jpg", focus=False)

    assert made.width * made.height == pytest.approx(0.5e6, rel=0.02)
