"""What pytest-xdist may take apart.

A file stays whole on one worker, and so does a package whose files share a running site.
"""

from __future__ import annotations

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

WHOLE_PACKAGES = ("tests/browser",)
"""Their servers are started once for all their files."""


class FileScheduling(LoadScopeScheduling):
    """Files in the order in which they are collected: those whose servers take longest come early."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((package for package in WHOLE_PACKAGES if file.startswith(f"{package}/")), file)
