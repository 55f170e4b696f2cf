"""The base of regressors of sequences and of time steps."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators._declared import Group, fitted, parameter
from seqpipe.estimators._sequence_estimator import SequenceEstimator
from seqpipe.estimators._stream import Stream
from seqpipe.estimators.targets import Numbers

__all__ = ["RegressingEstimator"]


class RegressingEstimator(SequenceEstimator):
    """Base class of regressors with one or several outputs per sequence or time step."""

    scale_targets: bool = parameter(
        default=True,
        constraint=["boolean"],
        type="bool",
        description=(
            "Whether to standardize the targets internally; losses in ``history_`` refer to the standardized targets."
        ),
        group=Group.DATA,
    )

    y_mean_: NDArray[np.float64] = fitted("array of shape (n_outputs,)", "Mean of the targets; 0 if not standardized.")
    y_scale_: NDArray[np.float64] = fitted(
        "array of shape (n_outputs,)", "Standard deviation of the targets; 1 if not standardized."
    )

    _codecs: ClassVar[Any] = (Numbers,)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    @staticmethod
    def _codec_for(n_targets: int) -> type[Numbers]:
        return Numbers

    def _learn(
        self,
        values: NDArray[Any],
        weight: NDArray[np.float64] | None,
        seen: NDArray[Any],
        *,
        goes_on: bool,
        ndim: int,
    ) -> None:
        if not goes_on:
            self._codec: Numbers = Numbers.of(values, weight, scaled=self.scale_targets, ndim=ndim)
            self.y_mean_, self.y_scale_ = self._codec.mean, self._codec.scale

    def _target_weights(self, values: NDArray[Any], weight: NDArray[np.float64] | None) -> Any:
        return None

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination R², averaged over outputs.

        Parameters
        ----------
        X, y : sequences and targets
            As in `fit`. With one target per time step, R² is computed over all time steps with a target.
        sample_weight : array of shape (n_samples,), optional
            As in `fit`.

        Returns
        -------
        score : float
        """
        return self._score(X, y, sample_weight)

    def stream(self) -> Stream:
        """Return a stream that predicts on one sequence while its time steps arrive.

        Returns
        -------
        stream : Stream

        Raises
        ------
        ValueError
            If the estimator is bidirectional.
        """
        check_is_fitted(self)
        return self._stream(self._codec.decode)
