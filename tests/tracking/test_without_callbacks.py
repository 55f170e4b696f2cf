"""Runs of searches and pipelines without callbacks, as in scikit-learn before 1.9."""

from __future__ import annotations

import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqpipe.callbacks import _fit, _stand_in, fit_with_callbacks
from seqpipe.exceptions import TrackingWarning

pytestmark = pytest.mark.filterwarnings("ignore:.* does not notify callbacks")


@pytest.fixture(autouse=True)
def without_support(monkeypatch):
    monkeypatch.setattr(_fit, "CallbackSupportMixin", _stand_in.CallbackSupportMixin)


def test_a_search_has_its_parent_and_its_refit(net, data, make_tracker, runs, client):
    search = GridSearchCV(net(), {"cell": ["gru", "lstm"]}, cv=2)
    tracker = make_tracker()
    fit_with_callbacks(search, [tracker], *data)

    parent, refit = sorted(runs(), key=lambda run: run.info.start_time)
    assert [run.data.tags["seqpipe.kind"] for run in (parent, refit)] == ["search", "refit"]
    assert [run.info.status for run in (parent, refit)] == ["FINISHED", "FINISHED"]
    assert refit.data.tags["mlflow.parentRunId"] == parent.info.run_id == tracker.run_id_
    assert parent.data.metrics["best_score"] == search.best_score_
    assert refit.data.params["cell"] == search.best_params_["cell"]
    assert refit.info.run_id == tracker.refit_run_id_


def test_a_search_that_is_interrupted_ends_killed(net, data, make_tracker, runs):
    with pytest.raises(KeyboardInterrupt):
        fit_with_callbacks(
            GridSearchCV(net(fail=KeyboardInterrupt()), {"cell": ["gru"]}, cv=2), [make_tracker()], *data
        )
    assert [run.info.status for run in runs()] == ["KILLED"]


def test_a_search_that_fails_ends_failed(net, data, make_tracker, runs):
    search = GridSearchCV(net(fail=ValueError("loss is NaN")), {"cell": ["gru"]}, cv=2, error_score="raise")
    with pytest.raises(ValueError, match="loss is NaN"):
        fit_with_callbacks(search, [make_tracker()], *data)
    [run] = runs()
    assert (run.info.status, run.data.tags["seqpipe.error"]) == ("FAILED", "ValueError: loss is NaN")


def test_a_pipeline_is_one_run(net, data, make_tracker, runs):
    with pytest.warns(TrackingWarning, match="Pipeline of scikit-learn .* does not notify callbacks"):
        fit_with_callbacks(make_pipeline(StandardScaler(), net()), [make_tracker()], *data)
    [run] = runs("fit")
    assert run.info.status == "FINISHED"
