"""A tracker on one estimator, and as a context manager."""

import contextlib
import io
import math
import pickle
import re
import sqlite3
import subprocess
import sys
import textwrap
import time
import types
from concurrent.futures import ThreadPoolExecutor

import matplotlib
import numpy as np
import pandas as pd
import PIL.Image
import pytest
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seqpipe.exceptions import TrackingError, TrackingWarning
from seqpipe.sequences import Sequences
from seqpipe.tracking import MLflowTracker

matplotlib.use("agg")


def test_a_fit_without_a_search_is_one_run(net, data, make_tracker, runs, client):
    tracker = make_tracker(run_name="alone", tags={"who": "me", "dataset": "waves"})
    net(hidden_size=6).set_callbacks(tracker).fit(*data)

    (run,) = runs()
    assert (run.info.run_id, run.info.run_name, run.info.status) == (tracker.run_id_, "alone", "FINISHED")
    assert (run.data.tags["seqpipe.kind"], run.data.tags["who"]) == ("fit", "me")
    assert run.data.params == {"hidden_size": "6"}
    assert run.data.metrics["fit_seconds"] == 0.5
    assert [point.step for point in client.get_metric_history(run.info.run_id, "train_loss")] == [1, 2, 3]
    assert tracker.refit_run_id_ is None
    assert tracker.experiment_id_ == run.info.experiment_id


def test_a_pipeline_is_one_run_with_the_curves_of_its_last_step(net, data, make_tracker, runs, client):
    make_pipeline(StandardScaler(), net(hidden_size=6)).set_callbacks(make_tracker()).fit(*data)

    (run,) = runs()
    assert run.info.run_name == "Pipeline: gru · 6"
    assert run.data.params["net__hidden_size"] == "6"
    assert len(client.get_metric_history(run.info.run_id, "train_loss")) == 3


def test_the_run_says_what_it_was_fitted_to(net, make_tracker, runs):
    X = Sequences.from_arrays([np.ones((3, 2)), np.ones((5, 2))])
    net().set_callbacks(make_tracker(tags={"dataset": "waves"})).fit(X, ["a", "b"])

    (dataset,) = (each.dataset for each in runs()[0].inputs.dataset_inputs)
    assert dataset.name == "waves"
    assert '"n_samples": 2, "n_features": 2, "shortest": 3, "longest": 5' in dataset.profile


def test_the_run_says_where_it_was_made(net, data, make_tracker, runs):
    net().set_callbacks(make_tracker()).fit(*data)

    tags = runs()[0].data.tags
    for name in (
        "host",
        "pid",
        "cpu.model",
        "cpu.cores",
        "version.python",
        "version.scikit-learn",
        "device.name",
    ):
        assert tags[f"seqpipe.{name}"]


def test_a_nan_metric_is_logged_as_nan(net, data, make_tracker, client):
    tracker = make_tracker()
    net(loss=math.nan).set_callbacks(tracker).fit(*data)

    curve = client.get_metric_history(tracker.run_id_, "train_loss")
    assert len(curve) == 3
    assert all(math.isnan(point.value) for point in curve)


def test_a_long_curve_is_complete(net, data, make_tracker, client):
    tracker = make_tracker()
    net(max_epochs=2500).set_callbacks(tracker).fit(*data)

    curve = client.get_metric_history(tracker.run_id_, "train_loss")
    assert sorted(point.step for point in curve) == list(range(1, 2501))


def test_a_failed_fit_ends_its_run_failed(net, data, make_tracker, runs):
    with pytest.raises(ValueError, match="loss is NaN"):
        net(fail=ValueError("loss is NaN")).set_callbacks(make_tracker()).fit(*data)

    assert runs()[0].info.status == "FAILED"
    assert runs()[0].data.tags["seqpipe.error"] == "ValueError: loss is NaN"


def test_an_interrupted_fit_ends_its_run_killed(net, data, make_tracker, runs):
    with pytest.raises(KeyboardInterrupt):
        net(fail=KeyboardInterrupt()).set_callbacks(make_tracker()).fit(*data)

    assert runs()[0].info.status == "KILLED"


def test_a_fit_inside_an_except_block_is_judged_by_itself(net, data, make_tracker, runs):
    try:
        raise KeyError("something else")
    except KeyError:
        net().set_callbacks(make_tracker()).fit(*data)

    assert runs()[0].info.status == "FINISHED"


def test_an_estimator_of_scikit_learn_is_tracked_too(data, make_tracker, runs):
    LogisticRegression(C=0.5).set_callbacks(make_tracker()).fit(*data)

    assert runs()[0].info.status == "FINISHED"
    assert runs()[0].data.params["C"] == "0.5"


def test_the_context_keeps_the_run_open_for_more(net, data, make_tracker, runs, client):
    with make_tracker() as tracker:
        GridSearchCV(net(), {"cell": ["gru"]}, cv=2).set_callbacks(tracker).fit(*data)
        assert client.get_run(tracker.run_id_).info.status == "RUNNING"
        tracker.log_metrics({"held_out_accuracy": 0.9})
        tracker.log_metrics({"held_out_accuracy": 0.9}, refit=True)
        tracker.set_tags({"stage": "final", "folds": 2})

    (parent,), (refit,) = runs("search"), runs("refit")
    assert parent.info.status == "FINISHED"
    assert parent.data.metrics["held_out_accuracy"] == refit.data.metrics["held_out_accuracy"] == 0.9
    assert (parent.data.tags["stage"], parent.data.tags["folds"]) == ("final", "2")


def test_fits_in_threads_share_a_tracker(net, data, make_tracker, runs):
    tracker = make_tracker()
    with ThreadPoolExecutor(4) as threads:
        for ended in [threads.submit(net().set_callbacks(tracker).fit, *data) for _ in range(4)]:
            ended.result()
    assert [run.info.status for run in runs("fit")] == ["FINISHED"] * 4


def test_pictures_texts_and_tables_become_artifacts(net, data, make_tracker, client, tmp_path):
    figure = Figure()
    figure.subplots().plot([1, 2])
    with make_tracker() as tracker:
        net().set_callbacks(tracker).fit(*data)
        tracker.log_figure(figure, "pictures/curve.png")
        tracker.log_text("a recipe", "recipe.yaml")
        tracker.log_table(pd.DataFrame({"a": [1, 2]}), "table.csv")

    folder = client.download_artifacts(tracker.run_id_, "", str(tmp_path))
    found = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert folder
    assert found["curve.png"].startswith(b"\x89PNG")
    assert found["recipe.yaml"] == b"a recipe"
    assert found["table.csv"] == b"a\n1\n2\n"


@pytest.mark.parametrize("kind", ["figure", "picture", "bytes", "fractions", "grey"])
def test_images_of_a_series_are_where_the_interface_looks_for_them(net, data, make_tracker, client, tmp_path, kind):
    colours = np.random.default_rng(0).random((30, 600, 3))
    image = {
        "figure": Figure(),
        "picture": PIL.Image.fromarray((255 * colours).astype(np.uint8)),
        "bytes": (255 * colours).astype(np.uint8),
        "fractions": colours,
        "grey": colours[:, :, :1] > 0.5,
    }[kind]
    with make_tracker() as tracker:
        net().set_callbacks(tracker).fit(*data)
        for step in (1, 2):
            tracker.log_image(image, "held out/first", step=step)

    client.download_artifacts(tracker.run_id_, "", str(tmp_path))
    found = {path.name: PIL.Image.open(io.BytesIO(path.read_bytes())) for path in (tmp_path / "images").iterdir()}
    named = re.compile(r"held out~first\+step\+([12])\+timestamp\+\d{13}\+[\w-]{36}(\+compressed\.webp|\.png)")
    matches = [named.fullmatch(name) for name in found]
    assert sorted(match.groups() for match in matches) == [
        (step, end) for step in "12" for end in ("+compressed.webp", ".png")
    ]
    assert max(max(image.size) for name, image in found.items() if name.endswith(".webp")) == 256
    assert client.get_run(tracker.run_id_).data.tags["mlflow.loggedImages"] == "True"
    if kind in ("bytes", "fractions"):
        written = np.asarray(next(image for name, image in found.items() if name.endswith(".png")))
        np.testing.assert_allclose(written / 255, colours, atol=1 / 255)


@pytest.mark.parametrize(
    ("image", "key", "expected"),
    [
        (np.zeros((4, 4)), "a+b", "letters, digits, spaces"),
        (np.zeros((4, 4, 2)), "a", r"shape \(4, 4, 2\)"),
        (np.full((4, 4), 1.5), "a", "from 0 to 1"),
        (np.full((4, 4), np.nan), "a", "from 0 to 1"),
        (np.full((4, 4), 256), "a", "from 0 to 255"),
        (np.zeros((0, 4)), "a", "at least one"),
        (np.full((4, 4), "x"), "a", "array of numbers"),
    ],
)
def test_an_image_of_another_form_is_refused(net, data, make_tracker, image, key, expected):
    tracker = make_tracker()
    net().set_callbacks(tracker).fit(*data)
    with pytest.raises(ValueError, match=expected):
        tracker.log_image(image, key)


def test_what_is_logged_after_the_fit_is_written_without_a_context_too(net, data, make_tracker, client):
    tracker = make_tracker()
    net().set_callbacks(tracker).fit(*data)
    tracker.log_metrics({"later": 1.0}, refit=True)

    run = client.get_run(tracker.run_id_)
    assert (run.info.status, run.data.metrics["later"]) == ("FINISHED", 1.0)


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("held-out data is gone"), "FAILED", "ValueError: held-out data is gone"),
        (KeyboardInterrupt("Ctrl-C"), "KILLED", "KeyboardInterrupt: Ctrl-C"),
        (SystemExit(143), "KILLED", "SystemExit: 143"),
        (SystemExit(3), "FAILED", "SystemExit: 3"),
        (SystemExit(0), "FINISHED", None),
    ],
)
def test_the_context_ends_the_run_as_the_block_ended(net, data, make_tracker, runs, error, status, reason):
    def work():
        with make_tracker() as tracker:
            net().set_callbacks(tracker).fit(*data)
            raise error

    with pytest.raises(type(error), match=str(error)):
        work()
    assert runs()[0].info.status == status
    assert runs()[0].data.tags.get("seqpipe.error") == reason


def test_a_fit_that_failed_stays_failed_when_the_block_goes_on(net, data, make_tracker, runs):
    with make_tracker() as tracker:
        with pytest.raises(ValueError, match="no"):
            net(fail=ValueError("no")).set_callbacks(tracker).fit(*data)
        net().set_callbacks(tracker).fit(*data)

    assert sorted(run.info.status for run in runs()) == ["FAILED", "FINISHED"]


def test_a_context_without_a_fit_makes_nothing(make_tracker, runs):
    with make_tracker():
        pass
    assert runs() == []


def test_writing_before_a_fit_is_an_error_that_says_so(make_tracker):
    with pytest.raises(TrackingError, match="fit an estimator first"):
        make_tracker().log_metrics({"a": 1.0})
    with pytest.raises(AttributeError, match="known after a fit"):
        _ = make_tracker().run_id_
    assert not hasattr(make_tracker(), "model_uri_")


@pytest.mark.live_tree
def test_a_tracker_is_used_again_for_a_run_of_its_own(net, data, make_tracker, runs):
    tracker = make_tracker()
    first = net().set_callbacks(tracker).fit(*data)
    before = tracker.run_id_
    clone(first).fit(*data)

    assert tracker.run_id_ != before
    assert [run.info.status for run in runs()] == ["FINISHED", "FINISHED"]


def test_fits_in_threads_do_not_mix(net, data, make_tracker, runs, client):
    def fit(epochs):
        return net(max_epochs=epochs).set_callbacks(make_tracker(run_name=str(epochs))).fit(*data)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fit, [2, 3, 4, 5]))
    for run in runs():
        curve = client.get_metric_history(run.info.run_id, "train_loss")
        assert len(curve) == int(run.info.run_name)


@pytest.mark.live_tree
def test_tracked_estimators_are_cross_validated_in_workers(net, data, make_tracker, runs):
    cross_val_score(net().set_callbacks(make_tracker()), *data, cv=2, n_jobs=2)

    assert [run.info.status for run in runs("fit")] == ["FINISHED", "FINISHED"]


def test_a_pickled_tracker_holds_its_settings_only(net, data, make_tracker, runs):
    tracker = make_tracker(run_name="mine")
    net().set_callbacks(tracker).fit(*data)
    text = pickle.dumps(tracker)
    copied = pickle.loads(text)

    assert len(text) < 1000
    assert (copied.experiment, copied.run_name) == (tracker.experiment, "mine")
    net().set_callbacks(copied).fit(*data)
    assert len(runs()) == 2


def test_importing_the_tracker_leaves_mlflow_and_torch_alone():
    code = "import sys; from seqpipe.tracking import MLflowTracker; print({'mlflow', 'torch'} & {*sys.modules})"
    imported = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert imported.stdout.strip() == "set()"


def test_a_run_can_be_watched_while_it_trains(net, data, make_tracker, client):
    tracker = make_tracker()
    seen = []

    def on_epoch(epoch):
        while epoch == 3 and len(seen) < 2:
            seen[:] = client.get_metric_history(tracker.run_id_, "train_loss")
            time.sleep(0.01)

    net(on_epoch=on_epoch).set_callbacks(tracker).fit(*data)
    assert [point.step for point in seen] == [1, 2]


def test_an_open_run_shows_that_its_process_lives(net, data, make_tracker, client, monkeypatch):
    monkeypatch.setattr("seqpipe.tracking._writer.BEAT_SECONDS", 0.1)
    tracker = make_tracker()
    beats = set()

    def on_epoch(epoch):
        while epoch == 2 and len(beats) < 2:
            beats.add(client.get_run(tracker.run_id_).data.tags["seqpipe.heartbeat"])
            time.sleep(0.02)

    net(on_epoch=on_epoch).set_callbacks(tracker).fit(*data)
    assert len(beats) == 2


def test_a_refused_write_warns_once_and_is_made_good(net, data, make_tracker, client, tables):
    tracker = make_tracker()

    def on_epoch(epoch):
        if epoch == 2:
            tables.hide()
        if epoch == 3:
            while tracker._writer.failure is None:
                time.sleep(0.01)
        if epoch == 5:
            tables.restore()

    with pytest.warns(TrackingWarning, match="kept and written again") as caught:
        net(on_epoch=on_epoch, max_epochs=6).set_callbacks(tracker).fit(*data)
    assert len(caught) == 1
    assert len(client.get_metric_history(tracker.run_id_, "train_loss")) == 6


def test_what_is_lost_in_the_end_is_said(net, data, make_tracker, tables):
    tracker = make_tracker()

    def on_epoch(epoch):
        if epoch == 1:
            tables.hide()
            tracker._writer.timeout = 0.1

    with pytest.warns(TrackingWarning, match="entries were not written"):
        net(on_epoch=on_epoch).set_callbacks(tracker).fit(*data)


@pytest.fixture
def tables(uri):
    """The metrics table of the store, which can be renamed away and restored."""
    with contextlib.closing(sqlite3.connect(uri.removeprefix("sqlite:///"))) as database:
        yield types.SimpleNamespace(
            hide=lambda: database.execute("ALTER TABLE metrics RENAME TO hidden"),
            restore=lambda: database.execute("ALTER TABLE hidden RENAME TO metrics"),
        )
        with contextlib.suppress(sqlite3.OperationalError):
            database.execute("ALTER TABLE hidden RENAME TO metrics")


def test_a_copy_that_reaches_no_writer_says_so(net):
    context = net()._init_callback_context(max_subtasks=1)
    task = context.subcontext(task_name="epoch")
    with pytest.warns(TrackingWarning, match="cannot be reached"):
        MLflowTracker().on_fit_task_end(net(), task, metadata={"epoch": 1, "train_loss": 1.0})


@pytest.mark.live_tree
def test_eight_processes_share_a_fresh_store(tmp_path):
    script = textwrap.dedent(
        f"""
        import os
        import numpy as np
        import mlflow.store.tracking.sqlalchemy_store
        from sklearn.linear_model import LogisticRegression
        from seqpipe.tracking import MLflowTracker

        X, y = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
        uri = "sqlite:///{tmp_path}/mlflow.db"
        children = []
        for i in range(8):
            if not (child := os.fork()):
                tracker = MLflowTracker("shared", tracking_uri=uri, log_model=False)
                LogisticRegression().set_callbacks(tracker).fit(X, y)
                os._exit(0)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 8
        """
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=120)

    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        query = "SELECT status, count(*) FROM runs GROUP BY status"
        assert database.execute(query).fetchall() == [("FINISHED", 8)]
        assert database.execute("SELECT count(*) FROM experiments").fetchone() == (2,)


@pytest.mark.live_tree
def test_a_run_that_sigkill_left_open_is_closed_by_the_next_tracker(tmp_path, net, data):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    script = textwrap.dedent(
        f"""
        import os, signal
        import numpy as np
        from sklearn.linear_model import LogisticRegression
        from seqpipe.tracking import MLflowTracker

        with MLflowTracker("stale", tracking_uri="{uri}", log_model=False) as tracker:
            LogisticRegression().set_callbacks(tracker).fit(np.eye(2), [0, 1])
            os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert subprocess.run([sys.executable, "-c", script]).returncode == -9
    net().set_callbacks(MLflowTracker("stale", tracking_uri=uri, log_model=False)).fit(*data)

    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        found = dict(database.execute("SELECT status, run_uuid FROM runs").fetchall())
        assert set(found) == {"KILLED", "FINISHED"}
        query = "SELECT value FROM tags WHERE key = 'seqpipe.error' AND run_uuid = ?"
        assert database.execute(query, [found["KILLED"]]).fetchone() == ("process ended without closing the run",)
