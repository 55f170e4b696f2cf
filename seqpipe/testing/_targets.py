"""The cells that a name stands for: those of a distribution, of a module, or one class."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from seqpipe.cells import Cell
from seqpipe.exceptions import PluginError
from seqpipe.plugins import host

__all__ = ["cells_named"]


def cells_named(target: str) -> dict[str, Callable[..., Cell]]:
    """Return the cells that a target stands for, by name.

    Parameters
    ----------
    target : str
        A distribution that offers cells, "module", or "module:Class".

    Raises
    ------
    PluginError
        If there is no such distribution or module, or it has no cells.
    """
    module, _, name = target.partition(":")
    if not name and (offered := _offered_by(target)):
        return offered
    found = _cells_in(_imported(module, target), name)
    if not found:
        raise PluginError(
            f"{target!r} has no cells: {module} defines no {name or 'subclass of seqpipe.Cell'}. Name a distribution that offers "
            "cells, MODULE, or MODULE:CLASS."
        )
    return found


def _offered_by(distribution: str) -> dict[str, Callable[..., Cell]]:
    offers = host().offers("cell")
    return {
        name: offer.spec.factory
        for name, each in sorted(offers.items())
        for offer in each
        if offer.distribution == distribution
    }


def _imported(module: str, target: str) -> Any:
    try:
        return importlib.import_module(module)
    except Exception as error:  # a module under test may raise anything
        raise PluginError(
            f"{target!r} is neither a distribution that offers cells nor a module that can be imported: "
            f"{type(error).__name__}: {error}."
        ) from error


def _cells_in(module: Any, name: str) -> dict[str, Callable[..., Cell]]:
    """Return the named object of a module, or the subclasses of Cell that it defines."""
    if name:
        return {name: getattr(module, name)} if callable(getattr(module, name, None)) else {}
    return {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Cell) and value.__module__ == module.__name__
    }
