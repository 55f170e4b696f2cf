"""Fits that wait for each other after every epoch."""

from __future__ import annotations

import threading
from multiprocessing.pool import ThreadPool

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.tuning._lockstep import Lockstep


def run(lengths: list[int], stop_at: int | None = None, fail: int | None = None) -> tuple[list[float], list[int]]:
    """Run fits of these numbers of epochs; return the reported means and the epochs that each fit did."""
    means: list[float] = []

    def report(mean: float, epoch: int) -> bool:
        assert epoch == len(means) + 1
        means.append(mean)
        return epoch == stop_at

    lockstep = Lockstep(len(lengths), report)

    def fit(number: int) -> int:
        done = 0
        for epoch in range(1, lengths[number] + 1):
            done = epoch
            if lockstep.after_epoch(number, 10.0 * number + epoch):
                break
        lockstep.leave(number, failed=number == fail)
        return done

    with ThreadPool(len(lengths)) as pool:
        return means, pool.map_async(fit, range(len(lengths)), chunksize=1).get(timeout=20)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.none() | st.integers(1, 5))
def test_the_mean_over_all_fits_is_reported_after_each_epoch(lengths: list[int], stop_at: int | None) -> None:
    means, done = run(lengths, stop_at)
    last = min(max(lengths), stop_at or 5)
    assert done == [min(length, last) for length in lengths]
    expected = []
    for epoch in range(1, last + 1):
        scores = [10.0 * number + min(epoch, length) for number, length in enumerate(lengths) if length]
        expected.append(sum(scores) / len(scores))
    assert means == expected


def test_a_fit_that_fails_stops_the_others() -> None:
    _, done = run([9, 2], fail=1)
    assert done == [3, 2]


def test_fits_do_not_wait_for_ever_if_the_report_fails() -> None:
    def report(mean: float, epoch: int) -> bool:
        raise OSError("the storage is gone")

    lockstep = Lockstep(2, report)
    waiting = threading.Thread(target=lockstep.after_epoch, args=(0, 1.0))
    waiting.start()
    while not lockstep._arrived:
        pass
    with pytest.raises(OSError, match="storage is gone"):
        lockstep.after_epoch(1, 1.0)
    waiting.join(timeout=20)
    assert not waiting.is_alive()
