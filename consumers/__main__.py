"""`python -m consumers STAGE`: one headless worker of one stage."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from consumers import journal
from consumers.runner import Runner
from consumers.stage import StageWorker
from contracts.settings import Settings

if TYPE_CHECKING:
    from consumers.text import TextServer

STAGES = ("scan", "convert", "curate", "embed", "taste", "bursts", "text")


def _worker(stage: str, settings: Settings, decoder: str | None) -> StageWorker:
    """Imports only what the stage needs."""
    if stage == "convert":
        from consumers.convert import DECODER, Convert

        return Convert(settings, decoder or DECODER)
    if stage == "scan":
        from consumers.scan import Scan

        return Scan(settings)
    if stage == "curate":
        from consumers.curate import Curate

        return Curate(settings)
    if stage == "embed":
        from consumers.embed import Embed

        return Embed(settings)
    if stage == "taste":
        from consumers.taste import Taste

        return Taste(settings)
    from consumers.bursts import Bursts

    return Bursts(settings)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m consumers",
        description="A headless worker: takes claims of one stage from RabbitMQ until it is stopped (SIGTERM, Ctrl-C).",
    )
    parser.add_argument("stage", choices=STAGES, help="which stage to work for")
    parser.add_argument("--decoder", help=argparse.SUPPRESS)
    options = parser.parse_args()
    settings = Settings.read()
    journal.configure(settings)
    runner: Runner | TextServer
    if options.stage == "text":
        from consumers.text import TextServer

        runner = TextServer(settings)
    else:
        runner = Runner(_worker(options.stage, settings, options.decoder), settings)
    _stop_on_signal(runner.stop)
    serve(runner)


def serve(runner: Runner | TextServer) -> None:
    """Runs until stopped. Slots that outlast the grace are not waited for: their claims are back in the queue."""
    runner.run()
    if isinstance(runner, Runner) and runner.unfinished:
        os._exit(0)


def _stop_on_signal(stop: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())


if __name__ == "__main__":
    main()
