"""Compare what cells learn of regular languages, of aⁿbⁿ, and of selective copying, with equal numbers of parameters.

    python benchmarks/formal_languages.py
    python benchmarks/formal_languages.py --only gru,min_gru    # some of the cells
    python benchmarks/formal_languages.py --quick               # sizes that say nothing, in seconds
    python benchmarks/formal_languages.py --write               # and write docs/formal-languages.md, as `make languages`

Prints three Markdown tables: medians over three seeds ± half of their range.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from _contenders import CONTENDERS, EMBEDDING, Contender
from _defaults_table import with_scores
from _formal_samples import LANGUAGES, LONGEST_TRAINED, N_COPIED, as_then_bs, language, selective_copying
from _measure import machine, threads

from seqpipe import LanguageModel, StepClassifier

#: The page that shows the tables.
PAGE = Path(__file__).parents[1] / "docs" / "formal-languages.md"
#: Left out where the sign of eigenvalues does not matter.
NEGATIVE = ("delta_net with β < 2",)
#: Number of parameters per cell, for one layer and for two.
ONE_LAYER, TWO_LAYERS = 4400, 8000


@dataclass(frozen=True)
class Run:
    """Sizes of a run.

    Attributes
    ----------
    seeds : int
        Number of seeds.
    n_train, n_test : int
        Number of sequences.
    repeats : int
        How often each string aⁿbⁿ is in the training data.
    longest : int
        Largest n in testing.
    more : dict
        Further parameters of the estimators.
    """

    seeds: int = 3
    n_train: int = 1000
    n_test: int = 300
    repeats: int = 50
    longest: int = 100
    more: tuple[tuple[str, Any], ...] = ()

    def parameters(self, contender: Contender, seed: int, hidden_size: int) -> dict[str, Any]:
        """Return the parameters of an estimator that are not defaults."""
        chosen = {"cell": contender.cell, "cell_params": contender.cell_params, "hidden_size": hidden_size}
        return {**chosen, "embedding": EMBEDDING, "device": "cpu", "random_state": seed, **dict(self.more)}


QUICK = Run(seeds=1, n_train=20, n_test=5, repeats=1, longest=3, more=(("max_epochs", 1),))
Scores = tuple[float, ...]


def regular_languages(contender: Contender, hidden_size: int, seed: int, run: Run) -> Scores:
    """Return the accuracy of the label of whole sequences, the one at the last step, for each language."""
    scores = []
    for name in LANGUAGES:
        data = language(name, seed, run.n_train, run.n_test)
        model = StepClassifier(**run.parameters(contender, seed, hidden_size)).fit(data.X_train, data.y_train)
        predicted = model.predict(data.X_test)
        scores.append(float(np.mean([p[-1] == y[-1] for p, y in zip(predicted, data.y_test)])))
    return tuple(scores)


def counting(contender: Contender, hidden_size: int, seed: int, run: Run) -> Scores:
    """Return the nats per string above the optimum, and the largest n up to which no string has an error."""
    strings = as_then_bs()
    model = LanguageModel(**run.parameters(contender, seed, hidden_size)).fit(strings * run.repeats)
    above = -model.score_samples(strings).mean() - np.log(LONGEST_TRAINED)
    return float(above), _largest_without_error(model, run.longest)


def _largest_without_error(model: LanguageModel, longest: int) -> int:
    """Return how many aⁿb in a row, for n = 1, 2, …, are completed to aⁿbⁿ by the most probable symbols."""
    for n, string in enumerate(as_then_bs(longest), start=1):
        if model.generate(string[: n + 1], length=n + 1, temperature=0) != [string]:
            return n - 1
    return longest


def copying(contender: Contender, hidden_size: int, seed: int, run: Run) -> Scores:
    """Return the shares of symbols, and of sequences, that are copied without an error; two layers."""
    data = selective_copying(seed, run.n_train, run.n_test)
    parameters = run.parameters(contender, seed, hidden_size)
    model = StepClassifier(num_layers=2, loss_on=N_COPIED, **parameters).fit(data.X_train, data.y_train)
    right = np.asarray(model.predict(data.X_test))[:, -N_COPIED:] == data.y_test[:, -N_COPIED:]
    return float(right.mean()), float(right.all(axis=1).mean())


@dataclass(frozen=True)
class Table:
    """A task: its title, the columns of its scores with their format, the sizes of its networks, and cells left out."""

    title: str
    columns: tuple[str, ...]
    formats: tuple[str, ...]
    task: Callable[[Contender, int, int, Run], Scores]
    n_parameters: int
    n_outputs: int
    num_layers: int = 1
    without: tuple[str, ...] = ()

    def lines(self, contenders: Sequence[Contender], run: Run) -> Iterator[str]:
        """Yield the lines, rows as they are ready."""
        columns = ["cell", "parameters", *self.columns, "CPU seconds"]
        yield f"### {self.title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}"
        yield from (self._row(contender, run) for contender in contenders if contender.name not in self.without)
        yield ""

    def _row(self, contender: Contender, run: Run) -> str:
        size = contender.hidden_size(self.n_parameters, self.n_outputs, self.num_layers)
        n_parameters = contender.n_parameters(size, self.n_outputs, self.num_layers)
        begin = time.process_time()
        scores = zip(*(self.task(contender, size, seed, run) for seed in range(run.seeds)))
        shown = [_median(found, form) for found, form in zip(scores, self.formats)]
        seconds = (time.process_time() - begin) / run.seeds
        return f"| {' | '.join([contender.name, f'{n_parameters:,}', *shown, f'{seconds:.0f}'])} |"


def _median(scores: Sequence[float], form: str) -> str:
    return f"{statistics.median(scores):{form}} ±{(max(scores) - min(scores)) / 2:{form}}"


TABLES = (
    Table("Regular languages", tuple(LANGUAGES), (".3f",) * 3, regular_languages, ONE_LAYER, 3),
    Table("aⁿbⁿ", ("nats above the optimum", "largest n"), (".2f", ".0f"), counting, ONE_LAYER, 4, without=NEGATIVE),
    Table(
        "Selective copying", ("symbols", "sequences"), (".3f",) * 2, copying, TWO_LAYERS, 9, num_layers=2,
        without=NEGATIVE,
    ),
)  # fmt: skip


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="CELL,…", help="compare only these cells")
    parser.add_argument("--quick", action="store_true", help="sizes that say nothing, in seconds")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/formal-languages.md")
    options = parser.parse_args(arguments)
    names = [contender.name for contender in CONTENDERS]
    only = names if options.only is None else options.only.split(",")
    if unknown := sorted(set(only) - set(names)):
        parser.error(f"--only got {', '.join(unknown)}. Choose from {names}.")
    options.contenders = [contender for contender in CONTENDERS if contender.name in only]
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = _arguments(arguments)
    lines = [f"Measured on {machine()}.\n"]
    print(lines[0])
    with warnings.catch_warnings(), threads(1):
        warnings.simplefilter("ignore")
        for table in TABLES:
            for line in table.lines(options.contenders, QUICK if options.quick else Run()):
                print(line, flush=True)
                lines.append(line)
    if options.write:
        page = with_scores(PAGE.read_text(encoding="utf-8"), "\n".join(lines), "languages")
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
