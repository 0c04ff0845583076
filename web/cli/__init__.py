"""The command line, `fineshyt`. Each command lives in its own module, which registers it on the app.

Modules import what is heavy inside their commands, so that `--help` answers at once.

Exit codes: 0 done; 1 failed; 2 wrong usage, or fineshyt does not run; 3 done, but the failed lane gained entries.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
import sys

import typer

app = typer.Typer(
    name="fineshyt",
    help="Finds the keepers in your archive by learning from your star ratings.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@functools.cache
def _register_all() -> None:
    """Every module of this package with a `register(app)` function is a command. A second call adds nothing: every
    call of a command builds all that are registered."""
    for found in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{found.name}")
        if hasattr(module, "register"):
            module.register(app)


def main() -> None:
    """The entry point of `fineshyt`."""
    _register_all()
    try:
        app(prog_name="fineshyt")  # however it was started: containers run it as a module
    except KeyboardInterrupt:
        sys.exit(130)
