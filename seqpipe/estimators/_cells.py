"""From what the user gave as ``cell`` and its kin to something that makes recurrent layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from seqpipe.cells import Cell
from seqpipe.exceptions import CellError
from seqpipe.plugins import host
from seqpipe.recurrence import Recurrent

__all__ = ["cell_factory", "recurrent_factory"]


def cell_factory(cell: str | type[Cell], params: Mapping[str, Any] | None, *, owner: str) -> Callable[[int, int], Cell]:
    """Return a function (input_size, hidden_size) -> Cell.

    Parameters
    ----------
    cell : str or subclass of Cell
        A registered name, or the class itself.
    params : mapping or None
        Further arguments of the cell.
    owner : str
        The estimator, for errors.

    Raises
    ------
    UnknownNameError, PluginError
        If the name is not to be had.
    TypeError
        If ``cell`` is neither a name nor a Cell class.
    """
    if isinstance(cell, str):
        found = host().find("cell", cell, parameter=f"The 'cell' parameter of {owner}")
        origin = f"The cell {cell!r} from the distribution {found.distribution!r}"
        return partial(_make, found.spec.factory, origin, dict(params or {}))
    if isinstance(cell, type) and issubclass(cell, Cell):
        return partial(_make, cell, f"The cell {cell.__name__}", dict(params or {}))
    raise TypeError(
        f"The 'cell' parameter of {owner} must be one of {host().names('cell')} or a subclass of seqpipe.Cell. "
        f"Got {cell!r} instead."
    )


def recurrent_factory(estimator: Any) -> Callable[[int], Recurrent]:
    """Return a function input_size -> Recurrent, from an estimator's parameters.

    Raises
    ------
    UnknownNameError, PluginError, TypeError
        As `cell_factory` does.
    """
    settings = {name: getattr(estimator, name) for name in ("num_layers", "bidirectional", "dropout", "unroll")}
    make = cell_factory(estimator.cell, estimator.cell_params, owner=type(estimator).__name__)
    dtype = getattr(torch, estimator.dtype)
    return partial(_make_layers, make, estimator.wrappers or (), estimator.hidden_size, dtype, settings)


def _make_layers(
    make: Callable[[int, int], Cell],
    wrappers: Sequence[Any],
    hidden_size: int,
    dtype: torch.dtype,
    settings: dict[str, Any],
    input_size: int,
) -> Recurrent:
    return Recurrent(make(input_size, hidden_size).to(dtype), **settings)


def _make(factory: Callable[..., Cell], origin: str, params: dict[str, Any], input_size: int, hidden_size: int) -> Cell:
    try:
        cell = factory(input_size, hidden_size, **params)
    except Exception as error:
        raise CellError(
            f"{origin} cannot be made with input_size={input_size}, hidden_size={hidden_size}"
            f"{''.join(f', {k}={v!r}' for k, v in params.items())}: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(cell, Cell):
        raise CellError(f"{origin} is not a seqpipe.Cell but {type(cell).__name__}.")
    try:
        with torch.random.fork_rng(devices=[]):  # a trial must not change what is drawn
            Recurrent(cell, num_layers=2)
    except CellError as error:
        raise CellError(f"{origin} breaks the cell protocol: {error}") from error
    return cell
