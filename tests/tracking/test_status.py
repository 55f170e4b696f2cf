"""The running searches and fits of a store."""

import time

import pytest
from mlflow import MlflowClient
from sklearn.model_selection import GridSearchCV
from typer.testing import CliRunner

from seqpipe import reported
from seqpipe.cli import app
from seqpipe.tracking import read_status
from seqpipe.tracking._experiment_id import experiment_id
from seqpipe.tracking._found_runs import KEY
from seqpipe.tracking._process import BEAT, process_tags

GRID = {"cell": ["gru", "lstm"]}


def wait_for(uri, experiment, holds):
    """Return the status of an experiment once it is as expected: the store is written to once a second."""
    deadline = time.monotonic() + 60
    while True:
        found = [fit for fit in read_status(uri) if fit.experiment == experiment]
        if (found and holds(found[0])) or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


@pytest.mark.live_tree
def test_a_running_search_tells_its_fits_their_epochs_and_the_best_so_far(
    net, data, make_tracker, uri, experiment, client
):
    epochs, seen, printed = [], [], []

    def on_epoch(epoch):
        epochs.append(epoch)
        if len(epochs) == 6:  # the last epoch of the second fit
            seen.extend(wait_for(uri, experiment, lambda fit: fit.done == 1 and "gru · fold 2" in fit.epochs))
            printed.append(CliRunner().invoke(app, ["status", "--uri", uri]).output)

    search = GridSearchCV(net(on_epoch=on_epoch), GRID, cv=2).set_callbacks(make_tracker())
    search.fit(*data)

    (fit,) = seen
    assert (fit.kind, fit.done, fit.failed, fit.n_fits, fit.is_alive, fit.is_here) == ("search", 1, 0, 5, True, True)
    assert fit.epochs == {"gru · fold 2": (2, 3)}
    assert fit.best == ("train_loss", pytest.approx(1 / 3), "gru · fold 1")
    assert fit.silent_seconds < 120
    assert "1 of 5 fits done, 1 fit running\n  lowest train_loss so far: 0.3333 (gru · fold 1)\n" in printed[0]
    assert "  gru · fold 2: epoch 2 of 3\n" in printed[0]
    assert f"process {process_tags()['seqpipe.pid']} on " in printed[0]
    assert [each for each in read_status(uri) if each.experiment == experiment] == []


@pytest.mark.live_tree
@pytest.mark.parametrize(("names", "refit"), [("accuracy", True), (["accuracy", "f1_macro"], "f1_macro")])
def test_the_best_so_far_is_a_score_once_a_candidate_has_one(net, data, make_tracker, uri, experiment, names, refit):
    epochs, seen = [], []

    def on_epoch(epoch):
        epochs.append(epoch)
        if len(epochs) == 7:  # the first epoch of the second candidate
            seen.extend(wait_for(uri, experiment, lambda fit: fit.done == 2))

    search = GridSearchCV(net(on_epoch=on_epoch), GRID, cv=2, scoring=reported(names), refit=refit)
    search.set_callbacks(make_tracker()).fit(*data)

    (fit,) = seen
    name = "score" if refit is True else refit
    assert fit.best == (name, search.cv_results_[f"mean_test_{name}"][0], "gru")
    assert f"  best {name} so far: " in fit.lines()[2]


def test_a_fit_alone_tells_its_epochs(net, data, make_tracker, uri, experiment):
    seen = []

    def on_epoch(epoch):
        if epoch == 3:
            seen.extend(wait_for(uri, experiment, lambda fit: list(fit.epochs.values()) == [(2, 3)]))

    net(on_epoch=on_epoch).set_callbacks(make_tracker(run_name="alone")).fit(*data)

    (fit,) = seen
    assert (fit.kind, fit.name, fit.epochs) == ("fit", "alone", {"alone": (2, 3)})


@pytest.mark.parametrize(("age", "state"), [(30, "may be running"), (3600, None)])
def test_a_process_of_another_host_may_be_running_if_it_was_heard_of(client, uri, experiment, age, state):
    """The store is embedded: runs of processes that have ended are closed when it is opened."""
    beat = str(round(1000 * (time.time() - age)))
    tags = {**process_tags(), "seqpipe.host": "elsewhere", BEAT: beat, KEY: f"far{age}", "seqpipe.kind": "search"}
    run = client.create_run(experiment_id(client, experiment), tags=tags, run_name="far")
    found = [fit for fit in read_status(uri) if fit.experiment == experiment]
    if state is None:
        assert found == []
    else:
        (fit,) = found
        assert f"on elsewhere {state}, last sign of life {age} s ago" in fit.lines()[-1]
    client.set_terminated(run.info.run_id)


def test_a_store_where_nothing_runs_says_so(own_uri):
    for fit in read_status(own_uri):
        MlflowClient(own_uri).set_terminated(fit.run_id)
    found = CliRunner().invoke(app, ["status", "--uri", own_uri])
    assert (found.exit_code, found.output) == (0, "Nothing is running.\n")
