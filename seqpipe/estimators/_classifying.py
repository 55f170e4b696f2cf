"""The base of classifiers of sequences and of time steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import reports_score
from seqpipe.estimators._declared import Group, fitted, parameter
from seqpipe.estimators._listeners import with_callbacks
from seqpipe.estimators._sequence_estimator import SequenceEstimator
from seqpipe.estimators._stream import Stream
from seqpipe.estimators.targets import Labels, MultiLabels
from seqpipe.saved import AnyOf, ArrayOf, Items

__all__ = ["ClassifyingEstimator"]


class ClassifyingEstimator(SequenceEstimator):
    """Base class of classifiers with one label, or several labels, per sequence or time step."""

    class_weight: dict[Any, float] | list[dict[int, float]] | str | None = parameter(
        default=None,
        constraint=[dict, list, StrOptions({"balanced"}), None],
        type='dict, list of dicts, "balanced" or None',
        description=(
            'Weight of each class in the loss; "balanced" uses weights inversely proportional to class frequencies. '
            "For multi-label targets, a list of dicts with the weights of 0 and 1 for each label."
        ),
        group=Group.DATA,
    )

    classes_: NDArray[Any] | list[NDArray[Any]] = fitted(
        "array of shape (n_classes,), or list of arrays",
        "The class labels; for multi-label targets, one array of 0 and 1 per label.",
        saved=AnyOf((ArrayOf("biufmMUO", 1), Items(ArrayOf("iu", 1)))),
    )

    _codecs: ClassVar[Any] = (Labels, MultiLabels)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        if tags.classifier_tags is None:  # not a classifier in scikit-learn's sense
            tags.target_tags.multi_output = True
        else:
            tags.classifier_tags.multi_label = True
        return tags

    @staticmethod
    def _codec_for(n_targets: int) -> type[Labels | MultiLabels]:
        return Labels if n_targets == 1 else MultiLabels

    def _learn(
        self,
        values: NDArray[Any],
        weight: NDArray[np.float64] | None,
        seen: NDArray[Any],
        *,
        goes_on: bool,
        ndim: int,
        classes: Any = None,
    ) -> None:
        owner = type(self).__name__
        if goes_on and classes is not None and not np.array_equal(np.unique(classes), np.unique(self.classes_)):
            known = np.unique(self.classes_).tolist()
            raise ValueError(f"classes={classes!r} differ from those of the first call of partial_fit, {known}.")
        self._codec: Labels | MultiLabels
        if not goes_on:
            several = values.ndim == 2
            self._codec = MultiLabels(ndim, values.shape[1]) if several else Labels.of(seen, classes=classes, ndim=ndim)
        if isinstance(self._codec, MultiLabels):
            self._codec = self._codec.weighted(self.class_weight, values, weight, owner=owner)
        self.classes_ = self._codec.classes

    def _target_weights(self, values: NDArray[Any], weight: NDArray[np.float64] | None) -> Any:
        if isinstance(self._codec, MultiLabels):
            return None
        return self._codec.weights_by_label(self.class_weight, values, weight, owner=type(self).__name__)

    @with_callbacks
    def partial_fit(self, X: Any, y: Any = None, classes: Any = None, sample_weight: Any = None) -> Self:
        """Continue training for one epoch at a constant learning rate.

        Parameters
        ----------
        X : sequences
            Training data, in any form that the class docstring lists.
        y : labels
            Targets, in any form that the class docstring lists; required.
        classes : array of shape (n_classes,), optional
            All labels that may occur in any call; by default, the labels in y of the first call.
        sample_weight : array of shape (n_samples,), optional
            As in `fit`.

        Returns
        -------
        self : estimator
            The fitted estimator.
        """
        return self._listened_fit(X, y, sample_weight, partial=True, classes=classes)

    def predict_proba(self, X: Any) -> Any:
        """Predict the probability of each class, or of each label for multi-label targets.

        Parameters
        ----------
        X : sequences
            Input data, in any form that the class docstring lists.

        Returns
        -------
        probabilities : array of shape (n_samples, n_classes) or (n_samples, n_labels)
            The order of classes is that of ``classes_``. With one target per time step, arrays of shape
            (n_timesteps, n_classes) or (n_timesteps, n_labels) per sequence, in the form of the training targets.
        """
        check_is_fitted(self)
        return self._answer(X, self._codec.probabilities)

    def decision_function(self, X: Any) -> Any:
        """Return the logits of the classes: `predict_proba` is their softmax, or their sigmoid for multi-label targets.

        Parameters
        ----------
        X : sequences
            Input data, in any form that the class docstring lists.

        Returns
        -------
        decisions : array of shape (n_samples,), (n_samples, n_classes) or (n_samples, n_labels)
            For two classes, the log-odds of the second one of ``classes_``, above 0 where it is predicted. With one
            target per time step, arrays of shape (n_timesteps,), (n_timesteps, n_classes) or (n_timesteps, n_labels)
            per sequence, in the form of the training targets.
        """
        check_is_fitted(self)
        return self._answer(X, self._codec.decisions)

    @reports_score
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy; for multi-label targets, the subset accuracy.

        Parameters
        ----------
        X, y : sequences and targets
            As in `fit`. With one target per time step, the accuracy is computed over all time steps with a target.
        sample_weight : array of shape (n_samples,), optional
            As in `fit`.

        Returns
        -------
        score : float
        """
        return self._score(X, y, sample_weight)

    def stream(self, *, method: str = "predict") -> Stream:
        """Return a stream that predicts on one sequence while its time steps arrive.

        Parameters
        ----------
        method : {"predict", "predict_proba"}, default="predict"
            The method whose results the stream returns.

        Returns
        -------
        stream : Stream

        Raises
        ------
        ValueError
            If ``method`` is invalid, or the estimator is bidirectional.
        """
        check_is_fitted(self)
        finish: dict[str, Callable[[NDArray[Any]], NDArray[Any]]] = {
            "predict": self._codec.decode,
            "predict_proba": self._codec.probabilities,
        }
        if method not in finish:
            raise ValueError(
                f"The 'method' parameter of {type(self).__name__}.stream must be 'predict' or 'predict_proba'. "
                f"Got {method!r} instead."
            )
        return self._stream(finish[method])
