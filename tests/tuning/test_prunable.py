"""Cross-validation that Optuna prunes by epoch; skipped without Optuna."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from seqpipe import SequenceClassifier, SequenceScaler, prunable_cross_val_score

optuna = pytest.importorskip("optuna", reason="Optuna is not installed: pip install 'seqpipe[optuna]'")
optuna.logging.disable_default_handler()

pytestmark = pytest.mark.filterwarnings("ignore:SequenceClassifier is not better than a constant")

RANDOM = np.random.default_rng(0)
X = [RANDOM.normal(size=(RANDOM.integers(3, 11), 2)) for _ in range(30)]
Y = np.array([str(int(x[:, 0].sum() > 0)) for x in X])


class Pruner(optuna.pruners.BasePruner):
    """Prunes after an epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def prune(self, study: Any, trial: Any) -> bool:
        return trial.last_step >= self.epoch


def classifier(**params: Any) -> SequenceClassifier:
    return SequenceClassifier(**{"max_epochs": 3, "batch_size": 8, "hidden_size": 4, "random_state": 0, **params})


def evaluated(model: Any, pruner: Any = None, **options: Any) -> Any:
    study = optuna.create_study(direction="maximize", pruner=pruner or optuna.pruners.NopPruner())
    scores = []

    def objective(trial: Any) -> float:
        scores.append(prunable_cross_val_score(model, X, Y, trial=trial, **options))
        return float(scores[0].mean())

    study.optimize(objective, n_trials=1)
    return study.trials[0], scores


@pytest.mark.parametrize(
    "params", [{"dropout": 0.3}, {"early_stopping": True, "n_iter_no_change": 1, "max_epochs": 6}], ids=str
)
def test_scores_are_those_of_cross_validation(params: dict[str, Any]) -> None:
    """Folds that take turns, and are scored in between, train as if they were alone."""
    expected = cross_val_score(classifier(**params), X, Y, cv=3)
    state = torch.get_rng_state()
    trial, (scores,) = evaluated(classifier(**params), cv=3)
    np.testing.assert_array_equal(scores, expected)
    assert torch.equal(torch.get_rng_state(), state)
    assert trial.value == trial.user_attrs["mean_test_score"] == expected.mean()
    assert [trial.user_attrs[f"split{i}_test_score"] for i in range(3)] == expected.tolist()


def test_the_mean_score_of_the_folds_is_reported_after_each_epoch() -> None:
    trial, _ = evaluated(make_pipeline(SequenceScaler(), classifier(lr_schedule=None)), cv=3)
    expected = [
        cross_val_score(make_pipeline(SequenceScaler(), classifier(lr_schedule=None, max_epochs=n)), X, Y, cv=3).mean()
        for n in (1, 2, 3)
    ]
    assert trial.intermediate_values == pytest.approx(dict(zip((1, 2, 3), expected)))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_pruned_trial_ends_all_folds_after_the_epoch(dropout: float, updates_counted: Any) -> None:
    with updates_counted() as made:
        trial, scores = evaluated(classifier(dropout=dropout), Pruner(2), cv=3)
    assert trial.state == optuna.trial.TrialState.PRUNED
    assert list(trial.intermediate_values) == [1, 2]
    assert scores == []
    assert len(made) == 3 * 2 * -(-20 // 8)


def test_held_out_data_does_not_take_part_in_the_fit() -> None:
    """Other held-out targets change the reported scores and nothing that is trained."""
    seen: list[list[float]] = []

    def weights(model: Any, X_test: Any, y_test: Any) -> float:
        seen.append([float(p.detach().double().sum()) for p in model.net_.module_.parameters()])
        return float(np.mean(y_test == "1"))

    settings = {"early_stopping": True, "n_iter_no_change": 1, "max_epochs": 3}
    split = [(np.arange(20), np.arange(20, 30))]
    other = Y.copy()
    other[20:] = np.where(Y[20:] == "1", "0", "1")
    runs = []
    for y in (Y, other):
        seen.clear()
        trial = optuna.create_study(direction="maximize").ask()
        prunable_cross_val_score(classifier(**settings), X, y, trial=trial, cv=split, scoring=weights)
        runs.append(list(seen))
    assert runs[0] == runs[1]


@pytest.mark.filterwarnings("ignore:.*does not (support|notify) callbacks")
def test_what_cannot_be_scored_after_an_epoch_is_scored_at_the_end() -> None:
    model = DummyClassifier()
    trial, (scores,) = evaluated(model, Pruner(0), cv=2)
    assert trial.intermediate_values == {}
    np.testing.assert_array_equal(scores, cross_val_score(model, X, Y, cv=2))


def test_an_ensemble_is_pruned_by_its_first_network() -> None:
    model = classifier(n_members=2, max_epochs=2)
    trial, (scores,) = evaluated(model, None, cv=2)
    assert sorted(trial.intermediate_values) == [1, 2]
    np.testing.assert_array_equal(scores, cross_val_score(model, X, Y, cv=2))


@pytest.mark.live_tree
def test_the_epochs_of_an_inner_search_are_not_reported() -> None:
    search = GridSearchCV(classifier(max_epochs=1), {"cell": ["gru", "rnn"]}, cv=2)
    trial, (scores,) = evaluated(search, Pruner(0), cv=2)
    assert trial.intermediate_values == {}
    np.testing.assert_array_equal(scores, cross_val_score(search, X, Y, cv=2))


def test_an_error_of_a_fold_is_raised() -> None:
    trial = optuna.create_study().ask()
    with pytest.raises(ValueError, match="dropout"):
        prunable_cross_val_score(classifier(dropout=2.0), X, Y, trial=trial, cv=2)


def test_groups_are_for_the_splitter() -> None:
    groups = np.arange(30) // 10
    _, (scores,) = evaluated(classifier(max_epochs=1), cv=GroupKFold(3), groups=groups)
    expected = cross_val_score(classifier(max_epochs=1), X, Y, cv=GroupKFold(3), groups=groups)
    np.testing.assert_array_equal(scores, expected)


def test_random_folds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"drawn again in each trial.*Set its random_state"):
        prunable_cross_val_score(classifier(), X, Y, trial=None, cv=KFold(3, shuffle=True))
