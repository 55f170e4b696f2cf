"""Diagnostics of a fitted network as figures, metrics and tags of a run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from seqpipe.exceptions import UnknownNameError, did_you_mean

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seqpipe.diagnostics import GradientFlow

__all__ = ["DIAGNOSTICS", "Diagnosis", "Diagnostic", "check_diagnostics", "diagnose"]

Diagnostic = Literal["gradient_flow", "hidden_states"]

DIAGNOSTICS: tuple[str, ...] = get_args(Diagnostic)


@dataclass(frozen=True)
class Diagnosis:
    """Results of the diagnostics.

    Attributes
    ----------
    figures : dict of str to matplotlib.figure.Figure
        By name of the diagnostic.
    metrics : dict of str to float
        ``gradient_growth``, and with several layers one value per layer.
    tags : dict of str to str
        The verdict as text.
    """

    figures: dict[str, Figure] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def check_diagnostics(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of diagnostics as a tuple.

    Raises
    ------
    UnknownNameError
        If a name is unknown.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    for name in names:
        if name not in DIAGNOSTICS:
            raise UnknownNameError(
                f"The 'diagnostics' parameter of MLflowTracker must contain only names in {list(DIAGNOSTICS)}. Got {name!r} instead."
                f"{did_you_mean(name, DIAGNOSTICS)}"
            )
    return names


def diagnose(names: Iterable[str], estimator: Any, X: Any, y: Any) -> Diagnosis:
    """Compute diagnostics of a fitted estimator on data of the kind it was fitted to."""
    # Imported on use: it imports torch and matplotlib.
    from seqpipe import diagnostics

    found = Diagnosis()
    if "gradient_flow" in names:
        flow = diagnostics.gradient_flow(estimator, X, y)
        found.figures["gradient_flow"] = diagnostics.plot_gradient_flow(flow)
        found.metrics.update(_growth(flow))
        found.tags["seqpipe.gradient_flow"] = flow.verdict
    if "hidden_states" in names:
        states = diagnostics.hidden_states(estimator, X, y)
        found.figures["hidden_states"] = diagnostics.plot_hidden_states(states)
    return found


def _growth(flow: GradientFlow) -> dict[str, float]:
    """Return the growth that is farthest from 1 and, with several layers, that of each layer."""
    growth = [float(each) for each in flow.growth]
    farthest = max(growth, key=lambda each: -np.inf if np.isnan(each) else abs(np.log(each)))
    if len(growth) == 1:
        return {"gradient_growth": farthest}
    by_layer = {f"gradient_growth.{layer}": each for layer, each in zip(flow.layers, growth)}
    return {"gradient_growth": farthest, **by_layer}
