"""A cache of limited size evicts the least recently used entry."""

from __future__ import annotations

from collections import OrderedDict

import torch
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.cells import GRUCell
from seqpipe.recurrence import LoopEngine, TorchEngine
from seqpipe.recurrence._recent import Recent


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5))), st.integers(1, 4))
def test_the_least_recently_used_goes_first(uses: list[tuple[bool, int]], most: int) -> None:
    found: Recent[int, str] = Recent(most)
    model: OrderedDict[int, str] = OrderedDict()
    for writes, key in uses:
        if writes:
            found[key] = str(key)
            model.pop(key, None)
            model[key] = str(key)
            while len(model) > most:
                model.popitem(last=False)
        else:
            expected = model.get(key)
            assert found.get(key) == expected
            if expected is not None:
                model.move_to_end(key)
        assert len(found) == len(model)


def test_an_engine_plans_again_what_it_has_let_go() -> None:
    engine, x = TorchEngine(most_plans=2), torch.randn(2, 9, 3)
    for hidden_size in (2, 3, 4, 2):
        cell = GRUCell(3, hidden_size)
        state = cell.initial_state(2)
        with torch.no_grad():
            torch.testing.assert_close(engine.run(cell, x, None, state), LoopEngine().run(cell, x, None, state))
        assert len(engine._plans) <= 2
