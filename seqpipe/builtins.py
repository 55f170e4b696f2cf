"""What ships with seqpipe, offered through the same hooks as those of plug-ins.

Imports are inside the hooks, so that this module is cheap to import.
"""

from __future__ import annotations

from seqpipe.hookspecs import hookimpl
from seqpipe.specs import (
    CellSpec,
    DatasetSpec,
    EngineSpec,
    HeadSpec,
    LossSpec,
    PoolingSpec,
    TaskSpec,
    TransformerSpec,
    WrapperSpec,
)

__all__ = [
    "seqpipe_cells",
    "seqpipe_datasets",
    "seqpipe_engines",
    "seqpipe_heads",
    "seqpipe_losses",
    "seqpipe_poolings",
    "seqpipe_tasks",
    "seqpipe_transformers",
    "seqpipe_wrappers",
]


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
def seqpipe_datasets() -> list[DatasetSpec]:
    """Offer the data sets of :mod:`seqpipe.datasets`."""
    from seqpipe import datasets

    return [
        DatasetSpec("adding", datasets.load_adding, summary="random numbers, and the sum of the two that are marked"),
        DatasetSpec("dates", datasets.load_dates, summary="dates in many formats, and in ISO 8601"),
        DatasetSpec("digit_names", datasets.load_digit_names, summary="images of handwritten digits, and their names"),
        DatasetSpec("digit_parity", datasets.load_digit_parity, summary="images of digits row by row, even or odd"),
        DatasetSpec("digits", datasets.load_digits, summary="images of handwritten digits, row by row"),
        DatasetSpec("manual", datasets.manual_by_topic, summary="Python's reference manual, by topic"),
        DatasetSpec(
            "moving_digits", datasets.load_moving_digits, summary="films of moving digits, in one of eight directions"
        ),
        DatasetSpec(
            "place_names", datasets.place_names_by_letter, summary="names of places letter by letter, by continent"
        ),
        DatasetSpec("places", datasets.load_places, summary="names of places, and their continents"),
        DatasetSpec("sentiment", datasets.load_sentiment, summary="short film reviews, positive or negative"),
        DatasetSpec("stocks", datasets.load_stocks, summary="monthly prices of shares, a table"),
        DatasetSpec("tunes", datasets.load_tunes, summary="traditional tunes, note by note"),
        DatasetSpec("wave_windows", datasets.load_wave_windows, summary="windows of a wave, and the next value"),
        DatasetSpec("waves", datasets.load_waves, summary="a wave, a table"),
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
def seqpipe_heads() -> list[HeadSpec]:
    """Offer the output layers of torch."""
    from torch import nn

    return [HeadSpec("linear", nn.Linear, summary="a linear layer")]


@hookimpl
def seqpipe_losses() -> list[LossSpec]:
    """Offer losses of torch."""
    from torch import nn

    return [
        LossSpec("binary_cross_entropy", nn.BCEWithLogitsLoss, summary="for several labels"),
        LossSpec("cross_entropy", nn.CrossEntropyLoss, summary="for one label"),
        LossSpec("huber", nn.HuberLoss, summary="for numbers, squared near zero and absolute far out"),
        LossSpec("mae", nn.L1Loss, summary="for numbers, the absolute error"),
        LossSpec("mse", nn.MSELoss, summary="for numbers, the squared error"),
    ]


@hookimpl
def seqpipe_poolings() -> list[PoolingSpec]:
    """Offer the poolings of :mod:`seqpipe.networks`."""
    from seqpipe.networks import AttentionPooling, LastMeanPooling, LastPooling, MaxPooling, MeanPooling

    return [
        PoolingSpec("attention", AttentionPooling, summary="a learned weighted mean"),
        PoolingSpec("last", LastPooling, summary="the final output"),
        PoolingSpec("last_mean", LastMeanPooling, summary="the final output and the mean"),
        PoolingSpec("max", MaxPooling, summary="the maximum"),
        PoolingSpec("mean", MeanPooling, summary="the mean"),
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


@hookimpl
def seqpipe_transformers() -> list[TransformerSpec]:
    """Offer transformers of :mod:`seqpipe.transformers`."""
    from seqpipe.transformers import PadSequences, SequenceScaler, TokenizeTexts

    return [
        TransformerSpec("pad", PadSequences, summary="pads sequences to one length"),
        TransformerSpec("scale", SequenceScaler, summary="scales features over all time steps"),
        TransformerSpec("tokenize", TokenizeTexts, summary="turns texts into tokens"),
    ]


@hookimpl
def seqpipe_wrappers() -> list[WrapperSpec]:
    """Offer the wrappers of :mod:`seqpipe.recurrence.wrappers`."""
    from seqpipe.recurrence.wrappers import Attention, Dropout, LayerNorm, Projection, Residual, Zoneout

    return [
        WrapperSpec("attention", Attention, summary="attends to the last steps"),
        WrapperSpec("dropout", Dropout, summary="dropout inside the step, one mask per sequence"),
        WrapperSpec("layer_norm", LayerNorm, summary="layer normalisation inside the step"),
        WrapperSpec("projection", Projection, summary="a smaller output, which is fed back"),
        WrapperSpec("residual", Residual, summary="adds the input to the output"),
        WrapperSpec("zoneout", Zoneout, summary="keeps random parts of the state"),
    ]
