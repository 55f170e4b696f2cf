"""Whole fits against other libraries, on tiny data."""

from collections.abc import Iterator
from importlib.util import find_spec

import peers
import pytest
from _peers import Fits, Options, fit_row

QUICK = Options(rounds=1, tiny=True)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", peers.PEERS)
def test_both_sides_fit_and_are_scored(name: str) -> None:
    distribution = peers.PEERS[name][0]
    (row,) = peers.rows(name, QUICK)
    if find_spec(distribution) is None:
        assert row.note == f"not measured: {distribution} is not installed (benchmarks/requirements.txt names it)"
    else:
        assert row.reached is not None, row.note
        assert row.note.startswith(distribution)


def fits_scoring(ours: float, theirs: float) -> Fits:
    return Fits(lambda: None, lambda: None, lambda _: ours, lambda _: theirs)


def rows_of(peer: str, fits: Fits) -> Iterator[object]:
    return fit_row(peer, lambda tiny: fits, Options(rounds=1), claim="c", where="w", required=2.0)


def test_a_peer_that_learns_something_else_gives_no_figure() -> None:
    (row,) = rows_of("torch", fits_scoring(0.9, 0.8))
    assert row.reached is None
    assert "the sides do not learn the same" in row.note
    (row,) = rows_of("torch", fits_scoring(0.9, 0.89))
    assert row.reached is not None


def test_a_peer_that_is_not_installed_is_said_to_be_so() -> None:
    (row,) = rows_of("no-such-distribution", fits_scoring(1, 1))
    assert row.reached is None
    assert "no-such-distribution is not installed" in row.note
