"""The records that plug-ins register: frozen, and validated on creation."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = [
    "CallbackSpec",
    "CellSpec",
    "CommandSpec",
    "DatasetSpec",
    "EngineSpec",
    "HeadSpec",
    "LossSpec",
    "MetricSpec",
    "PictureSpec",
    "PoolingSpec",
    "ReaderSpec",
    "Spec",
    "TaskSpec",
    "TransformerSpec",
    "WrapperSpec",
]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_SUFFIX = re.compile(r"(\.[a-z0-9_]+)+")


@dataclass(frozen=True)
class Spec:
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
class CallbackSpec(Spec):
    """A callback of training, by its name in ``net__callbacks``; the factory is a subclass of ``skorch.callbacks.Callback``."""


@dataclass(frozen=True)
class CellSpec(Spec):
    """A recurrent cell, by its value of ``cell=``; the factory is a subclass of ``seqpipe.Cell``.

    Raises
    ------
    TypeError
        If the factory is an instance of a cell.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.factory, type) and hasattr(self.factory, "initial_state"):
            raise TypeError(
                f"The 'factory' of CellSpec {self.name!r} must be the class of the cell. Got an instance of "
                f"{type(self.factory).__name__} instead."
            )


@dataclass(frozen=True)
class CommandSpec(Spec):
    """A command, by its name after ``seqpipe``; the factory is a function with annotated parameters, as for typer.

    An underscore in the name is a hyphen on the command line.
    """


@dataclass(frozen=True)
class DatasetSpec(Spec):
    """A data set, by its value of ``dataset:``; the factory takes no arguments and returns a ``seqpipe.datasets.Dataset``."""


@dataclass(frozen=True)
class EngineSpec(Spec):
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
class HeadSpec(Spec):
    """An output layer, by its value of ``head=``; called as ``factory(n_features, n_outputs)``, it returns a torch module."""


@dataclass(frozen=True)
class LossSpec(Spec):
    """A loss, by its value of ``net__criterion``; the factory is a subclass of torch's Module with a parameter ``reduction``."""


@dataclass(frozen=True)
class MetricSpec(Spec):
    """A score of predictions, by its name in ``scoring:`` and ``metrics:``.

    Parameters
    ----------
    factory : callable
        Called as ``factory(y_true, y_pred)``, it returns a number.
    greater_is_better : bool, default=True
        Whether a search takes the candidate with the greatest value, or with the smallest.
    """

    greater_is_better: bool = True


@dataclass(frozen=True)
class PictureSpec(Spec):
    """A picture, by its name in ``pictures:``; ``factory(estimator, train, test)`` returns a matplotlib Figure."""


@dataclass(frozen=True)
class PoolingSpec(Spec):
    """A pooling over time, by its value of ``pooling=``; ``factory(n_features, num_directions)`` returns a torch module."""


@dataclass(frozen=True)
class ReaderSpec(Spec):
    """A reader of files; ``factory(path)`` returns a DataFrame, a ``seqpipe.datasets.Dataset`` or sequences.

    Parameters
    ----------
    suffixes : tuple of str
        Endings of the file names that it reads, in lower case, such as ``(".npz",)``.

    Raises
    ------
    ValueError
        If there is no suffix, or one is not of that form.
    """

    suffixes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        fits = isinstance(self.suffixes, tuple | list) and all(isinstance(s, str) for s in self.suffixes)
        if not fits or not self.suffixes or not all(_SUFFIX.fullmatch(s) for s in self.suffixes):
            raise ValueError(
                f"The 'suffixes' of ReaderSpec {self.name!r} must be endings of file names in lower case, such as "
                f"('.npz',). Got {self.suffixes!r} instead."
            )


@dataclass(frozen=True)
class TaskSpec(Spec):
    """A task, by its value of ``task:``; the factory is a subclass of ``seqpipe.tasks.Task``."""


@dataclass(frozen=True)
class TransformerSpec(Spec):
    """A transformer, by its name in ``steps:``; the factory is a class that follows scikit-learn's interface."""


@dataclass(frozen=True)
class WrapperSpec(Spec):
    """A wrapper of cells, by its name in ``wrappers=``; the factory is a subclass of ``seqpipe.recurrence.wrappers.Wrapper``."""
