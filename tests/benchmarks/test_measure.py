"""Timing side by side."""

import pytest
import torch
from _measure import Timing, compare, machine, matrix_peak, threads


def test_every_side_is_called_before_and_in_every_round_in_turned_order() -> None:
    called: list[str] = []
    timing = compare({"a": lambda: called.append("a"), "b": lambda: called.append("b")}, rounds=2, least=0.0)
    assert called == ["a", "b", "a", "b", "b", "a"]
    assert [len(samples) for samples in timing.seconds.values()] == [2, 2]
    assert timing.others >= 0


def test_a_short_call_is_repeated_until_a_sample_lasts() -> None:
    calls: list[int] = []
    compare({"short": lambda: calls.append(1)}, rounds=1, least=0.001)
    assert len(calls) > 3


def test_a_ratio_is_that_of_medians_with_the_extremes_of_single_rounds() -> None:
    ratio = Timing({"ours": [1.0, 2.0, 4.0], "theirs": [8.0, 6.0, 8.0]}, others=0.0).ratio("ours", "theirs")
    assert (ratio.reached, ratio.low, ratio.high) == (4.0, 2.0, 8.0)


def test_threads_are_put_back_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError, match="gone"), threads(before + 1):
        raise KeyError("gone")
    assert torch.get_num_threads() == before


def test_the_machine_and_its_matrix_peak_are_told() -> None:
    assert f"torch {torch.__version__}" in machine()
    assert matrix_peak(1, size=16) > 0
