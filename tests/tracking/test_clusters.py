"""Searches on Dask and with Ray Tune, on this machine; each is skipped where it is not installed."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from rich.console import Console
from sklearn.model_selection import GridSearchCV, cross_val_score

from seqpipe import MLflowTracker, SearchProgress, SequenceClassifier, resumable

ALL = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")
RANDOM = np.random.default_rng(0)
X = [RANDOM.normal(size=(RANDOM.integers(3, 11), 2)) for _ in range(24)]
Y = np.array([str(int(x[:, 0].sum() > 0)) for x in X])

pytestmark = [pytest.mark.live_tree, pytest.mark.filterwarnings("ignore")]  # those libraries warn about many things


def make_search(max_epochs: int = 3) -> GridSearchCV:
    model = SequenceClassifier(max_epochs=max_epochs, batch_size=4, random_state=0, dropout=0.1)
    return GridSearchCV(model, {"hidden_size": [4, 8]}, cv=2)


def on_dask(search: Any, *, processes: bool = True) -> Any:
    distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'dask[distributed]'")
    size = {"n_workers": 2, "threads_per_worker": 1} if processes else {"n_workers": 1, "threads_per_worker": 2}
    with (
        distributed.LocalCluster(processes=processes, dashboard_address=None, **size) as cluster,
        distributed.Client(cluster),
        joblib.parallel_backend("dask"),
    ):
        return search.fit(X, Y)


def assert_same(search: GridSearchCV, *, max_epochs: int = 3) -> None:
    alone = make_search(max_epochs).fit(X, Y)
    for name in ("mean_test_score", "split0_test_score", "split1_test_score", "rank_test_score"):
        assert search.cv_results_[name].tolist() == alone.cv_results_[name].tolist()
    assert search.predict_proba(X).tolist() == alone.predict_proba(X).tolist()


def assert_complete(client: Any, experiment: str, *, max_epochs: int = 3) -> None:
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    assert Counter(run.data.tags["seqpipe.kind"] for run in found) == {
        "search": 1,
        "candidate": 2,
        "fold": 4,
        "refit": 1,
    }
    assert {run.info.status for run in found} == {"FINISHED"}
    for run in found:
        if run.data.tags["seqpipe.kind"] in ("fold", "refit"):
            steps = [point.step for point in client.get_metric_history(run.info.run_id, "train_loss")]
            assert steps == list(range(1, max_epochs + 1))


@pytest.mark.parametrize("processes", [True, False] if ALL else [True])
def test_a_search_on_dask_is_recorded_and_its_progress_shown(make_tracker, client, experiment, processes):
    shown = io.StringIO()
    search = make_search().set_callbacks(make_tracker(), SearchProgress(Console(file=shown, width=200)))
    on_dask(search, processes=processes)

    assert_same(search)
    assert_complete(client, experiment)
    assert shown.getvalue().splitlines()[-1].startswith("5 fits in")


def kept_search(folder: Path, uri: str) -> Any:
    tracker = MLflowTracker(str(folder), tracking_uri=uri, log_model=False, continues=folder / "fits")
    return resumable(make_search(40), folder / "fits", every_n_updates=20).set_callbacks(tracker)


def kill_soon(folder: Path) -> None:
    """SIGKILL this process when a second worker has written checkpoints."""
    while len(list((folder / "fits").glob("*/*"))) < 4:
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(not ALL, reason="long; make faults runs it")
def test_a_search_on_dask_that_was_killed_is_resumed(tmp_path, uri, client):
    pytest.importorskip("distributed", reason="Dask is not installed: pip install 'dask[distributed]'")
    killed = subprocess.run([sys.executable, __file__, str(tmp_path), uri], check=False)  # Dask does not survive a fork
    assert killed.returncode == -signal.SIGKILL
    search = on_dask(kept_search(tmp_path, uri))

    assert_same(search, max_epochs=40)
    assert_complete(client, str(tmp_path), max_epochs=40)


@pytest.mark.skipif(not ALL, reason="long; make faults runs it")
@pytest.mark.parametrize("is_resumable", [False, True])
def test_a_fold_whose_dask_worker_was_killed_is_one_run(make_tracker, client, experiment, tmp_path, is_resumable):
    marks = tmp_path / "marks"
    marks.mkdir()

    class Kill(SequenceClassifier):
        """Ends its process in the first fit of the second fold to get to its update 30, once."""

        def _listened_fit(self, *args: Any, **options: Any) -> Any:
            from seqpipe.training import SequenceNet

            made, step = [], SequenceNet.train_step

            def train_step(net: Any, batch: Any, **params: Any) -> Any:
                made.append(1)
                if len(made) == 30:
                    try:
                        (marks / "killed").touch(exist_ok=False)
                    except FileExistsError:
                        pass
                    else:
                        os.kill(os.getpid(), signal.SIGKILL)
                return step(net, batch, **params)

            SequenceNet.train_step = train_step
            try:
                return super()._listened_fit(*args, **options)
            finally:
                SequenceNet.train_step = step

    model = Kill(max_epochs=20, batch_size=4, random_state=0)
    search = GridSearchCV(model, {"hidden_size": [4, 8]}, cv=2)
    if is_resumable:
        search = resumable(search, tmp_path / "fits", every_n_updates=10)
    on_dask(search.set_callbacks(make_tracker()))

    assert (marks / "killed").exists()
    assert_complete(client, experiment, max_epochs=20)


def test_each_trial_of_ray_tune_is_a_run_with_its_fits(make_tracker, runs, client, tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'ray[tune]'")
    tune = pytest.importorskip("ray.tune", reason="Ray Tune is not installed: pip install 'ray[tune]'")

    def trainable(config: dict[str, Any], tracker: MLflowTracker, X: Any, y: Any) -> None:
        with tracker.group(tune.get_context().get_trial_name(), config):
            model = SequenceClassifier(**config, max_epochs=2, random_state=0).set_callbacks(tracker)
            score = cross_val_score(model, X, y, cv=2).mean()
            tracker.log_metrics({"mean_test_score": score})
        tune.report({"score": score})

    tracker = make_tracker()
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR")
    try:
        with tracker.group("ray tune"):
            results = tune.Tuner(
                tune.with_parameters(trainable, tracker=tracker, X=X, y=Y),
                param_space={"hidden_size": tune.grid_search([4, 8])},
                tune_config=tune.TuneConfig(metric="score", mode="max"),
                run_config=tune.RunConfig(storage_path=str(tmp_path), verbose=0),
            ).fit()
    finally:
        ray.shutdown()

    found = runs()
    assert Counter(run.data.tags["seqpipe.kind"] for run in found) == {"group": 3, "fit": 4}
    assert {run.info.status for run in found} == {"FINISHED"}
    [outer] = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    trials = {run.info.run_id: run for run in runs("group") if run is not outer and run.data.params}
    assert {run.data.tags["mlflow.parentRunId"] for run in trials.values()} == {outer.info.run_id}
    scores = {run.data.params["hidden_size"]: run.data.metrics["mean_test_score"] for run in trials.values()}
    assert scores == {str(result.config["hidden_size"]): result.metrics["score"] for result in results}
    for run in runs("fit"):
        above = trials[run.data.tags["mlflow.parentRunId"]]
        assert run.data.params["hidden_size"] == above.data.params["hidden_size"]
        assert [point.step for point in client.get_metric_history(run.info.run_id, "train_loss")] == [1, 2]


if __name__ == "__main__":  # as a process that is killed
    threading.Thread(target=kill_soon, args=[Path(sys.argv[1])], daemon=True).start()
    on_dask(kept_search(Path(sys.argv[1]), sys.argv[2]))
