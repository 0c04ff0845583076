"""What runs `fineshyt backup` every night, for cron and for systemd."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Literal

_SERVICE = """\
# {units}/fineshyt-backup.service
[Unit]
Description=Backup of the fineshyt archive

[Service]
Type=oneshot
ExecStart={command}
Nice=10
IOSchedulingClass=idle

# {units}/fineshyt-backup.timer
[Unit]
Description=Backup of the fineshyt archive every night

[Timer]
OnCalendar=*-*-* 03:30:00
RandomizedDelaySec=10min
Persistent=true

[Install]
WantedBy=timers.target

# Save both parts under these names, then: systemctl --user enable --now fineshyt-backup.timer
"""
_CRON = """\
# Add with `crontab -e`. What it says comes as mail only when something is wrong.
30 3 * * * {command} > /dev/null
"""


def printed(kind: Literal["cron", "systemd"], home: Path, folder: Path, keep: int | None, previews: bool) -> str:
    """The schedule as text, with absolute paths: neither cron nor systemd knows the shell's."""
    program = Path(sys.executable).with_name("fineshyt")
    words = [str(program)] if program.exists() else [sys.executable, "-m", "web.cli"]
    words += ["backup", "--home", str(home), "--to", str(folder)]
    words += ["--keep", str(keep)] if keep is not None else []
    words += ["--previews"] if previews else []
    if kind == "cron":
        return _CRON.format(command=_for_cron(words))
    return _SERVICE.format(units="~/.config/systemd/user", command=_for_systemd(words))


def _for_cron(words: list[str]) -> str:
    """A percent sign ends a command of cron unless it is escaped."""
    return shlex.join(words).replace("%", r"\%")


def _for_systemd(words: list[str]) -> str:
    escaped = (word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$") for word in words)
    return " ".join(f'"{word}"' if " " in word else word for word in escaped)
