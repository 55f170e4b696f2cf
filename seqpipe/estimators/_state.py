"""A net as plain arrays and back: a fitted estimator's pickle holds no torch object and no net.

skorch's nets carry a pickle inside their pickle, so that even a file that was checked for unknown types can run code.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from seqpipe.training import SequenceNet

__all__ = ["net_state", "restore_net"]


def net_state(net: SequenceNet) -> dict[str, Any]:
    """Return weights and optimizer state of a net as arrays, numbers, lists and dicts with text keys."""
    return {
        "module": _plain(dict(net.module_.state_dict())),
        "optimizer": _plain(net.optimizer_.state_dict()["state"]),
    }


def restore_net(net: SequenceNet, state: dict[str, Any]) -> None:
    """Put the state back into an initialised net, on whatever device it is; the optimizer's settings are the net's own.

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
    groups = net.optimizer_.state_dict()["param_groups"]
    net.optimizer_.load_state_dict({"state": _torch(state["optimizer"]), "param_groups": groups})


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
