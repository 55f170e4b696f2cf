"""All registered cells on one task, with about as many parameters each: writes pipelines/zoo.yaml, and runs it.

The size of each cell is chosen so that the whole model has about 6,000 parameters. Without ``--run`` only the recipe is
written; with it the recipe is run, and the table in docs/zoo.md written.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from _matched import matched_size

from seqpipe.networks import SequenceNetwork
from seqpipe.pipeline import run_recipe
from seqpipe.plugins import Registered, host
from seqpipe.recurrence import Recurrent

ROOT = Path(__file__).parents[1]
RECIPE, PAGE = ROOT / "pipelines" / "zoo.yaml", ROOT / "docs" / "zoo.md"
#: Parameters of a model; features of a time step, and classes, of the data set digits.
BUDGET, N_FEATURES, N_CLASSES = 6_000, 8, 10
#: Cells that split their units into this many heads.
HEADS = {"slstm": 4, "mlstm": 4, "delta_net": 4, "gated_delta_net": 4, "rwkv7": 4}
_BEGIN, _END = "<!-- zoo: written by benchmarks/zoo.py -->", "<!-- end of zoo -->"
_HEAD = """\
# Compare all cells of seqpipe and of the plug-ins of its repository on handwritten digits, row by row: each model has about
# {budget:,} parameters. Written by benchmarks/zoo.py, which chooses the sizes.
data:
  dataset: digits

task:
  classify:
    max_epochs: 15
    early_stopping: false

search:
  cv: 2
  grid:
"""


def n_parameters(factory: Callable[..., Any], hidden_size: int) -> int:
    """Return the number of trainable parameters of a classifier with a cell."""

    def layers(input_size: int) -> Recurrent:
        return Recurrent(factory(input_size, hidden_size))

    with torch.random.fork_rng(devices=[]):
        network = SequenceNetwork(N_FEATURES, N_CLASSES, recurrent=layers)
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


def cells() -> Iterator[tuple[str, Registered]]:
    """Yield all registered cells by name, those of seqpipe and of its repository's plug-ins."""
    for name, offers in sorted(host().offers("cell").items()):
        if offers[0].distribution.startswith("seqpipe"):
            yield name, offers[0]


def write_recipe() -> None:
    """Write the recipe with one grid per cell."""
    lines = [_HEAD.format(budget=BUDGET)]
    for name, offer in cells():
        size = matched_size(partial(n_parameters, offer.spec.factory), BUDGET, HEADS.get(name, 1))
        lines.append(f"    - {{cell: [{name}], hidden_size: [{size}]}}\n")
    RECIPE.write_text("".join(lines), encoding="utf-8")


def table(found: pd.DataFrame) -> str:
    """Return the results as a Markdown table, the best first."""
    origins = {name: offer.distribution for name, offer in cells()}
    lines = ["| cell | from | hidden size | parameters | accuracy | seconds per fit |", "|---|---|---|---|---|---|"]
    lines += [
        f"| `{row.cell}` | {origins[row.cell]} | {row.hidden_size} | {int(row.n_parameters):,} | "
        f"{row.mean:.3f} ± {row.std:.3f} | {row.seconds:.1f} |"
        for row in found.itertuples()
    ]
    return "\n".join(lines)


def write_page(found: pd.DataFrame) -> None:
    """Write the table into the page."""
    text = PAGE.read_text(encoding="utf-8")
    pattern = f"{re.escape(_BEGIN)}.*?{re.escape(_END)}"
    PAGE.write_text(re.sub(pattern, f"{_BEGIN}\n{table(found)}\n{_END}", text, flags=re.DOTALL), encoding="utf-8")


def main() -> None:
    """Write the recipe; run it if asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", action="store_true", help="run the recipe, and write the table of docs/zoo.md")
    arguments = parser.parse_args()
    write_recipe()
    if arguments.run:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            write_page(run_recipe(RECIPE, overrides=["tracking.enabled=false"]).table)


if __name__ == "__main__":
    main()
