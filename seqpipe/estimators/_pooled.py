"""`PooledEstimator`: one target per sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.utils.validation import check_is_fitted

from seqpipe.estimators._declared import Group, parameter
from seqpipe.estimators._input import check_weight
from seqpipe.estimators._listeners import FitListeners
from seqpipe.estimators._patched_sequences import PatchedSequencesEstimator
from seqpipe.estimators._plain import plain_array
from seqpipe.estimators._scaled_sequences import ScaledSequencesEstimator
from seqpipe.estimators._stream import SequenceStream
from seqpipe.networks import SequenceNetwork
from seqpipe.plugins import host
from seqpipe.training import Objective, SampleLoss, Samples

__all__ = ["PooledEstimator"]


class PooledEstimator(PatchedSequencesEstimator, ScaledSequencesEstimator):
    """Base class of estimators with one target per sequence; the outputs of all time steps are pooled."""

    _network = SequenceNetwork

    pooling: str = parameter(
        default="last_mean",
        constraint=[str],
        type="str",
        description=(
            'How the outputs of all time steps are combined into one vector: "attention", "last", "last_mean", "max", '
            '"mean", or the pooling of a plug-in. "last_mean" concatenates the last output and the mean of all outputs.'
        ),
        group=Group.NETWORK,
    )

    def _validate_params(self) -> None:
        super()._validate_params()
        host().find("pooling", self.pooling, parameter=f"The 'pooling' parameter of {type(self).__name__}")

    def _can_join(self) -> bool:
        own = host().find("pooling", self.pooling, parameter="'pooling'").is_builtin
        return own and super()._can_join()

    def _fit(self, X: Any, y: Any, sample_weight: Any, listeners: FitListeners, *, partial: bool, **known: Any) -> None:
        goes_on = self._begin(partial)
        owner = type(self).__name__
        if y is None:
            raise ValueError(f"This {owner} estimator requires y to be passed, but the target y is None.")
        found = self._check_input(X, reset=not goes_on)
        if not (goes_on and self.patch == "auto"):
            self._choose_patch(found)
        kind = type(self._codec) if goes_on else self._codec_for(_n_targets(y))
        values = kind.read(y, len(found), owner=owner)
        self._check_range(values, found, goes_on=goes_on)
        weight = check_weight(sample_weight, len(found))
        if weight is not None:
            kept = np.flatnonzero(weight > 0)
            found, values, weight = found[kept], values[kept], weight[kept]
        self._learn(values, weight, values, goes_on=goes_on, ndim=values.ndim, **known)
        of_targets = self._target_weights(values, weight)
        if of_targets is not None:
            weight = of_targets(values) if weight is None else weight * of_targets(values)
        samples = Samples(found, self._encoded(values), self._normalized(weight))
        labels = samples.y if kind.numbers_classes else None
        self._train(samples, self._input_sizes(found), listeners, partial=partial, labels=labels)

    def _encoded(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return targets encoded for the net: class indices, or numbers of the network's dtype."""
        encoded = self._codec.encode(values)
        return encoded if self._codec.numbers_classes else encoded.astype(self.dtype)

    def _samples_of(self, X: Any, y: Any) -> Samples:
        found = self._check_input(X, reset=False)
        if y is None:
            return Samples(found)
        values = self._codec.read(y, len(found), owner=type(self).__name__)
        self._check_range(values, found, goes_on=True)
        return Samples(found, self._encoded(values))

    def _network_settings(self) -> dict[str, Any]:
        return {**super()._network_settings(), "pooling": self.pooling}

    def _objective(self) -> Objective:
        return SampleLoss()

    # ---- predict

    def _outputs(self, X: Any) -> NDArray[Any]:
        """Return the network's outputs for X, shape (n_samples, n_outputs)."""
        check_is_fitted(self)
        samples = Samples(self._check_input(X, reset=False))
        return self._codec.average(self._of_members(lambda each: each.net_.outputs(samples)))

    def _answer(self, X: Any, finish: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
        return finish(self._outputs(X))

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the target of each sequence.

        Parameters
        ----------
        X : sequences
            Input data, in any form that the class docstring lists.

        Returns
        -------
        y_pred : array of shape (n_samples,) or (n_samples, n_targets)
            Predictions, with the shape of the training targets.
        """
        check_is_fitted(self)
        return self._answer(X, self._codec.decode)

    def _score(self, X: Any, y: Any, sample_weight: Any) -> float:
        outputs = self._outputs(X)
        owner = type(self).__name__
        values = self._codec.read(y, len(outputs), owner=owner)
        return self._codec.score(values, outputs, check_weight(sample_weight, len(outputs)), owner=owner)

    def _stream_of_net(self, finish: Callable[[NDArray[Any]], NDArray[Any]]) -> SequenceStream:
        return SequenceStream(self.net_, finish, self._offset, self._names_of_steps)


def _n_targets(y: Any) -> int:
    """Return the number of columns of y: 1 for one-dimensional targets."""
    values = y if issparse(y) else plain_array(y, "y")
    return int(values.shape[1]) if values.ndim == 2 else 1
