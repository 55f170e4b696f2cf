"""`wrap`: wrap a cell in wrappers given by name, as in a recipe, or as callables."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from seqpipe.cells import Cell
from seqpipe.exceptions import CellError, did_you_mean
from seqpipe.plugins import host

__all__ = ["check_wrappers", "wrap"]


def wrap(cell: Cell, wrappers: Sequence[str | Mapping[str, Any] | Callable[[Cell], Cell]] | None) -> Cell:
    """Return the cell in wrappers, the first one innermost.

    Parameters
    ----------
    cell : Cell
        Cell to wrap.
    wrappers : list or None
        Each item is a registered name, a mapping ``{name: parameters}``, or a callable that maps a cell to a cell,
        such as a class or a ``functools.partial`` of one.

    Raises
    ------
    UnknownNameError
        If a name is unknown.
    CellError
        If a wrapper cannot be created, or does not return a cell.
    TypeError
        If ``wrappers`` is not a list of such items.

    Examples
    --------
    >>> from seqpipe import GRUCell
    >>> from seqpipe.recurrence.wrappers import wrap
    >>> cell = wrap(GRUCell(3, 8), ["layer_norm", {"dropout": {"p": 0.3, "on": "state"}}, "residual"])
    >>> [type(c).__name__ for c in (cell, cell.cell, cell.cell.cell, cell.cell.cell.cell)]
    ['Residual', 'Dropout', 'LayerNorm', 'GRUCell']
    """
    check_wrappers(wrappers)
    for item in wrappers or ():
        cell = _apply(item, cell)
    return cell


def check_wrappers(wrappers: Any) -> None:
    """Check the names and parameter names of wrappers, as `wrap` would, without a cell.

    Raises
    ------
    UnknownNameError
        If a name is unknown.
    CellError
        If a parameter is unknown or missing.
    TypeError
        If ``wrappers`` is not a list of names, mappings and callables.
    """
    if wrappers is not None and not isinstance(wrappers, (list, tuple)):
        raise TypeError(f"'wrappers' must be a list, the innermost wrapper first, or None. Got {wrappers!r} instead.")
    for item in wrappers or ():
        make, origin, params = _parse(item)
        if isinstance(item, str | Mapping):
            _check_names(make, origin, params)


def _check_names(make: Callable[..., Any], origin: str, params: dict[str, Any]) -> None:
    _, *known = inspect.signature(make).parameters.values()
    names = [each.name for each in known]
    unknown = [name for name in params if name not in names]
    missing = [each.name for each in known if each.default is each.empty and each.name not in params]
    if unknown:
        has = f"It has {', '.join(names)}." if names else "It has none."
        raise CellError(f"The wrapper {origin} has no parameter {unknown[0]!r}.{did_you_mean(unknown[0], names)} {has}")
    if missing:
        raise CellError(
            f"The wrapper {origin} needs the parameter {missing[0]!r}: {{{origin}: {{{missing[0]!r}: …}}}}."
        )


def _apply(item: Any, cell: Cell) -> Cell:
    make, origin, params = _parse(item)
    try:
        wrapped = make(cell, **params)
    except Exception as error:
        given = "".join(f" {k}={v!r}" for k, v in params.items())
        raise CellError(
            f"The wrapper {origin} cannot be applied to {type(cell).__name__}{given and f' with{given}'}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(wrapped, Cell):
        raise CellError(f"The wrapper {origin} must return a seqpipe.Cell. Got {type(wrapped).__name__} instead.")
    return wrapped


def _parse(item: Any) -> tuple[Callable[..., Any], str, dict[str, Any]]:
    """Return the callable that creates an item's wrapper, its name in errors, and its parameters."""
    if isinstance(item, str):
        return _named(item), repr(item), {}
    if isinstance(item, Mapping) and len(item) == 1:
        [(name, params)] = item.items()
        if params is not None and not isinstance(params, Mapping):
            raise TypeError(f"The parameters of the wrapper {name!r} must be a mapping. Got {params!r} instead.")
        return _named(name), repr(name), {str(key): value for key, value in (params or {}).items()}
    if callable(item) and not isinstance(item, Cell):
        return item, getattr(item, "__name__", repr(item)), {}
    raise TypeError(
        "Each of 'wrappers' must be a name, a mapping {name: parameters} of one entry, or a callable that maps a cell "
        f"to a cell. Got {item!r:.80} instead."
    )


def _named(name: Any) -> Callable[..., Any]:
    return host().find("wrapper", name, parameter="Each of 'wrappers'").spec.factory
