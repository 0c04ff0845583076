"""Where a photo's XMP lies, which program reads it there, and the one way in which such a file is written.

Written anew beside the old one, read back, its image data compared, and put in place in one step; a file that another
program changed meanwhile is left alone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from domain.errors import PermanentError, TransientError
from domain.files import printable, reachable
from domain.formats import file_kind
from domain.imaging.hashes import file_hash
from domain.pairing import pair_folder
from domain.stars import MAX_SIDECAR_BYTES
from domain.xmp import stars_in, with_stars
from domain.xmp_containers import container_of, embedded_packet, image_data_hash, write_with_packet
from web import disk

Role = Literal["stem", "full", "companion", "embedded"]
"""stem: `IMG.xmp`. full: `IMG.CR2.xmp`. companion: of the JPEG of a pair. embedded: inside the file."""


@dataclass(frozen=True)
class Place:
    """A file that holds, or may hold, a photo's XMP."""

    role: Role
    path: Path
    seed: Path | None = None
    """A sidecar beside the original, which a new one elsewhere begins as a copy of."""
    note: str = ""
    """The folder of the person's choice, where it is not beside the original."""
    extension: str = ""
    """Of the RAW that an `IMG.xmp` belongs to."""

    @property
    def key(self) -> str:
        return f"{self.note}:{self.role}" if self.note else self.role


@dataclass(frozen=True)
class Written:
    """The file as it is now."""

    size: int
    mtime_ns: int
    hash: bytes


def found_places(root: Path, rel_path: str) -> list[Place]:
    """Where the photo's rating may stand now: the sidecars that belong to it, and the file itself."""
    original = root / rel_path
    places = [Place(_role(original.name, sidecar), original.parent / sidecar) for sidecar in _sidecars(original)]
    if container_of(original.name):
        places.append(Place("embedded", original))
    return places


def _role(name: str, sidecar: str) -> Role:
    folded = sidecar.casefold()
    if folded == f"{name}.xmp".casefold():
        return "full"
    return "stem" if folded == f"{Path(name).stem}.xmp".casefold() else "companion"


def _sidecars(original: Path) -> Sequence[str]:
    try:
        modified = original.parent.stat().st_mtime_ns
    except OSError:
        return ()
    return _sidecars_of_folder(str(original.parent), modified).get(original.name, ())


@lru_cache(maxsize=8)
def _sidecars_of_folder(folder: str, modified: int) -> dict[str, tuple[str, ...]]:
    """By photo. `modified` makes the folder's next state another question."""
    del modified
    names = sorted(name for name in os.listdir(folder) if not name.startswith("."))  # noqa: PTH208
    photos = pair_folder(Path(folder).name, names, [])
    return {photo.name: tuple(name for sibling, name in photo.sidecars if not sibling) for photo in photos}


def wanted_places(
    root: Path, rel_path: str, *, programs: frozenset[str], aside: Path | None, sidecars: bool, embed: bool
) -> list[Place]:
    """Where the programs that the person uses look. `aside`: a folder for sidecars instead of beside the originals.

    Lightroom reads `IMG.xmp` for RAW alone, and the XMP inside TIFF, JPEG, PSD and DNG; darktable reads `IMG.EXT.xmp`.
    """
    original = root / rel_path
    inside = container_of(original.name) is not None
    roles: list[Role] = []
    if sidecars and "lightroom" in programs and file_kind(original.name) == "raw" and not inside:
        roles.append("stem")
    if sidecars and "darktable" in programs:
        roles.append("full")
    places = [_sidecar_place(original, rel_path, role, aside) for role in roles]
    if embed and inside:
        places.append(Place("embedded", original))
    return places


def _sidecar_place(original: Path, rel_path: str, role: Role, aside: Path | None) -> Place:
    named = f"{original.stem}.xmp" if role == "stem" else f"{original.name}.xmp"
    extension = original.suffix[1:].upper() if role == "stem" else ""
    beside = next((s for s in _sidecars(original) if s.casefold() == named.casefold()), None)
    if aside is None:
        return Place(role, original.parent / (beside or named), extension=extension)
    seed = original.parent / beside if beside else None
    return Place(role, (aside / rel_path).parent / named, seed, str(aside), extension)


# --- reading and writing ----------------------------------------------------------------------------------------------


def said_at(place: Place) -> int | None:
    """What the place says; None where it does not speak or is not there. Raises what reading it raises."""
    packet = packet_at(place)
    return None if packet is None else stars_in(packet)


def packet_at(place: Place) -> bytes | None:
    if place.role == "embedded":
        packet = embedded_packet(place.path)
        return packet if packet and packet.strip(b"\0 \r\n\t") else None
    for path in (place.path, place.seed):
        if path is not None and path.exists():
            with reachable(path), path.open("rb") as file:
                return file.read(MAX_SIDECAR_BYTES + 1)
    return None


def write(place: Place, said: int, *, inside: Path) -> Written:
    """Makes the place say `said`, everything else in it unchanged. `inside`: the folder that it must not lead out of.

    Raises PermanentError, or what the operating system says.
    """
    if place.note:
        inside.mkdir(parents=True, exist_ok=True)
    _require_inside(place.path, inside)
    before = _state(place.path)
    packet = with_stars(packet_at(place), said, sidecar_for=place.extension)
    place.path.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.path.with_name(f".{place.path.stem}.fineshyt-new{place.path.suffix}")
    try:
        _write_fresh(place, packet, fresh)
        _require_equal(place, said, fresh)
        if _state(place.path) != before:
            raise TransientError(f"{printable(place.path.name)} was changed by another program meanwhile. Try again.")
        os.replace(fresh, place.path)  # noqa: PTH105
    finally:
        with suppress(OSError):
            fresh.unlink(missing_ok=True)
    with suppress(OSError):  # some network drives cannot
        disk.sync_folder(place.path.parent)
    info = place.path.stat()
    return Written(info.st_size, info.st_mtime_ns, file_hash(place.path))


def _require_inside(path: Path, folder: Path) -> None:
    """A link may lie about where it is: neither the file nor a folder above it may lead elsewhere."""
    if path.is_symlink():
        raise PermanentError(f"{printable(path.name)} is a link, so it was left alone.")
    nearest = next(p for p in (path, *path.parents) if p.exists())
    if not nearest.resolve().is_relative_to(folder.resolve()):
        raise PermanentError(f"{printable(path.name)} lies outside of {printable(folder)}, so it was left alone.")


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        info = path.stat()
    except FileNotFoundError:
        return None
    return info.st_size, info.st_mtime_ns, info.st_ino


def _write_fresh(place: Place, packet: bytes, fresh: Path) -> None:
    if place.role == "embedded":
        write_with_packet(place.path, packet, fresh)
    else:
        fresh.write_bytes(packet)
    if place.path.exists():
        shutil.copystat(place.path, fresh)
        os.utime(fresh)
    with fresh.open("rb") as file:
        os.fsync(file.fileno())


def _require_equal(place: Place, said: int, fresh: Path) -> None:
    """What was written says what it should, and its picture is the old one, before it takes the old one's place."""
    if place.role != "embedded":
        if stars_in(fresh.read_bytes()) != said:
            raise PermanentError(f"{printable(place.path.name)} could not be read back. Nothing was changed.")
        return
    packet = embedded_packet(fresh)
    if packet is None or stars_in(packet) != said or image_data_hash(fresh) != image_data_hash(place.path):
        raise PermanentError(f"{printable(place.path.name)} came out otherwise than meant. Nothing was changed.")
