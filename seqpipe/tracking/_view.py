"""Views of a search in the MLflow interface: which runs, columns and charts it shows.

The interface keeps a view in a tag of the experiment: its name and date, and its state, a JSON object of the attributes of
``ExperimentPageUIState`` and ``ExperimentPageSearchFacetsState`` in MLflow's sources. Versions with named views read the
compressed ``state``, earlier ones the same attributes beside it. An attribute that a version does not know has no effect.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seqpipe.tracking._curves import SECONDS
from seqpipe.tracking._links import BEST, BY_CELL, CANDIDATES, CURVES
from seqpipe.tracking._params import is_cell

__all__ = ["SearchView", "is_unchanged", "view_of", "view_tags"]

#: Length of a value that every supported version of MLflow accepts.
_MAX_LENGTH = 5000
#: Attributes that earlier versions do not complete by themselves.
_DEFAULTS: dict[str, Any] = {
    "startTime": "ALL", "lifecycleFilter": "Active", "modelVersionFilter": "All Runs", "datasetsFilter": [],
    "runsExpanded": {}, "runsPinned": [], "runsHidden": [], "runsVisibilityMap": {}, "runsHiddenMode": "FIRST_10_RUNS",
    "viewMaximized": False, "runListHidden": False, "groupBy": None, "groupsExpanded": {}, "autoRefreshEnabled": True,
    "useGroupedValuesInCharts": True,
}  # fmt: skip
#: Widths of columns in pixels.
_NAME_WIDTH, _SCORE_WIDTH = 260, 150
_LOSSES = ("valid_loss", "train_loss")


@dataclass(frozen=True, slots=True)
class SearchView:
    """What the views of a search depend on.

    Attributes
    ----------
    score : str
        Metric that ranks the candidates: greater is better.
    params : tuple of str
        Searched parameters.
    cell : str or None
        The parameter that names the cell, if several candidates share each cell.
    time : int
        When this became known, in milliseconds since 1970.
    """

    score: str
    params: tuple[str, ...]
    cell: str | None
    time: int


def view_of(grid: Mapping[str, list[str]], score: str, time: int) -> SearchView:
    """Return the view of a search that tries the values in ``grid``, per parameter."""
    varied = [name for name, values in grid.items() if len(values) > 1]
    cell = next((name for name in varied if is_cell(name)), None)
    return SearchView(score, tuple(grid), cell if len(varied) > 1 else None, time)


def view_tags(view: SearchView, run_id: str) -> dict[str, str]:
    """Return the views of the search that the run ``run_id`` records, as values of tags by their keys."""
    candidates = f"tags.`seqpipe.kind` = 'candidate' AND tags.`mlflow.parentRunId` = '{run_id}'"
    best = f"{candidates} AND metrics.`{_rank(view)}` <= 5"
    epochs, seconds = _section("Learning curves by epoch", 2), _section("Learning curves by seconds of training", 2)
    spread, scores, table = _section("Spread over the folds", 2), _section("Score", 2), _section("Differences", 1)
    curves, spreads, scored = [*_curves("mean", epochs)], [*_curves("std", spread)], [*_scores(view, scores)]
    shown = {
        CANDIDATES: _state(view, candidates),
        BEST: _state(view, best, [scores, table, epochs, spread], [*scored, _differences(table), *curves, *spreads]),
        CURVES: _state(
            view,
            candidates,
            [epochs, seconds, spread, scores],
            [*curves, *_curves("mean", seconds, SECONDS), *spreads, *scored],
        ),
    }
    if view.cell is not None:
        group = {"aggregateFunction": "average", "groupByKeys": [{"mode": "param", "groupByData": view.cell}]}
        shown[BY_CELL] = {**_state(view, candidates, [epochs, spread], [*curves, *spreads]), "groupBy": group}
    return {page.tag: _tag(page.name, view.time, state) for page, state in shown.items()}


def is_unchanged(tag: str) -> bool:
    """Return whether the value of a tag is a view as `view_tags` returned it."""
    try:
        found = json.loads(tag)
        return bool(found.pop("seqpipe") == _digest(found))
    except (ValueError, TypeError, AttributeError, KeyError):
        return False


def _tag(name: str, time: int, state: dict[str, Any]) -> str:
    compressed = base64.b64encode(zlib.compress(json.dumps(state).encode(), 9)).decode()
    named = {"name": name, "createdAt": time, "state": f"deflate;{compressed}"}
    text = _signed({**_DEFAULTS, **state, **named})
    return text if len(text) <= _MAX_LENGTH else _signed(named)


def _signed(content: dict[str, Any]) -> str:
    return json.dumps({**content, "seqpipe": _digest(content)}, separators=(",", ":"))


def _digest(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _state(
    view: SearchView,
    runs: str,
    sections: list[dict[str, Any]] | None = None,
    charts: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return the state of a view: the runs that match the filter ``runs``, by score."""
    scores = [f"metrics.`{name}`" for name in (view.score, _spread(view))]
    columns = [*scores, *(f"params.`{name}`" for name in view.params)]
    name = "attributes.`Run Name`"
    state = {
        "searchFilter": runs,
        "orderByKey": scores[0],
        "orderByAsc": False,
        "selectedColumns": columns,
        "columnOrder": [name, *columns],
        "columnWidths": {name: _NAME_WIDTH, **dict.fromkeys(scores, _SCORE_WIDTH)},
    }
    if sections is None or charts is None:
        return state
    # The interface adds a chart for each metric that has none: a deleted one stops that.
    ours = {chart.get("metricKey") for chart in charts}
    unwanted = [key for key in (view.score, _spread(view), _rank(view), "mean_fit_time", SECONDS) if key not in ours]
    charts = [*charts, *({**_chart("BAR", sections[0], key), "deleted": True} for key in unwanted)]
    layout = {"compareRunCharts": charts, "compareRunSections": sections, "isAccordionReordered": True}
    return {**state, **layout, "hideEmptyCharts": True}


def _section(name: str, columns: int) -> dict[str, Any]:
    identifier = name.lower().replace(" ", "-")
    return {
        "uuid": identifier,
        "name": name,
        "display": True,
        "isReordered": True,
        "columns": columns,
        "cardHeight": 400,
    }


def _chart(kind: str, section: dict[str, Any], metric: str) -> dict[str, Any]:
    identifier = f"{section['uuid']}-{kind}-{metric}".lower()
    return {"uuid": identifier, "type": kind, "metricSectionId": section["uuid"], "metricKey": metric, "deleted": False}


def _curves(statistic: str, section: dict[str, Any], x: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield a chart of each loss, by epoch or by another metric."""
    axis = {"xAxisKey": "step"} if x is None else {"xAxisKey": "metric", "selectedXAxisMetricKey": x}
    for loss in _LOSSES:
        metric = f"{statistic}_{loss}"
        line = {"selectedMetricKeys": [metric], "useGlobalXaxisKey": False, "lineSmoothness": 0}
        yield {**_chart("LINE", section, metric), **line, **axis}


def _scores(view: SearchView, section: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield _chart("BAR", section, view.score)
    parallel = {"selectedParams": list(view.params), "selectedMetrics": [view.score], "showAllRuns": False}
    yield {**_chart("PARALLEL", section, ""), **parallel}


def _differences(section: dict[str, Any]) -> dict[str, Any]:
    shown = {"compareGroups": ["Parameters", "Model metrics"], "showDifferencesOnly": True}
    return {**_chart("DIFFERENCE", section, ""), **shown, "chartName": "Differences", "showChangeFromBaseline": False}


def _spread(view: SearchView) -> str:
    return view.score.replace("mean_", "std_", 1)


def _rank(view: SearchView) -> str:
    return view.score.replace("mean_", "rank_", 1)
