"""What is logged to the runs of a fit besides the fit itself: metrics, tags, files, and scores on held-out data."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seqpipe.exceptions import TrackingError
from seqpipe.tracking._adapter import RecordedFits
from seqpipe.tracking._arguments import check_text, checked_numbers, checked_texts
from seqpipe.tracking._events import BaselineAdded, EntriesAdded, Event, FileAdded, HeldOutScored
from seqpipe.tracking._fingerprint import fingerprint
from seqpipe.tracking._held_out import HELD_OUT, primary_tags
from seqpipe.tracking._image import IMAGE_TAGS, drawn, image_files
from seqpipe.tracking._outcome import now
from seqpipe.tracking._report import evaluation_report
from seqpipe.tracking._tree import RunTree

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike
    from PIL.Image import Image

__all__ = ["LoggedEntries"]


class LoggedEntries(RecordedFits):
    """A callback that records fits, to whose runs more can be logged."""

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
        numbers = checked_numbers(metrics, "log_metrics: metrics")
        self._edit(EntriesAdded(**self._now(), to="refit" if refit else "root", metrics=numbers, tags={}))

    def log_baseline(self, name: str, metrics: Mapping[str, float]) -> None:
        """Record a baseline as a run below the parent run, so that charts show it beside the models.

        Parameters
        ----------
        name : str
            Name of the method.
        metrics : mapping of str to float
            Its scores on held-out data by name; that of "accuracy" is recorded as "held_out.accuracy".

        Raises
        ------
        TrackingError
            If no estimator was fitted yet.
        """
        check_text(name, "log_baseline: name")
        numbers = checked_numbers(metrics, "log_baseline: metrics")
        self._edit(BaselineAdded(**self._now(), name=name, metrics=numbers))

    def set_tags(self, tags: Mapping[str, Any]) -> None:
        """Set tags of the parent run.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet.
        """
        texts = checked_texts(tags, "set_tags: tags")
        self._edit(EntriesAdded(**self._now(), to="root", metrics={}, tags=texts))

    def log_figure(self, figure: Figure, name: str) -> None:
        """Log a matplotlib figure to the parent run, in the format given by the suffix of the name.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet.
        """
        check_text(name, "log_figure: name")
        _check_kind(figure, "savefig", "log_figure: figure", "a matplotlib figure")
        self._add_file(name, drawn(figure, name))

    def log_image(self, image: Figure | Image | ArrayLike, key: str, *, step: int = 0) -> None:
        """Log an image of a series to the parent run; the interface shows the series with a slider for the step.

        Parameters
        ----------
        image : Figure, PIL image, or array of shape (height, width) or (height, width, channels)
            An array has integers from 0 to 255, or other numbers from 0 to 1; 1, 3 or 4 channels.
        key : str
            Name of the series.
        step : int, default=0
            Place in the series, such as the epoch.

        Raises
        ------
        ValueError
            If the key or the array are not of this form.
        TrackingError
            If no fit has begun yet.
        """
        check_text(key, "log_image: key")
        if not isinstance(step, Integral):
            raise TypeError(f"log_image: step must be an integer. Got {step!r:.60} instead.")
        when = self._now()
        for name, content in image_files(image, key, int(step), when["time"]).items():
            self._send([self._saved_file(when, name, content)])
        self._edit(EntriesAdded(**when, to="root", metrics={}, tags=IMAGE_TAGS))

    def log_text(self, text: str, name: str) -> None:
        """Log a text file to the parent run.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet.
        """
        check_text(text, "log_text: text")
        check_text(name, "log_text: name")
        self._add_file(name, text.encode())

    def log_table(self, table: pd.DataFrame, name: str) -> None:
        """Log a table to the parent run, as CSV without its index.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet.
        """
        check_text(name, "log_table: name")
        _check_kind(table, "to_csv", "log_table: table", "a DataFrame")
        self._add_file(name, table.to_csv(index=False).encode())

    def log_held_out(
        self,
        metrics: Mapping[str, float],
        X: Any,
        y: Any = None,
        *,
        primary: str | None = None,
        greater_is_better: bool = True,
    ) -> None:
        """Log scores of the fitted model on held-out data, which are also linked to the logged model.

        Parameters
        ----------
        metrics : mapping of str to float
            Scores by name; they are recorded as ``held_out.<name>``, in the parent run and the refit run.
        X, y : samples, targets
            The held-out data, whose digest is recorded.
        primary : str, optional
            The score that decides between models: `seqpipe promote` compares it.
        greater_is_better : bool, default=True
            Whether the greater value of this score is better.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet.
        """
        numbers = checked_numbers(metrics, "log_held_out: metrics")
        if primary is not None:
            check_text(primary, "log_held_out: primary")
        data = fingerprint(X, y, name=f"{self.tags.get('dataset', 'data')} (held out)")
        named = {f"{HELD_OUT}{name}": number for name, number in numbers.items()}
        tags = {} if primary is None else primary_tags(primary, greater_is_better)
        self._edit(HeldOutScored(**self._now(), data=data, metrics=named, tags=tags))

    def log_report(self, estimator: Any, X: Any, y: Any) -> None:
        """Log the report of ``mlflow.models.evaluate`` to the parent run, in the folder ``report``.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier or regressor.
        X, y : samples, targets
            Data to evaluate it on: one label or number per sample.

        Raises
        ------
        TrackingError
            If no estimator was fitted yet, or MLflow cannot evaluate this one.
        """
        when = self._now()
        for name, content in evaluation_report(estimator, X, y).items():
            self._edit(self._saved_file(when, f"report/{name}", content))

    def _add_file(self, name: str, content: bytes) -> None:
        self._edit(self._saved_file(self._now(), name, content))

    def _saved_file(self, when: dict[str, Any], name: str, content: bytes) -> FileAdded:
        """Write a file where it waits for its upload."""
        place = self._new_path()
        place.write_bytes(content)
        return FileAdded(**when, name=name, file=place.name)

    def _new_path(self) -> Path:
        """Return where a file or folder waits for its upload."""
        if self._is_copy:
            raise TrackingError(
                "Files and models can be logged only by the process that began the fit or group, not by a worker. Return "
                "them to that process, or log metrics, parameters and tags."
            )
        return self._open_writer().new_path()

    def _edit(self, event: Event, *, wait: bool = False) -> None:
        if self._is_copy:
            self._send([event])
            return
        self._open_writer().receive(event)
        if wait or not self._held:
            self._flush()

    def _now(self) -> dict[str, Any]:
        """Return the fields of an event of the last fit."""
        return {"tree": self._required_tree().id, "time": now()}

    def _required_tree(self) -> RunTree:
        if self._tree is None:
            raise TrackingError(
                "There is no run to write to: fit an estimator first, est.set_callbacks(tracker).fit(X, y)."
            )
        return self._tree


def _check_kind(value: Any, method: str, what: str, kind: str) -> None:
    if not callable(getattr(value, method, None)):
        raise TypeError(f"{what} must be {kind}. Got {value!r:.60}, of type {type(value).__name__}, instead.")
