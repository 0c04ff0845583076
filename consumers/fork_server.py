"""Imported by the fork server alone, so that a SIGTERM to the whole group does not take the decoders from work that is
being finished. It ends when its consumer does: the pipe between them closes."""

from __future__ import annotations

import signal

signal.signal(signal.SIGTERM, signal.SIG_IGN)
