"""PadSequences: every step at its place, and nothing else but padding."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, Windows
from seqpipe.transformers import PadSequences

RAGGED = [[[1.0], [2.0]], [[3.0], [4.0], [5.0]]]


def padded(X=RAGGED, **parameters):
    return PadSequences(**parameters).fit_transform(X)[:, :, 0].tolist()


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=6),
    st.none() | st.integers(1, 8),
    st.sampled_from(["pre", "post"]),
    st.sampled_from(["pre", "post"]),
)
def test_each_sample_is_what_slicing_and_padding_it_alone_gives(lengths, length, padding, truncating):
    X = [np.random.default_rng(0).normal(size=(n, 2)) for n in lengths]
    out = PadSequences(length, pad_value=-9.0, padding=padding, truncating=truncating).fit_transform(X)
    target = length or max(lengths)
    assert out.shape == (len(X), target, 2)
    for found, steps in zip(out, X, strict=True):
        kept = steps[:target] if truncating == "post" else steps[-target:]
        gap = np.full((target - len(kept), 2), -9.0)
        assert np.array_equal(found, np.concatenate([kept, gap] if padding == "post" else [gap, kept]))


def test_by_default_zeros_follow_up_to_the_longest():
    assert padded() == [[1, 2, 0], [3, 4, 5]]
    assert padded(padding="pre") == [[0, 1, 2], [3, 4, 5]]


def test_a_sequence_that_is_too_long_loses_its_end_or_its_begin():
    assert padded(length=2) == [[1, 2], [3, 4]]
    assert padded(length=2, truncating="pre") == [[1, 2], [4, 5]]


def test_a_sequence_longer_than_any_in_fit_is_cut():
    pad = PadSequences().fit([[[1.0]], [[1.0], [2.0]]])
    assert pad.length_ == 2
    assert pad.transform(RAGGED)[1, :, 0].tolist() == [3, 4]


def test_every_kind_of_input_becomes_one_array():
    array = np.arange(12.0).reshape(2, 3, 2)
    for X in [array, Sequences.from_padded(array), list(array), Windows(array.reshape(6, 2), [0, 3], 3)]:
        assert np.array_equal(PadSequences().fit_transform(X), array)
    assert np.array_equal(PadSequences().fit_transform(array[:, :, 0]), array[:, :, :1])


def test_the_type_of_the_numbers_is_kept():
    assert PadSequences().fit_transform(np.ones((2, 3, 1), "f4")).dtype == np.float32
    assert PadSequences().fit_transform(np.ones((2, 3, 1), "i4")).dtype == np.float64


def test_the_input_is_not_changed_through_the_output():
    X = Sequences(np.ones((4, 1)), [0, 2, 4])
    PadSequences().fit_transform(X)[:] = 7.0
    assert (X.values == 1).all()


def test_features_keep_their_names():
    X = Sequences(np.ones((3, 2)), [0, 1, 3], feature_names=["a", "b"])
    assert PadSequences(9).fit(X).get_feature_names_out().tolist() == ["a", "b"]
    assert PadSequences().fit(RAGGED).get_feature_names_out().tolist() == ["x0"]


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({}, ["p", "q", "r"]),
        ({"length": 2}, ["p", "q"]),
        ({"length": 2, "truncating": "pre"}, ["q", "r"]),
        ({"length": 5}, ["p", "q", "r", "pad0", "pad1"]),
        ({"length": 4, "padding": "pre"}, ["pad0", "p", "q", "r"]),
    ],
)
def test_the_columns_of_a_table_are_steps_and_keep_their_names(parameters, names):
    table = pd.DataFrame([[1.0, 2.0, 3.0]], columns=["p", "q", "r"])
    pad = PadSequences(**parameters).fit(table)
    assert pad.get_feature_names_out().tolist() == names
    assert pad.transform(table).shape == (1, len(names), 1)


def test_an_array_of_three_dimensions_is_never_put_into_a_table():
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(PadSequences().fit_transform(RAGGED), np.ndarray)
    assert not hasattr(PadSequences(), "set_output")
    with pytest.raises(AttributeError, match="does not apply to PadSequences.*frame_from_sequences"):
        PadSequences().set_output(transform="pandas")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"length": 0}, "'length' parameter of PadSequences must be an integer of at least 1. Got 0 instead"),
        ({"length": 2.5}, "Got 2.5 instead"),
        ({"pad_value": "a"}, "'pad_value' parameter of PadSequences must be a number. Got 'a'"),
        ({"padding": "pst"}, r"must be one of \['post', 'pre'\]. Got 'pst' instead. Did you mean 'post'\?"),
        ({"truncating": None}, "'truncating' parameter of PadSequences must be one of"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_in_fit(parameters, message):
    with pytest.raises(ValueError, match=message):
        PadSequences(**parameters).fit(RAGGED)


def test_nan_may_mark_the_padding():
    assert np.isnan(PadSequences(pad_value=np.nan).fit_transform(RAGGED)[0, 2, 0])


def test_what_as_sequences_refuses_is_refused():
    with pytest.raises(InvalidSequencesError, match="contains NaN: sample 1, step 0"):
        PadSequences().fit([[[1.0]], [[np.nan]]])
