"""Writes the tiles of a rendering."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from domain.imaging.lanczos import vips
from domain.tiling import OVERLAP, TILE_SIZE


def write_tiles(rendering: Path, folder: Path, quality: int) -> None:
    """Cuts a JPEG into the tiles of every level (`domain.tiling`), in place of what `folder` held before.

    From the file and not from the pixels it was made of: libvips streams it, some rows at a time, where handing over a
    picture in memory would copy it. Tiles start where JPEG's own blocks do and are subsampled alike, so that the second
    encoding changes next to nothing. Made beside its place and renamed.
    """
    work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        picture = vips().Image.jpegload(str(rendering), access="sequential")
        # The quality belongs into the suffix: dzsave's own Q does not reach the tiles.
        picture.dzsave(
            str(work / "made"), layout="dz", depth="onetile", tile_size=TILE_SIZE, overlap=OVERLAP, keep="none",
            suffix=f".jpg[Q={quality},subsample_mode=on]",
        )  # fmt: skip
        made = work / "made_files"
        (made / "vips-properties.xml").unlink(missing_ok=True)
        if folder.exists():
            folder.rename(work / "earlier")
        made.rename(folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
