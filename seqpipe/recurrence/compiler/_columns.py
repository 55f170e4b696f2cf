"""The memory of a loop over time, and for each of its columns one tensor a step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler._graph import Size, Value, substitute
from seqpipe.recurrence.compiler._packing import Packing
from seqpipe.recurrence.compiler._pyloop import Loop

__all__ = ["Columns"]


class Columns:
    """Lays a loop's memory out.

    Parameters
    ----------
    loop : Loop
    packing : Packing
    known : dict of Value to Tensor
        What is there already; what the loop stacks is added.
    written : sequence of (Tensor or None, list of Tensor)
        For each state what the loop writes: flat, where it is, and its steps.
    read : dict of Value to list of Tensor
        The steps of the states that the loop reads.
    """

    def __init__(
        self,
        loop: Loop,
        packing: Packing,
        known: dict[Value, Tensor],
        written: Sequence[tuple[Tensor | None, list[Tensor]]],
        read: dict[Value, list[Tensor]],
        like: Tensor,
    ) -> None:
        self.loop, self.packing, self.known, self.written, self.like = loop, packing, known, written, like
        self._steps: dict[Any, Any] = dict(read)

    def run(self, *, backwards: bool) -> None:
        """Run the loop."""
        if self.loop.function is None:
            return
        columns: list[Any] = [self.steps(key) for key in self.loop.columns]
        if backwards:
            columns = [reversed(column) for column in columns]
        free = [_packed(self.known[v]) for v in self.loop.free]
        with torch.inference_mode():  # quicker calls; nothing is made in it, results go to memory that is there
            self.loop.function(zip(*columns), *free)
        for value in self.loop.stacked:
            flat = self.flat(value)
            if flat is not None:
                self.known[value] = flat

    def steps(self, key: Any) -> Any:
        """Return a column."""
        if key not in self._steps:
            self._steps[key] = self._find(key)
        return self._steps[key]

    def _find(self, key: Any) -> Any:
        if key == "rows":
            return self.packing.counts
        if isinstance(key, tuple):
            return self._special(*key)
        place = self.loop.places.get(key)
        if place is not None and place.kind == "state":
            return self.written[place.number][1]
        flat = self.flat(key)
        if flat is not None:
            return self.packing.split(flat, *key.rows)
        assert place is not None
        if place.kind == "scratch":
            return self.packing.shared(self._empty(key, self.packing.batch_size), key.rows[1])
        assert place.of is not None
        return _each(self.steps(place.of), lambda step: self._shown(key, step))

    def _special(self, kind: str, *rest: Any) -> Any:
        if kind == "state":
            return self.written[rest[0]][1]
        if kind == "copy":
            return self.packing.split(self._stacked(rest[0]), *rest[0].rows)
        value, start, width = rest
        return _each(self.steps(value), lambda step: step.narrow(value.args[1], start, width))

    def flat(self, value: Value) -> Tensor | None:
        """Return all steps of a value as one tensor, where they are one."""
        if value in self.known:
            return self.known[value]
        place = self.loop.places.get(value)
        if place is None:
            return None
        if place.kind == "state":
            return self.written[place.number][0]
        if place.kind in ("stack", "local"):
            return self._stacked(value)
        if place.of is None:
            return None
        whole = self.flat(place.of)
        return None if whole is None else self._shown(value, whole)

    def _shown(self, value: Value, source: Tensor) -> Tensor:
        """Return the part of another value, or the view of it, that a value is."""
        place = self.loop.places[value]
        assert place.of is not None
        if place.kind == "columns":
            dim = place.of.args[1]
            return source.narrow(dim, place.start, value.shape[dim])
        rows = source.shape[place.of.rows[0]] // place.of.rows[1]  # type: ignore[index]
        args = substitute(value.args, lambda v: source, lambda size: size.times * rows)
        result = value.op(*args, **value.kwargs)
        return result if value.item is None else result[value.item]

    def _stacked(self, value: Value) -> Tensor:
        if value not in self.known:
            self.known[value] = self._empty(value, self.packing.n_rows)
        return self.known[value]

    def _empty(self, value: Value, n_rows: int) -> Tensor:
        shape = [s.times * n_rows if isinstance(s, Size) else s for s in value.shape]
        return torch.empty(shape, dtype=value.dtype, device=self.like.device)


def _each(steps: Iterable[Tensor], function: Callable[[Tensor], Tensor]) -> list[Tensor]:
    """Apply a function to each step, once to those that share memory."""
    found: dict[int, Tensor] = {}
    return [found[id(s)] if id(s) in found else found.setdefault(id(s), function(s)) for s in steps]


def _packed(tensor: Tensor) -> Tensor:
    """Return a matrix in the order that products read quickest."""
    return tensor.contiguous() if tensor.ndim == 2 else tensor
