"""`MLflowTracker`, the callback that records fits as trees of MLflow runs."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from seqpipe.callbacks import FitTask
from seqpipe.exceptions import TrackingError, TrackingWarning
from seqpipe.tracking._adapter import Place
from seqpipe.tracking._arguments import check_name, check_text, checked_metadata, checked_texts
from seqpipe.tracking._continued import kept_key
from seqpipe.tracking._diagnosis import Diagnosis, check_diagnostics, diagnose
from seqpipe.tracking._entries import LoggedEntries
from seqpipe.tracking._events import EntriesAdded, ModelAdded
from seqpipe.tracking._groups import GroupedFits
from seqpipe.tracking._held_out import WINNER
from seqpipe.tracking._image import drawn
from seqpipe.tracking._names import candidate_name
from seqpipe.tracking._outcome import now, outcome_of
from seqpipe.tracking._params import scalar_params
from seqpipe.tracking._run import Run
from seqpipe.tracking._tree import RunTree
from seqpipe.tracking._uri import redacted_uri

if TYPE_CHECKING:
    from matplotlib.figure import Figure


__all__ = ["MLflowTracker"]


class MLflowTracker(LoggedEntries, GroupedFits):
    """Record fits as MLflow runs, while they happen.

    A search is recorded as a parent run with candidate, fold and refit runs, a fit without a search as a single run.
    Each run has parameters, curves per epoch, scores and real times, and ends as FINISHED, FAILED or KILLED with the
    reason. Works with any ``n_jobs``: worker processes send events to this process, which alone writes.

    As a context manager it keeps the parent run open after the fit, for scores on held-out data and pictures, and
    ends it with the block.

    Parameters
    ----------
    experiment : str, default="seqpipe"
        Name of the MLflow experiment; created if it does not exist.
    tracking_uri : str, optional
        URI of the store; by default MLFLOW_TRACKING_URI, else mlruns/mlflow.db in the working folder.
    run_name : str, optional
        Name of the parent run; by default the class of the estimator.
    log_model : bool, default=True
        Whether to log the fitted estimator (of a search the refitted one) as a model that
        ``mlflow.pyfunc.load_model`` loads.
    model_metadata : mapping, optional
        Metadata of a logged model, JSON types only; `load_model` returns it.
    tags : mapping of str to str, optional
        Tags of the parent run; "dataset" also names the data.
    continues : str or path, optional
        Folder of the checkpoints of the fit, such as that of `seqpipe.resumable`. If an interrupted fit has left runs that
        were recorded with the same folder, they are continued: none of their points is doubled, and no new runs are made.
    diagnostics : sequence of {"gradient_flow", "hidden_states"}, default=()
        Diagnostics of the fitted estimator (of a search the refitted one) on its training data: pictures, the metric
        ``gradient_growth`` and the tag ``seqpipe.gradient_flow``; see `seqpipe.diagnostics`.

    Attributes
    ----------
    run_id_ : str
        Id of the parent run of the last fit.
    refit_run_id_ : str or None
        Id of its refit run; None without a search that refits.
    experiment_id_ : str
        Id of the experiment of both.
    artifact_uri_ : str
        URI of the artifacts of the parent run.
    model_uri_ : str or None
        URI of the logged model, such as "models:/m-0123"; None if none was logged.
    tracking_uri_ : str
        URI of the store.
    figures_ : dict of str to matplotlib.figure.Figure
        Figures of the diagnostics of the last fit, by name.

    Raises
    ------
    UnknownNameError
        If a diagnostic is unknown.
    TypeError
        If the name of the experiment or of the run is no text, or tags or metadata are of another type.
    ValueError
        If the name of the experiment is empty, longer than 500 characters, or cannot be written.

    Examples
    --------
    >>> from seqpipe.tracking import MLflowTracker
    >>> tracker = MLflowTracker("digits", run_name="grid over cells")
    >>> tracker.experiment
    'digits'
    """

    def __init__(
        self,
        experiment: str = "seqpipe",
        *,
        tracking_uri: str | None = None,
        run_name: str | None = None,
        log_model: bool = True,
        model_metadata: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        continues: str | os.PathLike[str] | None = None,
        diagnostics: Iterable[str] = (),
    ) -> None:
        check_name(experiment, "The name of the experiment")
        if run_name is not None:
            check_text(run_name, "run_name")
        super().__init__(experiment, tracking_uri, run_name, checked_texts({} if tags is None else tags, "tags"))
        self._logs_model = log_model
        self._continues = continues
        self._model_metadata = checked_metadata(model_metadata)
        self._diagnostics = check_diagnostics(diagnostics)

    def _reset(self) -> None:
        super()._reset()
        self._figures: dict[str, Figure] = {}
        #: The best parameters of the last search.
        self._winner = ""

    def __getstate__(self) -> dict[str, Any]:
        own = ("_logs_model", "_model_metadata", "_diagnostics", "_continues")
        return {**super().__getstate__(), **{name: getattr(self, name) for name in own}}

    def opened(self, estimator: Any, task: FitTask) -> None:
        """Create the parent run of an outermost fit."""
        self._figures, self._winner = {}, ""
        super().opened(estimator, task)
        if self._current_group() is not None:
            return
        every = json.dumps(scalar_params(estimator), indent=2).encode()
        place = self._places.get(task.tree, Place(task.tree))
        self._send([self._saved_file({"tree": place.tree, "time": now()}, "parameters.json", every)])

    def _kept_key(self) -> str | None:
        return None if self._continues is None else kept_key(self._continues)

    def __enter__(self) -> Self:
        self._held = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._held = False
        if self._writer is not None:
            self._writer.release(outcome_of(error))
            self._flush()

    @property
    def run_id_(self) -> str:
        """Id of the parent run of the last fit."""
        return str(_written(self._fitted_tree("run_id_").root).run_id)

    @property
    def refit_run_id_(self) -> str | None:
        """Id of its refit run, None without a search that refits."""
        refit = self._fitted_tree("refit_run_id_").refit
        return None if refit is None else str(_written(refit).run_id)

    @property
    def figures_(self) -> dict[str, Figure]:
        """Figures of the diagnostics of the last fit, by name."""
        return dict(self._figures)

    @property
    def experiment_id_(self) -> str:
        """Id of the experiment of the last fit."""
        self._fitted_tree("experiment_id_")
        return self._open_writer().experiment_id()

    @property
    def artifact_uri_(self) -> str:
        """URI of the artifacts of the parent run of the last fit."""
        return str(_written(self._fitted_tree("artifact_uri_").root).artifact_uri)

    @property
    def model_uri_(self) -> str | None:
        """URI of the model logged last, None if none was."""
        return next(reversed(self._fitted_tree("model_uri_").model_run.model_uris), None)

    @property
    def tracking_uri_(self) -> str:
        """URI of the store of the last fit."""
        self._fitted_tree("tracking_uri_")
        return self._open_writer().uri

    def log_model(self, estimator: Any, X: Any) -> str:
        """Log a fitted estimator as an MLflow model of the refit run, or of the parent run without a refit.

        Parameters
        ----------
        estimator : estimator
            Fitted estimator.
        X : samples
            Samples of the kind it was fitted to; the first two are stored as the input example.

        Returns
        -------
        model_uri : str
            "models:/<id>", for ``mlflow.pyfunc.load_model`` under the same tracking URI.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet, or this one cannot be saved without pickle or contains types that are not
            trusted, or the store does not answer; it gets the model later.
        """
        run = self._required_tree().model_run
        logged = len(run.model_uris)
        self._edit(self._saved_model(self._now(), estimator, X, is_fitted=False), wait=True)
        if len(run.model_uris) == logged:
            writer = self._open_writer()
            raise TrackingError(
                f"The model has no URI yet: the tracking store {redacted_uri(writer.uri)!r} did not take it. {writer.where_kept()}"
            )
        return run.model_uris[-1]

    def _saved_model(self, when: dict[str, Any], estimator: Any, X: Any, *, is_fitted: bool) -> ModelAdded:
        """Save a model where it waits for its upload."""
        from seqpipe.tracking._logged_model import model_name
        from seqpipe.tracking._model import save_model

        place = self._new_path()
        with tempfile.TemporaryDirectory() as folder:  # MLflow does not write to folders of every name
            saved = Path(folder) / "model"
            save_model(estimator, X, saved, metadata=self._model_metadata)
            shutil.move(saved, place)
        params = scalar_params(estimator)
        name = model_name(self.experiment, params)
        tags = {WINNER: self._winner} if self._winner else {}
        return ModelAdded(**when, folder=place.name, name=name, params=params, tags=tags, is_fitted=is_fitted)

    def _log_fitted(self, place: Place, estimator: Any, X: Any, y: Any) -> None:
        """Log model and diagnostics of a successful fit, if requested and if the estimator predicts."""
        model = getattr(estimator, "best_estimator_", None) if hasattr(estimator, "cv_results_") else estimator
        if X is None or not hasattr(model, "predict"):
            return
        tree, self._winner = place.tree, candidate_name(place.params or getattr(estimator, "best_params_", {}))
        if self._logs_model:
            try:
                self._send([self._saved_model({"tree": tree, "time": now()}, model, X, is_fitted=True)])
            except Exception as error:
                warnings.warn(f"The model was not logged. {error}", TrackingWarning, stacklevel=2)
        if self._diagnostics:
            try:
                self._log_diagnosis(tree, diagnose(self._diagnostics, model, X, y))
            except Exception as error:
                warnings.warn(f"The diagnostics were not logged. {error}", TrackingWarning, stacklevel=2)

    def _log_diagnosis(self, tree: UUID, found: Diagnosis) -> None:
        self._figures = found.figures
        time = now()
        self._send([EntriesAdded(tree=tree, time=time, to="both", metrics=found.metrics, tags=found.tags)])
        for name, figure in found.figures.items():
            path = f"pictures/{name}.png"
            self._send([self._saved_file({"tree": tree, "time": time}, path, drawn(figure, path))])

    def _fitted_tree(self, attribute: str) -> RunTree:
        if self._tree is None:
            raise AttributeError(f"{attribute} is known after a fit: est.set_callbacks(tracker).fit(X, y).")
        return self._tree


def _written(run: Run) -> Run:
    if run.run_id is None:
        raise TrackingError(f"The run {run.name!r} could not be written to the store, so it has no id.")
    return run
