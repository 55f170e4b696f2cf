"""Registries of functions by the names of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

__all__ = ["Registry"]

F = TypeVar("F", bound=Callable[..., object])


class Registry(dict[str, F]):
    """Functions by the names of operations, without overload."""

    def register(self, *names: str) -> Callable[[F], F]:
        """Register the decorated function for these operations."""

        def add(function: F) -> F:
            self.update(dict.fromkeys(names, function))
            return function

        return add
