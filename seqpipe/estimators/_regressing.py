"""The base of regressors of sequences and of time steps."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from seqpipe.callbacks import reports_score
from seqpipe.estimators._declared import Group, fitted, parameter
from seqpipe.estimators._sequence_estimator import SequenceEstimator
from seqpipe.estimators._step_targets import target_place
from seqpipe.estimators._stream import Stream
from seqpipe.estimators._user_warning import warn_user
from seqpipe.estimators.targets import Numbers
from seqpipe.exceptions import DataWarning, InvalidSequencesError
from seqpipe.saved import ArrayOf
from seqpipe.sequences import Sequences, Windows

__all__ = ["RegressingEstimator"]

#: Targets are lost if half of them are wrong by more than this fraction of their typical deviation.
_LOST = 1 / 64

#: A deviation below this fraction of the values is a rounding error of float64.
_ROUNDING = 1e-14


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

    y_mean_: NDArray[np.float64] = fitted(
        "array of shape (n_outputs,)", "Mean of the targets; 0 if not standardized.", saved=ArrayOf("f", 1)
    )
    y_scale_: NDArray[np.float64] = fitted(
        "array of shape (n_outputs,)",
        "Standard deviation of the targets; 1 if not standardized.",
        saved=ArrayOf("f", 1),
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

    def _check_range(self, values: NDArray[np.float64], X: Sequences | Windows, *, goes_on: bool) -> None:
        if self.scale_targets and not goes_on:
            return  # standardized, they are below the square root of their number
        columns = values.reshape(len(values), -1)
        encoded = self._codec.encode(values) if goes_on else columns
        large = np.flatnonzero((np.abs(encoded) > np.finfo(self.dtype).max).any(axis=1))
        if len(large):
            i = int(large[0])
            raise InvalidSequencesError(
                f"A target is too large for {self.dtype}: y is {columns[i].max()} in {target_place(X, i, len(values))} "
                f"({len(large)} such targets). Rescale y, or set dtype='float64'."
            )
        self._warn_of_rounding_targets(encoded)

    def _warn_of_rounding_targets(self, encoded: NDArray[np.float64]) -> None:
        centre = np.median(encoded, axis=0)
        typical = np.median(np.abs(encoded - centre), axis=0)
        rounding = np.median(np.abs(encoded.astype(self.dtype) - encoded), axis=0)
        lost = np.flatnonzero((rounding > _LOST * typical) & (typical > _ROUNDING * np.abs(centre)))
        if len(lost):
            warn_user(
                f"y loses information when it is rounded to {self.dtype}: output {lost[0]} varies little next to its values "
                f"of about {centre[lost[0]]:.2g}. Set scale_targets=True, or dtype='float64'.",
                DataWarning,
            )

    def _target_weights(self, values: NDArray[Any], weight: NDArray[np.float64] | None) -> Any:
        return None

    @reports_score
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
