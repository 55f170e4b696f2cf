"""`StepwiseEstimator`: one target per time step."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators._declared import Group, parameter
from seqpipe.estimators._listeners import FitListeners
from seqpipe.estimators._patched_steps import PatchedStepsEstimator
from seqpipe.estimators._step_targets import (
    STEP_KINDS,
    StepData,
    read_step_targets,
    read_step_weight,
    step_lengths,
    step_shaped,
)
from seqpipe.estimators._stream import StepStream
from seqpipe.networks import StepNetwork
from seqpipe.saved import Number, Schema, TextOf
from seqpipe.sequences import Sequences, Windows
from seqpipe.training import Samples, StepLoss, StepRule, chosen_steps

__all__ = ["StepwiseEstimator"]

#: Number of sequences, of many time steps each, of which some can be spared for validation.
_MANY = 100


class StepwiseEstimator(PatchedStepsEstimator):
    """Base class of estimators with one target per time step: the same linear layer is applied to all outputs."""

    _network = StepNetwork
    #: One prediction per time step, for which scikit-learn's scorers are adapted.
    _by_step = True
    _saved: ClassVar[dict[str, Schema]] = {
        "_step_kind": TextOf(among=STEP_KINDS),
        "_steps_per_sample": Number(low=0),
    }

    loss_on: StepRule = parameter(
        default="all",
        constraint=[StrOptions({"all", "last"}), Interval(Integral, 1, None, closed="left"), callable],
        type='{"all", "last"}, int or callable',
        description=(
            "The time steps on which the loss is computed: all, the last one, the given number of last ones, or a "
            "function that maps the length of a sequence to a boolean array of that length. Predictions and scores "
            "include all time steps."
        ),
        group=Group.TRAINING,
    )

    def _fit(self, X: Any, y: Any, sample_weight: Any, listeners: FitListeners, *, partial: bool, **known: Any) -> None:
        goes_on = self._begin(partial)
        data = self._read(X, y, sample_weight, reset=not goes_on)
        self._choose_patch(data.X)
        chosen = self._choose(data)
        values, weight = data.values[chosen], _unequal(data.weight, chosen)
        self._learn(values, weight, data.values[data.known], goes_on=goes_on, ndim=data.ndim, **known)
        if not goes_on:
            self._step_kind: str = data.kind
        of_targets = self._target_weights(values, weight)
        samples = self._samples(data, chosen, None if of_targets is None else of_targets(data.values[data.known]))
        self._train(samples, self._input_sizes(data.X), listeners, partial=partial)

    def _read(self, X: Any, y: Any, sample_weight: Any, *, reset: bool, encodes: bool = True) -> StepData:
        """Return X with aligned targets and weights, without sequences that have no step with a target and a weight.

        Unless ``encodes``, targets may be out of the range of the network's type.
        """
        owner = type(self).__name__
        found = self._check_input(X, reset=reset)
        read = read_step_targets(y, found, owner=owner)
        kind = self._codec_for(read.rows.shape[1]) if reset else type(self._codec)
        values, known = kind.read_steps(read.rows, found, owner=owner)
        if encodes:
            self._check_range(values, found, goes_on=not reset)
        weight = read_step_weight(sample_weight, found, owner=owner)
        data = StepData(found, values, known & (weight > 0), weight, read.kind, read.ndim)
        return data.with_truth(owner=owner)

    def _read_steps(self, rows: NDArray[Any], X: Sequences | Windows) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Return the targets of all steps, as the fitted estimator expects them, and a mask of known targets."""
        return self._codec.read_steps(rows, X, owner=type(self).__name__)

    def _encoded(self, data: StepData) -> Sequences:
        """Return the targets of all steps encoded for the net, 0 where unknown."""
        encoded = self._codec.encode(data.values[data.known])
        rows = np.zeros((len(data.values), *encoded.shape[1:]), dtype=self.dtype)
        rows[data.known] = encoded
        return Sequences(rows, Samples(data.X).step_offsets)

    def _objective(self) -> StepLoss:
        classes = self._codec.numbers_classes
        return StepLoss(self.loss_on, labels=classes, steps_per_sample=self._steps_per_sample)

    def _choose(self, data: StepData) -> NDArray[np.bool_]:
        """Return a mask of the steps of X that contribute to the loss, shape (total_steps,).

        Raises
        ------
        ValueError
            If there are none.
        """
        chosen = self._selected(step_lengths(data.X)) & data.known
        if not chosen.any():
            raise ValueError(
                f"The 'loss_on' parameter of {type(self).__name__} must select at least one step of the training data "
                f"with a target and a weight above 0. Got {self.loss_on!r} instead."
            )
        return chosen

    def _selected(self, lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return a mask of the steps that ``loss_on`` selects in sequences of these lengths, shape (total_steps,)."""
        of_length = {n: chosen_steps(self.loss_on, np.array([n]), int(n))[0] for n in np.unique(lengths)}
        return np.concatenate([of_length[n] for n in lengths])

    def _chosen(self, samples: Samples) -> list[NDArray[np.bool_]]:
        """Return a mask of the steps that contribute to the loss, for each sample."""
        offsets = samples.step_offsets
        chosen = self._selected(np.diff(offsets))
        if samples.step_weight is not None:
            chosen &= samples.step_weight.values[:, 0] > 0
        return np.split(chosen, offsets[1:-1])

    def _selected_steps(self, samples: Samples) -> NDArray[np.bool_]:
        return np.concatenate(self._chosen(samples))

    def _stops_early(self, samples: Samples) -> bool:
        if self.early_stopping == "auto":
            return not isinstance(samples.X, Windows) and self._counted(samples).sum() >= _MANY
        return super()._stops_early(samples)

    def _counted(self, samples: Samples) -> NDArray[np.bool_]:
        return np.array([chosen.any() for chosen in self._chosen(samples)])

    def _updates_per_batch(self, samples: Samples) -> tuple[int, int]:
        """Return the updates per batch, of mean and maximum length; parts without a selected step make no update."""
        usual, most = super()._updates_per_batch(samples)
        truncation = self._truncation()
        if truncation is None or (self.loss_on == "all" and samples.step_weight is None):
            return usual, most
        return max(1, int(np.mean([truncation.n_scored(chosen) for chosen in self._chosen(samples)]))), most

    def _samples(self, data: StepData, chosen: NDArray[np.bool_], of_targets: NDArray[np.float64] | None) -> Samples:
        """Return samples with weights of mean 1 over the selected steps; set the mean number of these per sample.

        ``of_targets`` are the weights that depend on the targets of known steps; they affect only the loss.
        """
        targets = self._encoded(data)
        offsets = targets.offsets
        self._steps_per_sample: float = float(np.add.reduceat(chosen, offsets[:-1], dtype=np.int64).mean())
        weight = (data.weight / data.weight[chosen].mean()).astype(self.dtype)
        counted = np.where(data.known, weight, 0)
        of_samples = np.add.reduceat(counted, offsets[:-1]) / np.add.reduceat(data.known, offsets[:-1], dtype=np.int64)
        weighted = None if (weight == weight[0]).all() else of_samples.astype(self.dtype)
        if of_targets is not None:
            counted[data.known] *= of_targets
            counted /= counted[chosen].mean()
        if (counted == np.repeat(weight[offsets[:-1]], np.diff(offsets))).all():
            return Samples(data.X, targets, None if weighted is None else weight[offsets[:-1]])
        return Samples(data.X, targets, weighted, Sequences(counted[:, None], offsets))

    def _samples_of(self, X: Any, y: Any) -> Samples:
        if y is None:
            return Samples(self._check_input(X, reset=False))
        data = self._read(X, y, None, reset=False)
        targets = self._encoded(data)
        if data.known.all():
            return Samples(data.X, targets)
        return Samples(data.X, targets, step_weight=Sequences(data.known[:, None].astype(self.dtype), targets.offsets))

    # ---- predict

    def _answer(self, X: Any, finish: Callable[[NDArray[Any]], NDArray[Any]]) -> Any:
        """Return the predictions that ``finish`` makes from the outputs of all time steps, in the form of y in fit."""
        found = self._check_input(X, reset=False)
        return step_shaped(finish(self._outputs(Samples(found))), found, self._step_kind)

    def _outputs(self, samples: Samples) -> NDArray[Any]:
        """Return the outputs of all time steps, shape (total_steps, n_outputs)."""
        return self._codec.average(self._of_members(lambda each: each.net_.step_outputs(samples)))

    def predict(self, X: Any) -> Any:
        """Predict the target at each time step.

        Parameters
        ----------
        X : sequences
            Input data, in any form that the class docstring lists.

        Returns
        -------
        y_pred : array, `Sequences` or object array of arrays
            Predictions, in the form of the training targets; see the class docstring.
        """
        check_is_fitted(self)
        return self._answer(X, self._codec.decode)

    def _score(self, X: Any, y: Any, sample_weight: Any) -> float:
        check_is_fitted(self)
        data = self._read(X, y, sample_weight, reset=False, encodes=False)
        outputs = self._outputs(Samples(data.X))[data.known]
        weight = _unequal(data.weight, data.known)
        return self._codec.score(data.values[data.known], outputs, weight, owner=type(self).__name__)

    def _stream_of_net(self, finish: Callable[[NDArray[Any]], NDArray[Any]]) -> StepStream:
        return StepStream(self.net_, finish, self._offset, self._names_of_steps)


def _unequal(weight: NDArray[np.float64], chosen: NDArray[np.bool_]) -> NDArray[np.float64] | None:
    """Return the weights of the selected steps, or None if all steps have the same weight."""
    return None if (weight == weight[0]).all() else weight[chosen]
