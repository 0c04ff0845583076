"""Where a photo's re-encoded pixels lie: `<derivatives>/<id // 1000>/<id>-<generation>.<kind>`.

Beside a rendering that is too large for a browser lies a folder of its tiles (`domain.tiling`).

The generation in the name makes a late write by an older claim harmless, and a URL that never changes its content.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Literal

from domain.tiling import tile_name, tiles_folder

Kind = Literal["preview", "thumb", "render"]
_ENDINGS: dict[Kind, str] = {"preview": ".jpg", "thumb": ".thumb.jpg", "render": ".render.jpg"}


def derivative_name(photo_id: int, generation: int, kind: Kind) -> str:
    """The path below the derivatives' folder, `/`-separated."""
    return f"{photo_id // 1000:06d}/{photo_id}-{generation}{_ENDINGS[kind]}"


def derivative_path(derivatives: Path, photo_id: int, generation: int, kind: Kind) -> Path:
    return derivatives / derivative_name(photo_id, generation, kind)


def thumbnail_pattern(derivatives: Path) -> str:
    """The path of any thumbnail, to be filled in with `folder` (photo_id // 1000), `photo_id` and `generation`."""
    escaped = str(derivatives).replace("{", "{{").replace("}", "}}")
    return f"{escaped}/{{folder:06d}}/{{photo_id}}-{{generation}}{_ENDINGS['thumb']}"


def tiles_path(derivatives: Path, photo_id: int, generation: int) -> Path:
    """The folder of a rendering's tiles, if it has any."""
    return tiles_folder(derivative_path(derivatives, photo_id, generation, "render"))


def tile_path(derivatives: Path, photo_id: int, generation: int, level: int, column: int, row: int) -> Path:
    return tiles_path(derivatives, photo_id, generation) / tile_name(level, column, row)


def derivatives_of(derivatives: Path, photo_id: int, generation: int) -> list[Path]:
    """Every file and folder that a generation may have."""
    files = [derivative_path(derivatives, photo_id, generation, kind) for kind in _ENDINGS]
    return [*files, tiles_path(derivatives, photo_id, generation)]


def remove_derivatives(derivatives: Path, photo_id: int, generation: int | None) -> None:
    """Removes the files of one generation; those that are gone already are no error."""
    if generation is None:
        return
    for path in derivatives_of(derivatives, photo_id, generation):
        remove_derivative(path)


def remove_derivative(path: Path) -> None:
    """Removes a file, or a folder of tiles; gone already is no error. Raises OSError."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
