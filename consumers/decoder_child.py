"""What a decoder child runs: the imaging domain, with plain JSON values on both sides. Preloaded by the fork server."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

# One slot is one core; a library's own threads would only fight for it.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VIPS_CONCURRENCY", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

from domain.imaging import conversion  # noqa: E402

conversion.preload()


def convert(
    decoder: str,
    original: str,
    companion: str | None,
    root: str | None,
    sidecars: list[str],
    preview_path: str,
    thumb_path: str,
    pixel_cap: int,
    want_focus: bool,
) -> dict[str, Any]:
    """`decoder`: the "module:function" that converts; ours is `domain.imaging.conversion:convert`."""
    function = _decoder(decoder)
    made = function(
        Path(original),
        companion=Path(companion) if companion else None,
        root=Path(root) if root else None,
        sidecars=[Path(path) for path in sidecars],
        preview_path=Path(preview_path),
        thumb_path=Path(thumb_path),
        pixel_cap=pixel_cap,
        want_focus=want_focus,
    )
    return _payload(made)


def render(original: str, companion: str | None, render_path: str, pixel_cap: int, quality: int) -> dict[str, Any]:
    made = conversion.render(
        Path(original),
        companion=Path(companion) if companion else None,
        render_path=Path(render_path),
        pixel_cap=pixel_cap,
        quality=quality,
    )
    return asdict(made)


def _decoder(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


def _payload(made: Any) -> dict[str, Any]:
    from contracts.results import ConvertPayload

    # Validated here as well: what is wrong should fail where it was made.
    return ConvertPayload.model_validate(asdict(made)).model_dump(mode="json")
