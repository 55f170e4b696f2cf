"""The progress bar and the per-epoch notification of callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skorch.callbacks import Callback

from seqpipe.training._stopping import StopTraining

__all__ = ["EpochListener", "ProgressBar", "last_epoch"]


class ProgressBar(Callback):
    """Show a progress bar with epochs done, time left and losses.

    Parameters
    ----------
    max_epochs : int
        Number of epochs of the fit.
    """

    def __init__(self, max_epochs: int) -> None:
        self.max_epochs = max_epochs

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the bar."""
        from tqdm.auto import tqdm

        self.bar_ = tqdm(total=self.max_epochs, unit="epoch")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Advance the bar by one epoch."""
        epoch = last_epoch(net)
        self.bar_.set_postfix({k: f"{v:.4f}" for k, v in epoch.items() if k.endswith("_loss")})
        self.bar_.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close the bar."""
        self.bar_.close()


class EpochListener(Callback):
    """Pass each epoch's record to a function, which may stop training.

    Parameters
    ----------
    listener : callable (dict) -> bool
        Called at the end of each epoch; returns True to stop training.
    """

    def __init__(self, listener: Callable[[dict[str, Any]], bool]) -> None:
        self.listener = listener

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the learning rate, then call the listener."""
        net.history.record("lr", float(net.optimizer_.param_groups[0]["lr"]))
        if self.listener(last_epoch(net)):
            raise StopTraining("a callback stopped it")


def last_epoch(net: Any) -> dict[str, Any]:
    """Return the values of the last epoch as built-in numbers."""
    record = net.history[-1]
    return {
        key: value if isinstance(value, int) else float(value)
        for key, value in record.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and not key.endswith("batch_count")
    }
