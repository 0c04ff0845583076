"""Sets of pictures with ratings, for `taste_eval.py`: arrays (.npz), or a CSV of `path,rating`."""

from __future__ import annotations

import csv
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from domain.errors import DomainError

TARGETS = ("valence_mean", "arousal_mean")
_PIXEL_CAP = 1_000_000_000
_BATCH = 8


class UnusableError(Exception):
    """A set that cannot be measured; the message is a sentence for a person."""


@dataclass(frozen=True)
class RatedPictures:
    """`features` (n, d) unit vectors, `themes` (n,) names, `stars` by target (n,) 1..5."""

    features: NDArray[np.float64]
    themes: NDArray[np.str_]
    stars: dict[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.features)


def read(paths: list[Path]) -> RatedPictures:
    """All the files as one set; arrays and CSVs do not mix. Raises UnusableError."""
    for path in paths:
        if not path.is_file():
            raise UnusableError(f"{path} is not there; say where the arrays or the CSV are.")
    tables = [path.suffix.lower() == ".csv" for path in paths]
    if any(tables) and not all(tables):
        raise UnusableError("Arrays and CSVs measure different things; give one kind at a time.")
    return _pictures(paths) if all(tables) else _arrays(paths)


def quintiles(values: NDArray[Any]) -> NDArray[np.float64]:
    """Stars 1..5: which fifth of the set each value lies in."""
    return np.digitize(values, np.quantile(values, [0.2, 0.4, 0.6, 0.8])) + 1.0


def _arrays(paths: list[Path]) -> RatedPictures:
    features, themes = [], []
    values: dict[str, list[NDArray[Any]]] = {target: [] for target in TARGETS}
    for path in paths:
        try:
            with np.load(path, allow_pickle=False) as data:
                features.append(data["features"].astype(np.float64))
                themes.append(data["theme"].astype(str))
                for target in TARGETS:
                    values[target].append(data[target].astype(np.float64))
        except (KeyError, ValueError, OSError, AttributeError) as e:
            raise UnusableError(f"{path} does not hold features, theme, {' and '.join(TARGETS)}: {e}") from e
    return RatedPictures(
        np.concatenate(features),
        np.concatenate(themes),
        {target: quintiles(np.concatenate(parts)) for target, parts in values.items()},
    )


def _pictures(tables: list[Path]) -> RatedPictures:
    """Each picture's folder is its theme: what was taken together is rated alike."""
    rows = [row for table in tables for row in _rows(table)]
    vectors, kept = _embedded([path for path, _ in rows])
    if not kept:
        raise UnusableError("None of the pictures could be read, so there is nothing to measure.")
    folders = [str(rows[i][0].parent) for i in kept]
    # With one folder alone no whole theme could be left out.
    themes = folders if len(set(folders)) > 1 else [str(rows[i][0]) for i in kept]
    return RatedPictures(vectors, np.array(themes), {"rating": np.array([rows[i][1] for i in kept])})


def _rows(table: Path) -> Iterator[tuple[Path, float]]:
    with table.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as lines:
        for number, row in enumerate(csv.reader(lines), start=1):
            if not row or (number == 1 and [cell.strip().lower() for cell in row[:2]] == ["path", "rating"]):
                continue
            try:
                rating = float(row[1])
            except (IndexError, ValueError):
                rating = float("nan")
            if not 1 <= rating <= 5:
                _say(f"{table.name}, line {number}: no rating from 1 to 5, so the line is left out.")
                continue
            yield table.parent / row[0].strip(), rating


def _embedded(paths: list[Path]) -> tuple[NDArray[np.float64], list[int]]:
    """Vectors of the pictures that can be read, by the bundled encoder, and which those are."""
    from domain import embedding

    encoder = embedding.load(embedding.BUNDLED, "cpu")
    vectors, kept, prepared = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for i, path in enumerate(paths):
            picture = _prepared(encoder, path, Path(folder))
            if picture is not None:
                kept.append(i)
                prepared.append(picture)
            if len(prepared) == _BATCH:
                vectors.append(encoder.encode_images(prepared).astype(np.float64))
                prepared = []
                _say(f"embedded {len(kept)} of {len(paths)} pictures")
    if prepared:
        vectors.append(encoder.encode_images(prepared).astype(np.float64))
    return (np.concatenate(vectors) if vectors else np.empty((0, encoder.dim))), kept


def _prepared(encoder: Any, path: Path, folder: Path) -> NDArray[np.uint8] | None:
    """The picture as the product sees it, from a preview that convert makes; None, and a sentence, if it cannot."""
    from domain.imaging.conversion import convert

    if not path.is_file():
        _say(f"{path} is not there, so it is left out.")
        return None
    preview = folder / "preview.jpg"
    try:
        convert(path, preview_path=preview, thumb_path=folder / "thumb.jpg", pixel_cap=_PIXEL_CAP, want_focus=False)
        prepared: NDArray[np.uint8] = encoder.prepare(preview)
    except DomainError as e:
        _say(f"{path} is left out: {e}")
        return None
    return prepared


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)
