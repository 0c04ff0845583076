"""The compose files as data, read the way compose reads them as far as these tests need it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
COMPOSE = REPOSITORY / "docker-compose.yml"
GPU = REPOSITORY / "deploy" / "compose.gpu.yml"
DOCKERFILE = REPOSITORY / "deploy" / "Dockerfile"

_VARIABLE = re.compile(r"(?<!\$)\$\{([A-Z][A-Z0-9_]*)(?::?([-?])([^}]*))?\}")


def raw(path: Path = COMPOSE) -> dict[str, Any]:
    return dict(yaml.safe_load(path.read_text()))


def services(path: Path = COMPOSE, **environment: str) -> dict[str, dict[str, Any]]:
    """The services, with variables filled in from `environment` or their defaults."""

    def value(match: re.Match[str]) -> str:
        name, kind, default = match.groups()
        return environment.get(name) or (default if kind == "-" else f"<{name}>")

    return dict(yaml.safe_load(_VARIABLE.sub(value, path.read_text()))["services"])


def variables(path: Path = COMPOSE) -> set[str]:
    """Names that the file takes from the shell or from .env."""
    return {name for name, _, _ in _VARIABLE.findall(_without_comments(path))}


def passed_on(path: Path = COMPOSE) -> set[str]:
    """Names that an `environment` or `args` hands to a container as they are."""
    return {
        name
        for service in raw(path)["services"].values()
        for mapping in (service.get("environment", {}), service.get("build", {}).get("args", {}))
        for name, value in mapping.items()
        if value is None
    }


def networks(service: dict[str, Any]) -> set[str]:
    return set(service.get("networks", [])) if service.get("network_mode") != "none" else set()


def mounts(service: dict[str, Any]) -> dict[str, bool]:
    """Target to whether it may be written."""
    found = {}
    for mount in service.get("volumes", []):
        if isinstance(mount, dict):
            found[mount["target"]] = not mount.get("read_only", False)
        else:
            _, target, *options = mount.split(":")
            found[target] = "ro" not in options
    return found


def seconds(duration: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(s|m)", duration).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "m": 60}[unit]


def _without_comments(path: Path) -> str:
    return "\n".join(line for line in path.read_text().splitlines() if not line.lstrip().startswith("#"))
