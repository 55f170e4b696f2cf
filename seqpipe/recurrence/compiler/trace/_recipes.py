"""Functions of the cell's tensors alone that torch computes before the loops and differentiates itself.

The derivatives of matrix decompositions and of some other functions depend on memory layout or modify views in place,
so replaying a recorded derivative would be wrong. The results of these functions are therefore inputs of the trace.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

__all__ = ["Recipes", "RecordingAhead"]

#: Prefixes of the names of such functions, and full names.
_PREFIXES = ("linalg_", "fft_")
_NAMES = frozenset({
    "_weight_norm", "cholesky", "cholesky_inverse", "cholesky_solve", "det", "geqrf", "inverse", "logdet", "lu",
    "lu_solve", "matrix_exp", "matrix_power", "orgqr", "ormqr", "pinverse", "qr", "slogdet", "svd", "trapezoid",
    "triangular_solve",
})  # fmt: skip


@dataclass(frozen=True)
class _Ref:
    """A reference to a tensor of the cell, or to the result of a call or one item of it."""

    call: int | None
    item: int | None


@dataclass(frozen=True)
class Recipes:
    """The computation of further inputs of a step from a cell's tensors.

    Attributes
    ----------
    calls : list of (function, args, kwargs)
    results : list of _Ref
        The results that are inputs of the step.
    """

    calls: list[tuple[Callable[..., Any], Any, Any]]
    results: list[_Ref]

    def follow(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Compute the results from the cell's tensors, differentiable by torch."""
        made: dict[int, Any] = {}

        def value(given: Any) -> Any:
            if isinstance(given, _Ref):
                if given.call is None:
                    return tensors[given.item or 0]
                if given.call not in made:
                    function, args, kwargs = self.calls[given.call]
                    made[given.call] = function(*value(args), **value(kwargs))
                return made[given.call] if given.item is None else made[given.call][given.item]
            return _mapped(value, given)

        return [value(result) for result in self.results]


class RecordingAhead(TorchFunctionMode):
    """Record such functions as recipes, and replace their results by new leaf tensors that are inputs of the step.

    Parameters
    ----------
    tensors : sequence of Tensor
        Tensors of the cell.
    add_input : callable (Tensor) -> object
        Called with each new input.
    """

    def __init__(self, tensors: Sequence[Tensor], add_input: Callable[[Tensor], Any]) -> None:
        super().__init__()
        self.recipes = Recipes([], [])
        self.inputs: list[Tensor] = []
        self._add_input = add_input
        self._known: dict[int, tuple[Tensor, _Ref]] = {id(t): (t, _Ref(None, i)) for i, t in enumerate(tensors)}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        given: list[Tensor] = []
        _mapped(lambda tensor: given.append(tensor), (args, kwargs), tensors=True)
        changes = name.endswith("_") and not name.endswith("__")
        follows = all(id(t) in self._known for t in given) and not changes
        cut = follows and bool(given) and (name in _NAMES or name.startswith(_PREFIXES))
        with _disable_current_modes() if cut else nullcontext():  # its operations are not part of the trace
            result = func(*args, **kwargs)
        if not follows or not _has_tensors(result):
            return result
        self.recipes.calls.append((func, self._refs(args), self._refs(kwargs)))
        call = len(self.recipes.calls) - 1
        if isinstance(result, Tensor):
            return self._keep(result, _Ref(call, None), cut)
        kept = [self._keep(r, _Ref(call, i), cut) if isinstance(r, Tensor) else r for i, r in enumerate(result)]
        return type(result)(kept) if cut else result

    def _keep(self, tensor: Tensor, ref: _Ref, cut: bool) -> Tensor:
        if cut:
            with _disable_current_modes():
                tensor = tensor.detach().clone().requires_grad_(tensor.requires_grad)
            self.recipes.results.append(ref)
            self.inputs.append(tensor)
            self._add_input(tensor)
        self._known[id(tensor)] = (tensor, ref)
        return tensor

    def _refs(self, given: Any) -> Any:
        return _mapped(lambda tensor: self._known[id(tensor)][1], given, tensors=True)


def _has_tensors(result: Any) -> bool:
    return isinstance(result, Tensor) or (
        isinstance(result, (tuple, list)) and any(isinstance(item, Tensor) for item in result)
    )


def _mapped(function: Callable[[Any], Any], given: Any, *, tensors: bool = False) -> Any:
    """Apply a function to the items of containers; with ``tensors``, to the tensors in nested containers only."""
    if tensors and isinstance(given, Tensor):
        return function(given)
    if isinstance(given, dict):
        return {key: _each(function, item, tensors) for key, item in given.items()}
    if isinstance(given, (list, tuple)):
        return tuple([_each(function, item, tensors) for item in given])
    return given


def _each(function: Callable[[Any], Any], item: Any, tensors: bool) -> Any:
    return _mapped(function, item, tensors=True) if tensors else function(item)
