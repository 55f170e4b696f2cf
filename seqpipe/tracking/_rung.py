"""The rungs of a successive halving search: runs above those of candidates."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from seqpipe.tables import count
from seqpipe.tracking._candidate import Search
from seqpipe.tracking._events import RungBegan, SearchEnded
from seqpipe.tracking._outcome import FINISHED
from seqpipe.tracking._run import Run

__all__ = ["Rung"]


class Rung(Search):
    """A rung: the candidates that are left, all with the same amount of a resource.

    Candidates are numbered within their rung.

    Attributes
    ----------
    run : Run
        The run of the rung.
    """

    def __init__(self, began: RungBegan, key: str, parent: Run) -> None:
        self._began = began
        self._number = began.path[-1][1]
        what = f"{count(began.n_candidates, 'candidate')}, {_amount(began.resource, began.amount)}"
        self.run = Run(f"rung {self._number + 1}: {what}", "rung", began.time, key, parent)
        self.run.tags |= self._tags()
        self.run.add_params(
            {"n_candidates": str(began.n_candidates), "resource": began.resource, "n_resources": str(began.amount)}
        )
        super().__init__(began.n_splits, None, began.grid, key, self.run)

    def end(self, time: int) -> list[Run]:
        """End the run, and return the runs of candidates and folds that were never started."""
        made = self.missing(self._began.n_candidates, time)
        self.run.finish(FINISHED, time)
        return made

    def score(self, event: SearchEnded, refit: Run | None) -> list[Run]:
        """Pass the results of this rung to its candidates; the resource is no part of their names."""
        own = event.results.of_rung(self._number)
        own = replace(own, params=[_without(params, self._began.resource) for params in own.params])
        scores = [each.get("mean_test_score", math.nan) for each in own.candidates]
        self.run.add_points({"best_score": max(filter(math.isfinite, scores), default=math.nan)}, event.time)
        return super().score(replace(event, results=own), refit)

    def _searched_by(self, number: int, params: Mapping[str, str]) -> dict[str, str]:
        return {name: params[name] for name in sorted(self._began.grid) if name in params}

    def _tags(self) -> dict[str, str]:
        return {"seqpipe.rung": str(self._number + 1)}


def _amount(resource: str, amount: int) -> str:
    """Return an amount in words, such as "20 epochs"."""
    word = {"max_epochs": "epoch", "n_samples": "sample"}.get(resource.rpartition("__")[2])
    return f"{resource}={amount}" if word is None else count(amount, word)


def _without(params: Mapping[str, str], resource: str) -> dict[str, str]:
    return {name: value for name, value in params.items() if name != resource}
