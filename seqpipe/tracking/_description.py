"""The description of a fit in words, which MLflow shows above its parent run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from seqpipe.tracking._events import SearchBegan
from seqpipe.tracking._fingerprint import DataSet
from seqpipe.tracking._held_out import HELD_OUT
from seqpipe.tracking._names import candidate_name, last_parts
from seqpipe.tracking._run import Run
from seqpipe.tracking._search import SearchResults

__all__ = ["DESCRIPTION", "Description"]

#: The tag of MLflow for a description in Markdown.
DESCRIPTION = "mlflow.note.content"
#: Number of values of a searched parameter, and of baselines, that are listed.
_MOST = 8


@dataclass
class Description:
    """What is known of a fit so far.

    Attributes
    ----------
    is_given : bool
        Whether the user has described the fit, whose words then stay.
    data : DataSet or None
    search : SearchBegan or None
    results : SearchResults or None
    held_out : dict of str to float
        Scores of the model on held-out data, by name.
    baselines : dict of str to dict
        The same for each baseline.
    """

    is_given: bool = False
    data: DataSet | None = None
    search: SearchBegan | None = None
    results: SearchResults | None = None
    held_out: dict[str, float] = field(default_factory=dict)
    baselines: dict[str, dict[str, float]] = field(default_factory=dict)

    def write(self, run: Run) -> None:
        """Set the description of a run, unless the user has."""
        if not self.is_given and (text := self.text()):
            run.tags[DESCRIPTION] = text

    def add_scores(self, metrics: Mapping[str, float]) -> bool:
        """Add those of some metrics that are scores on held-out data, and return whether there are any."""
        scores = {name.removeprefix(HELD_OUT): value for name, value in metrics.items() if name.startswith(HELD_OUT)}
        self.held_out |= scores
        return bool(scores)

    def text(self) -> str:
        """Return the description in Markdown, one paragraph per subject; empty if nothing is known."""
        baselines = [f"{name} ({_scores(scores)})" for name, scores in self.baselines.items()]
        subjects = {
            "Data": self._of_data(),
            "Searched": self._of_search(),
            "Best": self._of_best(),
            "On held-out data": _scores(self.held_out),
            "Baselines on the same data": _listed(baselines, "; "),
        }
        return "\n\n".join(f"**{subject}:** {said}" for subject, said in subjects.items() if said)

    def _of_data(self) -> str:
        data = self.data
        if data is None:
            return ""
        said = f"{data.name}, {data.n_samples:,} {'samples' if data.shortest is None else 'sequences'}"
        if data.shortest is not None:
            steps = f"{data.shortest}" if data.shortest == data.longest else f"{data.shortest} to {data.longest}"
            said += f" of {steps} time steps"
        return said if data.n_features is None else f"{said}, {data.n_features} features"

    def _of_search(self) -> str:
        if self.search is None or not self.search.grid:
            return ""
        short = last_parts(self.search.grid)
        tried = [f"{short[name]} ({_listed(values, ', ')})" for name, values in self.search.grid.items()]
        is_whole = self.results is not None and self.results.rungs is None  # else it is the last rung
        known = self.search.searched or (self.results.params if self.results is not None and is_whole else None)
        size = f"{len(known)} candidates in " if known else ""
        return f"{', '.join(tried)}: {size}{self.search.n_splits} folds"

    def _of_best(self) -> str:
        """Return the best candidate, its score and its distance from the next."""
        results = self.results
        if results is None or results.best is None:
            return ""
        mean, spread = f"mean_test_{results.metric}", f"std_test_{results.metric}"
        scores = {number: scores.get(mean, math.nan) for number, scores in enumerate(results.candidates)}
        best = scores.pop(results.best)
        said = f"{candidate_name(results.params[results.best]) or 'the only candidate'}, {_number(best)}"
        said += f" ± {_number(results.candidates[results.best].get(spread, math.nan))} over the folds"
        others = {number: score for number, score in scores.items() if math.isfinite(score)}
        if others:
            second = max(others, key=lambda number: others[number])
            said += f"; {_number(best - others[second])} better than the next, {candidate_name(results.params[second])}"
        failed = len(scores) - len(others)
        return said + (f". Failed: {failed} of {len(results.params)}" if failed else "")


def _scores(scores: dict[str, float]) -> str:
    return ", ".join(f"{name} {_number(value)}" for name, value in scores.items())


def _listed(texts: list[str], between: str) -> str:
    more = len(texts) - _MOST
    return between.join([*texts[:_MOST], *([f"{more} more"] if more > 0 else [])])


def _number(value: float) -> str:
    return f"{value:.4g}"
