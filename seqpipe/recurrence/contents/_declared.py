"""Whether what a cell's class declares about its step still applies to a subclass."""

from __future__ import annotations

from seqpipe.cells import Cell

__all__ = ["declares"]


def declares(cls: type[Cell], declaration: str, *, of: tuple[str, ...]) -> bool:
    """Return whether no subclass of the class that defines ``declaration`` overrides the methods it describes.

    Parameters
    ----------
    cls : type
        Class of a cell.
    declaration : str
        Name of the declaring method.
    of : tuple of str
        Names of the methods that it describes.
    """
    author = next(c for c in cls.__mro__ if declaration in vars(c))
    subclasses = cls.__mro__[: cls.__mro__.index(author)]
    return not any(name in vars(c) for c in subclasses for name in of)
