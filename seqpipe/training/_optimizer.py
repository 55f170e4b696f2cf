"""Optimizers by torch's names, and the fastest way each has to update all parameters."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from seqpipe.exceptions import UnknownNameError, did_you_mean

__all__ = ["OPTIMIZERS", "check_optimizer_params", "find_optimizer", "optimizer_settings"]

_PREFIX = "optimizer__"
#: What the user may have set in their place, or what forbids them.
_OVERRULED_BY = {_PREFIX + name for name in ("fused", "foreach", "differentiable")}
_UNFIT = {
    "LBFGS": "evaluates the loss several times an update",
    "Muon": "takes matrices only, and a network also has biases",
    "SparseAdam": "takes sparse gradients only",
}
#: The optimizers of torch that make one update from one dense gradient, by name.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    name: kind
    for name, kind in sorted(vars(torch.optim).items())
    if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer and name not in _UNFIT
}


def find_optimizer(optimizer: Any, *, owner: str) -> type[Optimizer]:
    """Return the class that an estimator's parameter stands for: one of torch's names, or a class itself.

    Raises
    ------
    UnknownNameError
        If torch has no such optimizer, or it cannot be used here.
    TypeError
        If it is neither a name nor a class of optimizers.
    """
    expected = (
        f"The 'optimizer' parameter of {owner} must be one of {list(OPTIMIZERS)} or a subclass of torch's Optimizer."
    )
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        name = next((n for n in _UNFIT if issubclass(optimizer, getattr(torch.optim, n, ()))), "")
        found = None if name else optimizer
    elif isinstance(optimizer, str):
        name, found = optimizer, OPTIMIZERS.get(optimizer)
    else:
        raise TypeError(f"{expected} Got {optimizer!r} instead.")
    if found is None:
        reason = f" {name} {_UNFIT[name]}." if name in _UNFIT else did_you_mean(name, OPTIMIZERS)
        raise UnknownNameError(f"{expected} Got {optimizer!r} instead.{reason}")
    return found


def check_optimizer_params(optimizer: type[Optimizer], params: Mapping[str, Any] | None, *, owner: str) -> None:
    """Refuse settings that an optimizer does not take, before training.

    Parameters
    ----------
    optimizer : type
        A class of torch's, or one like them.
    params : mapping, optional
        Entries for skorch's net; those that begin with ``optimizer__`` are looked at.
    owner : str
        What errors call the estimator.

    Raises
    ------
    ValueError
        Says what the optimizer refused.
    """
    left = {*_OVERRULED_BY, _PREFIX + "param_groups"}  # what depends on the device, and skorch's own
    given = {
        name.removeprefix(_PREFIX): value
        for name, value in (params or {}).items()
        if name.startswith(_PREFIX) and name.split("[")[0] not in left
    }
    if not given:
        return
    try:
        optimizer([torch.nn.Parameter(torch.zeros(1))], **given)
    except Exception as error:  # torch takes what it is given, and fails in any way
        raise ValueError(
            f"The optimizer {optimizer.__name__!r} of {owner} cannot be made with {given}: {error}."
        ) from error


def optimizer_settings(
    optimizer: type[Optimizer], device: str, *, weight_decay: float, given: Iterable[str]
) -> dict[str, Any]:
    """Return skorch's settings of an optimizer.

    It is fused where torch can, else foreach where it can, else neither. ``weight_decay`` goes to those that have it.

    Parameters
    ----------
    optimizer : type
        A class of torch's, or one like them.
    device : str
        Where the parameters are.
    weight_decay : float
        In the optimizer's own sense of it.
    given : iterable of str
        Settings of the user, such as "optimizer__foreach", which are not overruled.
    """
    known = inspect.signature(optimizer).parameters
    decay = {_PREFIX + "weight_decay": weight_decay} if "weight_decay" in known else {}
    if _OVERRULED_BY & set(given):
        return decay
    if "fused" in known and not (issubclass(optimizer, torch.optim.Adagrad) and device != "cpu"):
        return {**decay, _PREFIX + "fused": True}
    return {**decay, _PREFIX + "foreach": True} if "foreach" in known else decay
