"""The private RabbitMQ node: every file, port and name is its own, and nothing but loopback is bound.

The binaries are those unpacked by `scripts/setup` into `.runtime/rabbitmq`, else the system's.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import signal
import socket
import subprocess
from base64 import b64encode
from contextlib import suppress
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

from web.native import process
from web.native.ports import remembered_ports
from web.native.process import StartError

USER = "fineshyt"
_PORTS = ("amqp", "management", "prometheus", "distribution", "epmd")
_PLACES = (Path(__file__).resolve().parents[2] / ".runtime" / "rabbitmq", Path("/"))
_HOMEBREW = (Path("/opt/homebrew"), Path("/usr/local"))
_AMQP_HEADER = b"AMQP\x00\x00\x09\x01"


def installation() -> tuple[Path, Path]:
    """`(sbin, root)`: the folder of the server's scripts, and the root below which Erlang lies."""
    for root in _PLACES:
        for sbin in sorted(root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"), reverse=True):
            if (sbin / "rabbitmq-server").exists():
                return sbin, root
    for prefix in _HOMEBREW:
        if (prefix / "opt/rabbitmq/sbin/rabbitmq-server").exists():
            return prefix / "opt/rabbitmq/sbin", prefix
    raise StartError(
        "RabbitMQ is not here. Run `make setup` (Debian, Ubuntu), `brew install rabbitmq` (macOS), or set AMQP_URL."
    )


class RabbitMQ:
    """One node in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "rabbitmq.log"
        self._process: subprocess.Popen[bytes] | None = None
        name = hashlib.blake2b(str(folder.absolute()).encode(), digest_size=6).hexdigest()
        self.node = f"fineshyt-{name}@localhost"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def ports(self) -> dict[str, int]:
        return remembered_ports(self.folder / "ports.json", _PORTS, in_use=True)

    @property
    def password_file(self) -> Path:
        return self.folder / "password"

    @property
    def password(self) -> str:
        return self.password_file.read_text().strip()

    def amqp_url(self, vhost: str = "/") -> str:
        return f"amqp://{USER}:{self.password}@127.0.0.1:{self.ports['amqp']}/{quote(vhost, safe='')}"

    @property
    def management_url(self) -> str:
        """With the credentials inside; never for a log or a page."""
        return f"http://{USER}:{self.password}@127.0.0.1:{self.ports['management']}"

    @property
    def management_page(self) -> str:
        return f"http://127.0.0.1:{self.ports['management']}/"

    def start(self, *, seconds: float = 90.0) -> None:
        """Raises StartError with the log's end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        self._end_leftover()
        remembered_ports(self.folder / "ports.json", _PORTS)
        self._write_files()
        sbin, _ = installation()
        self._process = process.start(
            [str(sbin / "rabbitmq-server")], log=self.log, environment=self._environment(), cwd=self.folder
        )
        self._remember()
        process.wait_until(self._answers, self._process, seconds=seconds, log=self.log, what="RabbitMQ")
        self._control("await_startup")
        self._remember()

    def stop(self) -> None:
        """SIGTERM to the Erlang machine, then the port mapper, which outlives it."""
        if self._process is not None:
            process.stop(self._process, seconds=30)
            self._process = None
        self._kill_epmd()

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def make_vhost(self, name: str) -> None:
        """A virtual host of its own, with all rights for our user."""
        self._manage("PUT", f"/api/vhosts/{quote(name, safe='')}", {})
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        self._manage("PUT", f"/api/permissions/{quote(name, safe='')}/{USER}", rights)

    def drop_vhost(self, name: str) -> None:
        self._manage("DELETE", f"/api/vhosts/{quote(name, safe='')}", None)

    # ---

    def _write_files(self) -> None:
        if not self.password_file.exists():
            _write_private(self.password_file, secrets.token_urlsafe(24), 0o600)
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            _write_private(cookie, secrets.token_hex(20), 0o400)
        rights = {"user": USER, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
        definitions = {
            "users": [{"name": USER, "password": self.password, "tags": "administrator"}],
            "vhosts": [{"name": "/"}],
            "permissions": [rights],
        }
        _write_private(self.folder / "definitions.json", json.dumps(definitions), 0o600)
        (self.folder / "rabbitmq.conf").write_text(self._configuration())
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].\n")
        (self.folder / "rabbitmq-env.conf").write_text("")
        (self.folder / "advanced.config").write_text("[].\n")

    def _configuration(self) -> str:
        ports = self.ports
        return (
            f"listeners.tcp.1 = 127.0.0.1:{ports['amqp']}\n"
            f"management.tcp.ip = 127.0.0.1\nmanagement.tcp.port = {ports['management']}\n"
            f"prometheus.tcp.ip = 127.0.0.1\nprometheus.tcp.port = {ports['prometheus']}\n"
            f"load_definitions = {self.folder / 'definitions.json'}\n"
            "vm_memory_high_watermark.absolute = 1GB\n"
            "disk_free_limit.absolute = 100MB\n"
            "collect_statistics_interval = 5000\n"
            "log.console = true\nlog.console.level = warning\nlog.file = false\n"
        )

    def _environment(self) -> dict[str, str]:
        ports, folder = self.ports, self.folder
        _, root = installation()
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("RABBITMQ_", "ERL_"))}
        unpacked = root != Path("/")
        erlang = os.pathsep.join(str(root / folder) for folder in ("usr/bin", "bin")) if unpacked else ""
        libraries = (
            [str(p) for p in (*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu"))] if unpacked else []
        )
        if libraries:
            kept["LD_LIBRARY_PATH"] = os.pathsep.join([*libraries, *filter(None, [kept.get("LD_LIBRARY_PATH")])])
        return kept | {
            "PATH": os.pathsep.join(filter(None, (erlang, kept.get("PATH", ""), "/usr/sbin:/usr/bin:/sbin:/bin"))),
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "RABBITMQ_NODENAME": self.node,
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_PID_FILE": str(folder / "node.pid"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_FEATURE_FLAGS_FILE": str(folder / "feature_flags"),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(ports["amqp"]),
            "RABBITMQ_DIST_PORT": str(ports["distribution"]),
            "RABBITMQ_CTL_DIST_PORT_MIN": "0",
            "ERL_EPMD_PORT": str(ports["epmd"]),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        }

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.ports["amqp"]), timeout=1) as probe:
            probe.sendall(_AMQP_HEADER)
            probe.settimeout(2)
            return bool(probe.recv(1))
        return False

    def _control(self, *arguments: str) -> None:
        sbin, _ = installation()
        environment = self._environment()
        environment.pop("RABBITMQ_CTL_DIST_PORT_MIN", None)
        asked = subprocess.run(
            [str(sbin / "rabbitmqctl"), "-q", *arguments],
            env=environment, capture_output=True, text=True, timeout=90, check=False, cwd=self.folder,
        )  # fmt: skip
        if asked.returncode != 0:
            raise StartError(f"RabbitMQ did not come up: {(asked.stderr or asked.stdout)[-1500:]}")

    def _manage(self, method: str, path: str, body: object) -> None:
        token = b64encode(f"{USER}:{self.password}".encode()).decode()
        request = Request(
            f"http://127.0.0.1:{self.ports['management']}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
        )
        try:
            with urlopen(request, timeout=20):  # noqa: S310
                pass
        except (HTTPError, URLError) as error:
            raise StartError(f"RabbitMQ's management page refused {method} {path}: {error}") from error

    def _remember(self) -> None:
        pids = {"rabbitmq": self._process.pid} if self._process is not None else {}
        node_pid = self.folder / "node.pid"
        with suppress(OSError, ValueError):
            pids["node"] = int(node_pid.read_text())
        process.remember(self.folder / "pids.json", pids)

    def _end_leftover(self) -> None:
        process.end_leftovers(self.folder / "pids.json", seconds=20)
        if (self.folder / "ports.json").exists():
            self._kill_epmd()  # it holds its port: the next node would take another one, and nobody would end this one

    def _kill_epmd(self) -> None:
        """Ends the port mapper; it refuses while a node that it maps is alive."""
        _, root = installation()
        for epmd in (root / "usr/bin/epmd", root / "bin/epmd", *root.glob("usr/lib/erlang/erts-*/bin/epmd")):
            if epmd.exists():
                subprocess.run(
                    [str(epmd), "-kill"], env=self._environment(), capture_output=True, timeout=20, check=False
                )
                return


def _write_private(path: Path, text: str, mode: int) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
