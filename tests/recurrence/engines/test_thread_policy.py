"""The amount of work from which threads are used; measured run times decide whether they are faster."""

from __future__ import annotations

from collections.abc import Callable

from seqpipe.recurrence.engines import POLICY, Pace


def spent(pace: Pace, runs: int, together: Callable[[int], float], alone: float = 1.0) -> float:
    """Return the total time of some runs, where ``together`` gives the time of a multi-threaded run by its number."""
    total = 0.0
    for i in range(runs):
        seconds = together(i) if pace.together else alone
        pace.took(pace.together, seconds)
        total += seconds
    return total


def test_on_an_idle_machine_nearly_all_runs_are_together() -> None:
    assert spent(Pace(), 10_000, lambda i: 0.5) < 5_200


def test_where_threads_wait_for_cores_nearly_all_runs_are_alone() -> None:
    assert spent(Pace(), 100_000, lambda i: 50.0) < 110_000


def test_one_long_wait_costs_no_more_than_a_few_runs_alone() -> None:
    assert spent(Pace(), 10_000, lambda i: 50.0 if i == 5_000 else 0.5) < 5_400


def test_a_machine_that_becomes_busy_and_idle_again_is_followed() -> None:
    pace = Pace()
    spent(pace, 1_000, lambda i: 0.5)
    assert pace.together
    spent(pace, 30_000, lambda i: 50.0)
    assert not pace.together
    spent(pace, 30_000, lambda i: 0.5)
    assert pace.together


def test_a_run_that_was_begun_before_the_change_does_not_count() -> None:
    pace = Pace()
    while not pace.together:
        pace.took(False, 1.0)
    for _ in range(100):
        pace.took(False, 1e9)
    assert spent(pace, 100, lambda i: 0.5) == 50.0


def test_a_run_has_a_part_per_thread_once_there_is_work_for_them() -> None:
    assert [POLICY.parts(work, 8, 2) for work in (0, POLICY.compiled_run - 1, POLICY.compiled_run)] == [1, 1, 2]
    assert POLICY.parts(POLICY.long_run, 1, 2) == 1


def test_only_short_runs_are_timed() -> None:
    assert POLICY.is_short(POLICY.compiled_run)
    assert not POLICY.is_short(POLICY.long_run)
