"""Why a file ends in the failed lane: one sentence each, with the file's name, what is wrong and what to do."""

from __future__ import annotations

from pathlib import Path

from domain.errors import PermanentError
from domain.files import printable
from domain.imaging.picture import THINNEST

_RECOPY = "copy it again from the card or a backup"


def _refusal(path: Path, what: str, detail: str = "") -> PermanentError:
    return PermanentError(
        f"{printable(path.name)} {what}.", op="convert", context={"file": printable(path)}, detail=detail
    )


def empty(path: Path) -> PermanentError:
    return _refusal(path, f"is empty (0 bytes); {_RECOPY}")


def text(path: Path) -> PermanentError:
    return _refusal(path, "holds text and no picture; it was given a picture's name by mistake")


def not_a_picture(path: Path, detail: str = "") -> PermanentError:
    return _refusal(path, f"is in no picture format that can be read here; open it elsewhere, or {_RECOPY}", detail)


def truncated(path: Path, detail: str = "") -> PermanentError:
    return _refusal(path, f"is cut short, part of the picture is missing; {_RECOPY}", detail)


def damaged(path: Path, what: str, detail: str = "") -> PermanentError:
    return _refusal(path, f"is damaged ({what}); {_RECOPY}", detail)


def unsupported(path: Path, what: str, detail: str = "") -> PermanentError:
    return _refusal(path, f"is of a kind that cannot be read here ({what}); save it as RGB or grey", detail)


def too_thin(path: Path, width: int, height: int) -> PermanentError:
    return _refusal(path, f"is only {width} x {height} pixels; a photograph has at least {THINNEST} each way")


def too_large(path: Path, width: int, height: int, cap: int) -> PermanentError:
    return _refusal(
        path,
        f"claims {width:,} x {height:,} pixels, more than the {cap / 1e6:,.0f} megapixels allowed; "
        "if it is honest, raise PIXEL_CAP",
    )


def check_size(path: Path, width: int, height: int, cap: int) -> None:
    """Refuses what is thinner than 3 px or above the cap. To be called with a header's claim, before decoding."""
    if width * height > cap:
        raise too_large(path, width, height, cap)
    if min(width, height) < THINNEST:
        raise too_thin(path, width, height)
