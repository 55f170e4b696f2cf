"""Sequences: what they hold, how they are indexed, and what scikit-learn and joblib ask of them."""

import copy
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.model_selection import train_test_split

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences, as_sequences

lengths_of_samples = st.lists(st.integers(0, 6), max_size=8)


def ragged(lengths, n_features=2, dtype=float):
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=(n, n_features)).astype(dtype) for n in lengths]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(int)
    return Sequences(np.concatenate([np.empty((0, n_features), dtype), *arrays]), offsets), arrays


@given(lengths_of_samples)
def test_each_sample_is_what_was_put_in(lengths):
    X, arrays = ragged(lengths)
    assert len(X) == len(arrays)
    assert all(np.array_equal(a, b) for a, b in zip(X, arrays, strict=True))
    assert all(np.array_equal(X[i], arrays[i]) for i in range(len(X)))


@given(lengths_of_samples, st.data())
def test_indexing_by_samples_is_indexing_a_list(lengths, data):
    X, arrays = ragged(lengths)
    indices = data.draw(st.lists(st.integers(-len(X), len(X) - 1), max_size=10)) if len(X) else []
    chosen = X[np.array(indices, dtype=int)]
    assert chosen.lengths.tolist() == [len(arrays[i]) for i in indices]
    assert all(np.array_equal(a, arrays[i]) for a, i in zip(chosen, indices, strict=True))


def test_slices_masks_and_numpys_ellipsis_select_samples():
    X, _ = ragged([1, 2, 3])
    assert X[1:].lengths.tolist() == [2, 3]
    assert X[np.array([True, False, True])].lengths.tolist() == [1, 3]
    assert X[[2, 0], ...].lengths.tolist() == [3, 1]
    assert X[::-1].lengths.tolist() == [3, 2, 1]


def test_a_sample_that_is_not_there_is_an_index_error():
    X, _ = ragged([1, 2])
    with pytest.raises(IndexError, match="index out of range"):
        X[2]
    with pytest.raises(IndexError, match="by sample only"):
        X[0, 1]


def test_indexing_keeps_names_and_ids():
    X = Sequences(np.ones((3, 2)), [0, 1, 3], feature_names=["a", "b"], ids=["p", "q"])[[1]]
    assert X.feature_names == ("a", "b")
    assert X.ids.tolist() == ["q"]


def test_one_sample_is_a_view():
    X, _ = ragged([2, 3])
    assert np.shares_memory(X[1], X.values)


def test_float32_and_float64_are_kept_and_other_numbers_become_float64():
    for dtype, expected in [("f4", "f4"), ("f8", "f8"), ("i8", "f8"), ("?", "f8"), ("f2", "f8")]:
        assert Sequences(np.ones((2, 1), dtype), [0, 2]).dtype == np.dtype(expected)


def test_one_dimensional_values_are_one_feature():
    assert Sequences(np.arange(3.0), [0, 3]).values.shape == (3, 1)


@pytest.mark.parametrize(
    ("values", "offsets", "message"),
    [
        (np.ones((3, 1)), [0, 2], "must start at 0 and end at the number of steps, 3, got 0 to 2"),
        (np.ones((3, 1)), [1, 3], "got 1 to 3"),
        (np.ones((3, 1)), [0, 2, 1, 3], "sample 1 would range from 2 to 1"),
        (np.ones((3, 1)), [0.0, 3.0], r"n_samples \+ 1 integers"),
        (np.ones((3, 1)), [], r"n_samples \+ 1 integers"),
        (np.array(["a", "b"]), [0, 2], "must hold real numbers"),
        (np.ones((2, 1), complex), [0, 2], "must hold real numbers, got dtype complex128"),
    ],
)
def test_values_and_offsets_that_do_not_fit_are_refused(values, offsets, message):
    with pytest.raises(InvalidSequencesError, match=message):
        Sequences(values, offsets)


def test_names_and_ids_of_wrong_number_are_refused():
    with pytest.raises(InvalidSequencesError, match="1 feature names for 2 features"):
        Sequences(np.ones((3, 2)), [0, 3], feature_names=["a"])
    with pytest.raises(InvalidSequencesError, match=r"ids of shape \(2,\) for 1 sequences"):
        Sequences(np.ones((3, 2)), [0, 3], ids=["a", "b"])


def test_arrays_lists_and_nested_lists_are_gathered():
    X = Sequences.from_arrays([[[1, 2]], np.ones((2, 2), "f4"), [(3.0, 4.0), (5.0, 6.0)]])
    assert X.lengths.tolist() == [1, 2, 2]
    assert X.values[0].tolist() == [1.0, 2.0]


def test_an_array_of_steps_that_are_arrays_is_gathered():
    steps = np.empty(2, dtype=object)
    steps[:] = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    assert Sequences.from_arrays([steps])[0].tolist() == [[1.0, 2.0], [3.0, 4.0]]


def test_an_empty_sequence_takes_the_others_number_of_features():
    assert Sequences.from_arrays([[], np.ones((2, 3))]).values.shape == (2, 3)
    assert len(Sequences.from_arrays([])) == 0


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([np.ones((2, 1)), np.ones((2, 3))], "Sample 1 has 3 features where the first has 1"),
        ([[1.0], ["a"]], "sample 1 must hold real numbers"),
        ([[[1.0], [1.0, 2.0]]], "sample 0 is not numeric, or its steps have unequal numbers of features"),
        ([1.0], "sample 0 must have shape"),
    ],
)
def test_arrays_that_are_no_sequences_are_refused_with_their_place(arrays, message):
    with pytest.raises(InvalidSequencesError, match=message):
        Sequences.from_arrays(arrays)


@given(lengths_of_samples)
def test_padding_and_back_gives_the_same_sequences(lengths):
    X, _ = ragged(lengths)
    padded, found = X.to_padded(pad_value=np.nan)
    assert found.tolist() == lengths
    assert np.isnan(padded).sum() == 2 * sum(max(lengths) - n for n in lengths)
    assert Sequences.from_padded(padded, found) == X


def test_a_full_array_is_not_copied():
    array = np.ones((2, 3, 1))
    assert np.shares_memory(Sequences.from_padded(array).values, array)


def test_an_array_without_samples_or_steps_is_taken():
    assert len(Sequences.from_padded(np.empty((0, 3, 2)))) == 0
    assert Sequences.from_padded(np.empty((2, 0, 2))).lengths.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("lengths", "message"),
    [
        ([1, -2], "length of sample 1 must be from 0 to 3, got -2"),
        ([4, 2], "length of sample 0 must be from 0 to 3, got 4"),
        ([1], r"2 samples need lengths of shape \(2,\), got \(1,\)"),
        ([1, 2, 3], r"got \(3,\)"),
        ([1.0, 2.0], "must be integers, got dtype float64"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(lengths, message):
    with pytest.raises(InvalidSequencesError, match=message):
        Sequences.from_padded(np.ones((2, 3, 1)), lengths)


def test_a_padded_array_of_wrong_rank_is_refused_with_the_remedy():
    with pytest.raises(InvalidSequencesError, match=r"got \(2, 3\): add the missing axis"):
        Sequences.from_padded(np.ones((2, 3)))


@given(lengths_of_samples.filter(len), st.data())
def test_a_gathered_batch_is_the_padded_samples(lengths, data):
    X, _ = ragged(lengths)
    indices = np.array(data.draw(st.lists(st.integers(0, len(X) - 1), min_size=1, max_size=5)))
    batch, found = X.gather(indices)
    expected, expected_lengths = X[indices].to_padded()
    assert np.array_equal(batch, expected)
    assert found is None or np.array_equal(found, expected_lengths)
    assert (found is None) == (len(set(expected_lengths)) == 1)


def test_other_values_and_types_keep_ids_and_names():
    X = Sequences(np.ones((3, 2)), [0, 1, 3], feature_names=["a", "b"], ids=["p", "q"])
    assert X.astype("f4").dtype == np.float32
    assert X.astype("f8").values is X.values
    assert X.with_values(np.zeros((3, 2))).feature_names == ("a", "b")
    assert X.with_values(np.zeros((3, 1))).feature_names is None
    assert X.with_values(np.zeros((3, 1))).ids.tolist() == ["p", "q"]


@pytest.mark.parametrize("lengths", [[1, 2], [2, 2]])
def test_an_object_array_holds_one_array_a_sample(lengths):
    X, arrays = ragged(lengths)
    array = np.asarray(X)
    assert array.shape == (2,)
    assert np.array_equal(array[1], arrays[1])


def test_a_numeric_array_is_refused_with_the_remedy():
    with pytest.raises(InvalidSequencesError, match=r"to_padded\(\), or PadSequences"):
        np.asarray(ragged([1, 2])[0], dtype=float)


def test_equality_looks_at_values_places_names_and_ids():
    X, _ = ragged([1, 2])
    named = Sequences(X.values, X.offsets, ids=["p", "q"])
    assert ragged([1, 2])[0] == X
    assert Sequences(X.values, [0, 2, 3]) != X
    assert named != X
    assert named == Sequences(X.values, X.offsets, ids=["p", "q"])
    assert named != Sequences(X.values, X.offsets, ids=["p", "r"])
    assert Sequences(X.values, X.offsets, feature_names=["a", "b"]) != X
    assert X != [1, 2]


@given(hnp.arrays(st.sampled_from([np.float32, np.float64]), st.tuples(st.integers(1, 6), st.just(2))))
def test_pickles_and_hashes_tell_equal_from_unequal(values):
    X = Sequences(values, [0, len(values)], ids=["only"])
    back = pickle.loads(pickle.dumps(X))
    assert back == X
    assert copy.deepcopy(X) == X
    assert joblib.hash(back) == joblib.hash(X)
    assert joblib.hash(Sequences(values, [0, len(values)], ids=["other"])) != joblib.hash(X)


def test_a_pickle_of_many_sequences_is_hardly_larger_than_their_bytes():
    X = Sequences(np.zeros((50_000, 1)), np.arange(50_001))
    assert len(pickle.dumps(X)) < X.values.nbytes + X.offsets.nbytes + 1_000


def test_a_split_keeps_samples_and_targets_together():
    X, _ = ragged(list(range(1, 21)))
    X_train, X_test, y_train, y_test = train_test_split(X, X.lengths, random_state=0)
    assert isinstance(X_test, Sequences)
    assert X_train.lengths.tolist() == y_train.tolist()
    assert X_test.lengths.tolist() == y_test.tolist()


def test_a_place_is_told_in_the_users_words():
    X = Sequences(np.ones((3, 2)), [0, 1, 3], feature_names=["a", "b"], ids=["P7", "q"])
    assert X.describe(0, 0, 1) == "sample 0 (id 'P7'), step 0, feature 'b'"
    assert ragged([2])[0].describe(0, 1, 1) == "sample 0, step 1, feature 1"


def test_the_repr_tells_the_sizes():
    assert repr(ragged([1, 4])[0]) == "Sequences(n_samples=2, n_timesteps=1..4, n_features=2, dtype=float64)"
    assert "n_timesteps=0" in repr(ragged([])[0])


def test_tables_and_arrow_arrays_are_reached_from_the_container():
    X = Sequences(np.ones((3, 2)), [0, 1, 3], feature_names=["a", "b"], ids=["p", "q"])
    assert Sequences.from_frame(X.to_frame(), by="id", order="step") == X
    assert np.array_equal(Sequences.from_arrow(X.to_arrow()).values, X.values)


def test_sequences_whose_steps_fall_in_time_are_refused():
    dated = pd.DataFrame({"x": np.arange(3.0)}, index=pd.date_range("2024-01-01", periods=3))
    with pytest.raises(InvalidSequencesError, match=r"X\[1\], row 1: the rows are not in the order"):
        Sequences.from_arrays([dated, dated[::-1]])


@pytest.mark.parametrize("item", [np.zeros((3, 0)), pd.DataFrame(index=range(3))], ids=["array", "frame"])
def test_steps_without_features_are_counted_as_they_are(item):
    X = Sequences.from_arrays([item] * 4)
    assert (X.lengths.tolist(), X.n_features) == ([3] * 4, 0)
    with pytest.raises(InvalidSequencesError, match=r"Found 0 feature\(s\)"):
        as_sequences([item] * 4)


def test_frames_without_rows_keep_their_features():
    assert Sequences.from_arrays([pd.DataFrame(columns=["a", "b"], dtype=float)]).feature_names == ("a", "b")
