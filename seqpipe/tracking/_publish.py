"""Write the pending entries of runs to the store."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._run import Point, Run
from seqpipe.tracking._stale import process_tags

__all__ = ["Publisher"]

#: Limits of MLflow: 1,000 entries per request, of which 100 parameters and 100 tags; lengths of names and values.
_POINTS, _PARAMS, _TAGS = 800, 100, 100
_KEY_LENGTH, _TAG_LENGTH = 250, 5000
_INVALID = re.compile(r"[^\w .:/-]")
#: Error codes for entries that MLflow never accepts.
_PERMANENT = ("BAD_REQUEST", "INVALID_PARAMETER_VALUE")

Entry = Metric | Param | RunTag


class Publisher:
    """Writes runs to one experiment.

    Every write is safe to repeat, so a failed one is simply retried: an entry leaves the outbox of its run once the
    store has it. Entries that the store never accepts are dropped and listed in ``left_out``.

    Parameters
    ----------
    client : MlflowClient
        Client of the store.
    experiment_id : str
        Experiment of new runs.

    Attributes
    ----------
    left_out : dict of str to str
        Entries that the store never accepts, with the reason.
    """

    def __init__(self, client: MlflowClient, experiment_id: str) -> None:
        self.client = client
        self.experiment_id = experiment_id
        self.left_out: dict[str, str] = {}

    def publish(self, run: Run) -> str:
        """Write all pending entries of a run and return its id; errors of the store propagate."""
        run_id = run.run_id or self._create(run)
        try:
            self._write_contents(run, run_id)
        finally:  # the status must not wait for the contents
            self._write_status(run, run_id)
        return run_id

    def _write_contents(self, run: Run, run_id: str) -> None:
        while run.params or run.tags or run.points:
            self._write_batch(run, run_id)
        if run.renamed:
            name = run.name[:_KEY_LENGTH]
            self._attempt(f"name {name!r}", lambda: self.client.update_run(run_id, name=name))
            run.renamed = False
        if run.data is not None:
            inputs = [_dataset_input(run.data)]
            self._attempt(f"data set {run.data.name!r}", lambda: self.client.log_inputs(run_id, inputs))
            run.data = None
        for name in list(run.files):
            self._attempt(f"file {name!r}", partial(self._write_file, run_id, name, run.files[name]))
            del run.files[name]

    def _write_status(self, run: Run, run_id: str) -> None:
        if run.ending and run.outcome is not None:
            self.client.set_terminated(run_id, run.outcome.status, end_time=run.end)
            run.ending = False

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
        entries: list[Entry] = [_metric(run, point) for point in points]
        entries += [Param(_key(run, "param", key), value) for key, value in params.items()]
        entries += [RunTag(_key(run, "tag", key), value[:_TAG_LENGTH]) for key, value in tags.items()]
        self._write_entries(run_id, entries)
        del run.points[: len(points)]
        for key in params:
            del run.params[key]
        for key in tags:
            del run.tags[key]

    def _write_entries(self, run_id: str, entries: list[Entry]) -> None:
        """Write entries; if the store rejects a batch because of one entry, split it and write the others."""
        try:
            self.client.log_batch(
                run_id,
                metrics=[entry for entry in entries if isinstance(entry, Metric)],
                params=[entry for entry in entries if isinstance(entry, Param)],
                tags=[entry for entry in entries if isinstance(entry, RunTag)],
            )
        except MlflowException as error:
            if error.error_code not in _PERMANENT:
                raise
            if len(entries) == 1:
                self._leave_out(f"{type(entries[0]).__name__} {entries[0].key!r}", error)
                return
            half = len(entries) // 2
            self._write_entries(run_id, entries[:half])
            self._write_entries(run_id, entries[half:])

    def _attempt(self, what: str, write: Callable[[], object]) -> None:
        try:
            write()
        except MlflowException as error:
            if error.error_code not in _PERMANENT:
                raise
            self._leave_out(what, error)

    def _leave_out(self, what: str, error: MlflowException) -> None:
        self.left_out[what] = str(error).strip().partition("\n")[0]

    def _write_file(self, run_id: str, name: str, content: bytes) -> None:
        path = PurePosixPath(_normalized(name))
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / path.name
            local.write_bytes(content)
            self.client.log_artifact(run_id, str(local), str(path.parent) if path.parent.name else None)


def _key(run: Run, kind: str, name: str) -> str:
    """Return the key of an entry: valid in MLflow and unique within its run."""
    key = _normalized(_INVALID.sub("_", name)[:_KEY_LENGTH])
    if run.keys.setdefault((kind, key), name) == name:
        return key
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{key[: _KEY_LENGTH - 9]}-{digest}"


def _normalized(name: str) -> str:
    """Return a name without empty, "." and ".." path components, which MLflow rejects."""
    return "/".join(part for part in name.split("/") if part not in ("", ".", "..")) or "_"


def _metric(run: Run, point: Point) -> Metric:
    return Metric(_key(run, "metric", point.key), point.value, point.time, point.step)


def _dataset_input(data: DataSet) -> DatasetInput:
    """Return training data as MLflow's input of a run; its digest has at most 36 characters."""
    profile = json.dumps(asdict(data))
    digest = data.sha256[:24] + (data.targets_sha256 or "")[:12]
    dataset = Dataset(data.name, digest, source_type="code", source="{}", profile=profile)
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
