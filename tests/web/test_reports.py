"""Counters made of reports: they only grow, whoever restarts."""

from __future__ import annotations

from typing import Any

from contracts.reports import StageTally, WorkerReport
from web.reports import ReportBoard


def _report(worker: str, done: int, up_s: float, **more: Any) -> WorkerReport:
    tally = StageTally(done=done, failed={"transient": done // 2}, seconds=0.5 * done, within=(done, *[0] * 11))
    return WorkerReport(
        worker=worker, stage="convert", host="h", pid=1, slots=1, up_s=up_s, tallies={"convert": tally}, **more
    )


class _Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_each_consumer_did_is_summed_and_stays_when_it_ends() -> None:
    clock = _Clock()
    board = ReportBoard(clock)
    clock.now += 10
    board.add(_report("a", 2, up_s=2))
    board.add(_report("b", 1, up_s=2))
    board.add(_report("a", 6, up_s=4))
    board.add(_report("a", 7, up_s=5, stopping=True))

    total = board.totals["convert"]
    assert (total.done, total.within[0], total.seconds) == (8, 8, 4.0)
    assert total.failed["transient"] == 3


def test_what_was_done_before_this_process_began_is_not_counted() -> None:
    clock = _Clock()
    board = ReportBoard(clock)
    clock.now += 1
    board.add(_report("old", 1000, up_s=3600))
    board.add(_report("old", 1002, up_s=3602))

    assert board.totals["convert"].done == 2


def test_a_consumer_that_starts_again_under_its_old_name_counts_from_zero() -> None:
    clock = _Clock()
    board = ReportBoard(clock)
    clock.now += 3600
    board.add(_report("a", 50, up_s=600))
    board.add(_report("a", 3, up_s=2))

    assert board.totals["convert"].done == 53


def test_a_report_of_an_older_consumer_is_understood() -> None:
    board = ReportBoard()
    board.add(WorkerReport(worker="a", stage="embed", host="h", pid=1, slots=1))

    assert [worker.stage for worker in board.workers()] == ["embed"]
    assert board.totals == {}
