"""Find the network inside a fitted estimator, and prepare samples for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted
from torch import nn

from seqpipe.recurrence import Recurrent

__all__ = ["FittedNet", "fitted_net_of"]

#: Number of samples per batch, whose states are stored at the same time.
_BATCH = 32


@dataclass(frozen=True)
class FittedNet:
    """A fitted network with samples for it.

    Attributes
    ----------
    net : SequenceNet
        The fitted network; its ``infer``, ``get_loss``, ``get_iterator`` and ``module_`` are used.
    samples : Samples
        The result of the estimator's `as_samples`; without y if no y was given.
    """

    net: Any
    samples: Any

    def recurrents(self) -> dict[str, Recurrent]:
        """Return the recurrent layers by the name of their module, "" if there is only one."""
        found = {name: module for name, module in self.net.module_.named_modules() if isinstance(module, Recurrent)}
        if len(found) == 1:
            return {"": next(iter(found.values()))}
        return {name.removesuffix(".recurrent"): module for name, module in found.items()}

    def take(self, indices: NDArray[np.int64]) -> FittedNet:
        """Return this network with a subset of its samples."""
        return FittedNet(self.net, self.samples.take(indices))

    def subsample(self, n_samples: int | None) -> FittedNet:
        """Return this network with at most ``n_samples`` samples, evenly spaced; None for all."""
        available = len(self.samples)
        if n_samples is None or n_samples >= available:
            return self
        return self.take(np.linspace(0, available - 1, n_samples).round().astype(np.int64))

    def batches(self) -> Iterator[tuple[NDArray[np.int64], dict[str, Any], Any]]:
        """Yield indices, inputs and targets of the samples in batches."""
        for start in range(0, len(self.samples), _BATCH):
            part = self.take(np.arange(start, min(start + _BATCH, len(self.samples))))
            for inputs, y in self.net.get_iterator(part.samples):
                yield start + inputs["indices"], inputs, y

    @contextmanager
    def eval_mode(self) -> Iterator[None]:
        """Put the network in evaluation mode, and restore its mode on exit."""
        module: nn.Module = self.net.module_
        training = module.training
        module.eval()
        try:
            yield
        finally:
            module.train(training)


def fitted_net_of(estimator: Any, X: Any, y: Any = None) -> FittedNet:
    """Return the network inside an estimator, also of a search, pipeline or forecaster, with its samples.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If there is no recurrent network inside.
    ValueError
        If X or y is invalid.
    """
    check_is_fitted(estimator)
    if hasattr(estimator, "best_estimator_"):
        return fitted_net_of(estimator.best_estimator_, X, y)
    if hasattr(estimator, "steps"):
        return fitted_net_of(estimator[-1], estimator[:-1].transform(X) if len(estimator) > 1 else X, y)
    if hasattr(estimator, "inner_samples"):
        return fitted_net_of(estimator.estimator_, *estimator.inner_samples(X, y))
    if hasattr(estimator, "as_samples"):
        return FittedNet(estimator.net_, estimator.as_samples(X, y))
    raise TypeError(
        f"{type(estimator).__name__} holds no recurrent network: pass a fitted estimator of seqpipe, such as "
        "SequenceClassifier, or a search, Pipeline or Forecaster around one."
    )
