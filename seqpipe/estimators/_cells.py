"""Factories of cells and recurrent layers from the parameters of an estimator."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch

from seqpipe.cells import Cell
from seqpipe.exceptions import CellError
from seqpipe.plugins import host
from seqpipe.recurrence import Recurrent, engine_or_unroll, forked_generators
from seqpipe.recurrence.wrappers import wrap

__all__ = ["cell_factory", "network_settings", "recurrent_factory"]

#: Parameters of estimators that are passed to `Recurrent`.
_OF_LAYERS = ("num_layers", "bidirectional", "dropout", "engine", "memory", "initial_state")


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
        A registered name or a class.
    params : mapping or None
        Additional arguments of the cell.
    owner : str
        Name of the estimator, for error messages.
    element_shape : tuple of int, optional
        Shape of time steps that are tensors; passed to cells with a parameter of this name.

    Raises
    ------
    UnknownNameError, PluginError
        If no cell of this name is registered, or it cannot be loaded.
    TypeError
        If ``cell`` is neither a name nor a subclass of Cell.
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
    """Return the additional arguments of a cell, including ``element_shape`` if its signature has it."""
    given = dict(params or {})
    if element_shape is not None and "element_shape" in inspect.signature(factory).parameters:
        given.setdefault("element_shape", element_shape)
    return given


def recurrent_factory(estimator: Any, **instead: Any) -> Callable[[int], Recurrent]:
    """Return a function input_size -> Recurrent, from an estimator's parameters.

    Parameters
    ----------
    estimator : estimator
        Its parameters ``cell``, ``hidden_size``, ``num_layers``, … are used; defaults of `Recurrent` replace those that
        it does not have.
    **instead
        Values that replace the estimator's parameters.

    Raises
    ------
    UnknownNameError, PluginError, TypeError
        As raised by `cell_factory`.
    """
    given = vars(estimator) | instead
    given["engine"] = engine_or_unroll(given.get("engine", "auto"), given.get("unroll"))
    settings = {name: given[name] for name in _OF_LAYERS if name in given}
    make = cell_factory(
        given["cell"],
        given["cell_params"],
        owner=type(estimator).__name__,
        element_shape=getattr(estimator, "element_shape_", None),
    )
    dtype = getattr(torch, given["dtype"])
    return partial(_make_layers, make, given["wrappers"] or (), given["hidden_size"], dtype, settings)


def network_settings(estimator: Any, **instead: Any) -> dict[str, Any]:
    """Return the arguments of a network of one recurrent stack, from an estimator's parameters or values ``instead``."""
    return {
        "recurrent": recurrent_factory(estimator, **instead),
        "embedding": estimator.embedding,
        "dropout": estimator.dropout,
        "dtype": getattr(torch, estimator.dtype),
    }


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
        forgotten = "before Module.__init__() call" in str(error)
        remedy = ". Its __init__ must call super().__init__(input_size, hidden_size) first." if forgotten else ""
        raise CellError(
            f"{origin} cannot be created with input_size={input_size}, hidden_size={hidden_size}"
            f"{''.join(f', {k}={v!r}' for k, v in params.items())}: {type(error).__name__}: {error}{remedy}"
        ) from error
    if not isinstance(cell, Cell):
        raise CellError(f"{origin} must be a subclass of seqpipe.Cell. Got {type(cell).__name__} instead.")
    try:
        with forked_generators():  # the check must not advance the random generators
            Recurrent(cell, num_layers=2)
    except CellError as error:
        raise CellError(f"{origin} violates the cell protocol: {error}") from error
    return cell
