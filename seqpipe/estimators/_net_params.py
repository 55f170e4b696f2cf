"""The ``net__…`` parameters: skorch's own, under scikit-learn's rules for nested names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from skorch.callbacks import Callback

from seqpipe.plugins import host
from seqpipe.saved import AnyOf, Entries, Items, Plain, Schema, StateError, TextOf, optional

__all__ = ["NetParams", "NetParamsMixin", "check_net_params", "own_callbacks", "resolved_net_params"]

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


@dataclass(frozen=True)
class NetParams(Schema):
    """The entries of ``net_params`` that a file may contain: numbers, and names that are registered."""

    words = "a dict with numbers, short texts, and the registered names of a loss and of callbacks"

    def suits(self, value: Any) -> bool:
        """Return whether the value is a dict."""
        return isinstance(value, dict)

    def check_inside(self, value: Any, place: str) -> None:
        """Check each entry by its name."""
        for name, each in value.items():
            known = _SAVED.get(name) or next((s for prefix, s in _SAVED.items() if str(name).startswith(prefix)), None)
            if known is None:
                raise StateError(f"{place} must not have the entry {name!r}: no file sets it.")
            known.check(each, f"{place}[{name!r}]")


_NAME = TextOf(pattern=r"[\w.:+ -]*", most=100)
_NUMBERS = Plain(texts=False)
_SAVED: dict[str, Schema] = {
    "criterion": _NAME,
    "criterion__": AnyOf((_NAME, _NUMBERS)),
    "optimizer__": AnyOf((_NAME, _NUMBERS)),
    "callbacks": optional(Items(AnyOf((_NAME, Entries(optional(Entries(AnyOf((_NAME, _NUMBERS))))))), most=100)),
}


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
    for key in estimator.net_params or {}:
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
    _criterion(estimator.net_params or {}, owner=name)


def resolved_net_params(net_params: Mapping[str, Any] | None, *, owner: str) -> dict[str, Any]:
    """Return the additional parameters of the net, except callbacks, with the loss in place of its name."""
    own = {name: value for name, value in (net_params or {}).items() if name != "callbacks"}
    return own | _criterion(own, owner=owner)


def own_callbacks(net_params: Mapping[str, Any] | None, *, owner: str) -> list[Any]:
    """Return the additional callbacks; those given by name are created.

    Raises
    ------
    UnknownNameError, PluginError
        If a name is not registered, or what is registered is not a callback.
    """
    return [_callback(item, owner) for item in (net_params or {}).get("callbacks") or ()]


def _criterion(net_params: Mapping[str, Any], *, owner: str) -> dict[str, type[torch.nn.Module]]:
    """Return the loss, if one is set."""
    if "criterion" not in net_params:
        return {}
    given, found = net_params["criterion"], None
    if isinstance(given, str):
        found = host().find("loss", given, parameter=f"The '{_PREFIX}criterion' parameter of {owner}")
        given = found.spec.factory
    if isinstance(given, type) and issubclass(given, torch.nn.Module):
        return {"criterion": given}
    if found is not None:
        raise found.error(f"must be a subclass of torch's Module. Its factory is {given!r:.60}")
    raise ValueError(
        f"{_PREFIX}criterion must be a registered name, one of {host().names('loss')}, or a subclass of torch's Module. "
        f"Got {given!r} instead."
    )


def _callback(item: Any, owner: str) -> Any:
    named = isinstance(item, Mapping) and len(item) == 1
    if not named and not isinstance(item, str):
        return item
    name, params = next(iter(item.items())) if named else (item, {})
    found = host().find("callback", name, parameter=f"Each of '{_PREFIX}callbacks' of {owner}")
    made = found.create(**(params or {}))
    if not isinstance(made, Callback):
        raise found.error(f"must be a skorch callback. Its factory returned {made!r:.60} instead")
    return found.spec.name, made
