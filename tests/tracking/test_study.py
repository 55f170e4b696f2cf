"""Studies of Optuna as trees of runs; skipped without Optuna."""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mlflow import MlflowClient
from sklearn.model_selection import cross_val_score

sys.path.insert(0, str(Path(__file__).parent))
from stored_study import make_study, stored_study, updates_until

from seqpipe import MLflowTracker, SequenceClassifier, prunable_cross_val_score, resumable
from seqpipe.pipeline import compare_experiment

optuna = pytest.importorskip("optuna", reason="Optuna is not installed: pip install 'seqpipe[optuna]'")

optuna.logging.disable_default_handler()

ALL = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")
RANDOM = np.random.default_rng(0)
X = [RANDOM.normal(size=(RANDOM.integers(3, 11), 2)) for _ in range(24)]
Y = np.array([str(int(x[:, 0].sum() > 0)) for x in X])


def parents(runs: list[Any]) -> dict[str, set[str]]:
    """Return the names of the parents of runs by their kinds."""
    names = {run.info.run_id: run.info.run_name for run in runs}
    found: dict[str, set[str]] = {}
    for run in runs:
        if (above := run.data.tags.get("mlflow.parentRunId")) is not None:
            found.setdefault(run.data.tags["seqpipe.kind"], set()).add(names[above])
    return found


@pytest.mark.live_tree
@pytest.mark.parametrize("n_jobs", [1, 2] if ALL else [2])
def test_trials_are_children_with_the_fits_of_any_objective(net, data, make_tracker, runs, client, n_jobs):
    tracker = make_tracker()

    def objective(trial):
        model = net(hidden_size=trial.suggest_int("hidden_size", 4, 64)).set_callbacks(tracker)
        trial.set_user_attr("score", 0.5)
        return cross_val_score(model, *data, cv=2).mean()

    study = tracker.track_study(make_study())
    study.optimize(objective, n_trials=3, n_jobs=n_jobs)

    assert Counter(run.data.tags["seqpipe.kind"] for run in runs()) == {"search": 1, "candidate": 3, "fit": 6}
    assert {run.info.status for run in runs()} == {"FINISHED"}
    names = {f"trial {each.number}: hidden_size {each.params['hidden_size']}" for each in study.trials}
    assert parents(runs()) == {"candidate": {"sizes"}, "fit": names}
    (parent,) = runs("search")
    assert parent.data.metrics["best_value"] == study.best_value
    assert parent.data.params == {"direction": "maximize", "sampler": "RandomSampler", "pruner": "MedianPruner"}
    for run in runs("candidate"):
        trial = study.trials[int(run.data.tags["seqpipe.trial"])]
        assert run.data.params == {"hidden_size": str(trial.params["hidden_size"])}
        assert run.data.metrics == {"value": trial.value, "score": 0.5}
        assert run.data.tags["seqpipe.state"] == "COMPLETE"
    by_id = {run.info.run_id: run for run in runs()}
    for run in runs("fit"):
        above = by_id[run.data.tags["mlflow.parentRunId"]]
        assert run.data.params["hidden_size"] == above.data.params["hidden_size"]
        assert len(client.get_metric_history(run.info.run_id, "train_loss")) == 3


class Pruner(optuna.pruners.BasePruner):
    """Prunes every other trial after two epochs."""

    def prune(self, study: Any, trial: Any) -> bool:
        return bool(trial.number % 2 and trial.last_step == 2)


@pytest.mark.filterwarnings("ignore:SequenceClassifier is not better than a constant")
def test_a_pruned_trial_is_a_finished_run_with_its_folds(make_tracker, runs, client, uri, experiment):
    tracker = make_tracker()

    def objective(trial):
        size = trial.suggest_int("hidden_size", 2, 8)
        model = SequenceClassifier(hidden_size=size, max_epochs=3, batch_size=8, random_state=0)
        return prunable_cross_val_score(model.set_callbacks(tracker), X, Y, trial=trial, cv=2).mean()

    study = make_study(pruner=Pruner())
    tracker.track_study(study).optimize(objective, n_trials=2)

    assert Counter(run.data.tags["seqpipe.kind"] for run in runs()) == {"search": 1, "candidate": 2, "fold": 4}
    assert {run.info.status for run in runs()} == {"FINISHED"}
    by_id = {run.info.run_id: run for run in runs()}
    for run in runs("fold"):
        trial = study.trials[int(by_id[run.data.tags["mlflow.parentRunId"]].data.tags["seqpipe.trial"])]
        steps = [1, 2, 3] if trial.number == 0 else [1, 2]
        assert run.info.run_name == f"fold {run.data.tags['seqpipe.fold']}"
        for key in ("train_loss", "test_score"):
            assert [point.step for point in client.get_metric_history(run.info.run_id, key)] == steps
    for run in runs("candidate"):
        trial = study.trials[int(run.data.tags["seqpipe.trial"])]
        assert run.data.tags["seqpipe.state"] == trial.state.name
        points = client.get_metric_history(run.info.run_id, "intermediate_value")
        assert {point.step: point.value for point in points} == trial.intermediate_values
    compared = compare_experiment(experiment, tracking_uri=uri).table
    assert len(compared) == 2
    assert compared["mean"].iloc[0] == max(each.user_attrs["mean_test_score"] for each in study.trials)


def test_a_trial_that_fails_ends_failed_and_the_study_goes_on(net, data, make_tracker, runs):
    tracker = make_tracker()

    def objective(trial):
        net(fail=ValueError("no") if trial.number == 0 else None).set_callbacks(tracker).fit(*data)
        return 1.0

    tracker.track_study(make_study()).optimize(objective, n_trials=2, catch=(ValueError,))

    assert [run.info.status for run in runs("search")] == ["FINISHED"]
    assert {run.info.run_name: run.info.status for run in runs("candidate")} == {
        "trial 0": "FAILED",
        "trial 1": "FINISHED",
    }
    assert sorted(run.info.status for run in runs("fit")) == ["FAILED", "FINISHED"]


def run_study(folder: Path, uri: str, n_trials: int, kill_at: int | None = None) -> Any:
    """Run a study until it has some complete trials, with all that is kept in a folder; SIGKILL before an update."""
    study = stored_study(folder)
    tracker = MLflowTracker(str(folder), tracking_uri=uri)

    def objective(trial: Any) -> float:
        size = trial.suggest_int("hidden_size", 2, 64)
        model = SequenceClassifier(hidden_size=size, max_epochs=2, batch_size=8, random_state=0, dropout=0.1)
        model = resumable(model, folder / "fits", every_n_updates=1).set_callbacks(tracker)
        return float(prunable_cross_val_score(model, X, Y, trial=trial, cv=2).mean())

    def complete() -> int:
        return sum(trial.state.name == "COMPLETE" for trial in study.trials)

    with updates_until(kill_at) as made:
        tracker.track_study(study).optimize(objective, n_trials=n_trials - complete())
    study.made = len(made)
    return study


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("kills", [(5,), (1, 2, 3, 5, 7, 11), (9, 9, 9)] if ALL else [(5,)])
def test_a_study_that_was_killed_is_resumed(kills: tuple[int, ...], tmp_path: Path, uri: str, in_child: Any) -> None:
    """One tree, in which every trial is complete once, and no finished epoch of a fold was trained twice."""
    n_trials, per_trial = (2 if len(kills) == 1 else 6), 2 * 2 * 2
    for kill_at in kills:
        assert in_child(lambda kill_at=kill_at: run_study(tmp_path, uri, n_trials, kill_at)) == -signal.SIGKILL
    study = run_study(tmp_path, uri, n_trials)

    states = Counter(trial.state.name for trial in study.trials)
    assert states == {"COMPLETE": n_trials, "FAIL": len(kills)}
    repeated = [trial for trial in study.trials if "seqpipe.repeats" in trial.user_attrs]
    assert len(repeated) == len(kills)
    for trial in repeated:
        assert trial.params == study.trials[trial.user_attrs["seqpipe.repeats"]].params
    if len(kills) == 1:
        assert study.made <= n_trials * per_trial - (kills[0] - 1) + 2  # at most one update of each fold is lost

    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name(str(tmp_path)).experiment_id])
    kinds = Counter(run.data.tags["seqpipe.kind"] for run in runs)
    assert (kinds["search"], kinds["candidate"]) == (1, len(study.trials))
    for run in runs:
        kind = run.data.tags["seqpipe.kind"]
        if kind == "candidate":
            trial = study.trials[int(run.data.tags["seqpipe.trial"])]
            assert run.info.status == ("FINISHED" if trial.state.name == "COMPLETE" else "KILLED")
        elif kind == "search":
            assert run.info.status == "FINISHED"
        elif run.info.status == "FINISHED":
            steps = [point.step for point in client.get_metric_history(run.info.run_id, "train_loss")]
            assert steps == [1, 2]


def test_an_interrupted_trial_is_repeated(net, data, make_tracker, runs):
    tracker, study = make_tracker(), make_study()

    def objective(trial, error=None):
        size = trial.suggest_int("hidden_size", 4, 64)
        net(hidden_size=size, fail=error).set_callbacks(tracker).fit(*data)
        return 1.0

    tracked = tracker.track_study(study)
    with pytest.raises(KeyboardInterrupt):
        tracked.optimize(lambda trial: objective(trial, KeyboardInterrupt()), n_trials=1)
    assert {run.info.status for run in runs()} == {"KILLED"}
    tracked.optimize(objective, n_trials=1)

    assert study.trials[1].params == study.trials[0].params
    assert {run.info.run_name.partition(":")[0]: run.info.status for run in runs("candidate")} == {
        "trial 0": "KILLED",
        "trial 1": "FINISHED",
    }
    assert [run.info.status for run in runs("search")] == ["FINISHED"]
