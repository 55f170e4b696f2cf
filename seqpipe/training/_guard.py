"""The finite guard: a fit that diverges stops at once and keeps the last weights that worked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor

__all__ = ["Diverged", "GradientGuard", "StopTraining"]

#: Weights a million times as large as at the start are lost, long before they overflow.
_EXPLODED = 1e6


class StopTraining(Exception):
    """Ends training; what was learned so far is kept."""


class Diverged(StopTraining):
    """Ends training because a number is no longer finite."""


class GradientGuard(Callback):
    """Clip the gradient, and stop before a loss, gradient or weight that is not finite does harm.

    Before each update the weights that just gave a finite loss and gradient are kept; when the next ones do not, they
    are put back.

    Parameters
    ----------
    max_norm : float or None
        Largest norm of the gradient; None clips nothing.
    """

    def __init__(self, max_norm: float | None) -> None:
        self.max_norm = max_norm

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Keep the first weights and their norm."""
        self.weights_ = [p for group in net.optimizer_.param_groups for p in group["params"]]
        self.kept_ = [p.detach().clone() for p in self.weights_]
        self.limit_ = _EXPLODED * (1 + float(_norm(self.kept_)))
        self.n_updates_ = 0
        self.norms_: list[Tensor] = []

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Begin a new mean of the gradient's norm."""
        self.norms_ = []

    def on_loss_computed(self, loss: Tensor) -> None:
        """Stop if the loss is not finite; the net calls this between forward and backward."""
        if not torch.isfinite(loss):
            self._diverge("the loss is not finite")

    def on_grad_computed(self, net: Any, named_parameters: Iterable[Any], **kwargs: Any) -> None:
        """Clip; stop if gradient or weights are lost, else keep the weights."""
        gradients = [p.grad for p in self.weights_ if p.grad is not None]
        norm = _norm(gradients)
        if not torch.isfinite(norm):
            self._diverge("the gradient is not finite")
        self._check_weights()
        if self.max_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(self.weights_, self.max_norm, norm)
        with torch.no_grad():
            for kept, weight in zip(self.kept_, self.weights_):
                kept.copy_(weight)
        self.norms_.append(norm)
        self.n_updates_ += 1

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Check what the last update left, and record the mean norm of the gradient before clipping."""
        self._check_weights()
        if self.norms_:
            net.history.record("grad_norm", float(torch.stack(self.norms_).mean()))

    def _check_weights(self) -> None:
        if not float(_norm(self.weights_)) <= self.limit_:
            self._diverge("the weights exploded")

    def _diverge(self, what: str) -> None:
        with torch.no_grad():
            for kept, weight in zip(self.kept_, self.weights_):
                weight.copy_(kept)
        raise Diverged(what)


def _norm(tensors: list[Tensor]) -> Tensor:
    return torch.nn.utils.get_total_norm([t.detach() for t in tensors])
