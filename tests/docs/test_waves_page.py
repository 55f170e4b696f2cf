"""What docs/waves.md shows is what happens."""

import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "waves.md").read_text(encoding="utf-8")


#: Each block of Python by the file that its first line names.
BLOCKS = dict(re.findall(r"^```python\n# (\w+)\.py\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE))


def printed_by(name: str) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(BLOCKS[name], f"{name}.py", "exec"), {"__name__": "page"})
    return printed.getvalue()


def row(name: str) -> list[float]:
    """Return the numbers of one row of the page's table."""
    (line,) = re.findall(rf"^\| {re.escape(name)} \|(.*)\|$", PAGE, flags=re.MULTILINE)
    return [float(cell) for cell in line.split("|")]


@pytest.mark.slow
def test_the_step_regressor_meets_the_books_table() -> None:
    """E3: the mean squared error by iteration is that of the book or lower, and what the page says it is."""
    iterations, errors = np.array([line.split() for line in printed_by("waves").splitlines()], dtype=float).T
    assert iterations.tolist() == row("iteration")
    assert (errors <= row("the book's network")).all()
    np.testing.assert_allclose(errors, row("`StepRegressor`"), rtol=0.15)


@pytest.mark.parametrize("name", sorted(BLOCKS.keys() - {"waves"}))
def test_the_other_examples_run(name: str) -> None:
    assert printed_by(name)
