"""Conversion of a net to numpy arrays and back, so that pickles of fitted estimators contain no net and no tensors.

The pickle of a skorch net contains another pickle, so that even a file checked for unknown types could run code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from seqpipe.training import SequenceNet

__all__ = ["check_state", "net_state", "restore_net", "restore_weights"]

#: Settings that, besides its class, determine the state of an optimizer per parameter.
_KEEPS_MORE = ("amsgrad", "centered", "momentum")


def check_state(estimator: Any, state: dict[str, Any]) -> None:
    """Validate that a state does not replace attributes of the estimator's class, such as methods and constraints.

    Raises
    ------
    ValueError
        If it does; names the first such attribute.
    """
    for name in state:
        if hasattr(type(estimator), name):
            raise ValueError(f"The state of a {type(estimator).__name__} must not replace {name!r} of its class.")


def net_state(net: SequenceNet) -> dict[str, Any]:
    """Return weights and optimizer state of a net as arrays, numbers, lists and dicts with string keys."""
    return {"module": _plain(dict(net.module_.state_dict())), **_optimizer_state(net)}


def _optimizer_state(net: SequenceNet) -> dict[str, Any]:
    if net.kept_optimizer is not None:
        return net.kept_optimizer
    return {"optimizer": _plain(net.optimizer_.state_dict()["state"]), "optimizer_kind": _optimizer_kind(net)}


def restore_weights(net: SequenceNet, state: dict[str, Any]) -> None:
    """Load the weights into a net for prediction; the state of the optimizer is kept for a fit that continues.

    Raises
    ------
    ValueError
        If the shapes of the weights do not match, or a weight is not finite; names the tensor.
    """
    _check_finite(net, state["module"])
    _restore_module(net, state)
    net.kept_optimizer = {name: state[name] for name in ("optimizer", "optimizer_kind") if name in state}


def restore_net(net: SequenceNet, state: dict[str, Any]) -> None:
    """Load the state into an initialized net on any device, with the optimizer settings of the net.

    The state of the optimizer is not loaded if the net has another optimizer.

    Raises
    ------
    ValueError
        If the shapes of the weights do not match.
    """
    _restore_module(net, state)
    kind = _optimizer_kind(net)
    if state.get("optimizer_kind", kind) != kind:
        return
    groups = net.optimizer_.state_dict()["param_groups"]
    net.optimizer_.load_state_dict({"state": _torch(state["optimizer"]), "param_groups": groups})


def _check_finite(net: SequenceNet, weights: dict[str, Any]) -> None:
    """Check that no tensor has NaN or infinity, but for those that have such numbers from the beginning."""
    for name, initial in net.module_.state_dict().items():
        if name not in weights or np.isfinite(weights[name]).all() or not initial.isfinite().all():
            continue
        raise ValueError(f"The tensor {name!r} of the network has values that are not finite: the model is damaged.")


def _restore_module(net: SequenceNet, state: dict[str, Any]) -> None:
    try:
        net.module_.load_state_dict(_torch(state["module"]))
    except RuntimeError as error:
        raise ValueError(
            "The network does not match the fitted one: the cell, its sizes, or the number of features or outputs has "
            f"changed. Fit with warm_start=False. ({error})"
        ) from error


def _optimizer_kind(net: SequenceNet) -> list[str]:
    """Return a description that is equal for optimizers that can load each other's state."""
    optimizer = net.optimizer_
    return [type(optimizer).__qualname__, *(name for name in _KEEPS_MORE if optimizer.defaults.get(name))]


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy().copy()
    if isinstance(value, dict):
        return {k if isinstance(k, str) else f"#{k}": _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value


def _torch(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.copy())
    if isinstance(value, dict):
        return {int(k[1:]) if k.startswith("#") else k: _torch(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_torch(v) for v in value]
    return value
