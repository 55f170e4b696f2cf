"""The run tree of successive halving searches, read from the store."""

import os
from collections import Counter
from contextlib import nullcontext

import numpy as np
import pytest
from joblib import parallel_config
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingGridSearchCV, HalvingRandomSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from seqpipe.callbacks import RUNG, FitListener, reported
from seqpipe.pipeline import compare_experiment
from seqpipe.tracking._search import resources_of_rung

pytestmark = pytest.mark.live_tree

ALL = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")
GRID = {"cell": ["gru", "lstm"], "hidden_size": [4]}


def by_epochs(net, grid=GRID, **options):
    settings = {
        "resource": "max_epochs",
        "max_resources": 2,
        "factor": 2,
        "cv": 2,
        "random_state": 0,
        "scoring": reported("accuracy"),
        **options,
    }
    return HalvingGridSearchCV(net(), grid, **settings)


@pytest.fixture(params=["alone", "processes", "threads"] if ALL else ["threads"])
def n_jobs(request):
    with parallel_config(backend="threading") if request.param == "threads" else nullcontext():
        yield 1 if request.param == "alone" else 2


def test_a_search_becomes_parent_rungs_candidates_folds_and_refit(
    net, data, make_tracker, runs, client, uri, experiment, n_jobs
):
    search = by_epochs(net, n_jobs=n_jobs).set_callbacks(make_tracker()).fit(*data)

    kinds = Counter(run.data.tags["seqpipe.kind"] for run in runs())
    assert kinds == {"search": 1, "rung": 2, "candidate": 2 + 1, "fold": 2 * (2 + 1), "refit": 1}
    assert {run.info.status for run in runs()} == {"FINISHED"}
    rungs = sorted(runs("rung"), key=lambda run: run.data.tags["seqpipe.rung"])
    assert [run.info.run_name for run in rungs] == ["rung 1: 2 candidates, 1 epoch", "rung 2: 1 candidate, 2 epochs"]
    assert runs("search")[0].data.metrics["best_score"] == search.best_score_
    assert_nested(runs())
    for run in runs("fold"):
        epochs = search.n_resources_[int(run.data.tags["seqpipe.rung"]) - 1]
        assert len(client.get_metric_history(run.info.run_id, "train_loss")) == epochs
        assert run.data.params["max_epochs"] == str(epochs)
    for run in runs("fold") + runs("candidate"):
        scores = [key for key in run.data.metrics if "test_score" in key]
        assert {len(client.get_metric_history(run.info.run_id, key)) for key in scores} == {1}
    assert_scored(search, runs)
    compared = compare_experiment(experiment, tracking_uri=uri).table
    assert compared["name"].tolist() == [run.info.run_name for run in runs("candidate") if in_rung(run) == 1]


def assert_nested(found):
    """Check that each run is below one of the right kind, and within its time."""
    above = {"rung": "search", "candidate": "rung", "fold": "candidate", "refit": "search"}
    by_id = {run.info.run_id: run for run in found}
    for run in found:
        if run.data.tags["seqpipe.kind"] in above:
            over = by_id[run.data.tags["mlflow.parentRunId"]]
            assert over.data.tags["seqpipe.kind"] == above[run.data.tags["seqpipe.kind"]]
            assert over.info.start_time <= run.info.start_time <= run.info.end_time <= over.info.end_time


def assert_scored(search, runs):
    """Check the names and scores of candidates and rungs."""
    columns = search.cv_results_
    found = {(in_rung(run), run.info.run_name): run.data.metrics["mean_test_score"] for run in runs("candidate")}
    names = [f"{each['cell']} · {each['hidden_size']}" for each in columns["params"]]
    assert found == dict(zip(zip(columns["iter"], names), columns["mean_test_score"]))
    for run in runs("rung"):
        here = columns["iter"] == in_rung(run)
        assert run.data.metrics["best_score"] == columns["mean_test_score"][here].max()
        assert run.data.params["n_resources"] == str(columns["n_resources"][here][0])


def in_rung(run):
    return int(run.data.tags["seqpipe.rung"]) - 1


def test_a_rung_is_in_the_store_while_it_runs(net, data, make_tracker, runs):
    tracker, seen = make_tracker(), []

    def scored(run):
        return "mean_test_score" in run.data.metrics

    def look(epoch):
        tracker._writer.drain()
        seen.append([(run.info.run_name, run.info.status, scored(run)) for run in runs("rung") + runs("candidate")])

    grid = {"cell": ["gru", "lstm"], "on_epoch": [look]}
    by_epochs(net, grid, refit=False).set_callbacks(tracker).fit(*data)

    assert ("rung 1: 2 candidates, 1 epoch", "RUNNING", False) in seen[0]
    assert ("gru", "RUNNING", False) in seen[0]
    assert {("gru", "FINISHED", True), ("lstm", "FINISHED", True)} <= set(seen[-1])
    assert ("rung 1: 2 candidates, 1 epoch", "FINISHED", False) in seen[-1]
    assert ("rung 2: 1 candidate, 2 epochs", "RUNNING", False) in seen[-1]


def test_samples_may_be_the_resource_and_a_search_may_be_a_step(net, data, make_tracker, runs):
    space = {"cell": ["gru", "lstm"]}
    search = HalvingRandomSearchCV(net(), space, n_candidates=2, cv=2, min_resources=10, factor=2, random_state=0)
    make_pipeline(StandardScaler(), search).set_callbacks(make_tracker()).fit(*data)

    assert {run.info.run_name for run in runs("rung")} == {
        "rung 1: 2 candidates, 10 samples",
        "rung 2: 1 candidate, 20 samples",
    }
    assert {run.data.tags["mlflow.parentRunId"] for run in runs("rung")} == {runs("fit")[0].info.run_id}


@pytest.mark.filterwarnings("ignore:One or more of the t.* scores")
def test_a_candidate_that_fails_leaves_its_rung_finished(net, data, make_tracker, runs):
    search = by_epochs(net, {"fail": [None, ValueError("no")]}, min_resources=2)
    with pytest.warns(FitFailedWarning, match="fits failed"):
        search.set_callbacks(make_tracker()).fit(*data)

    assert [run.info.status for run in runs("candidate")] == ["FINISHED", "FAILED"]
    assert {run.info.status for run in runs("rung")} == {"FINISHED"}


def test_ctrl_c_kills_the_rung(net, data, make_tracker, runs):
    search = by_epochs(net, {"fail": [KeyboardInterrupt()]}, min_resources=2)
    with pytest.raises(KeyboardInterrupt):
        search.set_callbacks(make_tracker()).fit(*data)

    assert {run.info.status for run in runs()} == {"KILLED"}


@pytest.mark.filterwarnings("ignore:.*does not support callbacks")
def test_an_estimator_without_callbacks_has_its_rungs_too(data, make_tracker, runs):
    search = HalvingGridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2, min_resources=10, factor=2)
    search.set_callbacks(make_tracker()).fit(*data)

    assert [len(runs(kind)) for kind in ("rung", "candidate", "fold")] == [2, 3, 6]
    assert {run.info.run_name for run in runs("candidate")} == {"max_depth 1", "max_depth 2"}


@pytest.mark.parametrize("aggressive", [False, True])
@pytest.mark.parametrize("smallest", ["exhaust", 2])
@pytest.mark.parametrize("factor", [2, 3] if ALL else [3])
def test_the_resources_of_a_rung_are_known_when_it_begins(net, aggressive, smallest, factor):
    class Noting(FitListener):
        def began(self, estimator, task, X, y):
            if task.name == RUNG:
                n_candidates = task.n_subtasks // estimator.n_splits_
                known.append(resources_of_rung(estimator, task.path[-1][1], n_candidates))

    known = []
    X = np.random.default_rng(0).normal(size=(12, 2))
    search = HalvingGridSearchCV(
        net(),
        {"hidden_size": range(1, 8)},
        resource="max_epochs",
        max_resources=13,
        min_resources=smallest,
        aggressive_elimination=aggressive,
        factor=factor,
        cv=2,
    )
    search.set_callbacks(Noting()).fit(X, np.arange(12) % 2)
    assert known == search.n_resources_
