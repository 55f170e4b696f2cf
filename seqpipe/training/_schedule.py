"""Learning-rate schedules of torch, by name, over exactly one fit."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from skorch.callbacks import Callback
from torch.optim import Optimizer, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from seqpipe.exceptions import UnknownNameError, did_you_mean

__all__ = ["BY_FUNCTION", "SCHEDULES", "Schedule", "check_schedule", "check_schedule_params", "depends_on_epochs"]

#: Base classes, and schedules composed of others.
_UNSUPPORTED = {"ChainedScheduler", "LRScheduler", "SequentialLR", "_LRScheduler"}
#: The schedules of torch, by name.
SCHEDULES: dict[str, type[LRScheduler]] = {
    name: kind
    for name, kind in sorted(vars(lr_scheduler).items())
    if isinstance(kind, type) and issubclass(kind, LRScheduler) and name not in _UNSUPPORTED
}
#: Schedules defined by a function of the epoch.
BY_FUNCTION = {name for name, kind in SCHEDULES.items() if "lr_lambda" in inspect.signature(kind).parameters}
#: Schedules that step after every update, as torch documents; the others step after each epoch.
_BY_UPDATE = {"CyclicLR", "OneCycleLR"}
#: Parameters whose defaults depend on the number of epochs.
_BY_EPOCHS = {
    "CosineAnnealingLR": "T_max",
    "CosineAnnealingWarmRestarts": "T_0",
    "ExponentialLR": "gamma",
    "MultiStepLR": "milestones",
    "PolynomialLR": "total_iters",
    "StepLR": "step_size",
}


def check_schedule(name: str | None, *, owner: str) -> None:
    """Check that torch has a schedule of this name.

    Raises
    ------
    UnknownNameError
        If it has not; the message lists the schedules.
    """
    if name is not None and name not in SCHEDULES:
        raise UnknownNameError(
            f"The 'lr_schedule' parameter of {owner} must be None or one of {list(SCHEDULES)}. Got {name!r} instead."
            f"{did_you_mean(name, SCHEDULES)}"
        )


def check_schedule_params(name: str | None, params: Mapping[str, Any] | None, *, owner: str) -> None:
    """Check that a schedule accepts these parameters.

    Raises
    ------
    UnknownNameError
        If the schedule has no such parameter.
    ValueError
        If there are parameters but no schedule, or ``lr_lambda`` is required and missing.
    """
    if name is None:
        if params:
            raise ValueError(f"lr_schedule_params of {owner} has no effect with lr_schedule=None. Remove it.")
        return
    known = {
        p: d for p, d in inspect.signature(SCHEDULES[name]).parameters.items() if p not in ("optimizer", "last_epoch")
    }
    for param in params or {}:
        if param not in known:
            raise UnknownNameError(
                f"The 'lr_schedule_params' parameter of {owner} holds {param!r}, which {name} does not accept."
                f"{did_you_mean(param, known)} It accepts {list(known)}."
            )
    if name in BY_FUNCTION and "lr_lambda" not in (params or {}):
        raise ValueError(
            f"lr_schedule={name!r} of {owner} needs lr_schedule_params={{'lr_lambda': function of the epoch}}."
        )


def depends_on_epochs(name: str | None, params: Mapping[str, Any] | None) -> bool:
    """Return whether the learning rates of a schedule depend on the number of epochs of the fit."""
    return name in _BY_UPDATE or (name in _BY_EPOCHS and _BY_EPOCHS[name] not in (params or {}))


class Schedule(Callback):
    """Set the learning rate by one of torch's schedules, over exactly one fit.

    "OneCycleLR" (Smith and Topin, 2018, arXiv:1708.07120) and "CyclicLR" step after every update, the others after each
    epoch; "ReduceLROnPlateau" monitors the validation loss, or without validation the training loss. If batches have
    several updates, the schedule plans as many steps per batch as the longest batch takes, and skips some for shorter
    ones: so it ends with the fit for any batches.

    Parameters
    ----------
    name : str
        One of `SCHEDULES`.
    epochs : int
        Number of epochs of the fit.
    n_batches : int
        Number of batches per epoch.
    params : dict, optional
        Parameters of the schedule; required ones that follow from the fit are filled in.
    updates_per_batch : int, default=1
        Number of updates of the longest batch.
    """

    def __init__(
        self,
        name: str,
        epochs: int,
        n_batches: int,
        *,
        params: Mapping[str, Any] | None = None,
        updates_per_batch: int = 1,
    ) -> None:
        self.name = name
        self.epochs = epochs
        self.n_batches = n_batches
        self.params = params
        self.updates_per_batch = updates_per_batch

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        """Create the schedule."""
        total = self.epochs * self.n_batches * self.updates_per_batch
        self.left_ = total - 1 if self.name in _BY_UPDATE else 0
        self.done_ = 0
        if self.name in _BY_UPDATE and total < 2:
            return  # the only update uses lr
        settings = _defaults(self.name, net.lr, self.epochs, total, net.optimizer_) | dict(self.params or {})
        try:
            self.schedule_ = SCHEDULES[self.name](net.optimizer_, **settings)
        except Exception as error:  # torch does not validate its arguments, so anything may be raised
            raise ValueError(
                f"lr_schedule={self.name!r} cannot be created with lr_schedule_params={settings}: {error}"
            ) from error

    def state_dict(self) -> dict[str, Any]:
        """Return what later steps depend on, besides the optimizer's state."""
        schedule = getattr(self, "schedule_", None)
        return {
            "left": self.left_,
            "done": self.done_,
            "schedule": None if schedule is None else schedule.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Set the result of `state_dict` after `on_train_begin`."""
        self.left_, self.done_ = state["left"], state["done"]
        if state["schedule"] is not None:
            self.schedule_.load_state_dict(state["schedule"])

    def on_batch_end(self, net: Any, training: bool = False, **kwargs: Any) -> None:
        """Catch up with the fit, if the schedule steps per update."""
        if not training:
            return
        planned = round(net.batches_done_ * self.updates_per_batch)
        while self.left_ > 0 and self.done_ < planned:
            self._step()
            self.done_ += 1
            self.left_ -= 1

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
        """Take one step, if the schedule steps per epoch."""
        if self.name in _BY_UPDATE:
            return
        if isinstance(self.schedule_, ReduceLROnPlateau):
            record = net.history[-1]
            self._step(record.get("valid_loss", record["train_loss"]))
        else:
            self._step()

    def _step(self, *losses: float) -> None:
        try:
            self.schedule_.step(*losses)  # type: ignore[arg-type]
        except Exception as error:
            raise ValueError(
                f"lr_schedule={self.name!r} failed with lr_schedule_params={self.params}: {error}"
            ) from error


def _defaults(name: str, lr: float, epochs: int, n_updates: int, optimizer: Optimizer) -> dict[str, Any]:
    """Return the required parameters of a schedule that follow from the fit."""
    cycled = "betas" in optimizer.defaults or optimizer.defaults.get("momentum", 0) > 0
    known: dict[str, dict[str, Any]] = {
        "CosineAnnealingLR": {"T_max": epochs},
        "CosineAnnealingWarmRestarts": {"T_0": max(1, epochs // 4)},
        "CyclicLR": {
            "base_lr": lr / 25,
            "max_lr": lr,
            "step_size_up": max(1, n_updates // 8),
            "cycle_momentum": cycled,
        },
        "ExponentialLR": {"gamma": 0.01 ** (1 / epochs)},
        "MultiStepLR": {"milestones": [epochs // 2, 3 * epochs // 4]},
        "OneCycleLR": {"max_lr": lr, "total_steps": n_updates, "cycle_momentum": cycled},
        "PolynomialLR": {"total_iters": epochs},
        "StepLR": {"step_size": max(1, epochs // 3)},
    }
    return known.get(name, {})
