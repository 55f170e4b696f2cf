"""The run tree of a search, read from the store."""

from contextlib import nullcontext

import numpy as np
import pytest
from joblib import parallel_config
from scipy.stats import randint
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from seqpipe import reported

GRID = {"cell": ["gru", "lstm"], "hidden_size": [4, 8]}

pytestmark = pytest.mark.live_tree


def test_a_search_becomes_parent_candidates_folds_and_refit(net, data, make_tracker, runs, client, n_jobs):
    tracker = make_tracker()
    search = GridSearchCV(net(), GRID, cv=3, n_jobs=n_jobs, scoring=reported("accuracy")).set_callbacks(tracker)
    search.fit(*data)

    assert [len(runs(kind)) for kind in ("search", "candidate", "fold", "refit")] == [1, 4, 12, 1]
    assert {run.info.status for run in runs()} == {"FINISHED"}
    (parent,), (refit,) = runs("search"), runs("refit")
    assert (tracker.run_id_, tracker.refit_run_id_) == (parent.info.run_id, refit.info.run_id)
    assert parent.data.metrics["best_score"] == search.best_score_
    for run in [*runs("candidate"), refit]:
        assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    candidates = {run.info.run_id: run for run in runs("candidate")}
    for fold in runs("fold"):
        above = candidates[fold.data.tags["mlflow.parentRunId"]]
        assert fold.data.tags["seqpipe.candidate"] == above.data.tags["seqpipe.candidate"]
        assert {name: fold.data.params[name] for name in GRID} == {name: above.data.params[name] for name in GRID}
        curve = client.get_metric_history(fold.info.run_id, "train_loss")
        assert [(point.step, point.value) for point in curve] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
    (scored,) = client.get_metric_history(runs("candidate")[0].info.run_id, "mean_test_score")
    (end,) = client.get_metric_history(parent.info.run_id, "best_score")
    assert scored.value == search.cv_results_["mean_test_score"][0]
    assert scored.timestamp < end.timestamp


@pytest.fixture(params=["alone", "processes", "threads"])
def n_jobs(request):
    with parallel_config(backend="threading") if request.param == "threads" else nullcontext():
        yield 1 if request.param == "alone" else 2


def test_runs_lie_in_time_as_their_fits_did(net, data, make_tracker, runs, n_jobs):
    GridSearchCV(net(), GRID, cv=3, n_jobs=n_jobs).set_callbacks(make_tracker()).fit(*data)

    spans = {run.info.run_id: (run.info.start_time, run.info.end_time) for run in runs()}
    for run in runs():
        assert run.info.start_time <= run.info.end_time
        if parent := run.data.tags.get("mlflow.parentRunId"):
            assert spans[parent][0] <= run.info.start_time
            assert run.info.end_time <= spans[parent][1]


def test_candidates_are_named_by_what_was_searched_and_scored_as_the_search_did(net, data, make_tracker, runs):
    search = GridSearchCV(net(), GRID, cv=3, return_train_score=True).set_callbacks(make_tracker()).fit(*data)

    for run in runs("candidate"):
        number = int(run.data.tags["seqpipe.candidate"]) - 1
        params = search.cv_results_["params"][number]
        assert run.info.run_name == f"{params['cell']} · {params['hidden_size']}"
        for name in (
            "mean_test_score",
            "std_test_score",
            "rank_test_score",
            "mean_train_score",
            "mean_fit_time",
        ):
            assert run.data.metrics[name] == search.cv_results_[name][number]
    names = {run.info.run_id: run.info.run_name for run in runs("candidate")}
    for run in runs("fold"):
        number, split = int(run.data.tags["seqpipe.candidate"]) - 1, int(run.data.tags["seqpipe.fold"]) - 1
        assert run.info.run_name == f"{names[run.data.tags['mlflow.parentRunId']]} · fold {split + 1}"
        assert run.data.metrics["test_score"] == search.cv_results_[f"split{split}_test_score"][number]


def test_several_metrics_are_kept_by_name(net, data, make_tracker, runs):
    scoring = ["accuracy", "balanced_accuracy"]
    GridSearchCV(net(), {"cell": ["gru"]}, cv=2, scoring=scoring, refit="accuracy").set_callbacks(make_tracker()).fit(
        *data
    )

    assert {f"mean_test_{name}" for name in scoring} <= set(runs("candidate")[0].data.metrics)
    assert {f"test_{name}" for name in scoring} <= set(runs("fold")[0].data.metrics)


def test_without_a_refit_there_is_no_refit_run(net, data, make_tracker, runs):
    tracker = make_tracker()
    GridSearchCV(net(), {"cell": ["gru"]}, cv=2, refit=False).set_callbacks(tracker).fit(*data)

    assert runs("refit") == []
    assert tracker.refit_run_id_ is None


def test_runs_have_the_estimators_parameters_and_summary(net, data, make_tracker, runs):
    GridSearchCV(net(max_epochs=2), {"cell": ["gru"]}, cv=2).set_callbacks(make_tracker()).fit(*data)

    for run in [*runs("fold"), *runs("refit")]:
        assert run.data.params["max_epochs"] == "2"
        assert run.data.metrics["n_parameters"] == 5
        assert run.data.tags["seqpipe.stop_reason"] == "max_epochs"
        assert run.data.tags["seqpipe.estimator"] == "Net"
    assert runs("candidate")[0].data.params["max_epochs"] == "2"
    assert runs("search")[0].data.params["cv"] == "2"


def test_steps_of_a_pipeline_make_no_runs(net, data, make_tracker, runs, client):
    pipe = Pipeline([("scale", StandardScaler(with_mean=False)), ("net", net())])
    GridSearchCV(pipe, {"net__cell": ["gru", "lstm"]}, cv=2).set_callbacks(make_tracker()).fit(*data)

    assert [len(runs(kind)) for kind in ("candidate", "fold", "refit")] == [2, 4, 1]
    for run in [*runs("fold"), *runs("refit")]:
        assert len(client.get_metric_history(run.info.run_id, "train_loss")) == 3
        assert run.data.params["scale__with_mean"] == "False"
    assert {run.info.run_name for run in runs("candidate")} == {"gru", "lstm"}


def test_a_search_inside_a_pipeline_has_its_tree(net, data, make_tracker, runs):
    search = GridSearchCV(net(), {"cell": ["gru", "lstm"]}, cv=2)
    Pipeline([("scale", StandardScaler()), ("search", search)]).set_callbacks(make_tracker()).fit(*data)

    assert [len(runs(kind)) for kind in ("fit", "candidate", "fold", "refit")] == [1, 2, 4, 1]
    assert "best_score" in runs("fit")[0].data.metrics


def test_a_search_inside_a_search_makes_no_runs_of_its_own(net, data, make_tracker, runs):
    inner = GridSearchCV(net(max_epochs=1), {"cell": ["gru", "lstm"]}, cv=2)
    GridSearchCV(inner, {"estimator__hidden_size": [4, 8]}, cv=2).set_callbacks(make_tracker()).fit(*data)

    assert [len(runs(kind)) for kind in ("search", "candidate", "fold", "refit")] == [1, 2, 4, 1]
    assert {run.info.run_name for run in runs("candidate")} == {"hidden_size 4", "hidden_size 8"}


@pytest.mark.parametrize("random_state", [0, np.random.RandomState(0)])
def test_a_random_search_names_its_candidates(net, data, make_tracker, runs, random_state):
    space = {"hidden_size": randint(2, 1000)}
    search = RandomizedSearchCV(net(), space, n_iter=3, cv=2, random_state=random_state)
    search.set_callbacks(make_tracker()).fit(*data)

    named = [f"hidden_size {params['hidden_size']}" for params in search.cv_results_["params"]]
    assert [run.info.run_name for run in runs("candidate")] == named


def test_an_estimator_without_callbacks_still_has_its_runs(data, make_tracker, runs):
    search = GridSearchCV(DecisionTreeClassifier(), {"max_depth": [1, 2]}, cv=2)
    with pytest.warns(UserWarning, match="does not support callbacks"):
        search.set_callbacks(make_tracker()).fit(*data)

    assert [len(runs(kind)) for kind in ("candidate", "fold", "refit")] == [2, 4, 1]
    assert {run.info.status for run in runs()} == {"FINISHED"}
    assert {run.info.run_name for run in runs("candidate")} == {"max_depth 1", "max_depth 2"}


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_fold_that_fails_ends_failed_with_its_reason_and_the_search_goes_on(net, data, make_tracker, runs, n_jobs):
    search = GridSearchCV(net(), {"fail": [None, ValueError("loss is NaN")]}, cv=2, n_jobs=n_jobs)
    with pytest.warns(FitFailedWarning, match="fits failed"):
        search.set_callbacks(make_tracker()).fit(*data)

    good, bad = runs("candidate")
    assert [good.info.status, bad.info.status] == ["FINISHED", "FAILED"]
    failed = [run for run in runs("fold") if run.info.status == "FAILED"]
    assert {run.data.tags["mlflow.parentRunId"] for run in failed} == {bad.info.run_id}
    assert len(failed) == 2
    assert {run.data.tags["seqpipe.error"] for run in [*failed, bad]} == {"ValueError: loss is NaN"}
    assert runs("search")[0].info.status == "FINISHED"
    assert np.isnan(failed[0].data.metrics["test_score"])


def test_an_error_that_is_raised_fails_all_that_is_open(net, data, make_tracker, runs, n_jobs):
    grid = {"cell": ["gru"], "fail": [None, ValueError("loss is NaN")]}
    search = GridSearchCV(net(), grid, cv=2, n_jobs=n_jobs, error_score="raise")
    with pytest.raises(ValueError, match="loss is NaN"):
        search.set_callbacks(make_tracker()).fit(*data)

    (parent,) = runs("search")
    assert parent.info.status == "FAILED"
    assert parent.data.tags["seqpipe.error"] == "ValueError: loss is NaN"
    assert runs("candidate")[-1].info.status == "FAILED"
    assert all(run.info.end_time is not None for run in runs())


def test_a_search_whose_every_fit_fails_ends_failed(net, data, make_tracker, runs):
    search = GridSearchCV(net(fail=ValueError("no")), {"cell": ["gru", "lstm"]}, cv=2)
    with pytest.raises(ValueError, match="All the 4 fits failed"):
        search.set_callbacks(make_tracker()).fit(*data)

    assert {run.info.status for run in runs()} == {"FAILED"}
    assert "All the 4 fits failed" in runs("search")[0].data.tags["seqpipe.error"]
    assert {run.data.tags["seqpipe.error"] for run in runs("fold")} == {"ValueError: no"}


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_transformer_that_fails_is_found_out_when_the_next_fold_begins(net, data, make_tracker, runs):
    pipe = Pipeline([("scale", StandardScaler()), ("net", net())])
    bad, (_, y) = data[0].copy(), data
    bad[0, 0] = np.inf
    search = GridSearchCV(pipe, {"net__cell": ["gru", "lstm"]}, cv=[([0, 1, 2], [3, 4]), ([1, 2, 3], [4, 5])])
    with pytest.warns(FitFailedWarning, match="fits failed"):
        search.set_params(refit=False).set_callbacks(make_tracker()).fit(bad, y)

    assert [run.info.status for run in runs("fold")] == ["FAILED", "FINISHED", "FAILED", "FINISHED"]
    assert {run.info.status for run in runs("candidate")} == {"FAILED"}
    assert "FitFailedWarning" in runs("fold")[0].data.tags["seqpipe.error"]
    assert runs("fold")[0].info.end_time <= runs("fold")[1].info.start_time


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
@pytest.mark.filterwarnings("ignore:.*does not support callbacks")
def test_a_fit_that_fails_without_callbacks_is_found_out_by_its_score(data, make_tracker, runs):
    grid = {"max_depth": [1], "min_samples_leaf": [1, -1]}
    search = GridSearchCV(DecisionTreeClassifier(), grid, cv=2).set_callbacks(make_tracker())
    with pytest.warns(FitFailedWarning, match="fits failed"):
        search.fit(*data)

    assert [run.info.status for run in runs("candidate")] == ["FINISHED", "FAILED"]
    assert [run.info.status for run in runs("fold")] == ["FINISHED", "FINISHED", "FAILED", "FAILED"]


@pytest.mark.filterwarnings("ignore:One or more of the test scores")
def test_a_fit_that_is_refused_before_it_begins_has_its_failed_run_too(data, make_tracker, runs):
    bad, (_, y) = data[0].copy(), data
    bad[0, 0] = np.nan
    grid, splits = {"C": [0.1, 1.0]}, [([0, 1, 2], [3, 4]), ([1, 2, 3], [4, 5])]
    search = GridSearchCV(LogisticRegression(), grid, cv=splits, refit=False).set_callbacks(make_tracker())
    with pytest.warns(FitFailedWarning, match="fits failed"):
        search.fit(bad, y)

    assert [run.info.status for run in runs("fold")] == ["FAILED", "FINISHED"] * 2
    assert [run.info.status for run in runs("candidate")] == ["FAILED"] * 2
    assert "failed before it began" in runs("fold")[0].data.tags["seqpipe.error"]
    assert [run.info.run_name for run in runs("candidate")] == ["C 0.1", "C 1"]


def test_ctrl_c_kills_all_that_is_open(net, data, make_tracker, runs):
    search = GridSearchCV(net(fail=KeyboardInterrupt()), {"cell": ["gru", "lstm"]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        search.set_callbacks(make_tracker()).fit(*data)

    assert {run.info.status for run in runs()} == {"KILLED"}
    assert len(runs("fold")) == 1


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_forked_workers_reach_the_process_that_writes(net, data, make_tracker, runs):
    search = GridSearchCV(net(), {"cell": ["gru", "lstm"]}, cv=2).set_callbacks(make_tracker())
    with parallel_config(backend="multiprocessing", n_jobs=2):
        search.fit(*data)

    assert [len(runs(kind)) for kind in ("candidate", "fold", "refit")] == [2, 4, 1]
    assert {run.info.status for run in runs()} == {"FINISHED"}
