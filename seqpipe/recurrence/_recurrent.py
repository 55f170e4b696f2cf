"""`Recurrent`: any cell along time, stacked, in one direction or both, over ragged batches."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.cells import Cell, GRUCell, LSTMCell, RNNCell, State
from seqpipe.exceptions import CellError
from seqpipe.recurrence._check import check_step
from seqpipe.recurrence._dispatch import UNROLL, choose_engine
from seqpipe.recurrence._engine import Choice
from seqpipe.recurrence._initial import INITIAL_STATES, LearnedState
from seqpipe.recurrence._input import check_state, check_x
from seqpipe.recurrence._memory import MEMORY
from seqpipe.recurrence._sizes import Sizes
from seqpipe.recurrence._states import stack_states, state_at
from seqpipe.recurrence._steps import ValidSteps, check_lengths

__all__ = ["Recurrent"]


class Recurrent(nn.Module):
    """Run a cell along time.

    Parameters
    ----------
    cell : Cell
        The first layer's forward cell; the others are its siblings.
    num_layers : int, default=1
        Layers, each taking the outputs of the one below.
    bidirectional : bool, default=False
        Whether each layer also runs from each sequence's end to its start; outputs are then joined.
    dropout : float, default=0.0
        Share of outputs dropped between layers, in training.
    unroll : {"auto", "dynamic", "static"}, default="auto"
        "dynamic" loops over as many steps as the batch has; "static" lays out one copy of the step for each before
        running; "auto" takes the fastest engine that knows the cell.
    memory : {"keep", "offload", "recompute"}, default="keep"
        What a training step does with what it needs on the way back: "keep" keeps it where it is; "recompute" keeps the
        states between about √n_timesteps chunks and runs each chunk a second time on the way back; "offload" moves it
        from an accelerator's memory to the host's, and is the same as "keep" on a CPU.
    initial_state : {"zeros", "learned"}, default="zeros"
        Each sequence's state before its first step: "zeros" takes the cell's own, zeros unless a cell says otherwise;
        "learned" begins with the same and trains it, for each layer and direction.

    Raises
    ------
    ValueError
        If a parameter is out of range.
    CellError
        If the cell's step breaks the protocol.

    Examples
    --------
    >>> import torch
    >>> from seqpipe import GRUCell, Recurrent
    >>> gru = Recurrent(GRUCell(3, 5), num_layers=2)
    >>> outputs, state = gru(torch.zeros(4, 7, 3), lengths=[7, 2, 1, 7])
    >>> outputs.shape, state.shape
    (torch.Size([4, 7, 5]), torch.Size([2, 4, 5]))
    """

    cells: nn.ModuleList
    learned_states: nn.ModuleList
    num_layers: int
    bidirectional: bool
    unroll: str
    memory: str
    initial_state: str
    dropout: nn.Dropout

    def __init__(
        self,
        cell: Cell,
        *,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        unroll: str = "auto",
        memory: str = "keep",
        initial_state: str = "zeros",
    ) -> None:
        super().__init__()
        if not isinstance(num_layers, Integral) or num_layers < 1:
            raise ValueError(
                f"The 'num_layers' parameter of Recurrent must be an int from 1. Got {num_layers!r} instead."
            )
        for name, value, values in (
            ("unroll", unroll, UNROLL),
            ("memory", memory, MEMORY),
            ("initial_state", initial_state, INITIAL_STATES),
        ):
            _check_choice(name, value, list(values))
        check_step(cell)
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.unroll = unroll
        self.memory = memory
        self.initial_state = initial_state
        self.dropout = nn.Dropout(dropout)
        self._last_sizes: dict[bool, Sizes] = {}
        self.cells = nn.ModuleList([cell])
        for k in range(1, num_layers * self.num_directions):
            above = k >= self.num_directions
            self.cells.append(_sibling(cell, cell.output_size * self.num_directions if above else cell.input_size))
        if initial_state == "learned":
            self.learned_states = nn.ModuleList(LearnedState(self._cell(k)) for k in range(len(self.cells)))
        self.to(next(cell.parameters(), torch.empty(0)))

    @classmethod
    def from_torch(cls, module: nn.RNN | nn.LSTM | nn.GRU) -> Self:
        """Return a copy of one of torch's recurrent modules, with its weights.

        Raises
        ------
        ValueError
            If the module has projections (``proj_size``) or no biases.
        """
        if module.proj_size or not module.bias:
            raise ValueError("Only modules with biases and without proj_size can be copied.")
        cell = _cell_like(module)
        new = cls(
            cell.to(next(module.parameters())),
            num_layers=module.num_layers,
            bidirectional=module.bidirectional,
            dropout=module.dropout,
        )
        for k, target in enumerate(new.cells):
            layer, direction = divmod(k, new.num_directions)
            suffix = f"_l{layer}" + ("_reverse" if direction else "")
            weights = {name: getattr(module, name + suffix) for name, _ in target.named_parameters()}
            target.load_state_dict(weights)
        return new

    @property
    def num_directions(self) -> int:
        """1, or 2 if bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def input_size(self) -> int:
        """Features of one time step."""
        return self._cell(0).input_size

    @property
    def output_size(self) -> int:
        """Features of one output: the cell's, for each direction."""
        return self._cell(0).output_size * self.num_directions

    def _cell(self, k: int) -> Cell:
        cell = self.cells[k]
        assert isinstance(cell, Cell)
        return cell

    def forward(self, x: Tensor, lengths: Any = None, state: State | None = None) -> tuple[Tensor, State]:
        """Run over a right-padded batch.

        Parameters
        ----------
        x : tensor of shape (batch, n_timesteps, input_size)
            What stands in the padding does not matter, NaN included.
        lengths : tensor or list of int, shape (batch,), optional
            Valid steps of each row; all by default.
        state : State, optional
            What an earlier call returned, for sequences that go on; the cell's initial state by default.

        Returns
        -------
        outputs : tensor of shape (batch, n_timesteps, output_size)
            Zero in the padding.
        state : State
            Each row's after its last valid step; each of its tensors has shape
            (num_layers * num_directions, batch, …), as torch.nn orders them.

        Raises
        ------
        InvalidSequencesError
            If the lengths do not fit the batch.
        ValueError
            If x has another number of dimensions or features, or the state other shapes.
        TypeError
            If x is not a tensor of the type of the parameters.
        """
        first = self._cell(0)
        check_x(x, first)
        if state is not None:
            check_state(state, first, len(self.cells), len(x))
        if lengths is None:
            return self._run_layers(x, None, state)
        lengths = check_lengths(lengths, x.shape[0], x.shape[1])
        # No further than the longest sequence: more padding must cost no time and change no rounding.
        longest = max([1, *lengths.tolist()])
        if longest == x.shape[1]:
            return self._run_layers(x, ValidSteps.of(lengths, longest, x.device), state)
        outputs, state = self._run_layers(x[:, :longest], ValidSteps.of(lengths, longest, x.device), state)
        return F.pad(outputs, (0, 0, 0, x.shape[1] - longest)), state

    def _run_layers(self, x: Tensor, valid: ValidSteps | None, state: State | None) -> tuple[Tensor, State]:
        final = []
        x_below, below = x, []
        for k, cell in enumerate(self.cells):
            assert isinstance(cell, Cell)
            before = self._initial_state(k, cell, len(x)) if state is None else state_at(state, k)
            output, after = self._run_direction(k, cell, x_below, valid, before)
            below.append(output)
            final.append(after)
            if len(below) == self.num_directions:
                x_below, below = below[0] if len(below) == 1 else torch.cat(below, dim=2), []
                x_below = self.dropout(x_below) if k < len(self.cells) - 1 else x_below
        return x_below, stack_states(final)

    def _initial_state(self, k: int, cell: Cell, batch_size: int) -> State:
        state = cell.initial_state(batch_size)
        return self.learned_states[k](state) if self.initial_state == "learned" else state

    def _run_direction(
        self, k: int, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State
    ) -> tuple[Tensor, State]:
        sizes = Sizes.of(cell, x, valid, state)
        self._last_sizes[sizes.training] = sizes
        engine, _ = choose_engine(cell, self.unroll, sizes)
        if valid is not None and engine.reads_padding and k < self.num_directions:  # the layers above read zeros
            x = valid.clear(x)
        if k % self.num_directions == 0:
            return MEMORY[self.memory](engine, cell, x, valid, state)
        flip = (lambda z: z.flip(1)) if valid is None else valid.reverse
        outputs, state = MEMORY[self.memory](engine, cell, flip(x), valid, state)
        return flip(outputs), state

    def explain(
        self, *, code: bool = False, sizes: tuple[int, int] | None = None, training: bool = True
    ) -> list[Choice]:
        """Return which engine runs each layer and direction, and why.

        Parameters
        ----------
        code : bool, default=False
            Whether to add the code that the engine made: C, a loop of torch, a Triton kernel.
        sizes : tuple of int (batch, n_timesteps), optional
            The batch that is asked about. By default the last one that gradients were taken of or, if there was none, the
            last one of all; before the first, only the engines' general order is known.
        training : bool, default=True
            Whether gradients of that batch are wanted.
        """
        asked = self._last_sizes.get(True, self._last_sizes.get(False))
        if sizes is not None:
            asked = Sizes.now(*sizes, training=training)
        choices = []
        for k in range(len(self.cells)):
            engine, reason = choose_engine(self._cell(k), self.unroll, asked)
            layer, direction = divmod(k, self.num_directions)
            made = engine.code(self._cell(k)) if code else ""
            choices.append(Choice(layer, "backward" if direction else "forward", engine.name, reason, made))
        return choices


def _check_choice(name: str, value: object, choices: list[str]) -> None:
    if value not in choices:
        raise ValueError(f"The {name!r} parameter of Recurrent must be one of {choices}. Got {value!r} instead.")


def _sibling(cell: Cell, input_size: int) -> Cell:
    """Return another layer's cell, checked as the first one is."""
    try:
        sibling = cell.sibling(input_size)
    except Exception as error:
        raise CellError(
            f"{type(cell).__name__} cannot be made again for another layer, with input_size={input_size}: "
            f"{type(error).__name__}: {error}"
        ) from error
    check_step(sibling)
    return sibling


def _cell_like(module: nn.RNN | nn.LSTM | nn.GRU) -> Cell:
    """Return a fresh cell that computes what one of torch's modules does."""
    sizes = (module.input_size, module.hidden_size)
    if isinstance(module, nn.RNN):
        return RNNCell(*sizes, activation=module.nonlinearity)
    return LSTMCell(*sizes) if isinstance(module, nn.LSTM) else GRUCell(*sizes)
