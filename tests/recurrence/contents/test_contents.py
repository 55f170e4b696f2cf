"""The signature of a cell changes with everything that a step may read, and with nothing else."""

from __future__ import annotations

import copy
import enum
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from seqpipe import Recurrent
from seqpipe.cells import Cell, GRUCell
from seqpipe.recurrence.contents._contents import contents_of, first_difference
from seqpipe.recurrence.contents._tokens import Tokens

RATE = 0.5
COUNT = 0
TABLE = {"rate": 0.5}


@dataclass
class Settings:
    """An object that an author may store in a cell."""

    rate: float = 0.5


class Slotted:
    """A class without ``__dict__``."""

    __slots__ = ("rate",)

    def __init__(self) -> None:
        self.rate = 0.5


class Kind(enum.Enum):
    """A fixed value."""

    FAST = 1
    SLOW = 2


class Holding(Cell):
    """Reads ``held`` in its step, but not ``aside``."""

    shared: Any = 0.5

    def __init__(self, input_size: int, hidden_size: int, held: Any = None) -> None:
        super().__init__(input_size, hidden_size)
        self.both = nn.Linear(input_size + hidden_size, hidden_size)
        self.held = held
        self.aside: Any = None

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.both(torch.cat([x_t, h], dim=1)))
        return h, self.change(h, self.held, self.shared)

    def change(self, h: Tensor, *held: Any) -> Tensor:
        return h


def helper() -> float:
    return RATE * TABLE["rate"]


class ReadsGlobals(Holding):
    def change(self, h: Tensor, *held: Any) -> Tensor:
        return h * helper()


def config_class() -> Any:
    class Config:
        rate = 0.5

    return Config


CHANGES: dict[str, tuple[Callable[[], Any], Callable[[Any], Any]]] = {
    "dict": (lambda: {"rate": 0.5}, lambda held: held.update(rate=0.1)),
    "nested": (lambda: [{"a": ({"b": 1.0},)}], lambda held: held[0]["a"][0].update(b=2.0)),
    "list": (lambda: [0.5], lambda held: held.append(1)),
    "set": (lambda: {1, 2}, lambda held: held.add(3)),
    "namespace": (lambda: SimpleNamespace(rate=0.5), lambda held: setattr(held, "rate", 0.1)),
    "dataclass": (Settings, lambda held: setattr(held, "rate", 0.1)),
    "slots": (Slotted, lambda held: setattr(held, "rate", 0.1)),
    "class": (config_class, lambda held: setattr(held, "rate", 0.1)),
    "array": (lambda: np.full(3, 0.5), lambda held: held.fill(0.1)),
    "int for bool": (lambda: [True], lambda held: held.__setitem__(0, 1)),
    "negative zero": (lambda: [0.0], lambda held: held.__setitem__(0, -0.0)),
    "partial": (lambda: partial(torch.mul, other={"a": 1}), lambda held: held.keywords["other"].update(a=2)),
    "function": (lambda: {"f": torch.tanh}, lambda held: held.update(f=torch.sigmoid)),
    "enum": (lambda: [Kind.FAST], lambda held: held.__setitem__(0, Kind.SLOW)),
    "tensor's shape": (lambda: {"w": torch.ones(2)}, lambda held: held.update(w=torch.ones(3))),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_changed_in_place_is_seen(name: str) -> None:
    make, change = CHANGES[name]
    cell = Holding(2, 3, make())
    before = contents_of(cell)
    assert before.unseen is None
    assert contents_of(cell).signature == before.signature
    change(cell.held)
    assert contents_of(cell).signature != before.signature
    assert first_difference(before.signature, contents_of(cell).signature)


def test_a_class_attribute_a_global_and_a_helpers_global_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = ReadsGlobals(2, 3)
    seen = [contents_of(cell).signature]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Holding, "shared", 0.1)
        seen.append(contents_of(cell).signature)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(TABLE, "rate", 0.1)
        seen.append(contents_of(cell).signature)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "RATE", 0.1)
        seen.append(contents_of(cell).signature)
    assert len(set(seen)) == 4
    assert contents_of(cell).signature == seen[0]


def test_a_closure_is_seen() -> None:
    rates = [0.5]

    class Closed(Holding):
        def change(self, h: Tensor, *held: Any) -> Tensor:
            return h * rates[0]

    cell = Closed(2, 3)
    before = contents_of(cell).signature
    rates[0] = 0.1
    assert contents_of(cell).signature != before


def test_the_default_type_of_numbers_is_part_of_it() -> None:
    cell = GRUCell(2, 3)
    before = contents_of(cell).signature
    torch.set_default_dtype(torch.float64)
    try:
        assert contents_of(cell).signature != before
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("make", [np.random.default_rng, torch.Generator, threading.Lock, lambda: iter([1])])
def test_what_cannot_be_seen_is_named_where_the_step_mentions_it(make: Callable[[], Any]) -> None:
    cell = Holding(2, 3, {"rng": make()})
    unseen = contents_of(cell).unseen
    assert unseen is not None
    assert unseen.startswith("\"held['rng']\" is a ")
    cell.held, cell.aside = None, make()
    assert contents_of(cell).unseen is None


def counting(h: Tensor) -> Tensor:
    global COUNT
    COUNT += 1
    return h * COUNT


def counting_in_a_class(h: Tensor) -> Tensor:
    Settings.rate += 1.0
    return h * Settings.rate


def importing(h: Tensor) -> Tensor:
    import types

    return h * types.__dict__.get("rate", 1.0)


@pytest.mark.parametrize(
    ("scale", "reason"),
    [
        (counting, "assigns the global 'COUNT'"),
        (counting_in_a_class, "assigns an attribute of 'Settings'"),
        (importing, "imports 'types' at each call"),
        (lambda h: h * globals()["RATE"], "calls 'globals'"),
        (lambda h: h * len(list(map(open, ["rate.txt"]))), "calls 'open'"),
        (lambda h: h * sys.modules["rates"].rate, "uses the module 'sys'"),
        (lambda h: h * time.time(), "uses the module 'time'"),
        (lambda h: h * 2 if h.requires_grad else h, "reads 'requires_grad', which may be another in a trace"),
        (
            lambda h: next(h * each for each in [torch.get_num_threads()]),
            "reads 'get_num_threads', which may be another in a trace",
        ),
    ],
)
def test_what_the_code_tells_nothing_of_is_named(scale: Callable[[Tensor], Tensor], reason: str) -> None:
    class Scaled(GRUCell):
        def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            output, state = super().step(x_t, state)
            return output, scale(state)

    unseen = contents_of(Scaled(2, 3)).unseen
    assert unseen is not None
    assert unseen.endswith(reason)


def test_a_counter_outside_of_a_cell_counts_what_it_counts_in_the_loop(compiled: None) -> None:
    global COUNT

    class Counted(GRUCell):
        def step(self, x_t: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
            output, state = super().step(x_t, state)
            return output, counting(state)

    counts = []
    for engine in ("loop", "auto"):
        COUNT = 0
        Recurrent(Counted(2, 3), engine=engine)(torch.zeros(4, 5, 2))
        counts.append(COUNT)
    assert counts[0] == counts[1]


def test_more_values_than_can_be_compared_are_refused() -> None:
    unseen = contents_of(Holding(2, 3, [[i] for i in range(5000)])).unseen
    assert unseen is not None
    assert "too many to compare" in unseen


def test_a_long_history_that_no_step_mentions_hides_nothing() -> None:
    cell = Holding(2, 3)
    cell.aside = [[i] for i in range(5000)]
    del cell.held
    cell.held = {"rate": 0.5}  # visited after the history
    before = contents_of(cell)
    assert before.unseen is None
    cell.held["rate"] = 0.1
    assert contents_of(cell).signature != before.signature


def test_cells_made_alike_share_a_plan() -> None:
    assert contents_of(Holding(2, 3, {"a": [1]})).signature == contents_of(Holding(2, 3, {"a": [1]})).signature


def test_tensors_are_found_wherever_they_are_held_and_stay_out_of_the_signature() -> None:
    mask = torch.ones(3)
    cell = Holding(2, 3, {"masks": [mask], "again": mask})
    contents = contents_of(cell)
    assert [name for name, tensor in contents.tensors.items() if tensor is mask] == ["held['masks'][0]"]
    mask.fill_(0.5)
    cell.held["masks"][0] = torch.zeros(3)
    cell.held["again"] = cell.held["masks"][0]
    assert contents_of(cell).signature == contents.signature


def test_what_holds_itself_ends() -> None:
    held: dict[str, Any] = {}
    held["self"] = held
    cell = Holding(2, 3, held)
    held["cell"] = cell
    assert contents_of(cell).unseen is None


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
nested = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3) | st.tuples(inner, inner)
    ),
    max_leaves=8,
)


@given(nested, nested)
def test_tokens_are_equal_exactly_where_values_are_of_the_same_kind_and_content(a: Any, b: Any) -> None:
    token, again, other = (Tokens({}).of(value, "x") for value in (a, copy.deepcopy(a), b))
    assert token == again
    assert hash(token) == hash(again)
    assert (token == other) == (repr(a) == repr(b))
