"""`MLflowTracker`, the callback that records fits as trees of MLflow runs."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from seqpipe.callbacks import FitTask
from seqpipe.exceptions import TrackingError, TrackingWarning
from seqpipe.tracking._adapter import RecordedFits
from seqpipe.tracking._diagnosis import Diagnosis, check_diagnostics, diagnose
from seqpipe.tracking._outcome import now, outcome_of
from seqpipe.tracking._params import as_text
from seqpipe.tracking._run import Run
from seqpipe.tracking._tree import RunTree

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


__all__ = ["MLflowTracker"]


class MLflowTracker(RecordedFits):
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
        diagnostics: Iterable[str] = (),
    ) -> None:
        super().__init__(
            experiment, tracking_uri, run_name, {name: as_text(value) for name, value in (tags or {}).items()}
        )
        self._logs_model = log_model
        self._model_metadata = dict(model_metadata or {})
        self._diagnostics = check_diagnostics(diagnostics)

    def _reset(self) -> None:
        super()._reset()
        self._model_uri: str | None = None
        self._figures: dict[str, Figure] = {}

    def __getstate__(self) -> dict[str, Any]:
        own = ("_logs_model", "_model_metadata", "_diagnostics")
        return {**super().__getstate__(), **{name: getattr(self, name) for name in own}}

    def opened(self, estimator: Any, task: FitTask) -> None:
        """Create the parent run of an outermost fit."""
        self._model_uri, self._figures = None, {}
        super().opened(estimator, task)

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
        return _id_of(self._fitted_tree("run_id_").root)

    @property
    def refit_run_id_(self) -> str | None:
        """Id of its refit run, None without a search that refits."""
        refit = self._fitted_tree("refit_run_id_").refit
        return None if refit is None else _id_of(refit)

    @property
    def figures_(self) -> dict[str, Figure]:
        """Figures of the diagnostics of the last fit, by name."""
        return dict(self._figures)

    @property
    def experiment_id_(self) -> str:
        """Id of the experiment of the last fit."""
        self._fitted_tree("experiment_id_")
        return self._open_writer().publish(lambda publisher: publisher.experiment_id)

    @property
    def artifact_uri_(self) -> str:
        """URI of the artifacts of the parent run of the last fit."""
        run_id = self.run_id_
        return self._open_writer().publish(lambda publisher: str(publisher.client.get_run(run_id).info.artifact_uri))

    @property
    def model_uri_(self) -> str | None:
        """URI of the model logged last, None if none was."""
        self._fitted_tree("model_uri_")
        return self._model_uri

    @property
    def tracking_uri_(self) -> str:
        """URI of the store of the last fit."""
        self._fitted_tree("tracking_uri_")
        return self._open_writer().uri

    def log_metrics(self, metrics: Mapping[str, float], *, refit: bool = False) -> None:
        """Log metrics to the parent run, or to the refit run.

        Parameters
        ----------
        metrics : mapping of str to float
            Values by name; NaN and infinity are kept.
        refit : bool, default=False
            Log to the refit run, if there is one.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet.
        """
        self._edit(partial(_add_points, self._required_tree(), dict(metrics), now(), refit=refit))

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags of the parent run.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet.
        """
        root = self._required_tree().root
        self._edit(partial(root.tags.update, {name: as_text(value) for name, value in tags.items()}))

    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a matplotlib figure to the parent run, in the format given by the suffix of the name.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet.
        """
        picture = io.BytesIO()
        figure.savefig(picture, format=PurePosixPath(name).suffix[1:] or "png")
        self._add_file(name, picture.getvalue())

    def log_text(self, text: str, name: str) -> None:
        """Log a text file to the parent run.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet.
        """
        self._add_file(name, text.encode())

    def log_table(self, table: pd.DataFrame, name: str) -> None:
        """Log a table to the parent run, as CSV without its index.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet.
        """
        self._add_file(name, table.to_csv(index=False).encode())

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
            trusted.
        """
        return self._log_model(self._required_tree(), estimator, X)

    def _log_model(self, tree: RunTree, estimator: Any, X: Any) -> str:
        from seqpipe.tracking._model import save_model, upload_model

        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "model"
            save_model(estimator, X, place, metadata=self._model_metadata)
            # on the writer's thread, after all earlier events: only then is the refit run known
            model_uri = self._open_writer().publish(
                lambda publisher: upload_model(publisher, tree.refit or tree.root, place)
            )
        self._model_uri = model_uri
        return model_uri

    def _log_fitted(self, tree: RunTree, estimator: Any, X: Any, y: Any) -> None:
        """Log model and diagnostics of a successful fit, if requested and if the estimator predicts."""
        model = getattr(estimator, "best_estimator_", None) if hasattr(estimator, "cv_results_") else estimator
        if X is None or not hasattr(model, "predict"):
            return
        if self._logs_model:
            try:
                self._log_model(tree, model, X)
            except Exception as error:
                warnings.warn(f"The model was not logged. {error}", TrackingWarning, stacklevel=2)
        if self._diagnostics:
            try:
                self._log_diagnosis(tree, diagnose(self._diagnostics, model, X, y))
            except Exception as error:
                warnings.warn(f"The diagnostics were not logged. {error}", TrackingWarning, stacklevel=2)

    def _log_diagnosis(self, tree: RunTree, found: Diagnosis) -> None:
        self._figures = found.figures
        self._edit(partial(_add_diagnosis, tree, found, now()))
        for name, figure in found.figures.items():
            self.log_figure(figure, f"pictures/{name}.png")

    def _add_file(self, name: str, content: bytes) -> None:
        self._edit(partial(self._required_tree().root.files.update, {name: content}))

    def _edit(self, change: Any) -> None:
        self._open_writer().post(change)
        if not self._held:
            self._flush()

    def _required_tree(self) -> RunTree:
        if self._tree is None:
            raise TrackingError(
                "There is no run to write to: fit an estimator first, est.set_callbacks(tracker).fit(X, y)."
            )
        return self._tree

    def _fitted_tree(self, attribute: str) -> RunTree:
        if self._tree is None:
            raise AttributeError(f"{attribute} is known after a fit: est.set_callbacks(tracker).fit(X, y).")
        return self._tree


def _add_points(tree: RunTree, metrics: Mapping[str, float], time: int, *, refit: bool) -> None:
    run = (tree.refit or tree.root) if refit else tree.root
    run.add_points(metrics, time)


def _add_diagnosis(tree: RunTree, found: Diagnosis, time: int) -> None:
    for run in (tree.root, tree.refit):
        if run is not None:
            run.add_points(found.metrics, time)
            run.tags.update(found.tags)


def _id_of(run: Run) -> str:
    if run.run_id is None:
        raise TrackingError(f"The run {run.name!r} could not be written to the store, so it has no id.")
    return run.run_id
