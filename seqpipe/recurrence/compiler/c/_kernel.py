"""What the emitter hands to the compiler: a C file, and what its arguments stand for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CKernel"]


@dataclass
class CKernel:
    """C source, and what its arguments are, in order: keys that the caller resolves.

    Attributes
    ----------
    source : str
        The whole file.
    pointers, numbers : list of tuple
        A key per argument.
    sum_sizes : tuple of int
        Where each sum over rows and steps starts among those that the loop leaves, and where the last one ends.
    """

    source: str
    pointers: list[tuple[object, ...]]
    numbers: list[tuple[object, ...]]
    sum_sizes: tuple[int, ...] = ()
