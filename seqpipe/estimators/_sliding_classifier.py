"""`SlidingWindowClassifier`: a label a sequence, or a time step, by a classifier of windows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators._input import check_labels, check_weight
from seqpipe.estimators._sliding import SlidingWindowEstimator
from seqpipe.estimators._step_targets import check_step_labels
from seqpipe.estimators.targets import class_numbers, warn_of_unseen
from seqpipe.sequences import Sequences

__all__ = ["SlidingWindowClassifier"]


def _has_probabilities(self: SlidingWindowClassifier) -> bool:
    return hasattr(getattr(self, "estimator_", self.estimator), "predict_proba")


class SlidingWindowClassifier(ClassifierMixin, SlidingWindowEstimator):
    """Classify sequences of unequal length by a classifier that sees one window at a time.

    The classifier is fitted to all windows of all sequences, each with the label of its sequence, so that its loss is one a
    window; its answers are joined by sequence. With ``aggregate="concat"`` there is a label for each time step, that of the
    window that ends there. X may be whatever `SequenceClassifier` takes.

    Parameters
    ----------
    estimator : classifier
        Any of scikit-learn's, which gets windows flattened to (n_windows, window * n_features), or one that takes sequences.
    window : int, default=8
        Time steps of a window.
    stride : int, default=1
        Time steps between the ends of two windows; 1 with ``aggregate="concat"``.
    pad_value : float, default=0.0
        What stands before a sequence's first step where its first window begins earlier.
    aggregate : {"concat", "last", "mean"} or callable, default="mean"
        "mean" averages the windows' probabilities, or the votes of a classifier that gives none; "last" takes those of the
        last window; a callable maps them, an array (n_windows, n_classes), to an array (n_classes,). "concat" predicts a label a
        time step from y aligned with X, as `StepClassifier` does.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The labels.
    estimator_ : classifier
        The fitted one.
    n_features_in_ : int
        Features of a step, or time steps if fitted to a table of shape (n_samples, n_timesteps).

    References
    ----------
    T. G. Dietterich, 2002, Machine Learning for Sequential Data: A Review, doi:10.1007/3-540-70659-3_2, section 3.1.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from seqpipe import SlidingWindowClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(n, 2)) + n % 2 for n in rng.integers(3, 15, size=60)]
    >>> y = ["odd" if len(x) % 2 else "even" for x in X]
    >>> SlidingWindowClassifier(LogisticRegression(), window=4).fit(X, y).score(X, y) > 0.9
    True
    """

    classes_: NDArray[Any]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self._by_step:  # with a label a step it is no classifier in scikit-learn's sense, and is split as others are
            tags.estimator_type, tags.classifier_tags = None, None
            tags.target_tags.one_d_labels = False
        return tags

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self._by_step and self.stride != 1:
            raise ValueError(
                "The 'stride' parameter of SlidingWindowClassifier must be 1 where aggregate is 'concat', for each window has "
                f"one label. Got {self.stride!r} instead."
            )

    def _check_targets(self, y: Any, X: Sequences) -> NDArray[Any]:
        labels = check_labels(y, len(X))
        check_classification_targets(labels)
        return labels

    def _read_steps(self, rows: NDArray[Any], X: Sequences) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        return check_step_labels(rows, X, owner=type(self).__name__)

    def _learn(self, targets: NDArray[Any]) -> None:
        self.classes_ = np.unique(targets)

    def _scores(self, X: Any) -> tuple[NDArray[Any], Sequences]:
        """Return probabilities or votes, shape (n_samples, n_classes) or (total_steps, n_classes), and X as it was read."""
        check_is_fitted(self)
        method = "predict_proba" if _has_probabilities(self) else "predict"
        answers, windows, found = self._answers(X, method)
        if method == "predict":
            answers = np.eye(len(self.classes_))[class_numbers(answers, self.classes_)]
        return answers if self._by_step else self._joined(answers, windows), found

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, columns as in ``classes_``.

        Shape (n_samples, n_classes), or (n_timesteps, n_classes) for each sequence with ``aggregate="concat"``.
        """
        scores, found = self._scores(X)
        return self._shaped(scores, found) if self._by_step else scores

    def predict(self, X: Any) -> Any:
        """Return the label of each sequence, shape (n_samples,), or of each of its steps, in the form that y had."""
        scores, found = self._scores(X)
        labels = self.classes_[scores.argmax(axis=1)]
        if not self._by_step:
            return labels
        return self._shaped(labels.reshape(-1, *[1] * (self._step_ndim - 1)), found)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of right labels, of sequences or of time steps; warns of labels in y that it never saw."""
        scores, found = self._scores(X)
        labels = self._targets(y, found)
        warn_of_unseen(labels, self.classes_, owner=type(self).__name__)
        weight = check_weight(sample_weight, len(found))
        if weight is not None and self._by_step:
            weight = np.repeat(weight, found.lengths)
        return float(accuracy_score(labels, self.classes_[scores.argmax(axis=1)], sample_weight=weight))
