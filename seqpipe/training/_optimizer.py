"""The fastest way an optimizer has to update all parameters: in one kernel, else in one call an operation."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch

__all__ = ["fused_settings"]

_PREFIX = "optimizer__"
#: What the user may have set in their place, or what forbids them.
_OVERRULED_BY = {_PREFIX + name for name in ("fused", "foreach", "differentiable")}


def fused_settings(optimizer: type[Any], device: str, *, given: Iterable[str]) -> dict[str, bool]:
    """Return skorch's settings that make an optimizer fused where torch can, else foreach where it can, else none.

    Parameters
    ----------
    optimizer : type
        A class of torch's, or one like them.
    device : str
        Where the parameters are.
    given : iterable of str
        Settings of the user, such as "optimizer__foreach", which are not overruled.
    """
    if _OVERRULED_BY & set(given):
        return {}
    known = inspect.signature(optimizer).parameters
    if "fused" in known and not (issubclass(optimizer, torch.optim.Adagrad) and device != "cpu"):
        return {_PREFIX + "fused": True}
    return {_PREFIX + "foreach": True} if "foreach" in known else {}
