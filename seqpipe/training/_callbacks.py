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

    def state_dict(self) -> dict[str, Any]:
        """Return the number of epochs done."""
        return {"n_epochs": self.bar_.n}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Advance the bar to the number of epochs done."""
        self.bar_.update(state["n_epochs"])

    def on_train_end(self, net: Any, **kwargs: Any) -> None:
        """Close the bar."""
        self.bar_.close()


class EpochListener(Callback):
    """Pass each epoch's record to a function, which may stop training.

    Parameters
    ----------
    listener : callable (dict) -> bool
        Called at the end of each epoch, with a record that it may complete; returns True to stop training.
    replay : callable (dict) -> object
        Called with the completed record of each epoch before a checkpoint, when a fit continues from it.
    """

    def __init__(self, listener: Callable[[dict[str, Any]], bool], replay: Callable[[dict[str, Any]], object]) -> None:
        self.listener = listener
        self.replay = replay

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Forget the records of another fit."""
        self.records_: list[dict[str, Any]] = []

    def state_dict(self) -> dict[str, Any]:
        """Return the records of the epochs done."""
        return {"records": self.records_}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Replay the records of the epochs done."""
        for record in state["records"]:
            self.records_.append(record)
            self.replay(record)

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Record the learning rate, then call the listener."""
        net.history.record("lr", float(net.optimizer_.param_groups[0]["lr"]))
        record = last_epoch(net)
        self.records_.append(record)
        if self.listener(record):
            raise StopTraining("a callback stopped it")


def last_epoch(net: Any) -> dict[str, Any]:
    """Return the values of the last epoch as built-in numbers."""
    record = net.history[-1]
    return {
        key: value if isinstance(value, int) else float(value)
        for key, value in record.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and not key.endswith("batch_count")
    }
