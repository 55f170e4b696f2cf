"""Pictures and metrics of diagnostics that a run requests."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from seqpipe import SequenceClassifier, SequenceRegressor
from seqpipe.diagnostics import gradient_flow
from seqpipe.exceptions import TrackingWarning, UnknownNameError

SMALL = {"hidden_size": 3, "max_epochs": 1, "random_state": 0}


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(0)
    return rng.normal(size=(24, 6, 1)), np.arange(24) % 2


def pictures(tracker):
    return {path.name for path in (Path(tracker.artifact_uri_.removeprefix("file://")) / "pictures").iterdir()}


def test_a_run_keeps_the_pictures_growth_and_verdict_that_it_was_asked_for(sequences, make_tracker, runs):
    tracker = make_tracker(diagnostics=["gradient_flow", "hidden_states"])
    model = SequenceClassifier(**SMALL).set_callbacks(tracker).fit(*sequences)

    (run,) = runs()
    flow = gradient_flow(model, *sequences)
    assert run.data.metrics["gradient_growth"] == flow.growth[0]
    assert run.data.tags["seqpipe.gradient_flow"] == flow.verdict
    assert set(tracker.figures_) == {"gradient_flow", "hidden_states"}
    assert pictures(tracker) == {"gradient_flow.png", "hidden_states.png"}


def test_with_several_layers_each_has_its_growth_and_the_farthest_from_one_stands_for_all(
    sequences, make_tracker, runs
):
    X, y = sequences
    tracker = make_tracker(diagnostics="gradient_flow")
    model = SequenceRegressor("rnn", num_layers=2, pooling="last", **SMALL).set_callbacks(tracker).fit(X, y)

    metrics, growth = runs()[0].data.metrics, gradient_flow(model, X, y).growth
    assert [metrics[f"gradient_growth.layer {i}"] for i in (0, 1)] == list(growth)
    assert metrics["gradient_growth"] == max(growth, key=lambda each: abs(np.log(each)))


def test_a_search_is_looked_into_at_its_refit(sequences, make_tracker, runs):
    tracker = make_tracker(diagnostics=["gradient_flow"])
    search = GridSearchCV(SequenceClassifier(**SMALL), {"cell": ["rnn", "gru"]}, cv=2)
    search.set_callbacks(tracker).fit(*sequences)

    growth = gradient_flow(search, *sequences).growth[0]
    assert [run.data.metrics.get("gradient_growth") for run in runs("refit") + runs("search")] == [growth, growth]
    assert all("gradient_growth" not in run.data.metrics for run in runs("fold") + runs("candidate"))


def test_nothing_is_drawn_unasked(sequences, make_tracker, runs):
    tracker = make_tracker()
    SequenceClassifier(**SMALL).set_callbacks(tracker).fit(*sequences)
    assert tracker.figures_ == {}
    assert "gradient_growth" not in runs()[0].data.metrics


def test_an_estimator_without_a_recurrent_network_costs_the_run_nothing_but_a_warning(net, data, make_tracker, runs):
    with pytest.warns(TrackingWarning, match="The diagnostics were not logged. Net holds no recurrent network"):
        net().set_callbacks(make_tracker(diagnostics=["gradient_flow"])).fit(*data)
    assert runs()[0].info.status == "FINISHED"


def test_an_unknown_diagnostic_is_refused_before_any_fit(make_tracker):
    with pytest.raises(UnknownNameError, match=r"Got 'gradient_flwo' instead\. Did you mean 'gradient_flow'\?"):
        make_tracker(diagnostics=["gradient_flwo"])
