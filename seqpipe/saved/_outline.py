"""Outlines: what is known of arrays and objects in a file before they are created."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["ArrayOutline", "FunctionOutline", "ObjectOutline", "TypeOutline"]


@dataclass(frozen=True)
class ArrayOutline:
    """An array: its data type and shape, and the items of an array of objects."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    items: tuple[Any, ...] = ()

    def __repr__(self) -> str:
        return f"an array of {self.dtype} of shape {self.shape}"


@dataclass(frozen=True)
class ObjectOutline:
    """An object: its class and its state."""

    kind: type
    state: dict[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"an object of {self.kind.__name__}"


@dataclass(frozen=True)
class TypeOutline:
    """A class."""

    kind: type

    def __repr__(self) -> str:
        return f"the class {self.kind.__name__}"


@dataclass(frozen=True)
class FunctionOutline:
    """A function, by its full name."""

    name: str

    def __repr__(self) -> str:
        return f"the function {self.name}"
