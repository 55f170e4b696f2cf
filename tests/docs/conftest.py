"""The tables of docs/scikit-learn.md, and the check of one of their cells."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seqpipe.sequences import Sequences

PAGE = Path(__file__).parents[2] / "docs" / "scikit-learn.md"
KINDS = ("2-D", "3-D", "ragged")
Run = Callable[[Any], Any]

rng = np.random.default_rng(0)
RAGGED = [rng.normal(size=(n, 2)) for n in rng.integers(3, 7, size=18)]
#: X of 18 samples of each kind, in each of its forms.
DATA: dict[str, list[Any]] = {
    "2-D": [rng.normal(size=(18, 5))],
    "3-D": [rng.normal(size=(18, 5, 2))],
    "ragged": [RAGGED, Sequences.from_arrays(RAGGED)],
}
#: How scikit-learn's checks of X, of y or of the estimator say no.
REFUSALS = (
    r"dim 3, while dim <= 2|setting an array element with a sequence|Expected 2D array|but expected 2 dimensions"
    r"|2D NumPy array|tuple index out of range|same number of dimensions|y should be a 1d array|Unknown label type"
    r"|shape mismatch|should have `coef_`|Multilabel and multi-output|must be a fitted|truth value of an array"
    r"|y has \d steps, but X has"
)


@dataclass(frozen=True)
class Table:
    """One table of the page.

    Attributes
    ----------
    rows : dict of str to list of str
        The cells of each row, by its first one without backticks: one per kind of X, and what to use instead.
    """

    rows: dict[str, list[str]]

    def check_cell(self, row: str, kind: str, runs: dict[str, Run], instead: dict[str, Run]) -> None:
        """Check that a cell says what happens to X of a kind, and that what it names instead works."""
        cell = self.rows[row][KINDS.index(kind)]
        for X in DATA[kind]:
            if cell == "works":
                _check_result(runs[row](X))
            elif not (cell == "column" and isinstance(X, Sequences)):  # OutputCodeClassifier does not look at X
                with pytest.raises((ValueError, IndexError, NotImplementedError), match=REFUSALS):
                    runs[row](X)
        X = DATA[kind][0]
        if cell == "column":
            _check_result(runs[row](pd.DataFrame({"sequence": [*X]})))
        elif cell == "refused":
            _check_result(instead[row](X))

    def check_rows(self, runs: dict[str, Run], instead: dict[str, Run]) -> None:
        """Check that all rows are tested, and that those with a refusal, and no others, name something else."""
        assert [*self.rows] == [*runs]
        assert {cell for cells in self.rows.values() for cell in cells[:3]} <= {"works", "column", "refused"}
        refused = {row for row, cells in self.rows.items() if "refused" in cells[:3]}
        assert refused == {*instead} == {row for row, cells in self.rows.items() if cells[3]}


def _check_result(found: Any) -> None:
    """Check that there are predictions or scores, and that numbers are finite."""
    values = found.values if isinstance(found, Sequences) else np.asarray(found)
    if values.dtype == object and isinstance(values[0], np.ndarray):
        values = np.concatenate([*values])
    assert values.size > 0
    assert values.dtype.kind in "OUSib" or np.isfinite(values).all()


def table(title: str) -> Table:
    """Return the table of a section of the page."""
    page = PAGE.read_text(encoding="utf-8")
    section = re.search(rf"^## {title}$(.*?)(?=^## |\Z)", page, flags=re.DOTALL | re.MULTILINE)
    assert section is not None
    lines = [line.strip("|").split("|") for line in re.findall(r"^\|.*\|$", section[1], flags=re.MULTILINE)]
    assert [cell.strip() for cell in lines[0]] == ["tool", *KINDS, "instead"]
    return Table({name.strip().replace("`", ""): [cell.strip() for cell in cells] for name, *cells in lines[2:]})


@pytest.fixture(scope="session")
def table_of_sequences() -> Table:
    return table("One target per sequence")


@pytest.fixture(scope="session")
def table_of_steps() -> Table:
    return table("One target per time step")
