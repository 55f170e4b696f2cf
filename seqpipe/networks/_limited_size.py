"""A limit of the size of networks that are created for weights from a file, however large its parameters say they are."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["limited_size"]

#: Numbers that a network may allocate per number in its weights, with those of initializations that are discarded.
_PER_WEIGHT = 20
#: Operations to create a network, per tensor of its weights.
_PER_TENSOR = 1000
_FREE_NUMBERS, _FREE_OPERATIONS = 2**22, 30_000
#: Operations that allocate what their arguments say.
_SIZED = ("empty", "eye", "full", "new_empty", "new_full", "new_ones", "new_zeros", "ones", "rand", "randn", "zeros")


@contextmanager
def limited_size(weights: Mapping[str, Any]) -> Iterator[None]:
    """Limit what is allocated and computed within the context to what a network with these weights needs.

    Parameters
    ----------
    weights : mapping of str to array
        The weights that will be loaded.

    Raises
    ------
    ValueError
        If a network becomes larger.
    """
    n_numbers = sum(math.prod(weight.shape) for weight in weights.values())
    with _Limit(_FREE_NUMBERS + _PER_WEIGHT * n_numbers, _FREE_OPERATIONS + _PER_TENSOR * len(weights)):
        yield


class _Limit(TorchDispatchMode):
    """Counts numbers and operations, those to be allocated before they are."""

    def __init__(self, n_numbers: int, n_operations: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._n_numbers = n_numbers
        self._n_operations = n_operations

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        sized = func.overloadpacket.__name__ in _SIZED
        if sized:
            self._count(_n_described(args))
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and not (sized or func.is_view or func._schema.is_mutable):
            self._count(result.numel())
        self._n_operations -= 1
        if self._n_operations < 0:
            raise ValueError(f"The network has more layers than its weights. {_ADVICE}")
        return result

    def _count(self, n_numbers: int) -> None:
        self._n_numbers -= n_numbers
        if self._n_numbers < 0:
            raise ValueError(f"The network is larger than its weights. {_ADVICE}")


_ADVICE = "The sizes in its parameters do not match: the file is damaged or forged."


def _n_described(args: tuple[Any, ...]) -> int:
    """Return the number of elements that the arguments describe: a list of sizes, or sizes one by one."""
    sizes = next((arg for arg in args if isinstance(arg, list | tuple)), None)
    whole = [arg for arg in args if isinstance(arg, int)] if sizes is None else sizes
    return math.prod(int(n) for n in whole)
