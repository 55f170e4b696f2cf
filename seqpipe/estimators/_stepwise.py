"""`StepwiseEstimator`: what the estimators with an answer at every time step share."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators._base import RecurrentEstimator
from seqpipe.estimators._input import check_weight, check_X
from seqpipe.estimators._step_targets import StepTargets, read_step_targets, step_lengths, step_shaped
from seqpipe.networks import StepNetwork
from seqpipe.sequences import Sequences, Windows
from seqpipe.training import Samples, StepRule, chosen_steps

__all__ = ["StepwiseEstimator"]


class StepwiseEstimator(RecurrentEstimator):
    """Maps the output at each step by the same linear layer; its loss counts the steps that ``loss_on`` names."""

    _network = StepNetwork
    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **RecurrentEstimator._parameter_constraints,
        "loss_on": [StrOptions({"all", "last"}), Interval(Integral, 1, None, closed="left"), callable],
        "tbptt": [list, tuple, None],
    }
    loss_on: StepRule
    _step_kind: str
    _step_ndim: int
    _steps_per_sample: float

    def _read(
        self, X: Any, y: Any, sample_weight: Any, *, reset: bool
    ) -> tuple[Sequences | Windows, StepTargets, NDArray[np.float64] | None]:
        """Return X, targets aligned with it, and weights of sequences, without those that weigh nothing."""
        found = check_X(self, X, reset=reset)
        targets = read_step_targets(y, found, owner=type(self).__name__)
        weight = check_weight(sample_weight, len(found))
        if weight is None or (weight > 0).all():
            return found, targets, weight
        kept = weight > 0
        rows = targets.rows[np.repeat(kept, step_lengths(found))]
        return found[np.flatnonzero(kept)], targets._replace(rows=rows), weight[kept]

    def _choose(self, X: Sequences | Windows) -> NDArray[np.bool_]:
        """Return which steps of X count in the loss, shape (total_steps,).

        Raises
        ------
        ValueError
            If none does.
        """
        lengths = step_lengths(X)
        of_length = {n: chosen_steps(self.loss_on, np.array([n]), int(n))[0] for n in np.unique(lengths)}
        chosen = np.concatenate([of_length[n] for n in lengths])
        if not chosen.any():
            raise ValueError(
                f"The 'loss_on' parameter of {type(self).__name__} must choose at least one step of the training data. "
                f"Got {self.loss_on!r} instead."
            )
        return chosen

    def _counted(self, X: Sequences | Windows) -> NDArray[np.bool_]:
        lengths, numbers = np.unique(step_lengths(X), return_inverse=True)
        of_length = [chosen_steps(self.loss_on, lengths[[i]], n).any() for i, n in enumerate(lengths)]
        return np.array(of_length, dtype=bool)[numbers]

    def _updates_per_batch(self, X: Sequences | Windows) -> tuple[int, int]:
        """Return the updates of a batch, of which parts without a chosen step have none, and of the longest sequence."""
        usual, most = super()._updates_per_batch(X)
        truncation = self._truncation()
        if truncation is None or self.loss_on == "all":
            return usual, most
        lengths, counts = np.unique(step_lengths(X), return_counts=True)
        scored = [truncation.n_scored(chosen_steps(self.loss_on, lengths[[i]], n)[0]) for i, n in enumerate(lengths)]
        return max(1, int(np.average(scored, weights=counts))), most

    def _balanced(
        self, weight: NDArray[np.float64] | None, chosen: NDArray[np.bool_], X: Sequences | Windows
    ) -> NDArray[Any] | None:
        """Return the sequences' weights of mean 1 over the chosen steps, and learn how many of these a sequence has."""
        counts = np.add.reduceat(chosen, Samples(X).step_offsets[:-1], dtype=np.int64)
        self._steps_per_sample = float(counts.mean())
        return None if weight is None else (weight / np.average(weight, weights=counts)).astype(self.dtype)

    def _flat_outputs(self, X: Any) -> tuple[NDArray[Any], Sequences | Windows]:
        """Return the network's outputs at all steps, shape (total_steps, n_outputs), and X as it was read."""
        check_is_fitted(self)
        found = check_X(self, X, reset=False)
        return self.net_.step_outputs(Samples(found)), found

    def _shaped(self, values: NDArray[Any], X: Sequences | Windows) -> Any:
        """Return values of all steps, shape (total_steps, …), in the form that y had in the fit."""
        return step_shaped(values, X, self._step_kind)
