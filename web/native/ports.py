"""Free loopback ports, remembered per home so that addresses stay the same from start to start."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def remembered_ports(file: Path, names: tuple[str, ...], *, in_use: bool = False) -> dict[str, int]:
    """Ports by name from `file`; those that are missing, or taken by somebody else meanwhile, are chosen anew.

    `in_use`: our own server is running on them, so taken ports are right.
    """
    known: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
    ports = dict(known)
    for name in names:
        while name not in ports or not (in_use or is_free(ports[name])):
            candidate = free_port()
            if candidate not in ports.values():
                ports[name] = candidate
    if ports != known:
        _write(file, ports)
    return {name: ports[name] for name in names}


def _write(file: Path, ports: dict[str, int]) -> None:
    """In one step: somebody else may be reading."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(f".{os.getpid()}.part")
    partial.write_text(json.dumps(ports))
    partial.replace(file)
