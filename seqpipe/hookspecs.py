"""The hooks by which plug-ins extend seqpipe."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from seqpipe.specs import (
    CallbackSpec,
    CellSpec,
    CommandSpec,
    DatasetSpec,
    EngineSpec,
    HeadSpec,
    LossSpec,
    MetricSpec,
    PictureSpec,
    PoolingSpec,
    ReaderSpec,
    TaskSpec,
    TransformerSpec,
    WrapperSpec,
)

__all__ = [
    "API_VERSION",
    "hookimpl",
    "hookspec",
    "seqpipe_callbacks",
    "seqpipe_cells",
    "seqpipe_commands",
    "seqpipe_datasets",
    "seqpipe_engines",
    "seqpipe_heads",
    "seqpipe_losses",
    "seqpipe_metrics",
    "seqpipe_pictures",
    "seqpipe_poolings",
    "seqpipe_readers",
    "seqpipe_tasks",
    "seqpipe_transformers",
    "seqpipe_wrappers",
]

#: Incremented when a hook changes in a backward-incompatible way.
API_VERSION = 1

hookspec = pluggy.HookspecMarker("seqpipe")
hookimpl = pluggy.HookimplMarker("seqpipe")


@hookspec
def seqpipe_callbacks() -> Iterable[CallbackSpec]:  # type: ignore[empty-body]
    """Offer callbacks of training: each name becomes valid in ``net__callbacks``, in recipes as in Python.

    Used as ``net__callbacks=["log_lr"]``, or with parameters as ``[{"log_lr": {…}}]``.

    Examples
    --------
    >>> from skorch.callbacks import Callback
    >>> from seqpipe.specs import CallbackSpec
    >>> class LogLearningRate(Callback):
    ...     def on_epoch_end(self, net, **kwargs):
    ...         net.history.record("lr", net.optimizer_.param_groups[0]["lr"])
    >>> @hookimpl
    ... def seqpipe_callbacks():
    ...     return [CallbackSpec("log_lr", LogLearningRate, summary="records the learning rate")]
    """


@hookspec
def seqpipe_cells() -> Iterable[CellSpec]:  # type: ignore[empty-body]
    """Offer recurrent cells: each name becomes a valid value of ``cell=``.

    The factory is called as ``factory(input_size, hidden_size, **cell_params)``. If it has a parameter ``element_shape``
    and the steps of X are tensors, it is given their shape, such as (channels, height, width) of frames; other cells get
    them flat.

    Examples
    --------
    >>> import torch
    >>> from seqpipe import Cell, CellSpec
    >>> class Leaky(Cell):
    ...     def __init__(self, input_size, hidden_size):
    ...         super().__init__(input_size, hidden_size)
    ...         self.input = torch.nn.Linear(input_size, hidden_size)
    ...     def step(self, x_t, h):
    ...         h = 0.9 * h + 0.1 * torch.tanh(self.input(x_t))
    ...         return h, h
    >>> @hookimpl
    ... def seqpipe_cells():
    ...     return [CellSpec("leaky", Leaky, summary="leaky integrator")]
    """


@hookspec
def seqpipe_commands() -> Iterable[CommandSpec]:  # type: ignore[empty-body]
    """Offer commands: each name becomes a command after ``seqpipe``.

    Called as ``seqpipe count-lines FILE --skip 1``; an exception is shown in one line, with exit code 1.

    Examples
    --------
    >>> from pathlib import Path
    >>> from seqpipe.specs import CommandSpec
    >>> def count_lines(path: Path, skip: int = 0):
    ...     "Count the lines of a file."
    ...     print(len(path.read_text().splitlines()) - skip)
    >>> @hookimpl
    ... def seqpipe_commands():
    ...     return [CommandSpec("count_lines", count_lines, summary="counts the lines of a file")]
    """


@hookspec
def seqpipe_datasets() -> Iterable[DatasetSpec]:  # type: ignore[empty-body]
    """Offer data sets: each name becomes a valid ``dataset:`` in a recipe.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe.datasets import Dataset
    >>> from seqpipe.specs import DatasetSpec
    >>> def coins():
    ...     X = np.random.default_rng(0).integers(2, size=(500, 20, 1))
    ...     return Dataset("coins", X, X[:, 0, 0], description="Tosses of a coin; what was the first?")
    >>> @hookimpl
    ... def seqpipe_datasets():
    ...     return [DatasetSpec("coins", coins, summary="tosses of a coin")]
    """


@hookspec
def seqpipe_engines() -> Iterable[EngineSpec]:  # type: ignore[empty-body]
    """Offer engines, which run a cell over time; they take precedence over built-in engines for cells they support.

    The factory is called without arguments, once per process, and returns a ``seqpipe.recurrence.Engine``. The name is a valid
    value of ``engine=`` and of the environment variable SEQPIPE_ENGINE.

    Examples
    --------
    >>> from seqpipe import EngineSpec
    >>> from seqpipe.recurrence import Engine, LoopEngine
    >>> class Watched(Engine):
    ...     name = "watched"
    ...     def refuses(self, cell):
    ...         return None
    ...     def run(self, cell, x, valid, state):
    ...         return LoopEngine().run(cell, x, valid, state)
    >>> @hookimpl
    ... def seqpipe_engines():
    ...     return [EngineSpec("watched", Watched, summary="the plain loop")]
    """


@hookspec
def seqpipe_heads() -> Iterable[HeadSpec]:  # type: ignore[empty-body]
    """Offer output layers: each name becomes a valid value of ``head=``.

    It maps (batch, n_features), and for one target per step (batch, n_timesteps, n_features), to n_outputs.

    Examples
    --------
    >>> from torch import nn
    >>> from seqpipe.specs import HeadSpec
    >>> def deep(n_features, n_outputs):
    ...     return nn.Sequential(nn.Linear(n_features, 32), nn.ReLU(), nn.Linear(32, n_outputs))
    >>> @hookimpl
    ... def seqpipe_heads():
    ...     return [HeadSpec("deep", deep, summary="one hidden layer")]
    """


@hookspec
def seqpipe_losses() -> Iterable[LossSpec]:  # type: ignore[empty-body]
    """Offer losses: each name becomes a valid value of ``net__criterion``, in recipes as in Python.

    It is created with ``reduction="none"`` and returns one loss per sample or element, so that weights apply. With a
    target per step it gets outputs and targets of shape (n_steps, n_outputs): the steps that count of all sequences of a
    batch, one sequence after the other. Estimators that name their loss can be saved, others cannot.

    Examples
    --------
    >>> import torch
    >>> from seqpipe.specs import LossSpec
    >>> class LogCosh(torch.nn.Module):
    ...     def __init__(self, reduction="none"):
    ...         super().__init__()
    ...     def forward(self, outputs, targets):
    ...         return torch.nn.functional.softplus(2 * (outputs - targets)) - (outputs - targets)
    >>> @hookimpl
    ... def seqpipe_losses():
    ...     return [LossSpec("log_cosh", LogCosh, summary="for numbers, nearly the absolute error")]
    """


@hookspec
def seqpipe_metrics() -> Iterable[MetricSpec]:  # type: ignore[empty-body]
    """Offer scores of predictions: each name becomes valid as ``scoring:`` of a search and in ``metrics:`` of an evaluation.

    With one target per step it gets those of all steps of all sequences. In a recipe: ``search: {scoring: worst_error}``,
    ``evaluate: {metrics: [worst_error]}``.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe.specs import MetricSpec
    >>> def worst_error(y_true, y_pred):
    ...     return float(np.abs(y_true - y_pred).max())
    >>> @hookimpl
    ... def seqpipe_metrics():
    ...     return [MetricSpec("worst_error", worst_error, summary="largest error", greater_is_better=False)]
    """


@hookspec
def seqpipe_pictures() -> Iterable[PictureSpec]:  # type: ignore[empty-body]
    """Offer pictures of a fitted model: each name becomes valid in ``pictures:`` of an evaluation.

    ``train`` and ``test`` are the `seqpipe.tasks.TaskData` that the model was fitted to and held out. In a recipe:
    ``evaluate: {pictures: [errors]}``; the picture is recorded with the run.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from seqpipe.specs import PictureSpec
    >>> def errors(estimator, train, test):
    ...     figure = Figure()
    ...     figure.subplots().hist(estimator.predict(test.X) - test.y)
    ...     return figure
    >>> @hookimpl
    ... def seqpipe_pictures():
    ...     return [PictureSpec("errors", errors, summary="histogram of errors")]
    """


@hookspec
def seqpipe_poolings() -> Iterable[PoolingSpec]:  # type: ignore[empty-body]
    """Offer poolings over time: each name becomes a valid value of ``pooling=``.

    ``valid`` is None if every step is valid, else a ``ValidSteps`` with ``lengths`` and ``mask``. A method ``running()``, which
    returns an object with ``update(outputs)``, makes streams possible.

    Examples
    --------
    >>> import torch
    >>> from seqpipe.networks import Pooling
    >>> from seqpipe.specs import PoolingSpec
    >>> class SumPooling(Pooling):
    ...     def __init__(self, n_features, num_directions):
    ...         super().__init__()
    ...         self.output_size = n_features
    ...     def forward(self, outputs, valid):  # zero in the padding
    ...         return outputs.sum(dim=1)
    >>> @hookimpl
    ... def seqpipe_poolings():
    ...     return [PoolingSpec("sum", SumPooling, summary="the sum")]
    """


@hookspec
def seqpipe_readers() -> Iterable[ReaderSpec]:  # type: ignore[empty-body]
    """Offer readers: files with their suffixes become valid as ``path:`` of a recipe and in ``seqpipe predict``.

    A DataFrame is treated as the table of a CSV file would be, with the column roles of the recipe; a data set or sequences
    are taken as they are. seqpipe's own formats, .csv, .tsv, .parquet and .txt, stay its own.

    Examples
    --------
    >>> import numpy as np
    >>> from seqpipe.datasets import Dataset
    >>> from seqpipe.specs import ReaderSpec
    >>> def read_npz(path):
    ...     with np.load(path) as file:
    ...         return Dataset(path.stem, file["X"], file["y"] if "y" in file else None)
    >>> @hookimpl
    ... def seqpipe_readers():
    ...     return [ReaderSpec("npz", read_npz, summary="NumPy archives", suffixes=(".npz",))]
    """


@hookspec
def seqpipe_tasks() -> Iterable[TaskSpec]:  # type: ignore[empty-body]
    """Offer tasks: each name becomes a valid ``task:`` in a recipe.

    The factory is a subclass of ``seqpipe.tasks.Task``, called without arguments once per run.

    Examples
    --------
    >>> from seqpipe import TaskSpec
    >>> from seqpipe.tasks import ClassifyTask
    >>> class Screen(ClassifyTask):
    ...     def metrics(self, estimator, data):
    ...         return {"missed": float((estimator.predict(data.X)[data.y == "ill"] != "ill").mean())}
    >>> @hookimpl
    ... def seqpipe_tasks():
    ...     return [TaskSpec("screen", Screen, summary="classification, scored by what it misses")]
    """


@hookspec
def seqpipe_transformers() -> Iterable[TransformerSpec]:  # type: ignore[empty-body]
    """Offer transformers: each name becomes valid in ``steps:`` of a recipe.

    In a recipe: ``steps: [{every: {n: 4}}]``.

    Examples
    --------
    >>> from sklearn.base import BaseEstimator, TransformerMixin
    >>> from seqpipe.specs import TransformerSpec
    >>> class Every(TransformerMixin, BaseEstimator):
    ...     def __init__(self, n=2):
    ...         self.n = n
    ...     def fit(self, X, y=None):
    ...         return self
    ...     def transform(self, X):
    ...         return [x[:: self.n] for x in X]
    >>> @hookimpl
    ... def seqpipe_transformers():
    ...     return [TransformerSpec("every", Every, summary="every n-th time step")]
    """


@hookspec
def seqpipe_wrappers() -> Iterable[WrapperSpec]:  # type: ignore[empty-body]
    """Offer wrappers of cells: each name becomes valid in ``wrappers=``.

    Used as ``wrappers=["scaled"]`` or ``wrappers=[{"scaled": {"by": 0.1}}]``.

    Examples
    --------
    >>> from seqpipe.recurrence.wrappers import Wrapper
    >>> from seqpipe.specs import WrapperSpec
    >>> class Scaled(Wrapper):
    ...     def __init__(self, cell, by=0.5):
    ...         super().__init__(cell)
    ...         self.by = by
    ...     def step(self, x_t, state):
    ...         output, state = self.cell.step(x_t, state)
    ...         return self.by * output, state
    >>> @hookimpl
    ... def seqpipe_wrappers():
    ...     return [WrapperSpec("scaled", Scaled, summary="scales the output")]
    """
