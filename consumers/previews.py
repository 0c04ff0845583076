"""The preview that curate and embed read: made by convert, and made again when it is gone."""

from __future__ import annotations

from pathlib import Path

from contracts.claims import ClaimCheck
from domain.errors import PermanentError, TransientError


def preview_of(claim: ClaimCheck) -> Path:
    """The preview's path. A missing one is tried again first: its disk may be slow to show it."""
    path = Path(claim.file_path or "")
    if path.is_file():
        return path
    if claim.attempt == 1:
        raise TransientError(f"The preview {path.name} is not there yet.", op=claim.stage)
    raise PermanentError(
        f"The preview {path.name} is missing. Run `fineshyt backfill quality` to make it again, then press Retry.",
        op=claim.stage,
    )
