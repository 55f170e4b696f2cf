"""Views of searches in tags of their experiment, and the links to them."""

import base64
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

from seqpipe.tracking import MLflowTracker, interface_links
from seqpipe.tracking._links import BEST, BY_CELL, CANDIDATES, CURVES, PAGES
from seqpipe.tracking._show import show_search
from seqpipe.tracking._view import is_unchanged, view_of, view_tags

GRID = {"cell": ["gru", "lstm"], "hidden_size": [4, 8]}
SMALL = {"cell": ["gru", "lstm"]}
NOTE = "mlflow.note.content"

pytestmark = pytest.mark.live_tree


def state_of(tag):
    """Return the state that the interface reads from a view."""
    return json.loads(zlib.decompress(base64.b64decode(json.loads(tag)["state"].removeprefix("deflate;"))))


def charts_of(state):
    return [chart for chart in state["compareRunCharts"] if not chart["deleted"]]


@pytest.fixture
def tags(client, experiment):
    """Read the tags of the experiment of the test."""
    return lambda: client.get_experiment_by_name(experiment).tags


def test_a_search_leaves_views_of_its_candidates(net, data, make_tracker, runs, tags, uri, experiment):
    GridSearchCV(net(), GRID, cv=2).set_callbacks(make_tracker()).fit(*data)

    (parent,) = runs("search")
    states = {page: state_of(tags()[page.tag]) for page in PAGES}
    for state in states.values():
        assert parent.info.run_id in state["searchFilter"]
        assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`mean_test_score`", False)
        scores = ["metrics.`mean_test_score`", "metrics.`std_test_score`"]
        assert state["selectedColumns"] == [*scores, "params.`cell`", "params.`hidden_size`"]
    assert "compareRunCharts" not in states[CANDIDATES]
    assert states[BEST]["searchFilter"].endswith("metrics.`rank_test_score` <= 5")
    (parallel,) = [chart for chart in charts_of(states[BEST]) if chart["type"] == "PARALLEL"]
    assert parallel["selectedParams"] == ["cell", "hidden_size"]
    assert parallel["selectedMetrics"] == ["mean_test_score"]
    axes = {chart["xAxisKey"] for chart in charts_of(states[CURVES]) if chart.get("metricKey") == "mean_train_loss"}
    assert axes == {"step", "metric"}
    assert states[BY_CELL]["groupBy"]["groupByKeys"] == [{"mode": "param", "groupByData": "cell"}]
    assert tags()["mlflow.experiment.primaryMetric.name"] == "mean_test_score"
    assert all(f"[{page.name}](" in tags()[NOTE] for page in PAGES)
    assert list(interface_links(uri)[experiment]) == [page.name for page in PAGES]


def test_the_filter_of_a_view_finds_the_candidates_of_its_search(net, data, make_tracker, client, tags):
    for _ in range(2):
        GridSearchCV(net(), SMALL, cv=2).set_callbacks(make_tracker()).fit(*data)
    wanted = state_of(tags()[BEST.tag])["searchFilter"]
    experiment_id = client.get_experiment_by_name(make_tracker().experiment).experiment_id

    assert len(client.search_runs([experiment_id], wanted)) == 2


def test_the_score_of_several_is_that_which_the_refit_is_chosen_by(net, data, make_tracker, tags):
    scoring = ["accuracy", "balanced_accuracy"]
    search = RandomizedSearchCV(net(), GRID, n_iter=2, cv=2, scoring=scoring, refit="balanced_accuracy")
    search.set_callbacks(make_tracker()).fit(*data)

    state = state_of(tags()[CANDIDATES.tag])
    assert state["orderByKey"] == "metrics.`mean_test_balanced_accuracy`"
    assert state["selectedColumns"][1:] == [
        "metrics.`std_test_balanced_accuracy`", "params.`cell`", "params.`hidden_size`",
    ]  # fmt: skip


def test_what_a_user_has_changed_stays(net, data, make_tracker, client, tags, experiment):
    GridSearchCV(net(), GRID, cv=2).set_callbacks(make_tracker()).fit(*data)
    experiment_id = client.get_experiment_by_name(experiment).experiment_id
    own = json.dumps({**json.loads(tags()[CURVES.tag]), "name": "My curves"})
    client.set_experiment_tag(experiment_id, CURVES.tag, own)
    client.set_experiment_tag(experiment_id, NOTE, "")
    before = tags()[CANDIDATES.tag]
    GridSearchCV(net(), {"hidden_size": [4]}, cv=2).set_callbacks(make_tracker()).fit(*data)

    assert (tags()[CURVES.tag], tags()[NOTE]) == (own, "")
    assert tags()[CANDIDATES.tag] != before
    assert BY_CELL.tag not in tags()


def test_an_earlier_search_that_is_written_later_does_not_replace_the_newest(client):
    experiment_id = client.create_experiment("written later")
    show_search(client, experiment_id, "b" * 32, view_of(GRID, "mean_test_score", time=2))
    newest = client.get_experiment(experiment_id).tags
    show_search(client, experiment_id, "a" * 32, view_of(GRID, "mean_test_score", time=1))

    assert client.get_experiment(experiment_id).tags == newest


def test_a_store_that_allows_no_tags_of_experiments_is_no_error(net, data, make_tracker, runs, monkeypatch):
    def refuse(*args):
        raise MlflowException("no", error_code=PERMISSION_DENIED)

    monkeypatch.setattr("mlflow.MlflowClient.set_experiment_tag", refuse)
    GridSearchCV(net(), SMALL, cv=2).set_callbacks(make_tracker()).fit(*data)

    assert {run.info.status for run in runs()} == {"FINISHED"}


@given(st.integers(0, 40), st.integers(1, 60), st.sampled_from(["estimator__cell", "x"]))
def test_a_view_fits_into_a_tag(n_params, length, first):
    names = [first, *(f"p{i:03}".ljust(length, "a") for i in range(n_params))]
    tags = view_tags(view_of({name: ["0", "1"] for name in names}, "mean_test_score", time=1), "a" * 32)
    assert (BY_CELL.tag in tags) == (first == "estimator__cell" and n_params > 0)
    for tag in tags.values():
        assert len(tag) <= 5000
        assert is_unchanged(tag)
        assert state_of(tag)["selectedColumns"][2:] == [f"params.`{name}`" for name in names]


@pytest.mark.parametrize(
    "tag", ["", "{", "[]", "{}", '{"seqpipe": "0"}', '{"name": "x", "createdAt": 1, "state": "{}"}']
)
def test_the_view_of_a_user_is_not_taken_for_ours(tag):
    assert not is_unchanged(tag)


def test_links_are_those_of_the_newest_experiment_first(net, data, make_tracker, uri, client):
    GridSearchCV(net(), SMALL, cv=2).set_callbacks(MLflowTracker("older", tracking_uri=uri, log_model=False)).fit(*data)
    net().set_callbacks(MLflowTracker("newer", tracking_uri=uri, log_model=False)).fit(*data)
    links = interface_links(uri, site="http://here")

    assert [name for name in links if name in ("older", "newer")] == ["newer", "older"]
    identifier = client.get_experiment_by_name("newer").experiment_id
    assert links["newer"] == {"Runs": f"http://here/#/experiments/{identifier}/runs?workflowType=machine_learning"}
    assert links["older"]["Candidates by score"].endswith("&viewStateShareKey=seqpipe-candidates")
    assert list(interface_links(uri, experiment="older")) == ["older"]
    assert interface_links(uri, experiment="none") == {}
