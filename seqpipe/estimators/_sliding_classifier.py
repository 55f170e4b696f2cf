"""`SlidingWindowClassifier`: classification of sequences or time steps by a classifier of windows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import reports_score
from seqpipe.estimators._input import check_labels
from seqpipe.estimators._sliding import SlidingWindowEstimator
from seqpipe.estimators._step_targets import check_step_labels
from seqpipe.estimators.targets import class_numbers, warn_of_unseen
from seqpipe.saved import ArrayOf, Schema
from seqpipe.sequences import Sequences

__all__ = ["SlidingWindowClassifier"]


def _has_probabilities(self: SlidingWindowClassifier) -> bool:
    return hasattr(getattr(self, "estimator_", self.estimator), "predict_proba")


class SlidingWindowClassifier(ClassifierMixin, SlidingWindowEstimator):
    """Classify sequences, or their time steps, by a classifier of fixed-size windows.

    The classifier is fitted to the windows of all sequences, and its predictions are aggregated per sequence.

    X may be any of:

    - an array of shape (n_samples, n_timesteps) or (n_samples, n_timesteps, n_features), or one with more feature axes;
    - a list, object array or pandas Series of arrays of shape (n_timesteps,) or (n_timesteps, n_features), which may
      differ in length;
    - `Sequences` or `Windows`.

    y may be either of:

    - labels of shape (n_samples,): integers or strings, which the windows of a sequence share;
    - with ``aggregate="concat"``, labels per time step, in any form that `StepClassifier` accepts. Each window has the
      label of its last time step, and all labels must be known.

    Parameters
    ----------
    estimator : classifier
        Classifier of windows. For classifiers that do not accept sequences, windows are flattened to
        (n_windows, window * n_features).
    window : int, default=8
        Length of windows, in time steps.
    stride : int, default=1
        Number of time steps between consecutive windows; must be 1 with ``aggregate="concat"``.
    pad_value : float, default=0.0
        Value of time steps of a window before the beginning of its sequence.
    aggregate : {"concat", "last", "mean"} or callable, default="mean"
        How predictions of windows are aggregated. "mean" averages probabilities, or votes if the classifier has no
        ``predict_proba``; "last" uses the last window; a callable maps an array of shape (n_windows, n_classes) to one
        of shape (n_classes,). "concat" predicts one label per time step.

    Attributes
    ----------
    classes_ : array of shape (n_classes,)
        The class labels.
    estimator_ : classifier
        The fitted classifier.
    n_features_in_ : int
        Number of features per time step; number of time steps if X was of shape (n_samples, n_timesteps).

    See Also
    --------
    SequenceClassifier : Classify sequences by a recurrent network.
    StepClassifier : Classify time steps by a recurrent network.

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

    _saved: ClassVar[dict[str, Schema]] = {"classes_": ArrayOf("biufmMUO", 1)}
    classes_: NDArray[Any]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if self._by_step:  # with one label per step, it is not a classifier in scikit-learn's sense
            tags.estimator_type, tags.classifier_tags = None, None
            tags.target_tags.one_d_labels = False
        return tags

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self._by_step and self.stride != 1:
            raise ValueError(
                "The 'stride' parameter of SlidingWindowClassifier must be 1 with aggregate='concat', since each "
                f"window has one label. Got {self.stride!r} instead."
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
        """Return probabilities or votes, (n_samples, n_classes) or (total_steps, n_classes), and X as sequences."""
        check_is_fitted(self)
        method = "predict_proba" if _has_probabilities(self) else "predict"
        predictions, windows, found = self._window_predictions(X, method)
        if method == "predict":
            predictions = np.eye(len(self.classes_))[class_numbers(predictions, self.classes_)]
        return predictions if self._by_step else self._joined(predictions, windows), found

    @available_if(_has_probabilities)
    def predict_proba(self, X: Any) -> Any:
        """Predict the probability of each class.

        Parameters
        ----------
        X : sequences
            Input data, in any form that the class docstring lists.

        Returns
        -------
        probabilities : array of shape (n_samples, n_classes)
            The order of classes is that of ``classes_``. With ``aggregate="concat"``, arrays of shape
            (n_timesteps, n_classes) per sequence, in the form of the training targets.
        """
        scores, found = self._scores(X)
        return self._shaped(scores, found) if self._by_step else scores

    def predict(self, X: Any) -> Any:
        """Predict the label of each sequence or, with ``aggregate="concat"``, of each time step.

        Parameters
        ----------
        X : sequences
            Input data, in any form that the class docstring lists.

        Returns
        -------
        y_pred : array of shape (n_samples,)
            Labels; with ``aggregate="concat"``, in the form of the training targets.
        """
        scores, found = self._scores(X)
        labels = self.classes_[scores.argmax(axis=1)]
        if not self._by_step:
            return labels
        return self._shaped(labels.reshape(-1, *[1] * (self._step_ndim - 1)), found)

    @reports_score
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy over sequences or time steps; warn if y contains labels not seen in fit."""
        scores, found = self._scores(X)
        labels = self._targets(y, found)
        warn_of_unseen(labels, self.classes_, owner=type(self).__name__)
        weight = self._score_weight(sample_weight, found)
        return float(accuracy_score(labels, self.classes_[scores.argmax(axis=1)], sample_weight=weight))
