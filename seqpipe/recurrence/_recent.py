"""A mapping with a limited size that discards the least recently used items."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from typing import Generic, TypeVar

__all__ = ["Recent"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Hold a limited number of items; the least recently used is discarded first.

    Each operation on the ordered dict is atomic, so threads need no lock, which a fork could inherit locked.

    Parameters
    ----------
    most : int
        Maximum number of items.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._items: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: K) -> V | None:
        """Return an item and mark it as used, or return None."""
        item = self._items.get(key)
        if item is not None:
            self._use(key)
        return item

    def __setitem__(self, key: K, item: V) -> None:
        self._items[key] = item
        self._use(key)
        while len(self._items) > self.most:
            self._items.popitem(last=False)

    def _use(self, key: K) -> None:
        with suppress(KeyError):  # another thread may have discarded it
            self._items.move_to_end(key)
