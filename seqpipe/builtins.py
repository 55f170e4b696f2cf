"""What ships with seqpipe, offered through the hooks that plug-ins use.

Imports stand inside the hooks, so that this module is cheap to import: the host asks only when it is made.
"""

from __future__ import annotations

from seqpipe.hookspecs import hookimpl
from seqpipe.specs import CellSpec, TaskSpec

__all__ = ["seqpipe_cells", "seqpipe_tasks"]


@hookimpl
def seqpipe_cells() -> list[CellSpec]:
    """Offer the cells of :mod:`seqpipe.cells`."""
    from seqpipe.cells import GRUCell, LSTMCell, MLPCell, RNNCell

    return [
        CellSpec("gru", GRUCell, summary="gated recurrent unit"),
        CellSpec("lstm", LSTMCell, summary="long short-term memory"),
        CellSpec("mlp", MLPCell, summary="three-layer network as transition"),
        CellSpec("rnn", RNNCell, summary="Elman network"),
    ]


@hookimpl
def seqpipe_tasks() -> list[TaskSpec]:
    """Offer the tasks of :mod:`seqpipe.tasks`."""
    from seqpipe.tasks import ClassifyTask, ForecastTask, RegressTask

    return [
        TaskSpec("classify", ClassifyTask, summary="one label a sequence"),
        TaskSpec("forecast", ForecastTask, summary="the steps after the end of a series"),
        TaskSpec("regress", RegressTask, summary="one number, or several, a sequence"),
    ]
