"""The generated reference of hooks."""

import importlib.util
import inspect
from pathlib import Path

import pytest

from seqpipe import hookspecs
from seqpipe.plugins import KINDS

PATH = Path(__file__).parents[2] / "docs" / "_extensions" / "hook_reference.py"


@pytest.fixture(scope="module")
def reference():
    spec = importlib.util.spec_from_file_location("hook_reference", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_hook_has_its_signature_and_an_example_that_offers_a_record(kind, reference):
    entry = reference.entry(kind)
    assert f"\n`{kind.hook}() -> Iterable[{kind.spec.__name__}]`\n" in entry
    assert "\nRaises\n" not in entry
    names: dict = {}
    exec(entry.split("```python\n")[1].split("```")[0], names)
    (record,) = names[kind.hook]()
    assert isinstance(record, kind.spec)
    assert record.summary


def test_a_hook_without_an_example_fails_the_build(reference, monkeypatch):
    monkeypatch.setattr(hookspecs.seqpipe_cells, "__doc__", "Offer recurrent cells.")
    with pytest.raises(ValueError, match="The docstring of the hook seqpipe_cells has no example"):
        reference.page()


def test_the_page_has_all_hooks(reference):
    hooks = [
        name for name, value in vars(hookspecs).items() if inspect.isfunction(value) and name.startswith("seqpipe_")
    ]
    assert reference.page().count("\n## `") == len(hooks)
