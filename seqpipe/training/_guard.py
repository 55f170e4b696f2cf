"""Gradient clipping, and a guard that stops a diverging fit and restores the last good weights."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from skorch.callbacks import Callback
from torch import Tensor

from seqpipe.training._stopping import Diverged

__all__ = ["GradientGuard", "guard_together"]

#: Weights this many times larger than at the start count as diverged, long before they overflow.
_EXPLODED = 1e6


class GradientGuard(Callback):
    """Clip the gradient, and stop training before a loss, gradient or weight that is not finite does harm.

    Before each update the weights, which gave a finite loss and gradient, are stored; if the next ones do not, they are
    restored. Loss and norms are read together, once per update: on a GPU each read synchronizes.

    Parameters
    ----------
    max_norm : float or None
        The gradient is clipped to this norm; None disables clipping.
    """

    def __init__(self, max_norm: float | None) -> None:
        self.max_norm = max_norm

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Store the initial weights and their norm."""
        self.weights_ = [p.detach() for group in net.optimizer_.param_groups for p in group["params"]]
        self.parameters_ = [p for group in net.optimizer_.param_groups for p in group["params"]]
        self.kept_ = [weight.clone() for weight in self.weights_]
        self.limit_ = _EXPLODED * (1 + _weight_norm(self.weights_))
        self.loss_ = torch.zeros(())
        self.n_updates_ = 0
        self.norms_: list[float] = []

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
        """Reset the mean norm of the gradient."""
        self.norms_ = []

    def state_dict(self) -> dict[str, Any]:
        """Return what later updates depend on."""
        return {"kept": self.kept_, "limit": self.limit_, "n_updates": self.n_updates_, "norms": self.norms_}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the result of `state_dict` after `on_epoch_begin`."""
        torch._foreach_copy_(self.kept_, state["kept"])
        self.limit_, self.n_updates_, self.norms_ = state["limit"], state["n_updates"], list(state["norms"])

    def on_loss_computed(self, loss: Tensor) -> None:
        """Store the loss until its gradient is computed; the net calls this between forward and backward."""
        self.loss_ = loss.detach()

    def on_grad_computed(self, net: Any, named_parameters: Iterable[Any], **kwargs: Any) -> None:
        """Stop if loss, gradient or weights are not finite; else clip the gradient and store the weights."""
        for fault in guard_together([self]).values():
            raise fault

    @property
    def gradients(self) -> list[Tensor]:
        """The gradients of the parameters that have one."""
        return [p.grad for p in self.parameters_ if p.grad is not None]

    def judge(self, loss: float, norm: float, weight_norm: float) -> float:
        """Return the factor that clips the gradient.

        Raises
        ------
        Diverged
            If the loss or a norm is not finite, or the weights exploded; the stored weights are restored.
        """
        if not math.isfinite(loss):
            self._diverge("the loss is not finite")
        if not math.isfinite(norm):
            self._diverge("the gradient is not finite")
        self._check_weights(weight_norm)
        self.norms_.append(norm)
        self.n_updates_ += 1
        return 1.0 if self.max_norm is None else min(1.0, self.max_norm / (norm + 1e-6))  # as clip_grad_norm_ of torch

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Check the weights after the last update, and record the mean norm of the gradient before clipping."""
        self._check_weights(_weight_norm(self.weights_))
        if self.norms_:
            net.history.record("grad_norm", statistics.fmean(self.norms_))

    def _check_weights(self, norm: float) -> None:
        if not norm <= self.limit_:
            self._diverge("the weights exploded")

    def _diverge(self, what: str) -> None:
        torch._foreach_copy_(self.weights_, self.kept_)
        raise Diverged(what)


def _weight_norm(weights: list[Tensor]) -> float:
    return math.hypot(*torch.stack(torch._foreach_norm(weights)).tolist())


def guard_together(guards: Sequence[GradientGuard]) -> dict[int, Diverged]:
    """Check the gradients of several nets, clip each by its norm, and store the weights; return errors by index."""
    gradients = [guard.gradients for guard in guards]
    factors, faults = [], {}
    for i, (guard, values) in enumerate(zip(guards, _read(guards, gradients))):
        try:
            factors.append(guard.judge(*values))
        except Diverged as fault:
            faults[i] = fault
            factors.append(1.0)
    for own, factor in zip(gradients, factors):
        if factor != 1.0:
            torch._foreach_mul_(own, factor)
    kept = [guard for i, guard in enumerate(guards) if i not in faults]
    if kept:
        torch._foreach_copy_([w for guard in kept for w in guard.kept_], [w for guard in kept for w in guard.weights_])
    return faults


def _read(guards: Sequence[GradientGuard], gradients: Sequence[list[Tensor]]) -> Iterator[tuple[float, float, float]]:
    """Yield the loss, the norm of the gradient and that of the weights of each net; all are read at once."""
    norms = torch._foreach_norm([t for guard, own in zip(guards, gradients) for t in (*own, *guard.weights_)])
    losses = [guard.loss_.to(norms[0].device) for guard in guards]
    values = iter(torch.stack([*losses, *norms]).tolist())
    losses_read = list(islice(values, len(guards)))
    for loss, guard, own in zip(losses_read, guards, gradients):
        yield loss, math.hypot(*islice(values, len(own))), math.hypot(*islice(values, len(guard.weights_)))
