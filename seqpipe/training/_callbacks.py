"""What happens beside the updates: the progress bar, the notification of callbacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from skorch.callbacks import Callback

from seqpipe.training._stopping import StopTraining

__all__ = ["EpochListener", "ProgressBar", "last_epoch"]


class ProgressBar(Callback):
    """Show epochs done, time left and the losses.

    Parameters
    ----------
    max_epochs : int
        Epochs of the fit.
    """

    def __init__(self, max_epochs: int) -> None:
        self.max_epochs = max_epochs

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Open the bar."""
        from tqdm.auto import tqdm

        self.bar_ = tqdm(total=self.max_epochs, unit="epoch")

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Go on by one epoch."""
        epoch = last_epoch(net)
        self.bar_.set_postfix({k: f"{v:.4f}" for k, v in epoch.items() if k.endswith("_loss")})
        self.bar_.update()

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close the bar."""
        self.bar_.close()


class EpochListener(Callback):
    """Give each epoch's record to a function; a true answer stops training.

    Parameters
    ----------
    listener : callable (dict) -> bool
        Called at each epoch's end.
    """

    def __init__(self, listener: Callable[[dict[str, Any]], bool]) -> None:
        self.listener = listener

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the learning rate, then tell."""
        net.history.record("lr", float(net.optimizer_.param_groups[0]["lr"]))
        if self.listener(last_epoch(net)):
            raise StopTraining("a callback stopped it")


def last_epoch(net: Any) -> dict[str, Any]:
    """Return the last epoch's numbers, as builtins."""
    record = net.history[-1]
    return {
        key: value if isinstance(value, int) else float(value)
        for key, value in record.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and not key.endswith("batch_count")
    }
