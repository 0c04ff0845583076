"""`fineshyt up` and `fineshyt down`."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from contracts.settings import Settings
    from web.native.home import Home, Running
    from web.native.supervisor import Supervisor

_HOME = Annotated[Path | None, typer.Option(help="The folder that holds all state.", show_default=False)]
_DETACHED_CHILD = "FINESHYT_DETACHED_CHILD"
_READY_S = 180.0


def register(app: typer.Typer) -> None:
    app.command()(up)
    app.command()(down)


def up(
    port: Annotated[int | None, typer.Option(help="Port of the gallery. [default: 4000]", show_default=False)] = None,
    home: _HOME = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return when the gallery answers.")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the gallery.")] = False,
    workers: Annotated[
        list[str] | None, typer.Option(metavar="STAGE=N", help="Consumer processes of a stage; may be repeated.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print addresses and pids as the last line.")] = False,
) -> None:
    """Start everything, and open the gallery. Ctrl-C stops it and leaves nothing running.

    Example: fineshyt up --workers convert=2 --workers embed=2
    """
    counts = _worker_counts(workers or [])
    settings = _settings(home, port)
    if detach:
        _up_detached(settings, workers or [], as_json)
        return
    _up_here(settings, counts, no_browser=no_browser, as_json=as_json)


def _worker_counts(options: list[str]) -> dict[str, int]:
    from web.native.supervisor import WORKERS

    counts = dict(WORKERS)
    for option in options:
        stage, _, number = option.partition("=")
        if stage not in counts or not number.isdigit():
            raise typer.BadParameter(f"{option!r}: give one of {', '.join(counts)}, an equals sign and a number.")
        counts[stage] = int(number)
    return counts


def _settings(home: Path | None, port: int | None) -> Settings:
    from contracts.settings import Settings

    given: dict[str, object] = {}
    if home is not None:
        given["FINESHYT_HOME"] = home
    if port is not None:
        given["FINESHYT_PORT"] = port
    return Settings.read(**given)


def _up_here(settings: Settings, counts: dict[str, int], *, no_browser: bool, as_json: bool) -> None:
    from web.native.home import AlreadyRunningError, Home
    from web.native.process import StartError
    from web.native.supervisor import Supervisor

    home = Home(settings.home)
    supervisor = Supervisor(home, settings, counts, say=_say)
    try:
        _check_port(settings.port)
        home.lock()
    except (AlreadyRunningError, OSError) as error:
        _fail(str(error))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    try:
        running = supervisor.start()
        supervisor.wait_ready(running.url)
        _announce(home, running, as_json)
        if not no_browser and _DETACHED_CHILD not in os.environ:
            with suppress(Exception):
                webbrowser.open(running.url)
        supervisor.run()
    except (StartError, OSError) as error:
        _shut_down(supervisor, home)
        _fail(str(error))
    _say("Stopping")
    _shut_down(supervisor, home)


def _shut_down(supervisor: Supervisor, home: Home) -> None:
    supervisor.shut_down()
    home.unlock()


def _check_port(port: int) -> None:
    from web.native.ports import is_free

    if not is_free(port):
        raise OSError(f"Port {port} is taken by another program. Choose another: fineshyt up --port {port + 1}")


def _up_detached(settings: Settings, workers: list[str], as_json: bool) -> None:
    """Starts this command once more in a session of its own, and waits until the gallery answers."""
    from web.native.home import Home

    home = Home(settings.home)
    log = home.logs / "up.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "web.cli",
        "up",
        "--no-browser",
        f"--port={settings.port}",
        f"--home={home.folder}",
    ]
    command += [part for option in workers for part in ("--workers", option)]
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=dict(os.environ) | {_DETACHED_CHILD: "1"},
        )
    running = _wait_for(home, child, settings)
    if running is None:
        _fail(log.read_text(errors="replace").strip() or f"fineshyt did not start. See {log}.")
    else:
        _announce(home, running, as_json)


def _wait_for(home: Home, child: subprocess.Popen[bytes], settings: Settings) -> Running | None:
    from urllib.error import URLError
    from urllib.request import urlopen

    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline and child.poll() is None:
        running = home.running()
        if running is not None and running.pids.get("supervisor") == child.pid:
            with suppress(URLError, OSError), urlopen(f"{running.url}/readyz", timeout=2) as answer:  # noqa: S310
                if answer.status == 200:
                    return running
        time.sleep(0.1)
    return None


def _announce(home: Home, running: Running, as_json: bool) -> None:
    typer.echo(f"Gallery              {running.url}")
    if running.management_url:
        typer.echo(f"RabbitMQ management  {running.management_url}  (user fineshyt, password in "
                   f"{home.folder / 'rabbitmq' / 'password'})")  # fmt: skip
    if as_json:
        shown = {name: getattr(running, name) for name in ("url", "management_url", "home", "pids")}
        typer.echo(json.dumps(shown))
    sys.stdout.flush()


def _say(text: str) -> None:
    typer.echo(text, err=True)


def _fail(sentence: str) -> None:
    typer.echo(sentence, err=True)
    raise typer.Exit(1)


def down(home: _HOME = None) -> None:
    """Stop what `fineshyt up` started for this home, and wait until it is gone."""
    from web.native.home import Home
    from web.native.supervisor import stop_running

    settings = _settings(home, None)
    running = Home(settings.home).running()
    if running is None or not stop_running(running):
        typer.echo(f"fineshyt is not running for {settings.home}.", err=True)
        raise typer.Exit(2)
    typer.echo("Stopped.")
