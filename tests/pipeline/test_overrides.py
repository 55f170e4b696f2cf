from __future__ import annotations

import pytest

from seqpipe.exceptions import RecipeError
from seqpipe.pipeline._document import Document
from seqpipe.pipeline._overrides import apply_overrides

DATA = {
    "data": {"dataset": "d"},
    "task": "classify",
    "steps": [{"scale": {"method": "robust"}}, "pad"],
    "search": None,
}


def overridden(*overrides: str) -> Document:
    return apply_overrides(Document(DATA, {(): "r.yaml:1", ("data", "dataset"): "r.yaml:2"}), overrides)


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("data.dataset=e", "data", {"dataset": "e"}),
        ("seed=3", "seed", 3),
        ("search.grid.cell=[rnn, gru]", "search", {"grid": {"cell": ["rnn", "gru"]}}),
        ("task.classify.lr=1e-3", "task", {"classify": {"lr": 0.001}}),
        ("steps.0.scale.method=minmax", "steps", [{"scale": {"method": "minmax"}}, "pad"]),
        ("steps.1.pad.length=5", "steps", [{"scale": {"method": "robust"}}, {"pad": {"length": 5}}]),
        ("data.missing=no", "data", {"dataset": "d", "missing": "no"}),
        ("steps=null", "steps", None),
        ("name=a=b", "name", "a=b"),
        ("name=", "name", None),
    ],
)
def test_a_field_takes_the_value_that_yaml_makes_of_it(override: str, field: str, value: object):
    assert overridden(override).data[field] == value


def test_the_document_itself_is_left_as_it_was():
    overridden("steps.0.scale.method=minmax", "task.classify.lr=1")
    assert DATA["steps"] == [{"scale": {"method": "robust"}}, "pad"]
    assert DATA["task"] == "classify"


def test_an_overridden_field_has_the_override_for_its_place():
    document = overridden("data.dataset=e", "search.grid.cell=[rnn]")
    assert str(document.error(("data", "dataset"), "wrong.")) == "--set data.dataset: wrong."
    assert str(document.error(("search", "grid", "cell", 0), "wrong.")).startswith("--set search.grid.cell: ")
    assert str(document.error(("task",), "wrong.")) == "r.yaml:1: task: wrong."


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", r"--set seed: must be of the form field\.name=value"),
        ("=3", r"--set =3: must be of the form field\.name=value"),
        ("data.dataset.x=1", r"--set data\.dataset\.x: 'x' would be a field of 'd'"),
        ("task.regress.lr=1", r"'regress' would be a field of 'classify'"),
        ("steps.2=pad", r"--set steps\.2: '2' must be a position in a list of 2"),
        ("steps.last=pad", r"'last' must be a position in a list of 2"),
        ("seed=[", r"--set seed:1: invalid YAML"),
        ("seed=!!python/name:os.system x", r"--set seed:1: the tag .* is not allowed"),
    ],
)
def test_an_override_that_leads_nowhere_is_refused(override: str, message: str):
    with pytest.raises(RecipeError, match=message):
        overridden(override)
