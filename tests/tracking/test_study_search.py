"""The searches of optuna-integration as trees of runs; skipped without it."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from sklearn.model_selection import cross_val_score

sys.path.insert(0, str(Path(__file__).parent))
from stored_study import make_study, stored_study, updates_until

from seqpipe import MLflowTracker, SequenceClassifier, resumable
from seqpipe.pipeline import compare_experiment

optuna = pytest.importorskip("optuna", reason="Optuna is not installed: pip install 'seqpipe[optuna]'")
integration = pytest.importorskip("optuna_integration", reason="optuna-integration is not installed")

optuna.logging.disable_default_handler()

ALL = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")
RANDOM = np.random.default_rng(0)
X = [RANDOM.normal(size=(RANDOM.integers(3, 11), 2)) for _ in range(24)]
Y = np.array([str(int(x[:, 0].sum() > 0)) for x in X])
SPACE = {"hidden_size": optuna.distributions.IntDistribution(4, 64)}
EXPERIMENTAL = (
    ("ignore", ".*optuna.terminator", FutureWarning),
    ("ignore", ".*experimental", optuna.exceptions.ExperimentalWarning),
)

pytestmark = [
    pytest.mark.live_tree,
    pytest.mark.filterwarnings("ignore:.*optuna.terminator:FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*experimental:optuna.exceptions.ExperimentalWarning"),
    pytest.mark.filterwarnings("ignore:SequenceClassifier is not better than a constant"),
]


def make_search(model: Any, study: Any, **options: Any) -> Any:
    return integration.OptunaSearchCV(model, SPACE, study=study, **{"cv": 2, "n_trials": 2, **options})


def classifier(**options: Any) -> SequenceClassifier:
    return SequenceClassifier(**{"max_epochs": 3, "batch_size": 8, "random_state": 0, **options})


def kinds(runs: list[Any]) -> Counter[str]:
    return Counter(run.data.tags["seqpipe.kind"] for run in runs)


def parent_of(run: Any) -> str | None:
    return run.data.tags.get("mlflow.parentRunId")


def test_trials_folds_and_refit_are_one_tree_with_the_model(make_tracker, runs, client, uri, experiment):
    tracker = make_tracker(log_model=True)
    study = tracker.track_study(make_study())
    search = make_search(classifier().set_callbacks(tracker), study).fit(X, Y)

    assert kinds(runs()) == {"search": 1, "candidate": 2, "fold": 2 * 2, "refit": 1}
    assert {run.info.status for run in runs()} == {"FINISHED"}
    [root], [refit] = runs("search"), runs("refit")
    size = str(search.best_params_["hidden_size"])
    assert parent_of(refit) == root.info.run_id
    assert (refit.info.run_name, refit.data.params["hidden_size"]) == (f"refit: hidden_size {size}", size)
    assert [point.step for point in client.get_metric_history(refit.info.run_id, "train_loss")] == [1, 2, 3]
    assert (tracker.run_id_, tracker.refit_run_id_) == (root.info.run_id, refit.info.run_id)
    [model] = refit.outputs.model_outputs
    assert tracker.model_uri_ == f"models:/{model.model_id}"
    description = root.data.tags["mlflow.note.content"]
    assert "24 sequences of 3 to 10 time steps" in description
    assert f"**Best:** hidden_size {size}, {search.best_score_:.4g}" in description
    for run in runs("candidate"):
        assert parent_of(run) == root.info.run_id
        attributes = study.trials[int(run.data.tags["seqpipe.trial"])].user_attrs
        for name in ("mean_test_score", "std_test_score", "split0_test_score", "split1_test_score"):
            assert run.data.metrics[name] == attributes[name]
    assert compare_experiment(experiment, tracking_uri=uri).table["mean"].tolist() == sorted(
        (trial.value for trial in study.trials), reverse=True
    )


def test_a_search_with_another_scorer_is_not_compared_with_one_without(net, data, make_tracker, runs):
    tracker = make_tracker()
    for scoring in (None, "accuracy"):
        study = tracker.track_study(make_study())
        make_search(net().set_callbacks(tracker), study, scoring=scoring, n_trials=1, refit=False).fit(*data)

    scorings = {run.data.params.get("scoring") for run in runs("search")}
    assert scorings == {None, "make_scorer(accuracy_score, response_method='predict')"}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_within_a_group_the_refit_belongs_to_the_study_and_logs_no_model(net, data, make_tracker, runs, n_jobs):
    tracker = make_tracker(log_model=True)
    with tracker.group("outer"):
        make_search(net().set_callbacks(tracker), tracker.track_study(make_study()), n_jobs=n_jobs).fit(*data)

    assert kinds(runs()) == {"group": 1, "search": 1, "candidate": 2, "fold": 4, "refit": 1}
    assert {run.info.status for run in runs()} == {"FINISHED"}
    [group], [root], [refit] = runs("group"), runs("search"), runs("refit")
    assert (parent_of(refit), parent_of(root)) == (root.info.run_id, group.info.run_id)
    assert tracker.model_uri_ is None


def test_a_later_fit_is_not_taken_for_the_refit(net, data, make_tracker, runs):
    tracker = make_tracker()
    study = make_study()
    make_search(net().set_callbacks(tracker), tracker.track_study(study), refit=False).fit(*data)
    net(hidden_size=study.best_params["hidden_size"], max_epochs=5).set_callbacks(tracker).fit(*data)
    make_search(net().set_callbacks(tracker), tracker.track_study(study)).fit(*data)
    net(hidden_size=study.best_params["hidden_size"]).set_callbacks(tracker).fit(*data)

    assert kinds(runs()) == {"search": 1, "candidate": 4, "fold": 8, "refit": 1, "fit": 2}


def test_a_fit_after_trials_of_which_none_is_complete_is_a_tree_of_its_own(net, data, make_tracker, runs):
    """The search then fits the estimator as it is."""
    tracker, epochs = make_tracker(), []

    def fail(epoch):
        epochs.append(epoch)
        if len(epochs) <= 2:
            raise RuntimeError("no")

    model = net(on_epoch=fail).set_callbacks(tracker)
    study = tracker.track_study(make_study())
    make_search(model, study, error_score="raise", catch=(RuntimeError,)).fit(*data)

    assert kinds(runs()) == {"search": 1, "candidate": 2, "fold": 2, "fit": 1}
    assert {run.info.status for run in runs("candidate")} == {"FAILED"}
    assert [run.info.status for run in runs("fit")] == ["FINISHED"]


def test_a_failed_refit_fails_the_search(net, data, make_tracker, runs):
    tracker = make_tracker()
    states = []

    def fail(epoch):
        states.append(epoch)
        if len(states) > 4 * 3 + 1:  # in the second epoch of the refit
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        make_search(net(on_epoch=fail).set_callbacks(tracker), tracker.track_study(make_study())).fit(*data)

    assert [run.info.status for run in runs("refit")] == ["FAILED"]
    assert [run.info.status for run in runs("search")] == ["FAILED"]
    assert {run.info.status for run in runs("candidate")} == {"FINISHED"}


class Pruner(optuna.pruners.BasePruner):
    """Prunes every other trial after two epochs."""

    def prune(self, study: Any, trial: Any) -> bool:
        return bool(trial.number % 2 and trial.last_step == 1)


def test_pruning_trains_one_run_per_fold_epoch_by_epoch(make_tracker, runs, client):
    tracker = make_tracker()
    study = make_study(pruner=Pruner())
    model = classifier().set_callbacks(tracker)
    make_search(model, tracker.track_study(study), enable_pruning=True, max_iter=3).fit(X, Y)

    assert kinds(runs()) == {"search": 1, "candidate": 2, "fold": 2 * 2, "refit": 1}
    assert {run.info.status for run in runs()} == {"FINISHED"}
    by_id = {run.info.run_id: run for run in runs()}
    for run in runs("fold"):
        steps = [point.step for point in client.get_metric_history(run.info.run_id, "train_loss")]
        assert steps == {"COMPLETE": [1, 2, 3], "PRUNED": [1, 2]}[by_id[parent_of(run)].data.tags["seqpipe.state"]]
        assert "seqpipe.n_epochs" not in run.data.tags
    for run in runs("candidate"):
        trial = study.trials[int(run.data.tags["seqpipe.trial"])]
        assert (run.data.tags["seqpipe.state"], run.data.metrics["value"] if trial.number == 0 else None) == (
            ("COMPLETE", trial.value) if trial.number == 0 else ("PRUNED", None)
        )
        points = client.get_metric_history(run.info.run_id, "intermediate_value")
        assert {point.step: point.value for point in points} == trial.intermediate_values


def test_epochs_of_one_estimator_are_one_run_of_a_group(make_tracker, runs, client):
    tracker = make_tracker()
    first, second = (classifier(random_state=seed).set_callbacks(tracker) for seed in (0, 1))
    for name in ("morning", "evening"):
        with tracker.group(name):
            first.partial_fit(X, Y)
            second.partial_fit(X, Y)
            first.partial_fit(X, Y)

    names = {run.info.run_id: run.info.run_name for run in runs()}
    found = {
        (names[parent_of(run)], run.data.params["random_state"]): [
            point.step for point in client.get_metric_history(run.info.run_id, "train_loss")
        ]
        for run in runs("fit")
    }
    assert found == {
        ("morning", "0"): [1, 2],
        ("morning", "1"): [1],
        ("evening", "0"): [3, 4],
        ("evening", "1"): [2],
    }
    assert {run.info.status for run in runs()} == {"FINISHED"}


def test_a_finished_study_that_goes_on_is_running_again(net, data, make_tracker, runs):
    tracker, seen = make_tracker(), []

    def objective(trial):
        seen.append([run.info.status for run in runs("search")])
        return cross_val_score(net(trial.suggest_int("hidden_size", 4, 64)), *data, cv=2).mean()

    study = tracker.track_study(make_study())
    for _ in range(2):
        study.optimize(objective, n_trials=1)
        assert [run.info.status for run in runs("search")] == ["FINISHED"]

    assert seen == [["RUNNING"], ["RUNNING"]]


def run_search(folder: Path, uri: str, kill_at: int | None = None, **options: Any) -> Any:
    """Run a search of two trials with all that is kept in a folder; SIGKILL before an update."""
    study = stored_study(folder)
    tracker = MLflowTracker(str(folder), tracking_uri=uri)
    left = 2 - sum(trial.state.name == "COMPLETE" for trial in study.trials)
    with updates_until(kill_at) as made, warnings.catch_warnings():
        for action, message, category in EXPERIMENTAL:
            warnings.filterwarnings(action, message, category)
        model = classifier(max_epochs=2, batch_size=6, dropout=0.1).set_callbacks(tracker)
        search = make_search(model, tracker.track_study(study), n_trials=left, error_score="raise", **options)
        search = resumable(search, folder / "fits", every_n_updates=1).fit(X, Y)
    search.made = len(made)
    return search


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("pruning", [False, True] if ALL else [False])
@pytest.mark.parametrize("kills", [(3,), (13,), (18,), (22,), (5, 9, 18)] if ALL else [(18,)])
def test_a_search_that_was_killed_is_resumed(kills, pruning, tmp_path, uri, in_child):
    """Two folds of 2 updates per epoch and trial, 16 updates, then 8 of the refit: one tree, no point twice."""
    options = {"enable_pruning": pruning, "max_iter": 2}
    for kill_at in kills:
        child = in_child(lambda kill_at=kill_at: int(run_search(tmp_path, uri, kill_at, **options) is None))
        assert child in (-signal.SIGKILL, 0)  # what is restored needs no updates
    search = run_search(tmp_path, uri, **options)

    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name(str(tmp_path)).experiment_id])
    assert (kinds(runs)["search"], kinds(runs)["candidate"]) == (1, len(search.trials_))
    finished = [run for run in runs if run.info.status == "FINISHED"]
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED"}
    [root] = [run for run in finished if run.data.tags["seqpipe.kind"] == "search"]
    refits = {run.data.params["hidden_size"]: run for run in finished if run.data.tags["seqpipe.kind"] == "refit"}
    refit = refits[str(search.best_params_["hidden_size"])]
    assert parent_of(refit) == root.info.run_id
    assert len(refit.outputs.model_outputs) == 1
    for run in finished:
        if run.data.tags["seqpipe.kind"] in ("fold", "refit"):
            steps = [point.step for point in client.get_metric_history(run.info.run_id, "train_loss")]
            assert steps == [1, 2]
