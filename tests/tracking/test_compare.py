"""Runs and curves as tables."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from seqpipe.exceptions import TrackingError
from seqpipe.tracking import MLflowTracker, read_curves, read_runs


@pytest.fixture(scope="module")
def tracked(net, uri, data):
    tracker = MLflowTracker("compared", tracking_uri=uri, log_model=False)
    search = GridSearchCV(net(), {"cell": ["gru", "lstm"]}, cv=2).set_callbacks(tracker).fit(*data)
    net(hidden_size=3).set_callbacks(tracker).fit(*data)
    return search


def test_candidates_refit_and_single_fits_are_one_row_each(tracked, uri):
    runs = read_runs("compared", uri)
    assert sorted(runs["kind"]) == ["candidate", "candidate", "fit", "refit"]
    assert set(runs["name"]) == {"gru", "lstm", "refit: gru", "Net: gru · 3"}
    assert set(runs["status"]) == {"FINISHED"}
    assert (runs["seconds"] >= 0).all()
    scores = runs[runs["kind"] == "candidate"].set_index("params.cell")["metrics.mean_test_score"]
    assert scores["gru"] == tracked.cv_results_["mean_test_score"][0]


def test_parents_join_rows_to_the_search_and_folds_to_candidates(tracked, uri):
    every = read_runs("compared", uri, kinds=["search", "candidate", "fold"])
    (search,) = every[every["kind"] == "search"]["run_id"]
    candidates = every[every["kind"] == "candidate"]
    assert set(candidates["parent"]) == {search}
    assert set(every[every["kind"] == "fold"]["parent"]) == set(candidates["run_id"])
    assert every[every["kind"] == "search"]["parent"].isna().all()


def test_curves_are_long_tables_in_order_of_steps(tracked, uri):
    runs = read_runs("compared", uri, kinds=["refit", "fit"])
    curves = read_curves(runs["run_id"], uri)
    assert list(curves) == ["run_id", "key", "step", "value"]
    losses = curves[curves["key"] == "train_loss"]
    assert set(losses["run_id"]) == set(runs["run_id"])
    for _, loss in losses.groupby("run_id"):
        assert loss["step"].tolist() == [1, 2, 3]
        np.testing.assert_allclose(loss["value"], [1, 1 / 2, 1 / 3])
    alone = read_curves(runs["run_id"][0], uri)
    assert set(alone["run_id"]) == {runs["run_id"][0]}


def test_outermost_fits_say_what_they_were_fitted_to(net, tracked, uri, data):
    X, y = data
    net().set_callbacks(MLflowTracker("over data", tracking_uri=uri, log_model=False)).fit(X, y)
    net().set_callbacks(MLflowTracker("over data", tracking_uri=uri, log_model=False)).fit(X, y[::-1].copy())
    digests = read_runs("over data", uri)["data_digest"]
    assert digests.nunique() == 2
    runs = read_runs("compared", uri, kinds=["search", "fit"])
    assert set(runs["data_digest"]) == {digests.iloc[-1]}
    assert set(runs["data"]) == {"training data"}
    assert read_runs("compared", uri, kinds=["candidate", "refit"])["data"].isna().all()


def test_no_run_of_a_kind_is_an_empty_table_with_its_columns(tracked, uri):
    empty = read_runs("compared", uri, kinds=[])
    assert empty.empty
    assert list(empty) == ["name", "kind", "status", "seconds", "run_id", "parent", "data", "data_digest"]


def test_an_unknown_experiment_lists_the_known_ones_and_suggests(tracked, uri):
    with pytest.raises(TrackingError, match=r"no experiment 'comparde' in .*'compared'.*Did you mean 'compared'\?"):
        read_runs("comparde", uri)


def test_an_unknown_run_is_an_error(tracked, uri):
    with pytest.raises(TrackingError, match="no run 'abc'"):
        read_curves("abc", uri)
