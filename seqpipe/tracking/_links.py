"""Pages of the MLflow interface that seqpipe links to."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

__all__ = ["BEST", "BY_CELL", "CANDIDATES", "CURVES", "PAGES", "Page", "runs_path"]


@dataclass(frozen=True, slots=True)
class Page:
    """A view of the newest search of an experiment.

    Attributes
    ----------
    key : str
        Its key in links.
    name : str
        Its name in the menu of views.
    charts : bool
        Whether it consists of charts.
    """

    key: str
    name: str
    charts: bool

    @property
    def tag(self) -> str:
        """Key of the experiment's tag that holds the view."""
        return f"mlflow.sharedViewState.{self.key}"

    def path(self, experiment_id: str) -> str:
        """Return the address of the page within the interface."""
        mode = {"compareRunsMode": "CHART"} if self.charts else {}
        return runs_path(experiment_id, **mode, viewStateShareKey=self.key)


CANDIDATES = Page("seqpipe-candidates", "Candidates by score", charts=False)
BEST = Page("seqpipe-best", "Best five compared", charts=True)
CURVES = Page("seqpipe-curves", "Learning curves", charts=True)
BY_CELL = Page("seqpipe-by-cell", "Learning curves by cell", charts=True)
PAGES = (CANDIDATES, BEST, CURVES, BY_CELL)


def runs_path(experiment_id: str, **parameters: str) -> str:
    """Return the address of the runs of an experiment within the interface, which otherwise opens for language models."""
    query = urlencode({"workflowType": "machine_learning", **parameters})
    return f"/#/experiments/{quote(experiment_id, safe='')}/runs?{query}"
