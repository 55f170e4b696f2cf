"""`EarlyStopping`: stops training when the validation loss no longer improves."""

from __future__ import annotations

import copy
import math
from typing import Any

from skorch.callbacks import Callback

from seqpipe.training._stopping import StopTraining

__all__ = ["EarlyStopping"]

#: Minimum relative decrease of the lowest loss that counts as an improvement.
_TOLERANCE = 1e-4


class EarlyStopping(Callback):
    """Stop when the validation loss has not improved for some epochs, and restore the best weights.

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
        self.best_epoch_ = 0
        self.best_weights_: dict[str, Any] | None = None

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Store the weights of the best epoch so far, or stop after ``patience`` epochs without improvement."""
        epoch, loss = net.history[-1, ("epoch", "valid_loss")]
        if loss < self.limit_:
            self.misses_ = 0
            self.limit_ = loss - _TOLERANCE * loss
            self.best_epoch_ = epoch
            self.best_weights_ = copy.deepcopy(net.module_.state_dict())
            return
        self.misses_ += 1
        if self.misses_ == self.patience:
            raise StopTraining(f"the validation loss has not improved for {self.patience} epochs")

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Restore the weights of the best epoch."""
        if self.best_weights_ is not None and self.best_epoch_ != net.history[-1, "epoch"]:
            net.module_.load_state_dict(self.best_weights_)
