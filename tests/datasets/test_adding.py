"""The adding problem: what is marked, and where."""

import numpy as np
import pytest

from seqpipe.datasets import load_wave_windows, make_adding
from seqpipe.exceptions import InvalidSequencesError


def test_one_number_of_each_half_is_marked_and_the_target_is_their_sum():
    X, y = make_adding(200, 9, random_state=0)
    numbers, marks = X[:, :, 0], X[:, :, 1]
    assert (marks[:, :4].sum(axis=1) == 1).all()
    assert (marks[:, 4:].sum(axis=1) == 1).all()
    np.testing.assert_allclose(y, [row[mark == 1].sum() for row, mark in zip(numbers, marks)], rtol=1e-6)
    assert set(np.flatnonzero(marks.any(axis=0))) == set(range(9))


def test_the_same_seed_gives_the_same_numbers():
    for one, other in zip(make_adding(5, 6, random_state=3), make_adding(5, 6, random_state=3)):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("n_samples", "n_timesteps"), [(0, 5), (3, 1)])
def test_sizes_without_two_halves_are_refused(n_samples, n_timesteps):
    with pytest.raises(InvalidSequencesError, match="n_timesteps at least 2"):
        make_adding(n_samples, n_timesteps)


def test_the_targets_of_a_window_are_the_window_one_step_later():
    windows = load_wave_windows()
    np.testing.assert_array_equal(windows.X[:, 1:], windows.y[:, :-1])
