"""What a cell's class declares about its step, and whether a subclass made that untrue."""

from __future__ import annotations

from seqpipe.cells import Cell

__all__ = ["declares"]


def declares(cls: type[Cell], declaration: str, *, of: tuple[str, ...]) -> bool:
    """Tell whether no class further down than the one that defines ``declaration`` redefines what it speaks of.

    Parameters
    ----------
    cls : type
        The class of a cell.
    declaration : str
        The method that declares something.
    of : tuple of str
        The methods that it declares something of.
    """
    author = next(c for c in cls.__mro__ if declaration in vars(c))
    further_down = cls.__mro__[: cls.__mro__.index(author)]
    return not any(name in vars(c) for c in further_down for name in of)
