"""From what the user gave as ``cell`` and its kin to something that makes recurrent layers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from seqpipe.cells import Cell
from seqpipe.exceptions import CellError
from seqpipe.plugins import host
from seqpipe.recurrence import Recurrent, forked_generators
from seqpipe.recurrence.wrappers import wrap

__all__ = ["cell_factory", "recurrent_factory"]

#: Parameters of estimators that say how cells are run.
_OF_LAYERS = ("num_layers", "bidirectional", "dropout", "engine", "memory", "initial_state", "unroll")


def cell_factory(
    cell: str | type[Cell],
    params: Mapping[str, Any] | None,
    *,
    owner: str,
    element_shape: tuple[int, ...] | None = None,
) -> Callable[[int, int], Cell]:
    """Return a function (input_size, hidden_size) -> Cell.

    Parameters
    ----------
    cell : str or subclass of Cell
        A registered name, or the class itself.
    params : mapping or None
        Further arguments of the cell.
    owner : str
        The estimator, for errors.
    element_shape : tuple of int, optional
        Shape of a time step that is a tensor; handed to cells that have a parameter of this name.

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
        return partial(_make, found.spec.factory, origin, _with_shape(found.spec.factory, params, element_shape))
    if isinstance(cell, type) and issubclass(cell, Cell):
        return partial(_make, cell, f"The cell {cell.__name__}", _with_shape(cell, params, element_shape))
    raise TypeError(
        f"The 'cell' parameter of {owner} must be one of {host().names('cell')} or a subclass of seqpipe.Cell. "
        f"Got {cell!r} instead."
    )


def _with_shape(
    factory: Callable[..., Cell], params: Mapping[str, Any] | None, element_shape: tuple[int, ...] | None
) -> dict[str, Any]:
    """Return the further arguments of a cell, the shape of a step among them if it declares that it takes it."""
    given = dict(params or {})
    if element_shape is not None and "element_shape" in inspect.signature(factory).parameters:
        given.setdefault("element_shape", element_shape)
    return given


def recurrent_factory(estimator: Any, **instead: Any) -> Callable[[int], Recurrent]:
    """Return a function input_size -> Recurrent, from an estimator's parameters.

    Parameters
    ----------
    estimator : estimator
        Its ``cell``, ``hidden_size``, ``num_layers`` and the like are read; for what it has no parameter for, `Recurrent` has a
        default.
    **instead
        Values that take the place of the estimator's.

    Raises
    ------
    UnknownNameError, PluginError, TypeError
        As `cell_factory` does.
    """
    given = vars(estimator) | instead
    settings = {name: given[name] for name in _OF_LAYERS if name in given}
    make = cell_factory(
        given["cell"],
        given["cell_params"],
        owner=type(estimator).__name__,
        element_shape=getattr(estimator, "element_shape_", None),
    )
    dtype = getattr(torch, given["dtype"])
    return partial(_make_layers, make, given["wrappers"] or (), given["hidden_size"], dtype, settings)


def _make_layers(
    make: Callable[[int, int], Cell],
    wrappers: Sequence[Any],
    hidden_size: int,
    dtype: torch.dtype,
    settings: dict[str, Any],
    input_size: int,
) -> Recurrent:
    return Recurrent(wrap(make(input_size, hidden_size), wrappers).to(dtype), **settings)


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
        with forked_generators():  # a trial must not change what is drawn
            Recurrent(cell, num_layers=2)
    except CellError as error:
        raise CellError(f"{origin} breaks the cell protocol: {error}") from error
    return cell
