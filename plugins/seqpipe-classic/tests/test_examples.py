"""The example of the README, and the recipe."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import seqpipe_classic as classic

from seqpipe.datasets import load_adding
from seqpipe.pipeline import run_recipe
from seqpipe.plugins import host
from seqpipe.specs import DatasetSpec

ROOT = Path(__file__).parents[1]


def test_the_readme_lists_every_cell() -> None:
    listed = re.findall(r"^\| \[`(\w+)`\]", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(listed) == sorted(spec.name for spec in classic.seqpipe_cells())


def test_the_example_of_the_readme_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict = {}
    exec(block, names)
    for model in ("model", "solved"):
        assert names[model].score(names["X"], names["y"]) > 0.9


@pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")  # of one epoch
def test_the_recipe_runs_at_a_tiny_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = load_adding()
    tiny_data = DatasetSpec("adding", lambda: replace(whole, X=whole.X[:60, :10], y=whole.y[:60]))
    tiny = ["task.regress.hidden_size=2", "task.regress.max_epochs=1", "search.cv=2", "tracking.enabled=false"]
    tiny.append("search.grid.cell=[clockwork, mgu]")
    with host().offering("dataset", tiny_data, "seqpipe"):
        ran = run_recipe(ROOT / "adding.yaml", overrides=tiny)
    assert len(ran.table) == 2
