"""Wrappers by name, by mapping and by callable, and errors for invalid ones."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch

from seqpipe.builtins import seqpipe_wrappers
from seqpipe.cells import Cell, GRUCell
from seqpipe.exceptions import CellError, UnknownNameError
from seqpipe.recurrence.wrappers import Dropout, LayerNorm, Projection, Residual, Zoneout, wrap


def chain(cell: Any) -> list[type]:
    return [type(cell), *(chain(cell.cell) if hasattr(cell, "cell") else [])]


def test_the_first_wrapper_is_the_innermost_however_it_is_given() -> None:
    cell = wrap(
        GRUCell(3, 5), ["layer_norm", {"dropout": {"p": 0.3}}, {"residual": None}, partial(Zoneout, p=0.4), LayerNorm]
    )
    assert chain(cell) == [LayerNorm, Zoneout, Residual, Dropout, LayerNorm, GRUCell]
    assert (cell.cell.p, cell.cell.cell.cell.p) == ((0.4,), 0.3)  # type: ignore[union-attr]


@pytest.mark.parametrize("none", [None, [], ()])
def test_without_wrappers_the_cell_stays_as_it_is(none: Any) -> None:
    cell = GRUCell(3, 5)
    assert wrap(cell, none) is cell


@pytest.mark.parametrize("name", sorted({spec.name for spec in seqpipe_wrappers()} - {"projection"}))
def test_a_name_alone_is_enough_where_every_parameter_has_a_default(name: str) -> None:
    assert type(wrap(GRUCell(3, 5), [name])) is {spec.name: spec.factory for spec in seqpipe_wrappers()}[name]


@pytest.mark.parametrize("name", ["dropuot", {"dropuot": {}}])
def test_an_unknown_name_is_refused_with_the_known_ones(name: Any) -> None:
    message = r"must be one of \['attention', 'dropout', .*\]\. Got 'dropuot' instead\. Did you mean 'dropout'\?"
    with pytest.raises(UnknownNameError, match=message):
        wrap(GRUCell(3, 5), [name])


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (
            {"dropout": {"p": 2}},
            r"The wrapper 'dropout' cannot be applied to GRUCell with p=2: ValueError: The 'p' param",
        ),
        ({"zoneout": {"q": 0.1}}, r"The wrapper 'zoneout' has no parameter 'q'\. It has p\."),
        ({"residual": {"size": 3}}, r"The wrapper 'residual' has no parameter 'size'\. It has none\."),
        ("projection", r"The wrapper 'projection' needs the parameter 'size': \{'projection': \{'size': …\}\}\."),
        (partial(Projection, size=-1), r"The wrapper functools\.partial\(.*: ValueError: The 'size' parameter"),
        (torch.nn.Identity, r"The wrapper Identity must return a seqpipe\.Cell\. Got Identity instead"),
    ],
)
def test_a_wrapper_that_cannot_be_made_is_named(item: Any, message: str) -> None:
    with pytest.raises(CellError, match=message):
        wrap(GRUCell(3, 5), [item])


@pytest.mark.parametrize("item", [3, None, {}, {"dropout": {}, "residual": {}}, GRUCell(3, 5)], ids=repr)
def test_an_item_of_another_kind_is_refused(item: Any) -> None:
    with pytest.raises(TypeError, match=r"must be a name, a mapping \{name: parameters\} of one entry, or a callable"):
        wrap(GRUCell(3, 5), [item])


def test_parameters_that_are_no_mapping_are_refused() -> None:
    with pytest.raises(TypeError, match=r"parameters of the wrapper 'dropout' must be a mapping\. Got 0\.3 instead"):
        wrap(GRUCell(3, 5), [{"dropout": 0.3}])


@pytest.mark.parametrize("wrappers", ["dropout", {"dropout": {}}, Residual])
def test_wrappers_outside_a_list_are_refused(wrappers: Any) -> None:
    with pytest.raises(TypeError, match=r"'wrappers' must be a list, the innermost wrapper first, or None\. Got"):
        wrap(GRUCell(3, 5), wrappers)


def test_a_function_that_hands_the_cell_back_is_taken() -> None:
    def same(cell: Cell) -> Cell:
        return cell

    assert chain(wrap(GRUCell(3, 5), [same])) == [GRUCell]
