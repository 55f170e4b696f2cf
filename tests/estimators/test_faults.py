"""Faults of data, each refused before training with its place and the remedy, or harmless, for every kind of estimator.

=====  ================================================  =========================================================
row    fault                                             test
=====  ================================================  =========================================================
1, 2   NaN or infinity in X                              ``test_a_value_that_is_not_finite_…`` here
3      NaN or infinity in y                              ``test_a_target_that_is_not_finite_…`` here; unknown targets of
                                                         steps: ``test_step_truth.py``
4      NaN in padding                                    ``test_what_stands_in_the_padding_…`` here; networks:
                                                         ``recurrence/test_invariants.py``
5-9    lengths that are 0, negative, too long, too few,  ``test_lengths_that_…`` here
       too many, or no integers
10     no time steps                                     ``test_sequences_without_steps_…`` here
11     no samples                                        ``test_no_samples_…`` here
12     one sample                                        ``test_one_sample_…`` here
13     a last batch of one                               ``test_a_last_batch_of_one_…`` here
14     another number of features in predict             ``test_other_features_…`` here
15     renamed or reordered columns                      ``test_renamed_or_reordered_columns_…`` here
16     another rank                                      ``test_an_array_of_another_rank_…`` here
17     integers, booleans, float32                       ``test_real_numbers_of_any_type_…`` here
18     complex numbers, objects, texts                   ``test_what_is_no_real_number_…`` here, and
                                                         ``sequences/test_items.py``
19     labels of any type                                ``test_labels_of_any_type_…`` here
20     one class                                         ``test_one_class_…`` here
21     a class that fit did not see, in scoring          ``test_a_class_that_fit_did_not_see_…`` here
22     y of shape (n,) and (n, 1)                        ``test_targets_of_one_column_…`` here
23     a constant feature                                ``test_a_constant_feature_…`` here
24     a window longer than its series                   ``test_a_window_longer_than_its_series_…`` here
25     doubled or unsorted times                         ``test_times_that_do_not_rise_…`` here
26     a read-only memory map                            ``test_a_read_only_memory_map_…`` here
=====  ================================================  =========================================================
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import Ridge

from seqpipe import (
    Forecaster,
    LanguageModel,
    SequenceCaptioner,
    SequenceClassifier,
    SequenceRegressor,
    SlidingWindowClassifier,
    SlidingWindowRegressor,
    StepClassifier,
    StepRegressor,
    WindowedRegressor,
    make_windows,
)
from seqpipe.exceptions import DataWarning, InvalidSequencesError
from seqpipe.sequences import Sequences, as_sequences

TINY: dict[str, Any] = {"hidden_size": 3, "max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = rng.normal(size=(20, 5, 2))
y = X.sum(axis=(1, 2))
steps = X.cumsum(axis=1)[:, :, 0]

#: Estimators of sequences, and their targets.
MODELS: dict[str, tuple[BaseEstimator, np.ndarray]] = {
    "classifier": (SequenceClassifier(**TINY), y > 0),
    "regressor": (SequenceRegressor(**TINY), y),
    "regressor per sequence": (SequenceRegressor(**TINY, scale_inputs="both"), y),
    "step classifier": (StepClassifier(**TINY), steps > 0),
    "step regressor": (StepRegressor(**TINY, bidirectional=True), steps),
    "sliding": (SlidingWindowRegressor(Ridge(), window=3), y),
    "sliding network": (SlidingWindowClassifier(SequenceClassifier(**TINY), window=3), y > 0),
}
REGRESSORS = ["regressor", "step regressor", "sliding"]
CLASSIFIERS = ["classifier", "step classifier", "sliding network"]

every = pytest.mark.parametrize("name", MODELS)


def fitted(name: str) -> Any:
    model, targets = MODELS[name]
    return clone(model).fit(X, targets)


def refused(name: str, bad: Any, words: str) -> None:
    """Check that a fit and a prediction refuse X."""
    model, targets = MODELS[name]
    with pytest.raises(ValueError, match=f"(?s){words}"):
        clone(model).fit(bad, targets[: len(bad)] if hasattr(bad, "__len__") else targets)
    with pytest.raises(ValueError, match=f"(?s){words}"):
        fitted(name).predict(bad)


def answers(model: Any, data: Any) -> np.ndarray:
    predict = getattr(model, "predict_proba", model.predict)
    return np.concatenate([np.ravel(each) for each in predict(data)])


@every
@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_a_value_that_is_not_finite_is_named_with_its_place(name: str, value: float, word: str) -> None:
    bad = X.copy()
    bad[7, 3, 1] = value
    refused(name, bad, f"{word}: sample 7, step 3, feature 1")
    refused(name, [x[: 3 + i % 3] for i, x in enumerate(bad)], f"{word}: sample 7, step 3, feature 1")


@pytest.mark.parametrize("name", REGRESSORS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_target_that_is_not_finite_is_named_with_its_place(name: str, value: float) -> None:
    model, targets = MODELS[name]
    bad = targets.copy()
    bad.flat[7] = value
    if name == "step regressor" and np.isnan(value):  # an unknown target
        assert np.isfinite(clone(model).fit(X, bad).predict(X)).all()
        return
    place = "sample 1, step 2" if name == "step regressor" else "sample 7"
    with pytest.raises(InvalidSequencesError, match=place):
        clone(model).fit(X, bad)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_label_that_is_missing_is_named_with_its_place_or_unknown(name: str) -> None:
    model, targets = MODELS[name]
    bad = targets.astype(object)
    bad.flat[7] = None
    if name == "step classifier":
        assert clone(model).fit(X, bad).classes_.tolist() == [False, True]
        return
    with pytest.raises(InvalidSequencesError, match="sample 7"):
        clone(model).fit(X, bad)


@every
def test_what_stands_in_the_padding_changes_nothing(name: str) -> None:
    lengths = 1 + np.arange(20) % 5
    bad = X.copy()
    bad[np.arange(5) >= lengths[:, None]] = np.nan
    model, targets = MODELS[name]
    if targets.ndim == 2:
        targets = [each[:n] for each, n in zip(targets, lengths)]
    found = [
        answers(clone(model).fit(each, targets), each)
        for each in (Sequences.from_padded(X, lengths), Sequences.from_padded(bad, lengths))
    ]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        ([5] * 19 + [-1], "length of sample 19 must be from 0 to 5, got -1"),
        ([6] + [5] * 19, "length of sample 0 must be from 0 to 5, got 6"),
        ([5] * 19, r"20 samples need lengths of shape \(20,\), got \(19,\)"),
        ([5] * 21, r"got \(21,\)"),
        ([5.0] * 20, r"must be integers, got dtype float64: cast them with astype\(int\)"),
    ],
    ids=["negative", "too long", "too few", "too many", "floats"],
)
def test_lengths_that_do_not_fit_are_refused(lengths: list, words: str) -> None:
    with pytest.raises(InvalidSequencesError, match=words):
        Sequences.from_padded(X, lengths)


@every
def test_lengths_that_are_0_are_refused_by_their_sample(name: str) -> None:
    refused(name, Sequences.from_padded(X, [5] * 11 + [0] + [5] * 8), "no time steps in sample 11.*drop the empty")


@every
def test_sequences_without_steps_are_refused(name: str) -> None:
    refused(name, np.empty((20, 0, 2)), "no time steps")


@every
def test_no_samples_are_refused(name: str) -> None:
    for empty in (np.empty((0, 5, 2)), [], Sequences.from_padded(X)[:0]):
        refused(name, empty, r"0 sample\(s\)|no samples")


@every
def test_one_sample_is_enough_or_refused_by_the_split(name: str) -> None:
    model, targets = MODELS[name]
    alone = clone(model).fit(X[:1], targets[:1])
    assert len(alone.predict(X[:1])) == 1
    assert len(fitted(name).predict(X[:1])) == 1
    if "early_stopping" in model.get_params():
        with pytest.raises(ValueError, match="leaves none for training"):
            clone(model).set_params(early_stopping=True).fit(X[:1], targets[:1])


@every
def test_a_last_batch_of_one_is_a_batch(name: str) -> None:
    model, targets = MODELS[name]
    model = clone(model)
    network = getattr(model, "estimator", model)
    if "batch_size" in network.get_params():
        network.set_params(batch_size=19)
    found = model.fit(X, targets).predict(X)
    assert found.shape == targets.shape


@every
def test_other_features_in_predict_are_refused_with_both_numbers(name: str) -> None:
    model = fitted(name)
    for other in (X[:, :, :1], np.concatenate([X, X], axis=2), [x[:, :1] for x in X]):
        with pytest.raises(ValueError, match=r"X has [14] features, but .* is expecting 2 features"):
            model.predict(other)


@every
def test_renamed_or_reordered_columns_are_refused(name: str) -> None:
    model, targets = MODELS[name]
    frames = [pd.DataFrame(x, columns=["a", "b"]) for x in X]
    model = clone(model).fit(frames, targets)
    for names in (["b", "a"], ["a", "c"]):
        with pytest.raises(ValueError, match="feature names"):
            model.predict([frame.set_axis(names, axis=1) for frame in frames])


@every
def test_an_array_of_another_rank_is_refused_with_the_remedy(name: str) -> None:
    model = fitted(name)
    with pytest.raises(ValueError, match=r"For a single sequence, pass X\[None\]"):
        model.predict(X[0])
    with pytest.raises(ValueError, match=r"pass X\[None\]|1D array|must be an array|shape"):
        model.predict(X[0, 0])
    with pytest.raises(ValueError, match="shape|features"):
        model.predict(X[:, :, :, None, None].repeat(2, axis=3))


@every
@pytest.mark.parametrize("dtype", [np.int64, bool, object])
def test_real_numbers_of_any_type_are_cast(name: str, dtype: type) -> None:
    model, targets = MODELS[name]
    numbers = (np.abs(X) > 0.5).astype(float)
    expected = answers(clone(model).fit(numbers, targets), numbers)
    given = numbers.astype(dtype)
    np.testing.assert_allclose(answers(clone(model).fit(given, targets), given), expected, rtol=1e-4, atol=1e-5)


@every
def test_what_is_no_real_number_is_refused(name: str) -> None:
    refused(name, X.astype(complex), "Complex data not supported")
    refused(name, X.astype(str), "real numbers, got dtype")
    objects = X.astype(object)
    objects[7, 3, 1] = "fast"
    refused(name, objects, "sample 7, step 3, feature 1 must hold real numbers, got 'fast'")


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("labels", [["no", "yes"], [5, 9], [False, True], [-1.0, 1.0]], ids=str)
def test_labels_of_any_type_come_back(name: str, labels: list) -> None:
    model, targets = MODELS[name]
    kinds = np.array(labels)
    model = clone(model).fit(X, kinds[targets.astype(int)])
    assert model.classes_.tolist() == labels
    found = model.predict(X)
    assert found.dtype == kinds.dtype
    assert set(np.ravel(found)) <= set(kinds)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_one_class_is_predicted(name: str) -> None:
    model, targets = MODELS[name]
    same = np.full(targets.shape, "only")
    model = clone(model).fit(X, same)
    assert (model.predict(X) == same).all()
    np.testing.assert_array_equal(answers(model, X), 1)


@pytest.mark.parametrize("name", ["classifier", "step classifier"])
def test_a_class_that_fit_did_not_see_counts_as_an_error_with_a_warning(name: str) -> None:
    _, targets = MODELS[name]
    with pytest.warns(DataWarning, match=r"not seen in fit, which count as errors: \[7\]"):
        assert fitted(name).score(X, np.full(targets.shape, 7)) == 0


@pytest.mark.parametrize("name", REGRESSORS)
def test_targets_of_one_column_are_never_broadcast(name: str) -> None:
    model, targets = MODELS[name]
    flat = clone(model).fit(X, targets)
    column = clone(model).fit(X, targets[..., None])
    if name != "sliding":  # Ridge returns one column without its axis
        assert column.predict(X).shape == (*targets.shape, 1)
    np.testing.assert_allclose(column.predict(X).ravel(), flat.predict(X).ravel(), rtol=1e-5, atol=1e-6)
    assert column.score(X, targets[..., None]) == pytest.approx(flat.score(X, targets), abs=1e-5)


@pytest.mark.parametrize("name", ["classifier", "regressor per sequence", "step regressor", "sliding"])
def test_a_constant_feature_stays_finite(name: str) -> None:
    model, targets = MODELS[name]
    flat = X.copy()
    flat[:, :, 1] = 1e9 / 3
    assert np.isfinite(answers(clone(model).fit(flat, targets), flat)).all()


def test_a_window_longer_than_its_series_is_refused_by_the_id() -> None:
    times = [*range(30), *range(4)]
    panel = pd.Series(np.arange(34.0), index=pd.MultiIndex.from_arrays([["a"] * 30 + ["b"] * 4, times]))
    with pytest.raises(InvalidSequencesError, match="'b'.*too short for window=8"):
        Forecaster(Ridge(), window=8, difference=False).fit(panel)
    with pytest.raises(InvalidSequencesError, match="too short for window=8"):
        Forecaster(Ridge(), window=8, difference=False).fit(np.arange(5.0))
    with pytest.raises(ValueError, match="window"):
        make_windows(np.arange(5.0), np.arange(5.0), window=8)
    short = SlidingWindowRegressor(Ridge(), window=30).fit(X, y)  # padded, as documented
    assert np.isfinite(short.predict(X)).all()


@pytest.mark.parametrize("days", [[0, 2, 1], [0, 1, 1]], ids=["unsorted", "doubled"])
def test_times_that_do_not_rise_within_an_id_are_refused(days: list[int]) -> None:
    dates = pd.to_datetime("2024-01-01") + pd.to_timedelta(days * 4, unit="D")
    frame = pd.DataFrame({"id": np.repeat(["a", "b", "c", "d"], 3), "t": dates, "v": np.arange(12.0)})
    panel = frame.set_index(["id", "t"])["v"]
    with pytest.raises(InvalidSequencesError, match="'a'"):
        Forecaster(Ridge(), window=1).fit(panel)
    one = frame[:3].set_index("t")["v"]
    for model in (Forecaster(Ridge(), window=1), WindowedRegressor(Ridge(), window=1)):
        with pytest.raises(InvalidSequencesError, match="row [12]"):
            model.fit(one.to_frame(), one)
    with pytest.raises(InvalidSequencesError, match=r"X\[0\], row [12]"):
        SequenceRegressor(**TINY).fit([one, one], [0.0, 1.0])
    if days == [0, 1, 1]:
        with pytest.raises(InvalidSequencesError, match="id 'a'.*a second time"):
            Sequences.from_frame(frame, by="id", order="t", features=["v"])


@every
def test_a_read_only_memory_map_is_enough(name: str, tmp_path: Path) -> None:
    model, targets = MODELS[name]
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    np.testing.assert_array_equal(answers(clone(model).fit(mapped, targets), mapped), answers(fitted(name), X))


# ---- estimators of rows, of texts and of vectors


@pytest.mark.parametrize(
    "fit",
    [
        lambda rows: Forecaster(Ridge(), window=3).fit(rows),
        lambda rows: WindowedRegressor(Ridge(), window=3).fit(rows, np.arange(30.0)),
        lambda rows: SequenceCaptioner(**TINY).fit(rows, ["a", "b"] * 15),
    ],
    ids=["forecaster", "windowed", "captioner"],
)
def test_rows_are_held_to_the_same_checks(fit: Callable[[np.ndarray], Any]) -> None:
    rows = rng.normal(size=(30, 2))
    before = copy.deepcopy(rows)
    fit(rows)
    np.testing.assert_array_equal(rows, before)
    for value, word in ((np.nan, "NaN"), (np.inf, "infinity")):
        bad = rows.copy()
        bad[7, 1] = value
        with pytest.raises(InvalidSequencesError, match=rf"{word}: .*(step|row|sample) 7\b.*feature 1"):
            fit(bad)
    with pytest.raises(ValueError, match="Complex data not supported"):
        fit(rows.astype(complex))
    with pytest.raises(ValueError, match="real numbers|texts instead of real numbers"):
        fit(rows.astype(str))
    with pytest.raises(ValueError, match="0 sample|too short|empty"):
        fit(rows[:0])


def test_texts_are_held_to_the_same_checks() -> None:
    model = LanguageModel(**TINY).fit(["ab", "ba"] * 5)
    for bad in ([], ["ab", None], ["ab", 3.5], [["a"], "b"], None, 7):
        with pytest.raises(ValueError, match="sample [01]|text|0 sample|empty"):
            clone(model).fit(bad)


def test_a_list_and_an_array_are_the_same_data() -> None:
    assert as_sequences(list(X)) == as_sequences(X)
