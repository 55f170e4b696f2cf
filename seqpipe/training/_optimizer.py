"""Optimizers of torch, by name, and the fastest implementation of each."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.optim import Optimizer

from seqpipe.exceptions import UnknownNameError, did_you_mean

__all__ = ["OPTIMIZERS", "check_optimizer_params", "find_optimizer", "optimizer_settings"]

_PREFIX = "optimizer__"
#: Settings of the user that prevent choosing an implementation.
_OVERRULED_BY = {_PREFIX + name for name in ("fused", "foreach", "differentiable")}
_UNSUPPORTED = {
    "LBFGS": "evaluates the loss several times per update",
    "Muon": "takes matrices only, and a network also has biases",
    "SparseAdam": "takes sparse gradients only",
}
#: The optimizers of torch that need one dense gradient per update, by name.
OPTIMIZERS: dict[str, type[Optimizer]] = {
    name: kind
    for name, kind in sorted(vars(torch.optim).items())
    if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer and name not in _UNSUPPORTED
}


def find_optimizer(optimizer: Any, *, owner: str) -> type[Optimizer]:
    """Return the optimizer class for an estimator's parameter: the name of a torch optimizer, or a class.

    Raises
    ------
    UnknownNameError
        If torch has no such optimizer, or it is not supported.
    TypeError
        If it is neither a name nor an optimizer class.
    """
    expected = (
        f"The 'optimizer' parameter of {owner} must be one of {list(OPTIMIZERS)} or a subclass of torch's Optimizer."
    )
    if isinstance(optimizer, type) and issubclass(optimizer, Optimizer):
        name = next((n for n in _UNSUPPORTED if issubclass(optimizer, getattr(torch.optim, n, ()))), "")
        found = None if name else optimizer
    elif isinstance(optimizer, str):
        name, found = optimizer, OPTIMIZERS.get(optimizer)
    else:
        raise TypeError(f"{expected} Got {optimizer!r} instead.")
    if found is None:
        reason = f" {name} {_UNSUPPORTED[name]}." if name in _UNSUPPORTED else did_you_mean(name, OPTIMIZERS)
        raise UnknownNameError(f"{expected} Got {optimizer!r} instead.{reason}")
    return found


def check_optimizer_params(optimizer: type[Optimizer], params: Mapping[str, Any] | None, *, owner: str) -> None:
    """Check before training that an optimizer accepts its settings.

    Parameters
    ----------
    optimizer : type
        A torch optimizer class.
    params : mapping, optional
        Parameters of the skorch net, of which those that begin with ``optimizer__`` are checked.
    owner : str
        Name of the estimator in errors.

    Raises
    ------
    ValueError
        If the optimizer cannot be created with them.
    """
    left = {*_OVERRULED_BY, _PREFIX + "param_groups"}  # these depend on the device, or are skorch's own
    given = {
        name.removeprefix(_PREFIX): value
        for name, value in (params or {}).items()
        if name.startswith(_PREFIX) and name.split("[")[0] not in left
    }
    if not given:
        return
    try:
        optimizer([torch.nn.Parameter(torch.zeros(1))], **given)
    except Exception as error:  # torch does not validate its arguments, so anything may be raised
        raise ValueError(
            f"The optimizer {optimizer.__name__!r} of {owner} cannot be created with {given}: {error}."
        ) from error


def optimizer_settings(
    optimizer: type[Optimizer], device: str, *, weight_decay: float, given: Iterable[str]
) -> dict[str, Any]:
    """Return the skorch parameters of an optimizer.

    It is fused if torch supports that, else foreach if supported, else neither. ``weight_decay`` is passed to
    optimizers that accept it.

    Parameters
    ----------
    optimizer : type
        A torch optimizer class.
    device : str
        Device of the parameters.
    weight_decay : float
        As the optimizer defines it.
    given : iterable of str
        Settings of the user, such as "optimizer__foreach", which take precedence.
    """
    known = inspect.signature(optimizer).parameters
    decay = {_PREFIX + "weight_decay": weight_decay} if "weight_decay" in known else {}
    if _OVERRULED_BY & set(given):
        return decay
    if "fused" in known and not (issubclass(optimizer, torch.optim.Adagrad) and device != "cpu"):
        return {**decay, _PREFIX + "fused": True}
    return {**decay, _PREFIX + "foreach": True} if "foreach" in known else decay
