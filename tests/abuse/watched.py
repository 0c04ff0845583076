"""What the processes of a stack hold while they are put to the test."""

from __future__ import annotations

import threading
from collections import defaultdict
from contextlib import suppress
from types import TracebackType

import psutil

from tests.chaos.stack import Stack

_EVERY_S = 0.2


class Watched:
    """Looks at every process of a stack, and at their children, until it is left.

    `largest_mb`: the most that each process itself ever held; `largest_child_mb`: the most that a child of it did;
    `children`: every child that was ever seen, by process.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_again, daemon=True)
        self.pids = {name: process.pid for name, process in stack.processes.items()}
        self.largest_mb: defaultdict[str, float] = defaultdict(float)
        self.largest_child_mb: defaultdict[str, float] = defaultdict(float)
        self.children: defaultdict[str, set[int]] = defaultdict(set)

    def __enter__(self) -> Watched:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def _look_again(self) -> None:
        while not self._stop.wait(_EVERY_S):
            for name, pid in self.pids.items():
                with suppress(psutil.Error):
                    self._look(name, psutil.Process(pid))

    def _look(self, name: str, process: psutil.Process) -> None:
        self.largest_mb[name] = max(self.largest_mb[name], process.memory_info().rss / 1e6)
        for child in process.children(recursive=True):
            with suppress(psutil.Error):
                self.children[name].add(child.pid)
                self.largest_child_mb[name] = max(self.largest_child_mb[name], child.memory_info().rss / 1e6)

    def assert_nobody_died(self) -> None:
        """The same processes as at the beginning, all at work."""
        for name, pid in self.pids.items():
            process = self._stack.processes[name]
            assert process.pid == pid
            assert process.poll() is None, f"{name} ended with {process.returncode}\n{self._stack.logs(name)[-3000:]}"

    def __str__(self) -> str:
        own = ", ".join(f"{name} {mb:.0f}" for name, mb in sorted(self.largest_mb.items()))
        theirs = ", ".join(f"{n} {mb:.0f} ({len(self.children[n])})" for n, mb in sorted(self.largest_child_mb.items()))
        return f"largest MB: {own}; children (how many): {theirs}"
