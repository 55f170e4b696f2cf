"""The records that plug-ins register: frozen, and validated on creation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["CellSpec", "EngineSpec", "TaskSpec"]

_NAME = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True)
class _Spec:
    """A name and the factory registered under it.

    Parameters
    ----------
    name : str
        The name that users write: lower case letters, digits and underscores, starting with a letter.
    factory : callable
        Called to create the object.
    summary : str, default=""
        One line for ``seqpipe plugins``.

    Raises
    ------
    ValueError
        If the name is not of that form.
    TypeError
        If the factory cannot be called.
    """

    name: str
    factory: Callable[..., Any]
    summary: str = ""

    def __post_init__(self) -> None:
        kind = type(self).__name__
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            raise ValueError(
                f"The 'name' of {kind} must consist of lower case letters, digits and underscores, and start with a "
                f"letter. Got {self.name!r} instead."
            )
        if not callable(self.factory):
            raise TypeError(f"The 'factory' of {kind} {self.name!r} must be callable. Got {self.factory!r} instead.")


@dataclass(frozen=True)
class CellSpec(_Spec):
    """A recurrent cell, by its value of ``cell=``; the factory is a subclass of ``seqpipe.Cell``."""


@dataclass(frozen=True)
class EngineSpec(_Spec):
    """An engine, by its value of SEQPIPE_ENGINE; the factory creates a ``seqpipe.recurrence.Engine``.

    Raises
    ------
    ValueError
        If the name is "auto", which means the choice among all engines.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name == "auto":
            raise ValueError("The 'name' of EngineSpec must not be 'auto': it means the choice among all engines.")


@dataclass(frozen=True)
class TaskSpec(_Spec):
    """A task, by its value of ``task:``; the factory is a subclass of ``seqpipe.tasks.Task``."""
