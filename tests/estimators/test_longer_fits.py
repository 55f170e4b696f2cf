"""Fits that continue shorter ones with the same settings, as in the rungs of a successive halving search."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV
from sklearn.pipeline import make_pipeline

from seqpipe import Checkpoint, SequenceClassifier, SequenceScaler, StepRegressor, resumable

RANDOM = np.random.default_rng(0)
X = [RANDOM.normal(size=(RANDOM.integers(3, 11), 2)) for _ in range(24)]
Y = [str(int(x[:, 0].sum() > 0)) for x in X]


def classifier(**params: Any) -> SequenceClassifier:
    small = {"batch_size": 8, "hidden_size": 4, "random_state": 0, "lr_schedule": None, "dropout": 0.2}
    return SequenceClassifier(**{**small, **params})


def outcome(model: SequenceClassifier) -> Any:
    history = [{name: value for name, value in each.items() if name != "dur"} for each in model.history_]
    return history, model.n_iter_, model.predict_proba(X).tolist()


ALL = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")

CONTINUED = [
    {"early_stopping": True},
    {"lr_schedule": "ReduceLROnPlateau", "lr_schedule_params": {"patience": 0}},
    {"lr_schedule": "StepLR", "lr_schedule_params": {"step_size": 1}},
    {"early_stopping": True, "n_iter_no_change": 1},
    {"optimizer": "SGD", "net_params": {"optimizer__momentum": 0.9}, "lr": 0.1},
    {"lr": 1e30, "gradient_clip_norm": None, "optimizer": "SGD"},
    {},
]


@pytest.mark.parametrize("params", CONTINUED if ALL else CONTINUED[:3], ids=lambda params: "-".join(map(str, params)))
@pytest.mark.filterwarnings("ignore:Training of SequenceClassifier stopped")
def test_a_continued_fit_equals_one_from_the_start(
    params: dict[str, Any], tmp_path: Path, updates_counted: Any
) -> None:
    lengths = (1, 2, 4) if ALL else (1, 3)
    with updates_counted() as made:
        models = [
            classifier(max_epochs=n, checkpoint=Checkpoint(tmp_path, shared=True), **params).fit(X, Y) for n in lengths
        ]
    with updates_counted() as whole:
        expected = [classifier(max_epochs=n, **params).fit(X, Y) for n in lengths]
    assert [outcome(each) for each in models] == [outcome(each) for each in expected]
    with updates_counted() as longest:
        classifier(max_epochs=lengths[-1], **params).fit(X, Y)
    assert len(made) == len(longest) < len(whole)


@pytest.mark.parametrize(
    "params", [{"lr_schedule": "OneCycleLR"}, {"lr_schedule": "CosineAnnealingLR"}, {"n_members": 2}], ids=str
)
def test_a_fit_that_depends_on_its_number_of_epochs_starts_again(
    params: dict[str, Any], tmp_path: Path, updates_counted: Any
) -> None:
    settings = {**params, "checkpoint": Checkpoint(tmp_path, shared=True)}
    classifier(max_epochs=1, **settings).fit(X, Y)
    with updates_counted() as made:
        found = classifier(max_epochs=2, **settings).fit(X, Y)
    with updates_counted() as whole:
        expected = classifier(max_epochs=2, **params).fit(X, Y)
    assert outcome(found) == outcome(expected)
    assert len(made) == len(whole)


def test_without_a_seed_a_longer_fit_continues_and_with_a_generator_that_went_on_it_does_not(
    tmp_path: Path, updates_counted: Any
) -> None:
    for random_state, expected in ((None, 3), (np.random.RandomState(0), 6)):
        settings = {"random_state": random_state, "checkpoint": Checkpoint(tmp_path, shared=True)}
        short = classifier(max_epochs=1, **settings).fit(X, Y)
        with updates_counted() as made:
            model = classifier(max_epochs=2, **settings).fit(X, Y)
        assert len(made) == expected
        assert (outcome(model)[0][:1] == outcome(short)[0]) == (random_state is None)


def test_a_longer_fit_that_is_interrupted_continues_where_it_stopped(tmp_path: Path, updates_counted: Any) -> None:
    settings = {"checkpoint": Checkpoint(tmp_path, shared=True, every_n_updates=1)}
    classifier(max_epochs=1, **settings).fit(X, Y)
    for most in (0, 2):
        with updates_counted(most), pytest.raises(KeyboardInterrupt):
            classifier(max_epochs=3, **settings).fit(X, Y)
    with updates_counted() as made:
        found = classifier(max_epochs=3, **settings).fit(X, Y)
    assert len(made) == 2 * 3 - 2
    assert outcome(found) == outcome(classifier(max_epochs=3).fit(X, Y))


def test_parts_along_time_continue_too(tmp_path: Path, updates_counted: Any) -> None:
    targets = [x[:, :1].cumsum(axis=0) for x in X]

    def fit(n: int, **settings: Any) -> StepRegressor:
        model = StepRegressor(
            tbptt=(2, 2), max_epochs=n, batch_size=8, hidden_size=4, lr_schedule=None, random_state=0, **settings
        )
        return model.fit(X, targets)

    for n in (1, 3):
        found = fit(n, checkpoint=Checkpoint(tmp_path, shared=True))
    expected = fit(3)
    for one, other in zip(found.predict(X), expected.predict(X)):
        np.testing.assert_array_equal(one, other)


def halving(**settings: Any) -> HalvingGridSearchCV:
    model = make_pipeline(SequenceScaler(), classifier(**settings))
    grid = {"sequenceclassifier__cell": ["gru", "rnn"]}
    resource = "sequenceclassifier__max_epochs"
    return HalvingGridSearchCV(model, grid, resource=resource, max_resources=2, factor=2, cv=2, random_state=0)


def results(search: HalvingGridSearchCV) -> Any:
    scores = {name: np.asarray(each).tolist() for name, each in search.cv_results_.items() if "time" not in name}
    return scores, search.predict_proba(X).tolist()


def test_the_rungs_of_a_search_continue_their_fits(tmp_path: Path, updates_counted: Any) -> None:
    with updates_counted() as made:
        found = resumable(halving(), tmp_path).fit(X, Y)
    with updates_counted() as whole:
        expected = halving().fit(X, Y)
    assert results(found) == results(expected)
    per_fold, refit = -(-len(X) // 2 // 8), 2 * len(X) // 8
    assert len(made) == 2 * per_fold * (2 * 1 + 1 * 1) + refit
    assert len(whole) == 2 * per_fold * (2 * 1 + 1 * 2) + refit
    with updates_counted() as again:
        repeated = resumable(halving(), tmp_path).fit(X, Y)
    assert not again
    assert results(repeated) == results(expected)


@pytest.mark.skipif(not ALL, reason="long; make faults runs it")
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_rungs_of_a_search_continue_in_parallel(backend: str, tmp_path: Path) -> None:
    with parallel_config(backend=backend):
        found = resumable(halving().set_params(n_jobs=2), tmp_path).fit(X, Y)
    assert results(found)[1] == results(halving().fit(X, Y))[1]
