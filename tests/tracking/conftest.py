"""A store shared by the tests, and an estimator that notifies callbacks as seqpipe's do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cloudpickle import register_pickle_by_value
from mlflow import MlflowClient
from mlflow.entities import Run
from sklearn.base import BaseEstimator, ClassifierMixin

from seqpipe.callbacks import CallbackSupportMixin, with_callbacks
from seqpipe.tracking import MLflowTracker
from seqpipe.tracking._moved import update_moved_store
from seqpipe.tracking._store import open_client
from seqpipe.tracking._uri import database_path


class Net(CallbackSupportMixin, ClassifierMixin, BaseEstimator):
    """Learns nothing, but reports epochs, a summary and its errors.

    ``fail`` is raised in the second epoch, ``loss`` replaces the losses, ``on_epoch`` is called with each epoch.
    """

    def __init__(self, cell="gru", *, hidden_size=8, max_epochs=3, fail=None, loss=None, on_epoch=None):
        self.cell = cell
        self.hidden_size = hidden_size
        self.max_epochs = max_epochs
        self.fail = fail
        self.loss = loss
        self.on_epoch = on_epoch

    @with_callbacks
    def fit(self, X, y):
        context = self._init_callback_context(max_subtasks=self.max_epochs)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        try:
            for epoch in range(1, self.max_epochs + 1):
                self._train_epoch(context, epoch)
        except BaseException as error:
            message = f"{type(error).__name__}: {error}"
            context.call_on_fit_task_end(estimator=self, metadata={"error": message})
            raise
        self.classes_ = np.unique(y)
        summary = {"n_parameters": 5, "fit_seconds": 0.5, "device": "cpu", "stop_reason": "max_epochs"}
        context.call_on_fit_task_end(estimator=self, metadata=summary)
        return self

    def _train_epoch(self, context, epoch):
        task = context.subcontext(task_name="epoch").call_on_fit_task_begin(estimator=self)
        if self.on_epoch is not None:
            self.on_epoch(epoch)
        if self.fail is not None and epoch == 2:
            raise self.fail
        loss = 1 / epoch if self.loss is None else self.loss
        task.call_on_fit_task_end(estimator=self, metadata={"epoch": epoch, "train_loss": loss, "lr": 0.01})

    def predict(self, X):
        return np.repeat(self.classes_[:1], len(X))


@pytest.fixture(scope="session")
def net() -> type[Net]:
    """The class of the estimator, registered so that worker processes can unpickle it."""
    register_pickle_by_value(sys.modules[Net.__module__])
    return Net


@pytest.fixture(scope="session")
def uri(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database shared by all tests, so that it is migrated once."""
    return f"sqlite:///{tmp_path_factory.mktemp('store') / 'mlflow.db'}"


@pytest.fixture(scope="session")
def client(uri: str) -> MlflowClient:
    return open_client(uri, create=True)


@pytest.fixture
def own_uri(uri: str, client: MlflowClient, tmp_path: Path) -> str:
    """A database of this test alone."""
    shutil.copyfile(database_path(uri), tmp_path / "mlflow.db")
    update_moved_store(tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path}/mlflow.db"


@pytest.fixture
def experiment(request: pytest.FixtureRequest) -> str:
    return str(request.node.name)


@pytest.fixture
def make_tracker(uri: str, experiment: str) -> Callable[..., MLflowTracker]:
    """Create a tracker with an experiment named after the test."""

    def make(**options: Any) -> MLflowTracker:
        return MLflowTracker(experiment, **{"tracking_uri": uri, "log_model": False, **options})

    return make


@pytest.fixture
def runs(client: MlflowClient, experiment: str) -> Callable[..., list[Run]]:
    """Read the runs of the test in the order of the search, optionally of one kind only."""

    def read(kind: str | None = None) -> list[Run]:
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return []
        every = client.search_runs([found.experiment_id])
        wanted = [run for run in every if kind in (None, run.data.tags["seqpipe.kind"])]
        return sorted(wanted, key=_order)

    return read


@pytest.fixture(scope="session")
def data() -> tuple[Any, Any]:
    """X of shape (30, 4) and two text labels."""
    X = np.random.default_rng(0).normal(size=(30, 4))
    return X, np.where(np.arange(30) % 2, "odd", "even")


def _order(run: Run) -> tuple[int, int, int]:
    candidate, fold = (int(run.data.tags.get(f"seqpipe.{each}", 0)) for each in ("candidate", "fold"))
    return candidate, fold, run.info.start_time
