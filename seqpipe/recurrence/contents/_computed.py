"""Parametrized weights (``torch.nn.utils.parametrizations``), computed once per run along time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn
from torch.nn.utils.parametrize import type_before_parametrizations
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from seqpipe.cells import Cell

__all__ = ["computed"]

#: torch's older form of parametrizations: hooks that compute a weight before each call.
_HOOKS = (SpectralNorm, WeightNorm)


@contextmanager
def computed(cell: Cell) -> Iterator[Cell]:
    """Yield a cell whose parametrized weights are plain tensors that propagate gradients to the original parameters.

    The weights are thus computed once per run and not at every step, in every engine; spectral norm takes one power
    iteration per run in training. A cell without parametrizations is yielded as is. Attributes that the step sets are
    copied back to the cell on exit.
    """
    if not _is_parametrized(cell):
        yield cell
        return
    made: dict[nn.Module, nn.Module] = {}
    yield _with_plain_weights(cell, made)  # type: ignore[misc]
    for module, plain in made.items():
        _copy_attributes(plain, module)


def _is_parametrized(module: nn.Module) -> bool:
    if any(isinstance(hook, _HOOKS) for hook in module._forward_pre_hooks.values()):
        return True
    return any(
        name == "parametrizations" or (child is not None and _is_parametrized(child))
        for name, child in module._modules.items()
    )


def _with_plain_weights(module: nn.Module, made: dict[nn.Module, nn.Module]) -> nn.Module:
    """Return a copy that shares tensors, with parametrizations and hooks replaced by the computed weights."""
    if module in made or not _is_parametrized(module):
        return made.get(module, module)
    hooks = module._forward_pre_hooks
    for hook in [hook for hook in hooks.values() if isinstance(hook, _HOOKS)]:
        hook(module, None)  # sets the weight
    kind: Any = type_before_parametrizations(module)
    plain = made[module] = kind.__new__(kind)
    plain.__dict__.update(module.__dict__)
    children: dict[str, Any] = {
        name: child if child is None else _with_plain_weights(child, made)
        for name, child in module._modules.items()
        if name != "parametrizations"
    }
    own_hooks = type(hooks)((key, hook) for key, hook in hooks.items() if not isinstance(hook, _HOOKS))
    weights = {name: getattr(module, name) for name in getattr(module, "parametrizations", ())}
    plain.__dict__.update(_modules=children, _forward_pre_hooks=own_hooks, _computed_from=module, **weights)
    return plain


def _copy_attributes(plain: nn.Module, module: nn.Module) -> None:
    own = {"_modules", "_forward_pre_hooks", "_computed_from", *getattr(module, "parametrizations", ())}
    for key, value in plain.__dict__.items():
        if key not in own and module.__dict__.get(key) is not value:
            module.__dict__[key] = value
