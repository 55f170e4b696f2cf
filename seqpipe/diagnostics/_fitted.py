"""From what a user has fitted to the network inside, with data as the network takes it."""

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

__all__ = ["Subject", "subject_of"]

#: Samples whose states are kept at a time.
_BATCH = 32


@dataclass(frozen=True)
class Subject:
    """A fitted net, and samples for it.

    Attributes
    ----------
    net : SequenceNet
        Its ``infer``, ``get_loss``, ``get_iterator`` and ``module_`` are used.
    samples : Samples
        What the estimator's `as_samples` returns; without y where there was none.
    """

    net: Any
    samples: Any

    def recurrents(self) -> dict[str, Recurrent]:
        """Return the recurrent layers by what tells them apart: nothing, where they are alone."""
        found = {name: module for name, module in self.net.module_.named_modules() if isinstance(module, Recurrent)}
        if len(found) == 1:
            return {"": next(iter(found.values()))}
        return {name.removesuffix(".recurrent"): module for name, module in found.items()}

    def take(self, indices: NDArray[np.int64]) -> Subject:
        """Return some of the samples."""
        return Subject(self.net, self.samples.take(indices))

    def spread(self, n_samples: int | None) -> Subject:
        """Return so many of the samples, spread evenly over them, or all."""
        there = len(self.samples)
        if n_samples is None or n_samples >= there:
            return self
        return self.take(np.linspace(0, there - 1, n_samples).round().astype(np.int64))

    def batches(self) -> Iterator[tuple[NDArray[np.int64], dict[str, Any], Any]]:
        """Yield the samples' numbers, inputs and targets, few at a time."""
        for start in range(0, len(self.samples), _BATCH):
            part = self.take(np.arange(start, min(start + _BATCH, len(self.samples))))
            for inputs, y in self.net.get_iterator(part.samples):
                yield start + inputs["indices"], inputs, y

    @contextmanager
    def evaluated(self) -> Iterator[None]:
        """Disable dropout, and put the network's mode back."""
        module: nn.Module = self.net.module_
        training = module.training
        module.eval()
        try:
            yield
        finally:
            module.train(training)


def subject_of(estimator: Any, X: Any, y: Any = None) -> Subject:
    """Look inside searches, pipelines and forecasters for the network, and bring the samples to it.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If there is no recurrent network inside.
    ValueError
        If X or y is unfit.
    """
    check_is_fitted(estimator)
    if hasattr(estimator, "best_estimator_"):
        return subject_of(estimator.best_estimator_, X, y)
    if hasattr(estimator, "steps"):
        return subject_of(estimator[-1], estimator[:-1].transform(X) if len(estimator) > 1 else X, y)
    if hasattr(estimator, "inner_samples"):
        return subject_of(estimator.estimator_, *estimator.inner_samples(X, y))
    if hasattr(estimator, "as_samples"):
        return Subject(estimator.net_, estimator.as_samples(X, y))
    raise TypeError(
        f"{type(estimator).__name__} holds no recurrent network: give a fitted estimator of seqpipe, such as "
        "SequenceClassifier, or a search, Pipeline or Forecaster around one."
    )
