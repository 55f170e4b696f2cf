"""Telling the store what it does not know yet about a run."""

from __future__ import annotations

import json
import re
import tempfile
from dataclasses import asdict
from itertools import islice
from pathlib import Path, PurePosixPath

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._run import Point, Run
from seqpipe.tracking._stale import process_tags

__all__ = ["Publisher"]

#: MLflow takes 1,000 entries at once, 100 of them parameters and 100 tags; names and values up to a length.
_POINTS, _PARAMS, _TAGS = 800, 100, 100
_KEY_LENGTH, _TAG_LENGTH = 250, 5000
_FOREIGN = re.compile(r"[^\w .:/-]")


class Publisher:
    """Writes runs to one experiment.

    Every write is safe to repeat, so a refused one is simply tried again: an entry leaves the run's outbox
    when the store has it.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id : str
        Where new runs go.
    """

    def __init__(self, client: MlflowClient, experiment_id: str) -> None:
        self.client = client
        self.experiment_id = experiment_id

    def publish(self, run: Run) -> str:
        """Write all that is pending about a run and return its id; raises what the store raises."""
        run_id = run.run_id or self._create(run)
        while run.params or run.tags or run.points:
            self._write_batch(run, run_id)
        if run.renamed:
            self.client.update_run(run_id, name=run.name[:_KEY_LENGTH])
            run.renamed = False
        if run.data is not None:
            self.client.log_inputs(run_id, [_dataset_input(run.data)])
            run.data = None
        self._write_files(run, run_id)
        if run.ending and run.outcome is not None:
            self.client.set_terminated(run_id, run.outcome.status, end_time=run.end)
            run.ending = False
        return run_id

    def _create(self, run: Run) -> str:
        tags = dict(process_tags())
        if run.parent is not None:
            tags["mlflow.parentRunId"] = run.parent.run_id or self._create(run.parent)
        name = run.name[:_KEY_LENGTH]
        made = self.client.create_run(self.experiment_id, start_time=run.start, tags=tags, run_name=name)
        run.run_id = str(made.info.run_id)
        run.renamed = False
        return run.run_id

    def _write_batch(self, run: Run, run_id: str) -> None:
        points = run.points[:_POINTS]
        params = dict(islice(run.params.items(), _PARAMS))
        tags = dict(islice(run.tags.items(), _TAGS))
        self.client.log_batch(
            run_id,
            metrics=[_metric(point) for point in points],
            params=[Param(_key(key), value) for key, value in params.items()],
            tags=[RunTag(_key(key), value[:_TAG_LENGTH]) for key, value in tags.items()],
        )
        del run.points[: len(points)]
        for key in params:
            del run.params[key]
        for key in tags:
            del run.tags[key]

    def _write_files(self, run: Run, run_id: str) -> None:
        for name in list(run.files):
            path = PurePosixPath(name)
            with tempfile.TemporaryDirectory() as folder:
                local = Path(folder) / path.name
                local.write_bytes(run.files[name])
                self.client.log_artifact(run_id, str(local), str(path.parent) if path.parent.name else None)
            del run.files[name]


def _key(name: str) -> str:
    return _FOREIGN.sub("_", name)[:_KEY_LENGTH]


def _metric(point: Point) -> Metric:
    return Metric(_key(point.key), point.value, point.time, point.step)


def _dataset_input(data: DataSet) -> DatasetInput:
    """Describe training data to MLflow, whose digests are at most 36 characters long."""
    profile = json.dumps(asdict(data))
    dataset = Dataset(data.name, data.sha256[:32], source_type="code", source="{}", profile=profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
