"""A net as plain arrays and back: a fitted estimator's pickle holds no torch object and no net.

skorch's nets carry a pickle inside their pickle, so that even a file that was checked for unknown types can run code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from seqpipe.training import SequenceNet

__all__ = ["net_state", "restore_net"]

#: Settings, beside its class, that decide what an optimizer keeps for each parameter.
_KEEPS_MORE = ("amsgrad", "centered", "momentum")


def net_state(net: SequenceNet) -> dict[str, Any]:
    """Return weights and optimizer state of a net as arrays, numbers, lists and dicts with text keys."""
    return {
        "module": _plain(dict(net.module_.state_dict())),
        "optimizer": _plain(net.optimizer_.state_dict()["state"]),
        "optimizer_kind": _optimizer_kind(net),
    }


def restore_net(net: SequenceNet, state: dict[str, Any]) -> None:
    """Put the state back into an initialised net, on whatever device it is; the optimizer's settings are the net's own.

    An optimizer of another kind than the state is from begins anew.

    Raises
    ------
    ValueError
        If the net has another shape than the one that the state is from.
    """
    try:
        net.module_.load_state_dict(_torch(state["module"]))
    except RuntimeError as error:
        raise ValueError(
            "The network has another shape than the fitted one: its cell, sizes, features or outputs have changed. "
            f"Fit anew, with warm_start=False. ({error})"
        ) from error
    kind = _optimizer_kind(net)
    if state.get("optimizer_kind", kind) != kind:
        return
    groups = net.optimizer_.state_dict()["param_groups"]
    net.optimizer_.load_state_dict({"state": _torch(state["optimizer"]), "param_groups": groups})


def _optimizer_kind(net: SequenceNet) -> list[str]:
    """Return what two optimizers have in common that can go on from each other's state."""
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
