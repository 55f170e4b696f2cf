"""The searches and fits of a store that are running."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mlflow import MlflowClient

from seqpipe.tables import count
from seqpipe.tracking._found_runs import KEY, find_runs
from seqpipe.tracking._process import BEAT, is_alive, is_here, process_of
from seqpipe.tracking._reach import store_error
from seqpipe.tracking._run import N_FITS
from seqpipe.tracking._stale import open_runs
from seqpipe.tracking._store import open_client

__all__ = ["RunningFit", "read_status"]

#: Kinds of runs of outermost fits, and of the fits of a search.
_OUTERMOST, _FITS = ("search", "fit"), ("fold", "refit")
#: Metrics whose lowest value is the best so far, the first that a fit has.
_LOSSES = ("valid_loss", "train_loss")


@dataclass(frozen=True)
class RunningFit:
    """A search or fit whose run is open.

    Attributes
    ----------
    name, kind, experiment, run_id : str
        Of the parent run; kind is "search" or "fit".
    since : datetime
        When it began.
    done, failed : int
        Numbers of fits that have ended, and of those of them that failed.
    n_fits : int or None
        Number of all fits; None if that is not known.
    epochs : dict of str to (int, int or None)
        Epochs done, and planned if that is known, of each fit that is running, by its name.
    best : (str, float, str) or None
        Name and value of the best score of a search, or of its best candidate so far of which all folds are scored, else of
        the lowest loss that an ended fit had in its last epoch; and the name of the run that has it.
    process : str
        The process that fits.
    is_here, is_alive : bool
        Whether that process belongs to this host, and whether it may still run.
    silent_seconds : float or None
        Seconds since its last sign of life, which it gives each minute; None if it gave none.
    """

    name: str
    kind: str
    experiment: str
    run_id: str
    since: datetime
    done: int
    failed: int
    n_fits: int | None
    epochs: dict[str, tuple[int, int | None]]
    best: tuple[str, float, str] | None
    process: str
    is_here: bool
    is_alive: bool
    silent_seconds: float | None

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        since = self.since.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        found = [f"{self.kind} {self.name!r} of experiment {self.experiment!r}, since {since}, run {self.run_id}"]
        if self.kind == "search":
            of_all = "" if self.n_fits is None else f" of {self.n_fits}"
            failed = f", {self.failed} failed" if self.failed else ""
            found.append(f"  {self.done}{of_all} fits done{failed}, {count(len(self.epochs), 'fit')} running")
        if self.best is not None:
            name, value, run = self.best
            found.append(f"  {'lowest' if name in _LOSSES else 'best'} {name} so far: {value:.4g} ({run})")
        for name, (epoch, planned) in self.epochs.items():
            found.append(f"  {name}: epoch {epoch}" + (f" of {planned}" if planned else ""))
        alive = ("is running" if self.is_here else "may be running") if self.is_alive else "has ended"
        heard = "" if self.silent_seconds is None else f", last sign of life {self.silent_seconds:.0f} s ago"
        return [*found, f"  {self.process} {alive}{heard}"]


def read_status(tracking_uri: str | None = None) -> list[RunningFit]:
    """Return the searches and fits that are running in a store, the newest first.

    Parameters
    ----------
    tracking_uri : str, optional
        URI of the store; by default MLFLOW_TRACKING_URI, else the embedded store of the working folder.

    Returns
    -------
    running : list of RunningFit
        As of the last write to the store, which is about a second old.

    Raises
    ------
    TrackingError
        If the store cannot be used.
    """
    client = open_client(tracking_uri)
    try:
        experiments = {each.experiment_id: each.name for each in client.search_experiments()}
        found = [run for run in open_runs(client, list(experiments)) if run.data.tags.get("seqpipe.kind") in _OUTERMOST]
        status = [_status(client, run, experiments[run.info.experiment_id]) for run in found]
    except Exception as error:
        raise store_error(client.tracking_uri, error) from error
    return sorted(status, key=lambda each: each.since, reverse=True)


def _status(client: MlflowClient, root: Any, experiment: str) -> RunningFit:
    key = root.data.tags.get(KEY, "")
    below = find_runs(client, root.info.experiment_id, key) if key else {}
    root = below.get(key, root)  # as new as those below it
    tags, kind = root.data.tags, root.data.tags["seqpipe.kind"]
    fits = [run for run in below.values() if run.data.tags.get("seqpipe.kind") in _FITS] if kind == "search" else [root]
    ended = [run for run in fits if run.info.status != "RUNNING"]
    beat = tags.get(BEAT, "")
    return RunningFit(
        name=root.info.run_name,
        kind=kind,
        experiment=experiment,
        run_id=root.info.run_id,
        since=datetime.fromtimestamp(root.info.start_time / 1000).astimezone(),
        done=len(ended),
        failed=sum(run.info.status != "FINISHED" for run in ended),
        n_fits=_number(tags.get(N_FITS, "")),
        epochs={run.info.run_name: _epochs(client, run) for run in fits if run.info.status == "RUNNING"},
        best=_best(root, below.values(), ended if kind == "search" else [root]),
        process=process_of(tags),
        is_here=is_here(tags),
        is_alive=is_alive(tags),
        silent_seconds=max(0.0, time.time() - int(beat) / 1000) if beat.isdecimal() else None,
    )


def _epochs(client: MlflowClient, run: Any) -> tuple[int, int | None]:
    keys = [key for key in _LOSSES if key in run.data.metrics]
    done = max((point.step for key in keys[:1] for point in client.get_metric_history(run.info.run_id, key)), default=0)
    return done, _number(run.data.tags.get("seqpipe.n_epochs", ""))


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _best(root: Any, below: Iterable[Any], fits: list[Any]) -> tuple[str, float, str] | None:
    score = root.data.metrics.get("best_score", math.nan)
    if math.isfinite(score):
        return "score", score, root.info.run_name
    candidates = [run for run in below if run.data.tags.get("seqpipe.kind") == "candidate"]
    if (best := _best_candidate(candidates, root.data.params.get("refit", "score"))) is not None:
        return best
    for loss in _LOSSES:
        values = [(run.data.metrics[loss], run.info.run_name) for run in fits if loss in run.data.metrics]
        if finite := [(value, name) for value, name in values if math.isfinite(value)]:
            return (loss, *min(finite))
    return None


def _best_candidate(candidates: list[Any], refit: str) -> tuple[str, float, str] | None:
    """Return metric, value and name of the best of the candidates that are scored; of several rungs in the last of these.

    Of several metrics it is the one that the search refits by.
    """
    for metric in dict.fromkeys([refit, "score"]):
        key = f"mean_test_{metric}"
        scored = [run for run in candidates if math.isfinite(run.data.metrics.get(key, math.nan))]
        if scored:
            best = max(scored, key=lambda run: (int(run.data.tags.get("seqpipe.rung", 0)), run.data.metrics[key]))
            return metric, best.data.metrics[key], best.info.run_name
    return None
