"""The memory of a loop over time; each of its columns is one tensor per step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqpipe.recurrence.compiler.eager._graph import Size, Value, substitute
from seqpipe.recurrence.compiler.eager._packing import Packing
from seqpipe.recurrence.compiler.eager._python_loop import PythonLoop

__all__ = ["Columns", "RunSize"]


@dataclass(frozen=True)
class RunSize:
    """Size of a run of steps on a CPU; the defaults were measured.

    Attributes
    ----------
    elements : int
        Number of elements of one value, so that a run fits in the cache.
    min_rows : int
        Minimum number of rows, so that products are efficient.
    """

    elements: int = 32768
    min_rows: int = 384

    def rows(self, width: int) -> int:
        """Return the number of rows of a run of values with ``width`` columns."""
        return max(self.min_rows, self.elements // width)


class Columns:
    """Allocates a loop's memory.

    Parameters
    ----------
    loop : PythonLoop
    packing : Packing
    known : dict of Value to Tensor
        Values computed before; the values that the loop stacks are added.
    written : sequence of (Tensor or None, list of Tensor)
        The memory of each state that the loop writes: flat, if contiguous, and per step.
    read : dict of Value to list of Tensor
        The steps of the states that the loop reads.
    like : Tensor
        A tensor on the device to use.
    run_size : RunSize
        Size of a run of steps.
    """

    def __init__(
        self,
        loop: PythonLoop,
        packing: Packing,
        known: dict[Value, Tensor],
        written: Sequence[tuple[Tensor | None, list[Tensor]]],
        read: dict[Value, list[Tensor]],
        like: Tensor,
        run_size: RunSize,
    ) -> None:
        self.loop, self.packing, self.known, self.written, self.like = loop, packing, known, written, like
        self._steps: dict[Any, Any] = dict(read)
        self._pieces: dict[Any, Any] = {}
        self._scratch: dict[Value, Tensor] = {}
        self._runs = self._find_runs(run_size) if loop.ahead or loop.behind else []

    def _find_runs(self, size: RunSize) -> list[list[int]]:
        """Return the runs of steps; on a GPU, where cache size does not matter, all steps are one run."""
        on_cpu = self.like.device.type == "cpu"
        return self.packing.runs(size.rows(self.loop.width) if on_cpu else self.packing.n_rows)

    def run(self, threads: int, *, backwards: bool) -> None:
        """Run the loop; large products of runs of steps use ``threads`` threads."""
        if self.loop.function is None:
            return
        sums = [self._empty(v, 0).zero_() for v in self.loop.sums]
        self.known.update(zip(self.loop.sums, sums))
        if self.packing.counts:  # at least one step
            self._take_steps(self.loop.function, threads, sums, backwards=backwards)
        for value in self.loop.stacked:
            flat = self.flat(value)
            if flat is not None:
                self.known[value] = flat

    def _take_steps(self, function: Callable[..., None], threads: int, sums: list[Tensor], *, backwards: bool) -> None:
        columns: list[Any] = [self.steps(key) for key in self.loop.columns]
        pieces: list[Any] = [[len(run) for run in self._runs], *map(self.pieces, self.loop.pieces)]
        if backwards:
            columns, pieces = [reversed(c) for c in columns], [reversed(p) for p in pieces]
        given: list[Any] = [zip(*pieces)] if self._runs else []
        if self.loop.shares_runs:
            given += [torch.get_num_threads(), threads]
        free = [_packed(self.known[v]) for v in self.loop.free]
        with torch.inference_mode():  # faster calls; results go to preallocated memory
            function(zip(*columns), *given, *sums, *free)

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
        reused = self._reused_memory(key)
        if reused is not None:
            memory, of_run = reused
            return (
                self.packing.split_runs(memory, self._runs, *key.rows)
                if of_run
                else self.packing.shared(memory, *key.rows)
            )
        assert place is not None
        assert place.of is not None
        return _each(self.steps(place.of), lambda step: self._derived(key, step))

    def _special(self, kind: str, *rest: Any) -> Any:
        if kind == "state":
            return self.written[rest[0]][1]
        if kind == "copy":
            return self.packing.split(self._stacked(rest[0]), *rest[0].rows)
        return self._slots(self.steps(rest[0]), *rest)

    @staticmethod
    def _slots(tensors: Iterable[Tensor], value: Value, start: int, width: int) -> list[Tensor]:
        """Return the columns of a concatenation that belong to one of its pieces."""
        return _each(tensors, lambda tensor: tensor.narrow(value.args[1], start, width))

    def pieces(self, key: Any) -> Any:
        """Return a value's rows for each run of steps."""
        if key not in self._pieces:
            self._pieces[key] = self._find_pieces(key)
        return self._pieces[key]

    def _find_pieces(self, key: Any) -> Any:
        sizes = [sum(run) for run in self._runs]
        if key == "rows":
            return sizes
        if isinstance(key, tuple):
            return self._slots(self.pieces(key[1]), *key[1:])
        flat = self.flat(key)
        if flat is not None:
            dim, times = key.rows
            return torch.unsafe_split_with_sizes(flat, [times * size for size in sizes], dim)
        reused = self._reused_memory(key)
        assert reused is not None
        dim, times = key.rows
        parts = {size: reused[0].narrow(dim, 0, times * size) for size in set(sizes)}
        return [parts[size] for size in sizes]

    def _reused_memory(self, value: Value) -> tuple[Tensor, bool] | None:
        """Return the memory reused for a value by each run or step, and whether it is per run."""
        place = self.loop.places.get(value)
        if place is None:
            return None
        if place.kind in ("run", "scratch"):
            return self._scratch_of(value, of_run=place.kind == "run"), place.kind == "run"
        whole = None if place.of is None else self._reused_memory(place.of)
        if whole is None or place.kind == "same":
            return whole
        return self._derived(value, whole[0]), whole[1]

    def _scratch_of(self, value: Value, *, of_run: bool) -> Tensor:
        if value not in self._scratch:
            rows = max(map(sum, self._runs)) if of_run else self.packing.batch_size
            self._scratch[value] = self._empty(value, rows)
        return self._scratch[value]

    def flat(self, value: Value) -> Tensor | None:
        """Return all steps of a value as one tensor, or None if they are not contiguous."""
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
        return whole if whole is None or place.kind == "same" else self._derived(value, whole)

    def _derived(self, value: Value, source: Tensor) -> Tensor:
        """Return a value that is a part or a view of another one, given that one as ``source``."""
        place = self.loop.places[value]
        assert place.of is not None
        if place.kind == "columns":
            dim = place.of.args[1]
            return source.narrow(dim, place.start, value.shape[dim])
        rows = source.shape[place.of.rows[0]] // place.of.rows[1]  # type: ignore[index]
        args = [source if isinstance(a, Value) else _sized(a, rows) for a in value.args]
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
    """Apply a function to each step, once per distinct tensor."""
    found: dict[int, Tensor] = {}
    return [found[id(s)] if id(s) in found else found.setdefault(id(s), function(s)) for s in steps]


def _sized(given: Any, rows: int) -> Any:
    return substitute(given, lambda v: v, lambda size: size.times * rows)


def _packed(tensor: Tensor) -> Tensor:
    """Return a matrix in the memory order that is fastest for products."""
    return tensor.contiguous() if tensor.ndim == 2 else tensor
