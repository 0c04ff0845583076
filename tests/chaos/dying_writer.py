"""The results process, killed by its own hand after its first commit of converted photographs, before the ack."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from typing import Any

from contracts.results import Failure, Result
from contracts.settings import Settings
from web.results import __main__ as process
from web.results import writer

_apply_batch = writer.apply_batch


async def _apply(connection: Any, settings: Settings, answers: Sequence[Result | Failure], affinity: Any) -> Any:
    applied = await _apply_batch(connection, settings, answers, affinity)
    if any(answer.stage == "convert" for answer in answers):
        print("committed_and_dying", flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    return applied


if __name__ == "__main__":
    writer.apply_batch = _apply
    asyncio.run(process.main(Settings()))
