"""Where a photo's re-encoded pixels lie: `<derivatives>/<id // 1000>/<id>-<generation>.<kind>`.

The generation in the name makes a late write by an older claim harmless, and a URL that never changes its content.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Kind = Literal["preview", "thumb", "render"]
_ENDINGS: dict[Kind, str] = {"preview": ".jpg", "thumb": ".thumb.jpg", "render": ".render.jpg"}


def derivative_name(photo_id: int, generation: int, kind: Kind) -> str:
    """The path below the derivatives' folder, `/`-separated."""
    return f"{photo_id // 1000:06d}/{photo_id}-{generation}{_ENDINGS[kind]}"


def derivative_path(derivatives: Path, photo_id: int, generation: int, kind: Kind) -> Path:
    return derivatives / derivative_name(photo_id, generation, kind)


def remove_derivatives(derivatives: Path, photo_id: int, generation: int | None) -> None:
    """Removes the files of one generation; those that are gone already are no error."""
    if generation is None:
        return
    for kind in _ENDINGS:
        derivative_path(derivatives, photo_id, generation, kind).unlink(missing_ok=True)
