"""Patches with a prediction per time step: aligned, looking ahead no further than promised, streamed, and measured in steps."""

from __future__ import annotations

import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import seqpipe
from seqpipe import Cell, StepClassifier, StepRegressor
from seqpipe.diagnostics import gradient_flow, hidden_states
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Windows
from seqpipe.testing import check_estimator

#: Few epochs are not enough to be better than a constant.
pytestmark = pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")
SHORT = {"hidden_size": 4, "max_epochs": 2, "random_state": 0}
QUICK = {**SHORT, "max_epochs": 1}
rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in rng.integers(1, 14, size=24)]
TOTALS = [x[:, 0].cumsum() for x in X]
TAGS = [np.where(total > 0, "up", "down") for total in TOTALS]
PATCHES = [(4, 2), (3, 3), (5, 1)]


@cache
def fitted(patch: tuple[int, int], bidirectional: bool = False) -> StepRegressor:
    model = StepRegressor(**SHORT, patch=patch, bidirectional=bidirectional, dtype="float64", num_layers=2)
    return model.fit(X, TOTALS)


# ---- the parameter


def test_steps_are_read_one_by_one_unless_a_patch_is_given() -> None:
    long = [np.zeros((300, 1))] * 4
    assert StepRegressor(**SHORT, early_stopping=False).fit(long, [np.arange(300.0)] * 4).patch_ is None
    model = StepClassifier(**SHORT, patch=[4, 2]).fit(X, TAGS)
    assert model.patch_ == (4, 2)
    assert model.net_.module_.recurrent.cells[0].input_size == 8


@pytest.mark.parametrize("patch", [(4, 5), (0, 0), (4,), (4, 2, 1), (4, 0), (4.0, 2), (True, True)])
def test_what_is_no_patch_is_refused(patch: Any) -> None:
    with pytest.raises(
        ValueError, match=r"'patch' parameter of StepRegressor must be None or \(length, stride\), with 1"
    ):
        StepRegressor(**SHORT, patch=patch).fit(X, TOTALS)


def test_no_patch_is_chosen_automatically() -> None:
    with pytest.raises(ValueError, match="'patch' parameter of StepClassifier must be an instance of .* Got 'auto'"):
        StepClassifier(**SHORT, patch="auto").fit(X, TAGS)


def test_steps_that_are_tensors_have_no_patches() -> None:
    images = rng.normal(size=(6, 5, 2, 3))
    with pytest.raises(ValueError, match=r"'patch' parameter of StepRegressor .* shape \(2, 3\): set patch=None"):
        StepRegressor(**SHORT, patch=(4, 2)).fit(images, images[:, :, 0, 0])


def test_truncated_training_is_refused_before_it_begins() -> None:
    model = StepRegressor(**SHORT, patch=(4, 2), tbptt=(4, 4))
    with pytest.raises(ValueError, match=r"'tbptt' parameter of StepRegressor .* patch=\(4, 2\): .* Set tbptt=None or"):
        model.fit(X, TOTALS)
    assert not hasattr(model, "net_")
    assert model.set_params(patch=None).fit(X, TOTALS).patch_ is None


# ---- fits and predictions


@pytest.mark.slow
@pytest.mark.parametrize("model", [StepClassifier(**QUICK, patch=(4, 2)), StepRegressor(**QUICK, patch=[3, 3])])
def test_an_estimator_of_patches_keeps_the_contract(model: Any) -> None:
    check_estimator(model)


@given(data=st.data(), patch=st.sampled_from(PATCHES), bidirectional=st.booleans())
@settings(max_examples=15, deadline=None)
def test_a_prediction_depends_on_neither_batch_nor_order(data: Any, patch: Any, bidirectional: bool) -> None:
    model = fitted(patch, bidirectional)
    lengths = data.draw(st.lists(st.integers(1, 12), min_size=1, max_size=6))
    some = [np.random.default_rng(n).normal(size=(n, 2)) for n in lengths]
    together = model.predict(some)
    assert [len(each) for each in together] == lengths
    for i, alone in enumerate([model.predict([x])[0] for x in some]):
        np.testing.assert_allclose(alone, together[i], rtol=0, atol=1e-12)
    order = data.draw(st.permutations(range(len(some))))
    for i, permuted in zip(order, model.predict([some[i] for i in order])):
        np.testing.assert_allclose(permuted, together[i], rtol=0, atol=1e-12)


@given(n_steps=st.integers(2, 14), patch=st.sampled_from(PATCHES), data=st.data())
@settings(max_examples=20, deadline=None)
def test_what_comes_after_the_patch_of_a_step_changes_no_prediction(n_steps: int, patch: Any, data: Any) -> None:
    model, changed = fitted(patch), data.draw(st.integers(0, n_steps - 1))
    x = np.random.default_rng(n_steps).normal(size=(n_steps, 2))
    other = x.copy()
    other[changed:] += 1
    first_to_see = changed // patch[1] * patch[1]
    before, after = model.predict([x])[0], model.predict([other])[0]
    np.testing.assert_allclose(before[:first_to_see], after[:first_to_see], rtol=0, atol=1e-12)
    assert (before[first_to_see:] != after[first_to_see:]).all()


def test_every_step_of_a_patch_learns_its_own_target() -> None:
    values = rng.normal(size=(40, 12, 1))
    model = StepRegressor(hidden_size=16, max_epochs=60, patch=(4, 4), random_state=0).fit(values, values[:, :, 0])
    assert model.score(values, values[:, :, 0]) > 0.9


def test_tokens_are_embedded_before_they_are_joined() -> None:
    tokens = rng.integers(0, 5, size=(12, 7, 1))
    model = StepClassifier(**SHORT, embedding=3, patch=(4, 2)).fit(tokens, tokens[:, :, 0])
    assert model.net_.module_.recurrent.cells[0].input_size == 12
    assert model.predict(tokens).shape == (12, 7)


def test_windows_are_read_in_patches() -> None:
    series = rng.normal(size=(40, 1))
    windows = Windows(series, np.arange(30), 7)
    model = StepRegressor(**SHORT, patch=(4, 2)).fit(windows, windows)
    np.testing.assert_allclose(model.predict(windows), model.predict(np.asarray(windows)), rtol=0, atol=1e-5)


def test_the_loss_at_the_last_steps_ignores_the_other_targets() -> None:
    spoilt = [np.concatenate([100 + total[:-2], total[-2:]]) for total in TOTALS]
    found, expected = (StepRegressor(**SHORT, patch=(4, 2), loss_on=2).fit(X, y).predict(X) for y in (spoilt, TOTALS))
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate(expected))


def test_a_patch_is_searched() -> None:
    search = GridSearchCV(StepClassifier(**SHORT), {"patch": [None, (4, 2), (4, 4)]}, cv=2, error_score="raise")
    search.fit(X, TAGS)
    assert search.best_estimator_.patch_ == search.best_params_["patch"]


def test_a_fit_that_continues_keeps_its_patch() -> None:
    model = StepRegressor(**SHORT, patch=(4, 2), warm_start=True).fit(X, TOTALS).partial_fit(X, TOTALS)
    assert (model.patch_, len(model.history_)) == ((4, 2), 3)
    with pytest.raises(ValueError, match="does not match the fitted one"):
        model.set_params(patch=(4, 4)).fit(X, TOTALS)


def test_a_loaded_estimator_reads_the_same_patches(tmp_path: Path) -> None:
    model = StepClassifier(**SHORT, patch=(4, 2)).fit(X, TAGS)
    seqpipe.save(model, tmp_path / "model")
    for loaded in (pickle.loads(pickle.dumps(model)), seqpipe.load(tmp_path / "model")):
        assert loaded.patch_ == (4, 2)
        found, expected = (np.concatenate(each.predict_proba(X)) for each in (loaded, model))
        np.testing.assert_array_equal(found, expected)


def test_a_member_of_an_ensemble_equals_a_fit_alone() -> None:
    ensemble = StepRegressor(**SHORT, patch=(4, 2), n_members=3, dtype="float64").fit(X, TOTALS)
    of_each = ensemble.member_predictions(X)
    np.testing.assert_allclose(np.concatenate(ensemble.predict(X)), np.mean([*map(np.concatenate, of_each)], axis=0))
    for member, found in zip(ensemble.members_, of_each, strict=True):
        alone = clone(member).fit(X, TOTALS).predict(X)
        np.testing.assert_allclose(np.concatenate(found), np.concatenate(alone), rtol=1e-6, atol=1e-9)


# ---- streams


@given(patch=st.sampled_from(PATCHES), n_patches=st.integers(1, 9), cuts=st.sets(st.integers(1, 8)))
@settings(max_examples=20, deadline=None)
def test_chunks_of_whole_patches_stream_the_predictions_on_the_whole(
    patch: Any, n_patches: int, cuts: set[int]
) -> None:
    model, stride = fitted(patch), patch[1]
    steps = np.random.default_rng(n_patches).normal(size=(n_patches * stride, 2))
    stream = model.stream()
    chunks = np.split(steps, [cut * stride for cut in sorted(cuts) if cut < n_patches])
    found = np.concatenate([stream.push(chunk) for chunk in chunks])
    assert stream.n_steps == len(steps)
    np.testing.assert_allclose(found, model.predict([steps])[0], rtol=0, atol=1e-12)


def test_single_steps_are_streamed_if_patches_begin_at_each() -> None:
    model = fitted((5, 1))
    stream = model.stream()
    x = max(X, key=len)
    np.testing.assert_allclose([stream.push(step) for step in x], model.predict([x])[0], rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_members", [1, 2])
def test_steps_that_end_within_a_patch_are_refused_and_change_nothing(n_members: int) -> None:
    model = StepClassifier(**SHORT, patch=(4, 2), n_members=n_members).fit(X, TAGS)
    steps = rng.normal(size=(6, 2))
    stream = model.stream(method="predict_proba")
    first = stream.push(steps[:2])
    for wrong in (steps[2], steps[2:5]):
        with pytest.raises(
            InvalidSequencesError, match=r"multiple of 2 time steps, since patch=\(4, 2\) .* patch=None"
        ):
            stream.push(wrong)
    assert stream.n_steps == 2
    whole = model.predict_proba([steps])[0]
    np.testing.assert_allclose(np.concatenate([first, stream.push(steps[2:])]), whole, rtol=0, atol=1e-6)
    stream.reset()
    np.testing.assert_array_equal(stream.push(steps[:2]), first)


# ---- diagnostics


class Sum(Cell):
    """h_t = 0.5 h_{t-1} + the last entry of x_t."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.weight = torch.nn.Parameter(torch.full((1,), 0.5))

    def initial_state(self, batch_size: int) -> Any:
        return self.weight.new_zeros(batch_size, 1)

    def step(self, x_t: Any, state: Any) -> Any:
        state = self.weight * state + x_t[:, -1:]
        return state, state


STILL = {"hidden_size": 1, "max_epochs": 1, "lr": 1e-12, "weight_decay": 0.0, "dtype": "float64", "random_state": 0}


@pytest.mark.parametrize("bidirectional", [False, True])
def test_diagnostics_have_one_value_per_time_step(bidirectional: bool) -> None:
    model = fitted((4, 2), bidirectional)
    flow = gradient_flow(model, X, TOTALS)
    lengths = np.array([len(x) for x in X])
    assert flow.sample_norms.shape == (24, 2 * (1 + bidirectional), lengths.max())
    reached = np.isfinite(flow.sample_norms).all(axis=1)
    np.testing.assert_array_equal(reached, np.arange(lengths.max()) < lengths[:, None])
    states = hidden_states(model, X, sample=3)
    assert {values.shape for values in states.values} == {(lengths[3], 4)}
    assert all(np.isfinite(values).all() for values in states.values)


def test_the_gradient_falls_per_step_as_it_falls_per_patch() -> None:
    steps, targets = rng.normal(size=(6, 20, 1)), rng.normal(size=(6, 20))
    model = StepRegressor(Sum, patch=(6, 4), loss_on="last", **STILL).fit(steps, targets)
    flow = gradient_flow(model, steps, targets)
    relative = flow.sample_norms[:, 0] / flow.sample_norms[:, 0, -1:]
    np.testing.assert_allclose(relative, np.tile(np.repeat(0.5 ** np.arange(4, -1, -1), 4), (6, 1)), rtol=1e-6)


def test_states_are_those_after_the_patch_that_predicts_the_step() -> None:
    steps = rng.normal(size=(6, 10, 1))
    model = StepRegressor(Sum, patch=(6, 4), scale_inputs=False, **STILL).fit(steps, steps[:, :, 0])
    expected = [0.0]
    for end in (3, 7):
        expected.append(0.5 * expected[-1] + steps[0, end, 0])
    expected.append(0.5 * expected[-1])  # the last entry of the third patch is padding
    [states] = hidden_states(model, steps, sample=0).values
    np.testing.assert_allclose(states[:, 0], np.repeat(expected[1:], [4, 4, 2]), rtol=1e-6)


def test_states_of_the_backward_direction_are_those_after_the_last_patch_with_the_step() -> None:
    steps = rng.normal(size=(6, 10, 1))
    model = StepRegressor(Sum, patch=(6, 4), scale_inputs=False, bidirectional=True, **STILL)
    states = hidden_states(model.fit(steps, steps[:, :, 0]), steps, sample=0).values[1]
    third = 0.0  # steps 6 to 9, and padding at its last entry
    second = 0.5 * third + steps[0, 7, 0]
    first = 0.5 * second + steps[0, 3, 0]
    np.testing.assert_allclose(states[:, 0], np.repeat([first, second, third], [2, 4, 4]), rtol=1e-6, atol=1e-12)
