"""The recipe zoo: every registered cell, with about as many parameters."""

import sys
from functools import partial
from pathlib import Path

import pytest

from seqpipe.pipeline._load import load_recipe

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def zoo(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import zoo

    yield zoo
    sys.modules.pop("zoo", None)


def test_the_recipe_has_every_cell_with_about_as_many_parameters(zoo):
    sizes = {grid["cell"][0]: grid["hidden_size"][0] for _, grid in load_recipe("zoo").recipe.search.grids}
    registered = dict(zoo.cells())
    assert set(sizes) == set(registered)
    for name, size in sizes.items():
        assert zoo.n_parameters(registered[name].spec.factory, size) == pytest.approx(zoo.BUDGET, rel=0.05), name


def test_the_size_of_a_cell_is_the_closest_to_the_budget(zoo):
    count = partial(zoo.n_parameters, dict(zoo.cells())["gru"].spec.factory)
    size = zoo.matched_size(count, zoo.BUDGET)
    errors = [abs(count(near) - zoo.BUDGET) for near in (size - 1, size, size + 1)]
    assert min(errors) == errors[1]
