"""`StepwiseEstimator`: what the estimators with an answer at every time step share."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators._base import RecurrentEstimator
from seqpipe.estimators._input import check_X
from seqpipe.estimators._step_targets import (
    StepData,
    read_step_targets,
    read_step_weight,
    step_lengths,
    step_shaped,
)
from seqpipe.networks import StepNetwork
from seqpipe.sequences import Sequences, Windows
from seqpipe.training import Samples, StepRule, chosen_steps

__all__ = ["StepwiseEstimator"]


class ScoredSteps(NamedTuple):
    """Targets (n_steps, …) and weights (n_steps,), or None where all are equal, of the steps that a score is of."""

    values: NDArray[Any]
    weight: NDArray[np.float64] | None


class StepwiseEstimator(RecurrentEstimator):
    """Maps the output at each step by the same linear layer; its loss counts the steps that ``loss_on`` names."""

    _network = StepNetwork
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **RecurrentEstimator._parameter_constraints,
        "loss_on": [StrOptions({"all", "last"}), Interval(Integral, 1, None, closed="left"), callable],
        "tbptt": [list, tuple, None],
    }
    #: An answer at every time step, which scikit-learn's scorers have to be told of.
    _by_step = True
    loss_on: StepRule
    _step_kind: str
    _step_ndim: int
    _steps_per_sample: float

    def _read(self, X: Any, y: Any, sample_weight: Any, *, reset: bool) -> StepData:
        """Return X with the truth aligned with it and its weights, without the sequences that have no step to learn from."""
        found = check_X(self, X, reset=reset)
        read = read_step_targets(y, found, owner=type(self).__name__)
        values, known = self._check_steps(read.rows, found)
        weight = read_step_weight(sample_weight, found, owner=type(self).__name__)
        data = StepData(found, values, known & (weight > 0), weight, read.kind, read.ndim)
        return data.with_truth(owner=type(self).__name__)

    def _check_steps(self, rows: NDArray[Any], X: Sequences | Windows) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return targets of all steps, shape (total_steps, …), and which of them are known, from rows of any type."""
        raise NotImplementedError

    def _choose(self, data: StepData) -> NDArray[np.bool_]:
        """Return which steps of X count in the loss, shape (total_steps,).

        Raises
        ------
        ValueError
            If none does.
        """
        chosen = self._ruled(step_lengths(data.X)) & data.known
        if not chosen.any():
            raise ValueError(
                f"The 'loss_on' parameter of {type(self).__name__} must choose at least one step of the training data with a "
                f"target and a weight above 0. Got {self.loss_on!r} instead."
            )
        return chosen

    def _ruled(self, lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which steps ``loss_on`` names in sequences of these lengths, shape (total_steps,)."""
        of_length = {n: chosen_steps(self.loss_on, np.array([n]), int(n))[0] for n in np.unique(lengths)}
        return np.concatenate([of_length[n] for n in lengths])

    def _chosen(self, samples: Samples) -> list[NDArray[np.bool_]]:
        """Return which steps of each sample count in the loss."""
        offsets = samples.step_offsets
        chosen = self._ruled(np.diff(offsets))
        if samples.step_weight is not None:
            chosen &= samples.step_weight.values[:, 0] > 0
        return np.split(chosen, offsets[1:-1])

    def _counted(self, samples: Samples) -> NDArray[np.bool_]:
        return np.array([chosen.any() for chosen in self._chosen(samples)])

    def _updates_per_batch(self, samples: Samples) -> tuple[int, int]:
        """Return the updates of a batch, of which parts without a chosen step have none, and of the longest sequence."""
        usual, most = super()._updates_per_batch(samples)
        truncation = self._truncation()
        if truncation is None or (self.loss_on == "all" and samples.step_weight is None):
            return usual, most
        return max(1, int(np.mean([truncation.n_scored(chosen) for chosen in self._chosen(samples)]))), most

    def _samples(self, data: StepData, targets: Sequences, chosen: NDArray[np.bool_]) -> Samples:
        """Return samples whose weights have the mean 1 over the chosen steps, and learn how many of these a sample has."""
        offsets = Samples(data.X).step_offsets
        self._steps_per_sample = float(np.add.reduceat(chosen, offsets[:-1], dtype=np.int64).mean())
        weight = (data.weight / data.weight[chosen].mean()).astype(self.dtype)
        counted = np.where(data.known, weight, 0)
        of_samples = np.add.reduceat(counted, offsets[:-1]) / np.add.reduceat(data.known, offsets[:-1], dtype=np.int64)
        weighted = None if (weight == weight[0]).all() else of_samples.astype(self.dtype)
        if (counted == np.repeat(weight[offsets[:-1]], np.diff(offsets))).all():
            return Samples(data.X, targets, None if weighted is None else weight[offsets[:-1]])
        return Samples(data.X, targets, weighted, Sequences(counted[:, None], offsets))

    def _flat_outputs(self, X: Any) -> tuple[NDArray[Any], Sequences | Windows]:
        """Return the network's outputs at all steps, shape (total_steps, n_outputs), and X as it was read."""
        check_is_fitted(self)
        found = check_X(self, X, reset=False)
        return self.net_.step_outputs(Samples(found)), found

    def _scored(self, X: Any, y: Any, sample_weight: Any) -> tuple[ScoredSteps, NDArray[Any]]:
        """Return the truth of the steps that have one and a weight, and the network's outputs there."""
        check_is_fitted(self)
        data = self._read(X, y, sample_weight, reset=False)
        outputs = self.net_.step_outputs(Samples(data.X))[data.known]
        weight = None if (data.weight == data.weight[0]).all() else data.weight[data.known]
        return ScoredSteps(data.values[data.known], weight), outputs

    def _diagnosed(self, data: StepData, targets: Sequences) -> Samples:
        """Return samples for diagnostics: without weights, but for those of steps whose target is unknown."""
        if data.known.all():
            return Samples(data.X, targets)
        return Samples(data.X, targets, step_weight=Sequences(data.known[:, None].astype(self.dtype), targets.offsets))

    def _shaped(self, values: NDArray[Any], X: Sequences | Windows) -> Any:
        """Return values of all steps, shape (total_steps, …), in the form that y had in the fit."""
        return step_shaped(values, X, self._step_kind)
