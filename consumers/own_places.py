"""Where a consumer may write: among the derivatives and the matrices, whatever a claim says."""

from __future__ import annotations

import os
from pathlib import Path

from contracts.claims import ClaimCheck
from domain.errors import PermanentError


def refuse_outside(place: Path, claim: ClaimCheck, *paths: str) -> None:
    """Raises PermanentError when one of `paths` does not lie below `place`: then the claim is not from our relay."""
    for path in paths:
        if not Path(os.path.normpath(path)).is_relative_to(place):
            raise PermanentError(
                f"This piece of work asks to write to {path}, which is not below {place}, and was refused. "
                "Web and consumers need the same FINESHYT_HOME, FINESHYT_DERIVATIVES and FINESHYT_TRANSIT.",
                op=claim.stage,
            )
