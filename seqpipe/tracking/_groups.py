"""Several outermost fits as the children of one run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID
from weakref import WeakKeyDictionary

from seqpipe.callbacks import PARTIAL_FIT, FitTask
from seqpipe.tracking._adapter import Place, RecordedFits
from seqpipe.tracking._arguments import check_name, checked_texts
from seqpipe.tracking._environment import environment_tags
from seqpipe.tracking._events import FitBegan, FitEnded
from seqpipe.tracking._outcome import now, outcome_of
from seqpipe.tracking._task_events import group_began
from seqpipe.tracking._tree import RunTree

if TYPE_CHECKING:
    from optuna import Study

    from seqpipe.tracking._study import TrackedStudy

__all__ = ["GroupedFits"]

_NO_MEMBERS = (
    "No fit was recorded in the group. Set the tracker as a callback of the estimator, estimator.set_callbacks(tracker), within "
    "the group or before. scikit-learn before 1.9 does not copy callbacks with an estimator, as cross_validate does."
)


class GroupedFits(RecordedFits):
    """A callback that records outermost fits, also as members of a group."""

    #: Returns the place of the next outermost fit, if it is the refit of a search whose trials were recorded.
    _awaited: Callable[..., Place | None] | None = None

    def _reset(self) -> None:
        super()._reset()
        self._awaited = None
        #: Groups and trees of estimators that may be trained for another epoch.
        self._continuing: WeakKeyDictionary[Any, tuple[UUID, UUID]] = WeakKeyDictionary()

    @contextmanager
    def group(self, name: str, params: Mapping[str, Any] | None = None) -> Iterator[Self]:
        """Record all fits within a block as children of one run, such as those of a loop or of `cross_validate`.

        Methods such as `log_metrics` add to the run of the group. Models of the fits are not logged, nor diagnostics. The
        fits may run in threads and in worker processes. A group within a group is one of its children, also in a worker
        process, to which the tracker was sent. All calls of ``partial_fit`` of one estimator are one run, which ends with
        the group.

        Parameters
        ----------
        name : str
            Name of the parent run.
        params : mapping, optional
            Parameters of the parent run.

        Yields
        ------
        tracker : MLflowTracker
            This one.

        Raises
        ------
        TypeError
            If the name is no text, or the parameters are no mapping of texts.
        ValueError
            If the name is empty, longer than 500 characters, or cannot be written.
        TrackingError
            If the store cannot be used.

        Examples
        --------
        >>> from sklearn.model_selection import cross_validate
        >>> from seqpipe import MLflowTracker
        >>> tracker = MLflowTracker("sensors")
        >>> with tracker.group("3 folds"):  # doctest: +SKIP
        ...     scores = cross_validate(model.set_callbacks(tracker), X, y, cv=3)
        ...     tracker.log_metrics({"mean_test_score": scores["test_score"].mean()})
        """
        check_name(name, "group: name")
        texts = checked_texts({} if params is None else params, "group: params")
        key = self._kept_key()
        if self._group is not None:
            key = f"group-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
        tags = {} if self._group is not None else {**environment_tags(), **self.tags}
        began = group_began(name, tags, key=key, group=self._group)
        began = replace(began, params=texts)
        with self._grouped(began) as tree:
            yield self
        if self._group is None and not tree.members and not self._is_copy:
            self._warn(_NO_MEMBERS)

    def track_study(self, study: Study) -> TrackedStudy:
        """Return a study of Optuna whose trials are recorded as children of one run.

        Fits with this tracker as a callback are recorded in the trial that runs them, with their curves. A trial's run has its
        parameters, value, intermediate values, numbers among its user attributes, and the tag ``seqpipe.state``.

        A study that is loaded from its storage continues its run. A trial that was interrupted, by Ctrl-C or SIGKILL, is
        repeated with the same parameters; its fits are continued if they are `seqpipe.resumable`.

        Parameters
        ----------
        study : optuna.Study

        Returns
        -------
        study : TrackedStudy
            The same study, of which `optimize` records.

        Examples
        --------
        >>> from seqpipe import MLflowTracker
        >>> tracker = MLflowTracker("sensors")
        >>> study = optuna.create_study(study_name="sensors", storage="sqlite:///study.db", load_if_exists=True)  # doctest: +SKIP
        >>> tracker.track_study(study).optimize(objective, n_trials=20)  # doctest: +SKIP
        """
        from seqpipe.tracking._study import TrackedStudy

        return TrackedStudy(study, self)

    def _place_of(self, estimator: Any, task: FitTask, group: UUID | None) -> Place | None:
        awaited, self._awaited = self._awaited, None
        if awaited is not None:
            return awaited(estimator, logs_model=self._logs_model and group is None)
        if task.name != PARTIAL_FIT or group is None:
            return None
        known = self._continuing.get(estimator)
        if known is not None and known[0] == group:
            return Place(known[1])
        self._continuing[estimator] = group, task.tree
        return None

    def _begun(self, began: FitBegan) -> RunTree:
        """Begin the run of a group; a copy of the tracker returns a tree that only has its id."""
        if not self._is_copy:
            return self._open_writer().begin(began)
        self._send([began])
        return RunTree(began)

    @contextmanager
    def _grouped(self, began: FitBegan) -> Iterator[RunTree]:
        """Record all fits within a block as members of a group that an event starts."""
        outer = self._group, self._tree
        tree = self._tree = self._begun(began)
        self._group = began.tree
        error: BaseException | None = None
        try:
            yield tree
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._group = outer[0]
            held = self._held and self._group is None
            self._send([FitEnded(tree=began.tree, time=now(), outcome=outcome_of(error), held=held)])
            if self._group is None:
                self._flush()
            else:
                self._tree = outer[1]
