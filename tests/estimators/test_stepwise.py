"""Predictions at every time step: aligned with X, over valid steps only, with the loss on selected steps."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.base import clone, is_classifier
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline

from seqpipe.estimators import StepClassifier, StepRegressor
from seqpipe.exceptions import DataWarning, InvalidSequencesError
from seqpipe.sequences import Sequences, Windows
from seqpipe.training import StepLoss
from seqpipe.transformers import SequenceScaler

SMALL = {"hidden_size": 6, "max_epochs": 2, "random_state": 0}
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in rng.integers(2, 9, size=30)]
LENGTHS = np.array([len(x) for x in X])
TOTALS = [x[:, 0].cumsum() for x in X]
TAGS = [["up" if total > 0 else "down" for total in totals] for totals in TOTALS]
EQUAL = rng.normal(size=(20, 5, 1))
EQUAL_TOTALS = EQUAL[:, :, 0].cumsum(axis=1)


@pytest.fixture(scope="module")
def regressor() -> StepRegressor:
    return StepRegressor(**SMALL).fit(X, TOTALS)


@pytest.fixture(scope="module")
def classifier() -> StepClassifier:
    return StepClassifier(**SMALL).fit(X, TAGS)


def as_objects(arrays: list[Any]) -> NDArray[Any]:
    out = np.empty(len(arrays), dtype=object)
    out[:] = arrays
    return out


# ---- forms of y


@pytest.mark.parametrize(
    "make",
    [list, tuple, as_objects, pd.Series, Sequences.from_arrays, lambda y: [each[:, None] for each in y]],
    ids=["list", "tuple", "object array", "Series", "Sequences", "columns"],
)
def test_every_form_of_ragged_targets_makes_the_same_fit(make: Any, regressor: StepRegressor) -> None:
    found = StepRegressor(**SMALL).fit(X, make(TOTALS)).predict(X)
    for one, expected in zip(found, regressor.predict(X)):
        np.testing.assert_array_equal(np.ravel(one), expected)


def test_an_array_of_targets_makes_an_array_of_predictions() -> None:
    flat = StepRegressor(**SMALL).fit(EQUAL, EQUAL_TOTALS)
    column = StepRegressor(**SMALL).fit(EQUAL, EQUAL_TOTALS[:, :, None])
    assert flat.predict(EQUAL).shape == (20, 5)
    np.testing.assert_array_equal(column.predict(EQUAL), flat.predict(EQUAL)[:, :, None])


def test_an_array_of_targets_still_makes_a_list_for_ragged_input() -> None:
    model = StepRegressor(**SMALL).fit(EQUAL, EQUAL_TOTALS)
    assert [len(each) for each in model.predict([EQUAL[0, :2], EQUAL[1]])] == [2, 5]


def test_sequences_in_make_sequences_out_with_the_ids_of_x() -> None:
    ragged = Sequences.from_arrays(X, ids=np.arange(30) * 10)
    predicted = StepRegressor(**SMALL).fit(ragged, Sequences.from_arrays(TOTALS)).predict(ragged)
    assert isinstance(predicted, Sequences)
    assert predicted.ids.tolist() == ragged.ids.tolist()
    np.testing.assert_array_equal(predicted.lengths, LENGTHS)


def test_several_targets_a_step_come_back_side_by_side() -> None:
    both = [np.stack([total, -total], axis=1) for total in TOTALS]
    predicted = StepRegressor(**SMALL).fit(X, both).predict(X)
    assert [each.shape for each in predicted] == [(n, 2) for n in LENGTHS]


def test_windows_one_step_later_are_targets_of_windows() -> None:
    series = np.sin(np.arange(60.0) / 4)[:, None]
    windows, later = Windows(series, np.arange(40), 8), Windows(series, np.arange(40) + 1, 8)
    model = StepRegressor(**SMALL, scale_inputs=False).fit(windows, later)
    assert model.predict(windows).shape == (40, 8, 1)
    again = StepRegressor(**SMALL, scale_inputs=False).fit(np.asarray(windows), np.asarray(later))
    np.testing.assert_allclose(model.predict(windows), again.predict(np.asarray(windows)), rtol=1e-4, atol=1e-5)


def test_a_table_of_values_takes_a_table_of_targets() -> None:
    table = EQUAL[:, :, 0]
    model = StepRegressor(**SMALL).fit(pd.DataFrame(table), pd.DataFrame(EQUAL_TOTALS))
    assert model.n_features_in_ == 5
    assert model.predict(pd.DataFrame(table)).shape == (20, 5)


@pytest.mark.parametrize("labels", [["down", "up"], [5, 9], [False, True]])
def test_labels_of_any_kind_come_back(labels: list[Any]) -> None:
    y = [np.array(labels)[(total > 0).astype(int)] for total in TOTALS]
    model = StepClassifier(**SMALL).fit(X, y)
    assert model.classes_.tolist() == labels
    assert set(np.concatenate(model.predict(X)).tolist()) <= set(labels)


# ---- what is refused


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (TOTALS[:-1], r"inconsistent numbers of samples: \[30, 29\]"),
        ([*TOTALS[:3], TOTALS[3][:-1], *TOTALS[4:]], r"y has \d steps, but X has \d in sample 3 \(1 such samples\)"),
        (
            Sequences.from_arrays([t[1:] for t in TOTALS]),
            r"y has \d steps, but X has \d in sample 0 \(30 such samples\)",
        ),
        (np.zeros((30, 4)), r"y has 4 steps, but X has"),
        (np.zeros(30), r"must have shape \(n_samples, n_timesteps\)"),
        ([0.0] * 30, r"must have shape \(n_timesteps,\) or \(n_timesteps, n_outputs\) in sample 0"),
        ([*TOTALS[:4], TOTALS[4] + np.inf, *TOTALS[5:]], r"y contains infinity: sample 4, step 0"),
        ([np.array([None] * n) for n in LENGTHS], r"no target at any time step"),
        (TAGS, r"must contain real numbers. Got dtype <U4 instead; for labels, use StepClassifier"),
        ([*TOTALS[:2], TOTALS[2][:, None], *TOTALS[3:]], r"The targets of sample 2 have shape \(\d, 1\)"),
        (None, r"requires y to be passed"),
    ],
)
def test_unfit_targets_are_refused_with_their_place(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StepRegressor(**SMALL).fit(X, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([[None] * n for n in LENGTHS], r"no label at any time step"),
        ([[1] * LENGTHS[0], *TAGS[1:]], r"y mixes labels of types"),
        (TOTALS, r"Unknown label type: continuous"),
        ([np.full((n, 2), 3) for n in LENGTHS], "several columns, and multi-label targets must be 0 or 1"),
    ],
)
def test_unfit_labels_are_refused_with_their_place(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StepClassifier(**SMALL).fit(X, y)


def test_the_users_id_names_the_misaligned_sequence() -> None:
    named = Sequences.from_arrays(X, ids=[f"B{i}" for i in range(30)])
    with pytest.raises(InvalidSequencesError, match=r"in sample 1 \(id 'B1'\)"):
        StepRegressor(**SMALL).fit(named, [TOTALS[0], TOTALS[1][:-1], *TOTALS[2:]])


@pytest.mark.parametrize("loss_on", [0, -1, "first", None, 1.5])
def test_a_rule_for_the_loss_that_is_none_is_refused(loss_on: Any) -> None:
    with pytest.raises(ValueError, match="The 'loss_on' parameter of StepRegressor must be"):
        StepRegressor(**SMALL, loss_on=loss_on).fit(X, TOTALS)


def test_a_rule_that_chooses_no_step_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="'loss_on' parameter of StepRegressor must select at least one step"):
        StepRegressor(**SMALL, loss_on=lambda n: np.zeros(n, dtype=bool)).fit(X, TOTALS)


def test_a_fit_that_goes_on_takes_as_many_outputs(regressor: StepRegressor) -> None:
    with pytest.raises(ValueError, match="y has 2 outputs, but had 1 in the previous fit"):
        clone(regressor).partial_fit(X, TOTALS).partial_fit(X, [np.stack([t, t], axis=1) for t in TOTALS])


# ---- loss


def test_one_parameter_switches_from_the_loss_at_every_step_to_the_one_at_the_end() -> None:
    """E6: with the loss at the end, earlier targets are ignored."""
    spoilt = [np.concatenate([100 * rng.normal(size=len(t) - 1), t[-1:]]) for t in TOTALS]
    at_the_end, again = (StepRegressor(**SMALL, loss_on="last").fit(X, y).predict(X) for y in (TOTALS, spoilt))
    np.testing.assert_array_equal(np.concatenate(at_the_end), np.concatenate(again))
    everywhere, other = (StepRegressor(**SMALL).fit(X, y).predict(X) for y in (TOTALS, spoilt))
    assert not np.array_equal(np.concatenate(everywhere), np.concatenate(other))


def test_a_number_and_a_function_for_the_same_steps_make_the_same_fit() -> None:
    by_number = StepRegressor(**SMALL, loss_on=2).fit(X, TOTALS)
    by_function = StepRegressor(**SMALL, loss_on=lambda n: np.arange(n) >= n - 2).fit(X, TOTALS)
    np.testing.assert_array_equal(np.concatenate(by_number.predict(X)), np.concatenate(by_function.predict(X)))


def test_the_recorded_loss_is_the_mean_over_all_chosen_steps() -> None:
    still = {**SMALL, "max_epochs": 1, "lr": 1e-12, "batch_size": 7}
    model = StepRegressor(**still, loss_on=2, scale_targets=False).fit(X, TOTALS)
    squares = np.concatenate([(p - t)[-2:] ** 2 for p, t in zip(model.predict(X), TOTALS)])
    np.testing.assert_allclose(model.history_[0]["train_loss"], squares.mean(), rtol=1e-5)


def test_targets_that_are_not_scaled_are_trained_on_as_they_are() -> None:
    model = StepRegressor(**SMALL, scale_targets=False).fit(X, [1000 + total for total in TOTALS])
    assert (model.y_mean_.tolist(), model.y_scale_.tolist()) == ([0.0], [1.0])
    assert model.history_[0]["train_loss"] > 500_000


def test_statistics_of_targets_are_those_of_chosen_steps() -> None:
    model = StepRegressor(**SMALL, loss_on="last").fit(X, TOTALS)
    last = np.array([total[-1] for total in TOTALS])
    np.testing.assert_allclose([model.y_mean_[0], model.y_scale_[0]], [last.mean(), last.std()])


def test_a_diagnostic_sees_the_samples_and_the_loss_of_the_fit(classifier: StepClassifier) -> None:
    samples = classifier.as_samples(X, TAGS)
    assert isinstance(classifier.net_.objective, StepLoss)
    np.testing.assert_array_equal(classifier.classes_[samples.y.values[:, 0].astype(int)], np.concatenate(TAGS))


# ---- weights

ONE_BATCH = {"hidden_size": 6, "max_epochs": 5, "batch_size": 100, "dtype": "float64", "random_state": 0}


@pytest.mark.parametrize("kind", [StepRegressor, StepClassifier])
@pytest.mark.parametrize("loss_on", ["all", 2])
def test_a_weight_of_two_equals_the_sequence_given_twice(kind: Any, loss_on: Any) -> None:
    y = TOTALS if kind is StepRegressor else TAGS
    weight = np.where(np.arange(30) % 3 == 0, 2, np.where(np.arange(30) % 3 == 1, 1, 0))
    twice = np.repeat(np.arange(30), weight)
    weighted = kind(**ONE_BATCH, loss_on=loss_on).fit(X, y, sample_weight=weight)
    repeated = kind(**ONE_BATCH, loss_on=loss_on).fit([X[i] for i in twice], [y[i] for i in twice])
    method = "predict" if kind is StepRegressor else "predict_proba"
    found, expected = (np.concatenate(getattr(model, method)(X)) for model in (weighted, repeated))
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


def test_balanced_classes_count_the_chosen_steps() -> None:
    y = [["rare" if i == 0 and t == 0 else "often" for t in range(n)] for i, n in enumerate(LENGTHS)]
    found = StepClassifier(**SMALL, class_weight="balanced").fit(X, y)
    n_steps = LENGTHS.sum()
    weights = dict(zip(["often", "rare"], n_steps / (2 * np.array([n_steps - 1, 1]))))
    expected = StepClassifier(**SMALL, class_weight=weights).fit(X, y)
    np.testing.assert_allclose(
        np.concatenate(found.predict_proba(X)), np.concatenate(expected.predict_proba(X)), rtol=1e-6
    )


def test_class_weights_move_the_decision() -> None:
    noise, y = rng.normal(size=(20, 5, 1)), rng.integers(0, 2, size=(20, 5))
    heavy = StepClassifier(hidden_size=6, max_epochs=60, random_state=0, class_weight={0: 1, 1: 50}).fit(noise, y)
    assert heavy.predict(noise).mean() > 0.95


def test_class_weights_that_leave_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="must give at least one label of y a weight above 0"):
        StepClassifier(**SMALL, class_weight={"up": 0, "down": 0, "level": 1}).fit(X, TAGS)


# ---- scores


def test_scores_are_over_all_valid_steps(regressor: StepRegressor, classifier: StepClassifier) -> None:
    truth, predicted = np.concatenate(TOTALS), np.concatenate(regressor.predict(X))
    assert regressor.score(X, TOTALS) == pytest.approx(r2_score(truth, predicted))
    tags, found = np.concatenate(TAGS), np.concatenate(classifier.predict(X))
    assert classifier.score(X, TAGS) == pytest.approx(accuracy_score(tags, found))
    weight = rng.uniform(size=30)
    by_step = np.repeat(weight, LENGTHS)
    assert regressor.score(X, TOTALS, weight) == pytest.approx(r2_score(truth, predicted, sample_weight=by_step))
    assert classifier.score(X, TAGS, weight) == pytest.approx(accuracy_score(tags, found, sample_weight=by_step))


def test_labels_never_seen_are_warned_of_in_a_score(classifier: StepClassifier) -> None:
    with pytest.warns(DataWarning, match=r"not seen in fit, which count as errors: \['level'\]"):
        assert classifier.score(X[:1], [["level"] * LENGTHS[0]]) == 0


def test_probabilities_sum_to_one_and_their_largest_is_the_prediction(classifier: StepClassifier) -> None:
    for probabilities, labels in zip(classifier.predict_proba(X), classifier.predict(X)):
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
        np.testing.assert_array_equal(classifier.classes_[probabilities.argmax(axis=1)], labels)


# ---- invariants


@given(data=st.data(), bidirectional=st.booleans(), cell=st.sampled_from(["gru", "lstm", "rnn"]))
@settings(max_examples=12, deadline=None)
def test_a_prediction_depends_on_neither_batch_nor_order(data: Any, bidirectional: bool, cell: str) -> None:
    model = StepRegressor(
        cell, hidden_size=4, max_epochs=1, bidirectional=bidirectional, dtype="float64", random_state=0
    )
    model.fit(X[:8], TOTALS[:8])
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=6))
    draws = np.random.default_rng(sum(lengths))
    some = [draws.normal(size=(n, 2)) for n in lengths]
    order = data.draw(st.permutations(range(len(some))))
    together = model.predict(some)
    assert [len(each) for each in together] == lengths
    for i, alone in enumerate([model.predict([x])[0] for x in some]):
        np.testing.assert_allclose(alone, together[i], rtol=1e-12, atol=1e-13)
    for i, permuted in zip(order, model.predict([some[i] for i in order])):
        np.testing.assert_allclose(permuted, together[i], rtol=1e-12, atol=1e-13)


def test_what_comes_later_changes_no_prediction_before(regressor: StepRegressor) -> None:
    (whole,), (part,) = regressor.predict([X[0]]), regressor.predict([X[0][:2]])
    np.testing.assert_allclose(whole[:2], part, rtol=1e-5, atol=1e-6)


# ---- searches, persistence, going on


@pytest.mark.parametrize(("kind", "y"), [(StepRegressor, TOTALS), (StepClassifier, TAGS)])
def test_a_search_in_a_pipeline_takes_ragged_targets(kind: Any, y: Any) -> None:
    pipeline = Pipeline([("scale", SequenceScaler()), ("model", kind(**SMALL))])
    grid = {"model__cell": ["rnn", "gru"], "model__loss_on": ["all", 2]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert np.isfinite(cross_val_score(kind(**SMALL), Sequences.from_arrays(X), y, cv=2)).all()


def test_to_scikit_learn_a_classifier_of_steps_is_none(classifier: StepClassifier) -> None:
    assert not is_classifier(classifier)


@pytest.mark.parametrize(("kind", "y"), [(StepRegressor, TOTALS), (StepClassifier, TAGS)])
def test_a_pickled_estimator_predicts_the_same_and_goes_on_the_same(kind: Any, y: Any) -> None:
    weighted = {"class_weight": "balanced"} if kind is StepClassifier else {}
    model = kind(**SMALL, **weighted, loss_on=3).partial_fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    method = "predict" if kind is StepRegressor else "predict_proba"
    np.testing.assert_array_equal(*(np.concatenate(getattr(m, method)(X)) for m in (model, again)))
    model.partial_fit(X, y)
    again.partial_fit(X, y)
    np.testing.assert_array_equal(*(np.concatenate(getattr(m, method)(X)) for m in (model, again)))


def test_all_labels_are_named_in_the_first_partial_fit() -> None:
    model = StepClassifier(**SMALL).partial_fit(X[:3], [["up"] * n for n in LENGTHS[:3]], classes=["down", "up"])
    model.partial_fit(X, TAGS)
    assert model.classes_.tolist() == ["down", "up"]
    with pytest.raises(
        ValueError, match=r"y contains labels that are not among the classes of the first fit: \['level'\]"
    ):
        model.partial_fit(X[:1], [["level"] * LENGTHS[0]])
    with pytest.raises(ValueError, match="differ from those of the first call of partial_fit"):
        model.partial_fit(X, TAGS, classes=["up", "level"])


def test_token_numbers_are_tagged_through_an_embedding() -> None:
    tokens = [rng.integers(0, 6, size=(n, 1)) for n in LENGTHS]
    y = [(token[:, 0] % 2).tolist() for token in tokens]
    model = StepClassifier(hidden_size=8, embedding=4, max_epochs=120, random_state=0).fit(tokens, y)
    assert model.score(tokens, y) == 1.0


# ---- streams


def test_a_stream_gives_each_steps_answer_alone_or_in_chunks(
    regressor: StepRegressor, classifier: StepClassifier
) -> None:
    longest = int(LENGTHS.argmax())
    x = X[longest]
    stream, chunks = regressor.stream(), regressor.stream()
    one_by_one = [stream.push(step) for step in x]
    in_chunks = np.concatenate([chunks.push(x[:2]), chunks.push(x[2:])])
    np.testing.assert_allclose(one_by_one, regressor.predict([x])[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(in_chunks, one_by_one, rtol=1e-5, atol=1e-6)
    assert stream.n_steps == len(x)
    tags, shares = classifier.stream(), classifier.stream(method="predict_proba")
    assert [tags.push(step) for step in x] == classifier.predict([x])[0].tolist()
    np.testing.assert_allclose(shares.push(x), classifier.predict_proba([x])[0], rtol=1e-5, atol=1e-6)


def test_a_stream_starts_again_after_a_reset(regressor: StepRegressor) -> None:
    stream = regressor.stream()
    first = stream.push(X[0][0])
    stream.push(X[0][1])
    stream.reset()
    assert stream.push(X[0][0]) == first


def test_a_stream_of_an_unknown_method_or_both_directions_is_refused(classifier: StepClassifier) -> None:
    with pytest.raises(ValueError, match=r"'method' parameter of StepClassifier.stream must be"):
        classifier.stream(method="score")
    with pytest.raises(ValueError, match="bidirectional net processes sequences from their end"):
        StepRegressor(**SMALL, bidirectional=True).fit(X, TOTALS).stream()


@pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("chosen", [2, 3])
def test_early_stopping_trains_on_and_holds_out_a_sequence_that_the_loss_counts(seed: int, chosen: int) -> None:
    lengths = [9] * chosen + [4] * 8
    sequences = [rng.normal(size=(n, 2)) for n in lengths]
    model = StepRegressor(
        hidden_size=4,
        max_epochs=2,
        random_state=seed,
        early_stopping=True,
        validation_fraction=0.3,
        loss_on=lambda n: np.arange(n) >= 6,
    )
    model.fit(sequences, [x[:, 0] for x in sequences])
    assert model.history_[0]["train_loss"] > 0
    assert model.history_[0]["valid_loss"] > 0


def test_early_stopping_with_one_sequence_that_the_loss_counts_is_refused() -> None:
    sequences = [rng.normal(size=(n, 2)) for n in (9, 4, 4, 4)]
    model = StepRegressor(**SMALL, early_stopping=True, loss_on=lambda n: np.arange(n) >= 6)
    with pytest.raises(
        ValueError, match="early_stopping requires at least two sequences .* Got 1 of 4: .*early_stopping=False"
    ):
        model.fit(sequences, [x[:, 0] for x in sequences])
