"""Mean learning curves of candidates, and how they come to the store."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GridSearchCV

from seqpipe.tracking._curves import MeanCurves

LOSSES = st.floats(-1e6, 1e6)


@given(st.lists(st.lists(LOSSES, min_size=1, max_size=5), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_point_is_the_mean_of_all_folds_at_an_epoch_that_all_have_reached(folds, random):
    """Folds report their epochs in order, and in any order among each other."""
    curves, points = MeanCurves(len(folds)), {}
    turns = [fold for fold, losses in enumerate(folds) for _ in losses]
    random.shuffle(turns)
    reported = [0] * len(folds)
    for fold in turns:
        reported[fold] += 1
        epoch = reported[fold]
        metrics = {"valid_loss": folds[fold][epoch - 1], "dur": 0.5, "lr": 0.01}
        point = curves.add(fold, epoch, metrics)
        assert bool(point) == all(count >= epoch for count in reported)
        if point:
            points[epoch] = point

    assert sorted(points) == list(range(1, min(map(len, folds)) + 1))
    for epoch, point in points.items():
        losses = [fold[epoch - 1] for fold in folds]
        assert point["mean_valid_loss"] == pytest.approx(np.mean(losses))
        assert point["std_valid_loss"] == pytest.approx(np.std(losses))
        assert point["mean_seconds"] == pytest.approx(0.5 * epoch)
        assert len(point) == 3


def test_a_loss_that_is_no_number_and_a_second_network_are_no_errors():
    curves = MeanCurves(2)
    assert curves.add(0, 1, {"train_loss": math.inf}) == {}
    assert curves.add(0, 1, {"train_loss": 2.0}) == {}
    point = curves.add(1, 1, {"train_loss": 1.0, "valid_loss": 1.0})
    assert point["mean_train_loss"] == math.inf
    assert math.isnan(point["std_train_loss"])
    assert curves.add(1, 1, {"train_loss": 1.0}) == {}


@pytest.mark.live_tree
def test_candidates_have_curves_in_the_store_while_the_search_runs(net, data, make_tracker, runs, client):
    seen = []

    def look(epoch):
        if epoch == 3:
            tracker._writer.drain()
            seen.append([run.data.metrics.get("mean_train_loss") for run in runs("candidate")])

    tracker = make_tracker()
    search = GridSearchCV(net(on_epoch=look), {"cell": ["gru", "lstm"]}, cv=2, refit=False)
    search.set_callbacks(tracker).fit(*data)

    # In the third epoch of the four folds, two per candidate, a candidate's second fold has told of two epochs.
    assert seen == [[None], [0.5], [1 / 3, None], [1 / 3, 0.5]]
    for run in runs("candidate"):
        curve = client.get_metric_history(run.info.run_id, "mean_train_loss")
        assert [(point.step, point.value) for point in curve] == [(1, 1.0), (2, 0.5), (3, 1 / 3)]
        assert run.data.metrics["std_train_loss"] == 0
