"""The emitted kernel: C source and the keys of its arguments."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CKernel"]


@dataclass
class CKernel:
    """C source, and keys from which the caller resolves its arguments.

    Attributes
    ----------
    source : str
        The complete file.
    pointers, numbers : list of tuple
        One key per argument, in order.
    sum_sizes : tuple of int
        Offset of each sum over rows and steps in the loop's result, then the end of the last one.
    """

    source: str
    pointers: list[tuple[object, ...]]
    numbers: list[tuple[object, ...]]
    sum_sizes: tuple[int, ...] = ()
