"""The ``net__…`` parameters: skorch's own, under scikit-learn's rules for nested names."""

from __future__ import annotations

from typing import Any, Self

import torch

__all__ = ["NetParamsMixin", "check_net_params"]

_PREFIX = "net__"
_OWN = {"lr", "max_epochs", "batch_size", "device", "verbose", "warm_start"}
_UNUSED = (
    "criterion__reduction",
    "dataset",
    "iterator_train",
    "iterator_valid",
    "train_split",
    "predict_nonlinearity",
    "use_caching",
)
_OPEN = ("callbacks", "criterion", "optimizer")


class NetParamsMixin:
    """Exposes each entry of ``net_params`` as a parameter ``net__<name>``."""

    net_params: dict[str, Any] | None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters, including ``net__…`` entries if ``deep``."""
        params: dict[str, Any] = super().get_params(deep=deep)  # type: ignore[misc]
        if deep and isinstance(self.net_params, dict):
            params |= {_PREFIX + name: value for name, value in self.net_params.items()}
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters; those named ``net__…`` are passed to the skorch net."""
        ours = {name: value for name, value in params.items() if not name.startswith(_PREFIX)}
        super().set_params(**ours)  # type: ignore[misc]
        nets = {name.removeprefix(_PREFIX): value for name, value in params.items() if name not in ours}
        if nets:
            self.net_params = {**(self.net_params or {}), **nets}
        return self


def check_net_params(estimator: NetParamsMixin) -> None:
    """Validate ``net_params`` before training.

    Raises
    ------
    ValueError
        If a parameter does not exist or would have no effect; names it and the remedy.
    """
    name = type(estimator).__name__
    for key, value in (estimator.net_params or {}).items():
        root = key.split("__")[0]
        if root in _OWN or key == "optimizer":
            raise ValueError(f"{_PREFIX}{key} would be overwritten. Set the {root!r} parameter of {name} instead.")
        if root in _UNUSED or key in _UNUSED:
            raise ValueError(f"{_PREFIX}{key} has no effect, since {name} loads batches itself. Remove it.")
        if root == "compile":
            raise ValueError(
                f"{_PREFIX}{key} is not supported: {name} compiles its cell itself, and options of torch.compile can "
                "run commands. Remove it."
            )
        if root not in _OPEN:
            raise ValueError(
                f"{_PREFIX}{key} is not a parameter of skorch's net. Names begin with one of {list(_OPEN)}."
            )
        if key == "criterion" and not (isinstance(value, type) and issubclass(value, torch.nn.Module)):
            raise ValueError(f"{_PREFIX}{key} must be a subclass of torch's Module. Got {value!r} instead.")
