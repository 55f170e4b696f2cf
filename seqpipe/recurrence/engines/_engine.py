"""The one interface that every way of running a cell along time has."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._steps import ValidSteps

__all__ = ["Choice", "Engine"]


class Engine(Protocol):
    """Runs one cell along time, in one direction; plug-ins offer theirs through the hook ``seqpipe_engines``.

    `LoopEngine` is the definition of what a run gives. An engine of a plug-in is compared with it before its first use
    on cells of one kind, and left out, with a warning, where it gives something else or fails.

    Attributes
    ----------
    name : str
        For `Recurrent.explain`; a plug-in's engine goes by the name of its `EngineSpec`.
    reads_padding : bool, default=True
        Whether it looks at x in the padding, which is then zero.
    offered_by : str, default=""
        The distribution that an engine of a plug-in comes from, which seqpipe sets.
    """

    name: str
    reads_padding: bool = True
    offered_by: str = ""

    def refuses(self, cell: Cell) -> str | None:
        """Say why this engine cannot run the cell as it is now, or return None if it can.

        It is asked before every run, and should be quick.
        """

    def run(self, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State) -> tuple[Tensor, State]:
        """Run the cell over x.

        Parameters
        ----------
        cell : Cell
            What `refuses` let pass.
        x : tensor of shape (batch, n_timesteps, input_size)
            Zero in the padding if the engine reads it, else anything.
        valid : ValidSteps or None
            None where every step is valid.
        state : State
            Before the first step.

        Returns
        -------
        outputs : tensor of shape (batch, n_timesteps, output_size)
            Zero in the padding; of a plug-in's engine they are made so.
        state : State
            After each row's last valid step.
        """

    def code(self, cell: Cell) -> str:
        """Return the code that the engine made for a cell; nothing where it makes none."""
        return ""


@dataclass(frozen=True)
class Choice:
    """Which engine runs a cell, and why.

    Attributes
    ----------
    layer : int
        From 0, next to the input.
    direction : {"forward", "backward"}
        Along time.
    engine : str
        Its name.
    reason : str
        Why this one, and why none before it.
    code : str
        The C, Triton or Python of a training step's loops, where it was asked for and the engine writes any.
    """

    layer: int
    direction: str
    engine: str
    reason: str
    code: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"layer {self.layer}, {self.direction}: {self.engine} ({self.reason})"
