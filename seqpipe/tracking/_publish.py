"""Write the pending entries of runs to the store."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from uuid import UUID

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.entities import Run as StoredRun
from mlflow.exceptions import MlflowException

from seqpipe.tracking._direct import TAG_LENGTH, DirectWriter, creation_tags
from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._found_runs import delete_twins, find_runs, missing_points, stored_points
from seqpipe.tracking._inputs import EVALUATION, TRAINING, data_of, input_of
from seqpipe.tracking._keys import KEY_LENGTH, as_path, stored_key
from seqpipe.tracking._logged_model import find_logged, link_scores, upload_model
from seqpipe.tracking._outcome import FINISHED, now
from seqpipe.tracking._process import BEAT, process_tags
from seqpipe.tracking._quiet import quiet
from seqpipe.tracking._run import Point, Run, Scores
from seqpipe.tracking._show import show_search
from seqpipe.tracking._tree import RunTree

__all__ = ["Publisher"]

#: Limits of MLflow: 1,000 entries per request, of which 100 parameters and 100 tags.
_POINTS, _PARAMS, _TAGS = 800, 100, 100
#: Error codes for entries that MLflow never accepts, and errors with such a code of two processes that write the same at once.
_PERMANENT = ("BAD_REQUEST", "INVALID_PARAMETER_VALUE")
#: Errors of values that cannot be sent or stored at all.
_UNWRITABLE = (OverflowError, UnicodeError)
_COLLISIONS = re.compile("IntegrityError|UniqueViolation")

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
    progressed : callable, optional
        Called after each write.

    Attributes
    ----------
    left_out : dict of str to str
        Entries that the store never accepts, with the reason.
    is_uploading : bool
        Whether a file or model is being uploaded, which may take long.
    """

    def __init__(
        self, client: MlflowClient, experiment_id: str, progressed: Callable[[], object] = lambda: None
    ) -> None:
        self.client = client
        self.experiment_id = experiment_id
        self.left_out: dict[str, str] = {}
        self.is_uploading = False
        self._direct = DirectWriter.of(client.tracking_uri, experiment_id)
        self._progressed = progressed
        #: Runs of earlier fits that are continued, until their numbers in this fit are known.
        self._continued: dict[str, StoredRun] = {}
        self._looked_up: set[UUID] = set()

    def publish_tree(self, tree: RunTree, is_away: Callable[[Exception], bool]) -> None:
        """Write all pending entries of a tree: contents of parents before their children, outcomes in reverse.

        A run that fails does not keep the others waiting, unless ``is_away`` tells that the store does not answer; the first
        error is raised at the end.
        """
        self.look_up(tree)
        failures: list[Exception] = []
        for run in [run for run in tree.runs if run.pending_contents]:
            try:
                self.write_contents(run)
            except Exception as error:
                failures.append(error)
                if is_away(error):
                    break
        if not failures or not is_away(failures[-1]):
            self._write_outcomes(tree)
        if failures:
            raise failures[0]

    def write_directly(self, tree: RunTree) -> bool:
        """Write what an embedded store takes without MLflow's client; return whether that is all of a tree."""
        if self._direct is None:
            return False
        self.look_up(tree)
        if self._direct.write(tree, self._continued):
            self._progressed()
        return not any(run.pending for run in tree.runs)

    def look_up(self, tree: RunTree) -> None:
        """Find the runs that the tree continues, or the group that it is a member of, unless that is done."""
        outermost = next((each for each in reversed([tree, *tree.above]) if each.continues), None)
        if outermost is not None and outermost.id not in self._looked_up:
            with quiet():
                self._continued |= find_runs(self.client, self.experiment_id, outermost.root.key)
            self._looked_up.add(outermost.id)

    def write_contents(self, run: Run) -> None:
        """Create a run if necessary, and write its pending entries but the outcome."""
        run_id = run.run_id or self._create(run)
        try:
            if run.doubtful:
                self._compare(run, run_id)
            if run.known_points is not None:
                run.points = [point for point in run.points if self._place_of(run, point) not in run.known_points]
            self._write_entries_of(run, run_id)
            run.doubtful = False
        except Exception:
            run.doubtful = True
            raise

    def adopt(self, tree: RunTree) -> None:
        """Take over the runs that the process wrote which recorded the tree."""
        found = find_runs(self.client, self.experiment_id, tree.root.key)
        for run in tree.runs:
            run.doubtful, run.continued = True, tree.continues
            if run.key in found:
                _identify(run, found[run.key])

    def _write_outcomes(self, tree: RunTree) -> None:
        """Write the outcomes of complete runs; a parent waits for its children."""
        waiting = {id(tree.root)} if tree.waits else set()
        for run in reversed(tree.runs):
            if run.ending and not run.pending_contents and id(run) not in waiting:
                self._write_outcome(run)
            if run.pending or run.outcome is None:
                waiting.add(id(run.parent))

    def _write_outcome(self, run: Run) -> None:
        if run.may_have_twin:
            delete_twins(self.client, self.experiment_id, run)
        if run.outcome is not None and run.run_id is not None and not (run.was_finished and run.outcome == FINISHED):
            self.client.set_terminated(run.run_id, run.outcome.status, end_time=run.end)
        run.ending = run.may_have_twin = False
        self._progressed()

    def _create(self, run: Run) -> str:
        if run.parent is not None and run.parent.run_id is None:
            self._create(run.parent)
        found = find_runs(self.client, self.experiment_id, run.key) if run.doubtful else {}
        continued = self._continued.pop(run.key, None)
        if continued is not None:
            run.doubtful = run.continued = True
        try:
            _identify(run, continued or found.get(run.key) or self._new(run))
        except Exception:
            run.doubtful = run.may_have_twin = True
            raise
        self._progressed()
        return str(run.run_id)

    def _new(self, run: Run) -> StoredRun:
        tags = creation_tags(run, None if run.parent is None else str(run.parent.run_id))
        name = run.name[:KEY_LENGTH]
        made = self.client.create_run(self.experiment_id, start_time=run.start, tags=tags, run_name=name)
        run.renamed = False
        return made

    def _compare(self, run: Run, run_id: str) -> None:
        """Drop what the store has already, and open the run again if it was taken for one of a process that ended."""
        stored = self.client.get_run(run_id)
        if stored.info.lifecycle_stage == "deleted":
            run.settle()
            return
        if run.continued:
            self._continue(run, stored)
            return
        keys = {point.key: stored_key(run.keys, "metric", point.key) for point in run.points}
        run.points = missing_points(self.client, stored, keys, run.points)
        if stored.info.status == "KILLED" and (run.outcome is None or run.ending):
            self._reopen(run, stored)

    def _continue(self, run: Run, stored: StoredRun) -> None:
        """Leave what an earlier fit has written to a run as it is, and open the run again if it was interrupted."""
        if run.known_points is None:
            run.known_points = stored_points(self.client, stored)
        there = stored.data.params
        run.params = {
            name: value for name, value in run.params.items() if stored_key(run.keys, "param", name) not in there
        }
        if data_of(stored, TRAINING) is not None:
            run.data = None
        goes_on = run.grows and (run.outcome is None or run.ending)
        run.was_finished = stored.info.status == "FINISHED" and not goes_on
        if stored.info.status in ("KILLED", "FAILED") or (stored.info.status == "FINISHED" and goes_on):
            run.tags |= {**process_tags(), BEAT: str(now())}
            self._reopen(run, stored)

    def _place_of(self, run: Run, point: Point) -> tuple[str, int]:
        return stored_key(run.keys, "metric", point.key), point.step

    def _reopen(self, run: Run, stored: StoredRun) -> None:
        if "seqpipe.error" in stored.data.tags:
            self.client.delete_tag(stored.info.run_id, "seqpipe.error")
            if run.outcome is not None and run.outcome.reason:
                run.tags["seqpipe.error"] = run.outcome.reason
        self.client.update_run(stored.info.run_id, status="RUNNING")

    def _write_entries_of(self, run: Run, run_id: str) -> None:
        while run.params or run.tags or run.points:
            self._write_batch(run, run_id)
            self._progressed()
        if run.renamed:
            name = run.name[:KEY_LENGTH]
            self._attempt(f"name {name!r}", lambda: self.client.update_run(run_id, name=name))
            run.renamed = False
        if run.data is not None:
            self._write_input(run_id, run.data, TRAINING)
            run.data = None
        if run.held_out is not None:
            self._write_input(run_id, run.held_out, EVALUATION)
            run.held_out = None
        if run.view is not None:
            self._attempt(
                "views of the search", partial(show_search, self.client, self.experiment_id, run_id, run.view)
            )
            run.view = None
        self._upload(run, run_id)

    def _write_input(self, run_id: str, data: DataSet, context: str) -> None:
        inputs = [input_of(data, context)]
        self._attempt(f"data set {data.name!r}", lambda: self.client.log_inputs(run_id, inputs))

    def _upload(self, run: Run, run_id: str) -> None:
        self.is_uploading = True
        try:
            for name in list(run.files):
                self._attempt(f"file {name!r}", partial(self._write_file, run_id, name, run.files[name]))
                del run.files[name]
                self._progressed()
            while run.models:
                self._attempt("model", partial(self._write_model, run, run_id))
                del run.models[0]
                self._progressed()
        finally:
            self.is_uploading = False
        if run.scores is not None:
            self._attempt("scores of the model", partial(self._link_scores, run, run_id, run.scores))
            run.scores = None

    def _write_model(self, run: Run, run_id: str) -> None:
        saved = run.models[0]
        there = find_logged(self.client, run_id) if run.continued else None
        uri = there or upload_model(self.client, self.experiment_id, run_id, saved, again=run.doubtful)
        if saved.fit is not None:
            link = partial(link_scores, self.client, run_id, uri, saved.fit, run.keys)
            self._attempt("metrics of the model", link)
        run.model_uris.append(uri)

    def _link_scores(self, run: Run, run_id: str, scores: Scores) -> None:
        uri = run.model_uris[-1] if run.model_uris else find_logged(self.client, run_id)
        if uri is not None:
            link_scores(self.client, run_id, uri, scores, run.keys)

    def _write_batch(self, run: Run, run_id: str) -> None:
        points = run.points[:_POINTS]
        params = dict(islice(run.params.items(), _PARAMS))
        tags = dict(islice(run.tags.items(), _TAGS))
        entries: list[Entry] = [_metric(run, point) for point in points]
        entries += [Param(stored_key(run.keys, "param", key), value) for key, value in params.items()]
        entries += [RunTag(stored_key(run.keys, "tag", key), value[:TAG_LENGTH]) for key, value in tags.items()]
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
        except Exception as error:
            if not _is_permanent(error):
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
        except Exception as error:
            if isinstance(error, MlflowException) and _COLLISIONS.search(str(error)):
                write()  # by now the store has what another process wrote
            elif _is_permanent(error):
                self._leave_out(what, error)
            else:
                raise

    def _leave_out(self, what: str, error: Exception) -> None:
        self.left_out[what] = str(error).strip().partition("\n")[0].encode(errors="backslashreplace").decode()

    def _write_file(self, run_id: str, name: str, source: Path) -> None:
        path = PurePosixPath(as_path(name))
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / path.name
            shutil.copyfile(source, local)
            self.client.log_artifact(run_id, str(local), str(path.parent) if path.parent.name else None)


def _is_permanent(error: BaseException | None) -> bool:
    if not isinstance(error, MlflowException):
        return isinstance(error, _UNWRITABLE)
    if isinstance(error.__cause__, _UNWRITABLE):  # MLflow says "internal error"
        return True
    return error.error_code in _PERMANENT and not _COLLISIONS.search(str(error))


def _identify(run: Run, stored: StoredRun) -> None:
    run.run_id, run.artifact_uri = str(stored.info.run_id), str(stored.info.artifact_uri)


def _metric(run: Run, point: Point) -> Metric:
    return Metric(stored_key(run.keys, "metric", point.key), point.value, point.time, point.step)
