"""`EarlyStopping`: stops training when the validation loss no longer improves."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
from skorch.callbacks import Callback

from seqpipe.training._stopping import StopTraining

__all__ = ["EarlyStopping"]

#: Minimum relative decrease of the lowest loss that counts as an improvement.
_TOLERANCE = 1e-4
#: Decay of the average per update: it spans the last 100 updates, and fewer at the start.
_DECAY = 0.99


class EarlyStopping(Callback):
    """Stop when the validation loss has not improved for some epochs, and restore the best weights.

    Validated and restored is the exponential moving average of the weights, which fluctuates less than the weights
    themselves (Polyak and Juditsky, 1992, doi:10.1137/0330046). Training continues from the weights.

    Parameters
    ----------
    patience : int
        Epochs without improvement after which training stops.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Reset the state."""
        self.misses_ = 0
        self.limit_ = math.inf
        self.n_updates_ = 0
        self.weights_ = [p.detach() for p in net.module_.parameters()]
        self.average_ = [weight.clone() for weight in self.weights_]
        self.trained_: list[torch.Tensor] | None = None  # the weights, while the average is in their place
        self.best_weights_: dict[str, Any] | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return what later epochs depend on, between two updates or before validation."""
        counts = {"misses": self.misses_, "limit": self.limit_, "n_updates": self.n_updates_}
        return {**counts, "average": self.average_, "best_weights": self.best_weights_}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the result of `state_dict` after `on_train_begin`."""
        self.misses_, self.limit_, self.n_updates_ = state["misses"], state["limit"], state["n_updates"]
        torch._foreach_copy_(self.average_, state["average"])
        self.best_weights_ = state["best_weights"]

    def on_batch_begin(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Put the average in place of the weights before the first batch of validation."""
        if not training and self.trained_ is None:
            self.trained_ = [weight.clone() for weight in self.weights_]
            torch._foreach_copy_(self.weights_, self.average_)

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Update the average after each batch of training."""
        if training:
            self.n_updates_ += 1
            decay = min(_DECAY, (1 + self.n_updates_) / (10 + self.n_updates_))
            torch._foreach_lerp_(self.average_, self.weights_, 1 - decay)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Store the average if it is the best so far, or stop after ``patience`` epochs without improvement."""
        loss = net.history[-1, "valid_loss"]
        improved = loss < self.limit_
        if improved:
            self.limit_ = loss - _TOLERANCE * loss
            self.best_weights_ = copy.deepcopy(net.module_.state_dict())
        self._continue_from_weights()
        self.misses_ = 0 if improved else self.misses_ + 1
        if self.misses_ == self.patience:
            raise StopTraining(f"the validation loss has not improved for {self.patience} epochs")

    def _continue_from_weights(self) -> None:
        if self.trained_ is not None:
            torch._foreach_copy_(self.weights_, self.trained_)
            self.trained_ = None

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Restore the best weights."""
        if self.best_weights_ is not None:
            net.module_.load_state_dict(self.best_weights_)
