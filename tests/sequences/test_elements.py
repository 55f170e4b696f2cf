"""Sequences whose steps are tensors: kept flat, given back in their shape."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, as_sequences
from seqpipe.transformers import PadSequences, SequenceScaler

RNG = np.random.default_rng(0)
FILMS = [RNG.normal(size=(n, 2, 3, 4)) for n in (3, 1, 4, 2)]


@settings(max_examples=25)
@given(
    lengths=st.lists(st.integers(1, 4), min_size=1, max_size=5),
    shape=st.lists(st.integers(1, 3), min_size=2, max_size=3).map(tuple),
)
def test_tensors_are_kept_flat_and_given_back_in_their_shape(lengths: list[int], shape: tuple[int, ...]) -> None:
    arrays = [np.random.default_rng(n).normal(size=(n, *shape)) for n in lengths]
    films = Sequences.from_arrays(arrays)
    assert films.element_shape == shape
    assert films.values.shape == (sum(lengths), np.prod(shape))
    assert all(np.array_equal(a, b) for a, b in zip(films, arrays))
    padded, found = films.to_padded()
    assert padded.shape == (len(lengths), max(lengths), *shape)
    assert Sequences.from_padded(padded, found) == films
    assert Sequences.from_arrays(films) == films


def test_slices_splits_copies_and_other_values_of_the_size_keep_the_shape() -> None:
    films = Sequences.from_arrays(FILMS)
    kept = [
        films[[2, 0]],
        films[1:],
        films.astype("float32"),
        films.with_values(films.values + 1),
        pickle.loads(pickle.dumps(films)),
        train_test_split(films, random_state=0)[0],
    ]
    assert all(each.element_shape == (2, 3, 4) for each in kept)
    assert films.with_values(films.values[:, :5]).element_shape is None
    assert films != Sequences(films.values, films.offsets)


def test_every_way_to_write_films_is_understood() -> None:
    stacked = RNG.normal(size=(5, 3, 2, 4))
    objects = np.empty(5, dtype=object)
    objects[:] = list(stacked)
    for X in (stacked, list(stacked), objects, [film.tolist() for film in stacked]):
        assert as_sequences(X).element_shape == (2, 4)
        np.testing.assert_array_equal(as_sequences(X).values, stacked.reshape(15, 8))


def test_the_container_says_what_its_steps_are() -> None:
    assert "n_features=24, element_shape=(2, 3, 4), dtype" in repr(Sequences.from_arrays(FILMS))


def test_scaling_and_padding_keep_tensors() -> None:
    scaled = SequenceScaler().fit_transform(FILMS)
    assert scaled.element_shape == (2, 3, 4)
    assert PadSequences().fit_transform(scaled).shape == (4, 4, 2, 3, 4)
    stacked = np.stack([FILMS[0], FILMS[2][:3]])
    assert SequenceScaler().fit_transform(stacked).shape == stacked.shape


def test_what_an_older_version_pickled_has_no_shape() -> None:
    plain = Sequences([[1.0], [2.0]], [0, 2])
    state = plain.__getstate__()
    del state["element_shape"]
    loaded = Sequences.__new__(Sequences)
    loaded.__setstate__(state)
    assert loaded == plain


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: Sequences.from_arrays([FILMS[0], FILMS[1].swapaxes(1, 2)]),
            r"sample 1 have the shape \(3, 2, 4\) where",
        ),
        (
            lambda: Sequences.from_arrays([FILMS[0], FILMS[1].reshape(1, 24)]),
            r"sample 1 have the shape \(n_features,\) where those of the first have \(2, 3, 4\)",
        ),
        (lambda: Sequences.from_arrays([FILMS[0], FILMS[1][:, :1]]), "Sample 1 has 12 features where the first has 24"),
        (lambda: Sequences(np.ones((2, 6)), [0, 2], element_shape=(2, 2)), r"\(2, 2\) holds 4 numbers, a step has 6"),
        (lambda: as_sequences(np.ones((2, 0, 3, 3))), r"shape \(2, 0, 3, 3\) has no time steps"),
        (lambda: as_sequences([*FILMS, np.full((1, 2, 3, 4), np.nan)]), "contains NaN: sample 4, step 0, feature 0"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_with_their_place(make, message: str) -> None:
    with pytest.raises(InvalidSequencesError, match=message):
        make()
