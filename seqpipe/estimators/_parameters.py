"""Parameters that several estimators share, with their defaults."""

from __future__ import annotations

import os
from numbers import Integral, Real
from typing import Any

import torch
from sklearn.utils._param_validation import Interval, StrOptions

from seqpipe.cells import Cell
from seqpipe.estimators._declared import DeclaredEstimator, Group, parameter
from seqpipe.training import Checkpoint

__all__ = [
    "BidirectionalParameter",
    "CellParameters",
    "ComputingParameters",
    "EmbeddingParameter",
    "InitialStateParameter",
    "TrainingParameters",
]

_FROM_1 = Interval(Integral, 1, None, closed="left")


class CellParameters(DeclaredEstimator):
    """Parameters of the recurrent layers."""

    cell: str | type[Cell] = parameter(
        default="gru",
        constraint="no_validation",
        type="str or subclass of Cell",
        description=(
            'Recurrent cell: a registered name ("rnn", "lstm", "gru", "min_gru", "mlp", or one of a plug-in) or a '
            "subclass of `Cell`."
        ),
        group=Group.NETWORK,
        kw_only=False,
    )
    cell_params: dict[str, Any] | None = parameter(
        default=None,
        constraint=[dict, None],
        type="dict",
        description='Additional arguments of the cell, such as ``{"activation": "relu"}`` for "rnn".',
        group=Group.NETWORK,
    )
    hidden_size: int | str = parameter(
        default=64,
        constraint=[_FROM_1],
        type="int",
        description="Number of hidden units per recurrent layer.",
        group=Group.NETWORK,
    )
    num_layers: int = parameter(
        default=1,
        constraint=[_FROM_1],
        type="int",
        description="Number of recurrent layers.",
        group=Group.NETWORK,
    )
    dropout: float = parameter(
        default=0.0,
        constraint=[Interval(Real, 0, 1, closed="left")],
        type="float",
        description="Dropout rate between recurrent layers and before the output layer, during training.",
        group=Group.NETWORK,
    )
    wrappers: list[Any] | tuple[Any, ...] | None = parameter(
        default=None,
        constraint=[list, tuple, None],
        type="list",
        description=(
            'Wrappers around each cell, the innermost first: names ("dropout", "zoneout", "residual", "layer_norm", '
            '"projection", "attention"), ``{name: parameters}``, or callables Cell -> Cell.'
        ),
        group=Group.NETWORK,
    )


class BidirectionalParameter(DeclaredEstimator):
    """Direction of the recurrent layers."""

    bidirectional: bool = parameter(
        default=False,
        constraint=["boolean"],
        type="bool",
        description="Whether the recurrent layers are bidirectional.",
        group=Group.NETWORK,
    )


class InitialStateParameter(DeclaredEstimator):
    """Initial state of the recurrent layers."""

    initial_state: str = parameter(
        default="zeros",
        constraint=[StrOptions({"zeros", "learned"})],
        type='{"zeros", "learned"}',
        description="State before the first time step: zeros, or a vector of trainable parameters per layer.",
        group=Group.NETWORK,
    )


class EmbeddingParameter(DeclaredEstimator):
    """Embedding of tokens."""

    embedding: int | str | None = parameter(
        default=None,
        constraint=[_FROM_1, StrOptions({"one_hot"}), None],
        type='int, "one_hot" or None',
        description=(
            "Representation of tokens, for X of one token number per time step: the size of a learned embedding, or "
            '"one_hot"; None if X consists of real numbers.'
        ),
        group=Group.NETWORK,
    )


class TrainingParameters(DeclaredEstimator):
    """Parameters of training: optimizer, epochs, batches and early stopping."""

    lr: float = parameter(
        default=0.01,
        constraint=[Interval(Real, 0, None, closed="neither")],
        type="float",
        description="Learning rate; the maximum of the schedule.",
        group=Group.TRAINING,
    )
    max_epochs: str | int = parameter(
        default="auto",
        constraint=[StrOptions({"auto"}), _FROM_1],
        type='int or "auto"',
        description=(
            'Number of epochs; "auto" trains for at least 600 updates and at least 10 epochs, and for 30 epochs if these '
            "make at most 2,000 updates."
        ),
        group=Group.TRAINING,
    )
    batch_size: str | int = parameter(
        default="auto",
        constraint=[StrOptions({"auto"}), _FROM_1],
        type='int or "auto"',
        description='Number of sequences per batch; "auto" grows from 32 to 256 with the number of sequences.',
        group=Group.TRAINING,
    )
    optimizer: str | type[torch.optim.Optimizer] = parameter(
        default="AdamW",
        constraint=[str, type],
        type="str or subclass of torch's Optimizer",
        description=(
            'Optimizer: a name in ``torch.optim`` ("Adam", "SGD", "RMSprop", "NAdam", …) or a class; other arguments '
            "are set as ``net__optimizer__<name>``."
        ),
        group=Group.TRAINING,
    )
    lr_schedule: str | None = parameter(
        default="OneCycleLR",
        constraint=[str, None],
        type="str or None",
        description=(
            'Name of a scheduler in ``torch.optim.lr_scheduler`` ("CosineAnnealingLR", "StepLR", "ReduceLROnPlateau", '
            '…), see `Schedule`. "OneCycleLR" increases the learning rate over the first 30% of the updates and then '
            "anneals it; None keeps it constant."
        ),
        group=Group.TRAINING,
    )
    lr_schedule_params: dict[str, Any] | None = parameter(
        default=None,
        constraint=[dict, None],
        type="dict",
        description=(
            "Additional arguments of the scheduler; required ones have defaults that depend on the number of epochs."
        ),
        group=Group.TRAINING,
    )
    weight_decay: float = parameter(
        default=0.01,
        constraint=[Interval(Real, 0, None, closed="left")],
        type="float",
        description="Weight decay of the optimizer, if it has one; decoupled for AdamW.",
        group=Group.TRAINING,
    )
    gradient_clip_norm: float | None = parameter(
        default=1.0,
        constraint=[Interval(Real, 0, None, closed="neither"), None],
        type="float or None",
        description="Gradients are clipped to this norm; None disables clipping.",
        group=Group.TRAINING,
    )
    early_stopping: bool | str = parameter(
        default=False,
        constraint=["boolean"],
        type="bool",
        description=(
            "Whether to hold out validation data, stop when the validation loss stops improving, and restore the best "
            "moving average of the weights."
        ),
        group=Group.TRAINING,
    )
    validation_fraction: str | float = parameter(
        default="auto",
        constraint=[StrOptions({"auto"}), Interval(Real, 0, 1, closed="neither")],
        type='float or "auto"',
        description=(
            "Fraction of the training data held out for early stopping; for `Windows`, the latest windows. "
            '"auto" holds out a tenth, and of fewer than 600 sequences up to a fifth.'
        ),
        group=Group.TRAINING,
    )
    n_iter_no_change: int = parameter(
        default=25,
        constraint=[_FROM_1],
        type="int",
        description="Number of epochs without improvement before early stopping ends training.",
        group=Group.TRAINING,
    )
    warm_start: bool = parameter(
        default=False,
        constraint=["boolean"],
        type="bool",
        description="Whether ``fit`` continues from the weights of the previous fit.",
        group=Group.TRAINING,
    )
    checkpoint: str | os.PathLike[str] | Checkpoint | None = parameter(
        default=None,
        constraint=[str, os.PathLike, Checkpoint, None],
        type="str, path, Checkpoint or None",
        description=(
            "Folder to which the state of ``fit`` is written as it trains, or a `Checkpoint` with more settings. If the "
            "folder holds the state of an interrupted fit with the same settings and data, ``fit`` continues from it, with "
            "the same result as an uninterrupted fit. Each fit needs a folder of its own; for searches, see `resumable`. "
            "``partial_fit`` writes none."
        ),
        group=Group.TRAINING,
    )
    net_params: dict[str, Any] | None = parameter(
        default=None,
        constraint=[dict, None],
        type="dict",
        description=(
            "Additional parameters of the skorch net, also settable as ``net__<name>``: ``net__optimizer__momentum``, "
            "``net__callbacks``, ``net__criterion``, …"
        ),
        group=Group.TRAINING,
    )


class ComputingParameters(DeclaredEstimator):
    """Parameters of computation: precision, device, memory, seed and output."""

    dtype: str = parameter(
        default="float32",
        constraint=[StrOptions({"float32", "float64"})],
        type='{"float32", "float64"}',
        description="Data type of the network; X is cast to it.",
        group=Group.COMPUTING,
    )
    mixed_precision: bool = parameter(
        default=False,
        constraint=["boolean"],
        type="bool",
        description=(
            "Whether to train with bfloat16 mixed precision; weights, validation and predictions remain float32."
        ),
        group=Group.COMPUTING,
    )
    device: str = parameter(
        default="auto",
        constraint=[str],
        type="str",
        description='A torch device, such as "cpu" or "cuda:0"; "auto" uses a GPU if one is available.',
        group=Group.COMPUTING,
    )
    memory: str = parameter(
        default="keep",
        constraint=[StrOptions({"keep", "recompute", "offload"})],
        type='{"keep", "recompute", "offload"}',
        description=(
            'How activations are stored for the backward pass: "keep" stores all, "recompute" recomputes them in '
            'chunks of about √n_timesteps time steps, "offload" moves them from the GPU to main memory.'
        ),
        group=Group.COMPUTING,
    )
    engine: str = parameter(
        default="auto",
        constraint="no_validation",
        type="str",
        description=(
            'Engine that runs the cell over time: "auto" selects the fastest one that supports the cell; a name, such '
            'as "c" or "torch", selects that one, and the plain loop, "loop", runs cells that it does not support. See '
            "`Recurrent`."
        ),
        group=Group.COMPUTING,
    )
    unroll: str | None = parameter(
        default=None,
        constraint=[StrOptions({"auto", "dynamic", "static"}), None],
        type='{"auto", "dynamic", "static"}',
        description=(
            'Deprecated; use ``engine="loop"`` instead of "dynamic", and ``engine="unrolled"`` instead of "static".'
        ),
        group=Group.COMPUTING,
    )
    random_state: Any = parameter(
        default=None,
        constraint=["random_state"],
        type="int, RandomState or None",
        description=(
            "Seed of weight initialization, shuffling, dropout and sampling; two fits with the same int give identical "
            "results on the same machine."
        ),
        group=Group.COMPUTING,
    )
    verbose: int = parameter(
        default=0,
        constraint=["verbose"],
        type="int",
        description="If above 0, a progress bar is shown.",
        group=Group.COMPUTING,
    )
