"""Cells, engines and tasks that ship with seqpipe, offered through the same hooks as those of plug-ins.

Imports are inside the hooks, so that this module is cheap to import.
"""

from __future__ import annotations

from seqpipe.hookspecs import hookimpl
from seqpipe.specs import CellSpec, EngineSpec, TaskSpec

__all__ = ["seqpipe_cells", "seqpipe_engines", "seqpipe_tasks"]


@hookimpl
def seqpipe_cells() -> list[CellSpec]:
    """Offer the cells of :mod:`seqpipe.cells`."""
    from seqpipe.cells import GRUCell, LSTMCell, MinGRUCell, MLPCell, RNNCell

    return [
        CellSpec("gru", GRUCell, summary="gated recurrent unit"),
        CellSpec("lstm", LSTMCell, summary="long short-term memory"),
        CellSpec("min_gru", MinGRUCell, summary="minimal gated recurrent unit, linear in its state"),
        CellSpec("mlp", MLPCell, summary="three-layer network as transition"),
        CellSpec("rnn", RNNCell, summary="Elman network"),
    ]


@hookimpl
def seqpipe_engines() -> list[EngineSpec]:
    """Offer the engines of :mod:`seqpipe.recurrence`."""
    from seqpipe.recurrence import (
        CompiledEngine,
        FusedEngine,
        GraphEngine,
        LoopEngine,
        ScanEngine,
        TorchEngine,
        TritonEngine,
        UnrolledEngine,
    )

    return [
        EngineSpec("c", CompiledEngine, summary="the step as generated C"),
        EngineSpec("fused", FusedEngine, summary="torch's own kernels"),
        EngineSpec("graph", GraphEngine, summary="the compiled step as a CUDA graph"),
        EngineSpec("loop", LoopEngine, summary="step by step in Python"),
        EngineSpec("scan", ScanEngine, summary="linear recurrences in chunks of steps"),
        EngineSpec("torch", TorchEngine, summary="the compiled step as torch calls"),
        EngineSpec("triton", TritonEngine, summary="the step as generated Triton, on a GPU"),
        EngineSpec("unrolled", UnrolledEngine, summary="one copy of the step per time step, laid out before it runs"),
    ]


@hookimpl
def seqpipe_tasks() -> list[TaskSpec]:
    """Offer the tasks of :mod:`seqpipe.tasks`."""
    from seqpipe.tasks import (
        CaptionTask,
        ClassifyTask,
        ForecastTask,
        LanguageModelTask,
        RegressTask,
        StepClassifyTask,
        StepRegressTask,
        TranslateTask,
    )

    return [
        TaskSpec("caption", CaptionTask, summary="one text per vector"),
        TaskSpec("classify", ClassifyTask, summary="one or several labels per sequence"),
        TaskSpec("forecast", ForecastTask, summary="the steps after the end of a series"),
        TaskSpec("language_model", LanguageModelTask, summary="the next token of a text, and generated texts"),
        TaskSpec("regress", RegressTask, summary="one number, or several, per sequence"),
        TaskSpec("step_classify", StepClassifyTask, summary="one or several labels per time step"),
        TaskSpec("step_regress", StepRegressTask, summary="one number, or several, per time step"),
        TaskSpec("translate", TranslateTask, summary="one text per text"),
    ]
