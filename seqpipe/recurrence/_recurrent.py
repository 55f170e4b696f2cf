"""`Recurrent`: run any cell along time, stacked, in one direction or both, over padded batches."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.cells import Cell, GRUCell, LSTMCell, RNNCell, State
from seqpipe.exceptions import CellError
from seqpipe.recurrence._check import check_initial_state, check_step
from seqpipe.recurrence._generators import random_state
from seqpipe.recurrence._initial import INITIAL_STATES, LearnedState
from seqpipe.recurrence._input import check_state, check_x
from seqpipe.recurrence._memory import MEMORY
from seqpipe.recurrence._states import stack_states, state_at, state_tensors
from seqpipe.recurrence._steps import ValidSteps, check_lengths
from seqpipe.recurrence.contents import computed, copy_or_itself, first_states, one_run
from seqpipe.recurrence.engines import (
    ENGINE_OF_UNROLL,
    Choice,
    Sizes,
    check_engine,
    choose_engine,
    engine_or_unroll,
    take_reason,
    warn_of_unroll,
)

__all__ = ["Recurrent"]


class Recurrent(nn.Module):
    """Run a cell along time.

    Parameters
    ----------
    cell : Cell
        Forward cell of the first layer; the other cells are created with its ``sibling`` method.
    num_layers : int, default=1
        Number of stacked layers.
    bidirectional : bool, default=False
        If True, each layer also runs backwards in time, and the outputs of both directions are concatenated.
    dropout : float, default=0.0
        Dropout probability of the outputs of each layer but the last, in training.
    engine : str, default="auto"
        Engine that runs the cell: "auto" selects the fastest one that supports it; the name of an engine selects that
        one, with the plain loop as fallback. "loop" runs one step after the other; "unrolled" first builds a graph with
        one copy of the step per time step; the others are described in docs/engine.md.
    memory : {"keep", "offload", "recompute"}, default="keep"
        How activations are stored for the backward pass: "keep" stores them on the device; "recompute" stores only the
        states between about √n_timesteps chunks and runs each chunk again in the backward pass; "offload" moves them
        from an accelerator's memory to the host's, and is the same as "keep" on a CPU.
    initial_state : {"zeros", "learned"}, default="zeros"
        State before the first step: "zeros" takes the cell's own, which is zero unless the cell defines another;
        "learned" starts from the same values and trains them, for each layer and direction.
    unroll : {"auto", "dynamic", "static"}, optional
        Deprecated: use ``engine``, with "loop" in place of "dynamic" and "unrolled" in place of "static".

    Raises
    ------
    ValueError
        If a parameter is out of range, or both ``engine`` and ``unroll`` are set.
    UnknownNameError
        If the engine does not exist.
    CellError
        If the cell's step violates the protocol.

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
    engine: str
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
        engine: str = "auto",
        memory: str = "keep",
        initial_state: str = "zeros",
        unroll: str | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(num_layers, Integral) or num_layers < 1:
            raise ValueError(
                f"The 'num_layers' parameter of Recurrent must be an int >= 1. Got {num_layers!r} instead."
            )
        _check_choice("memory", memory, list(MEMORY))
        _check_choice("initial_state", initial_state, list(INITIAL_STATES))
        if unroll is not None:
            _check_choice("unroll", unroll, list(ENGINE_OF_UNROLL))
            engine = engine_or_unroll(engine, unroll)
            warn_of_unroll(unroll, owner="Recurrent", stacklevel=2)
        check_engine(engine)
        check_step(cell)
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.engine = engine
        self.memory = memory
        self.initial_state = initial_state
        self.dropout = nn.Dropout(dropout)
        # For each layer and direction, the engine of the last run and the reason for it.
        self._ran: dict[int, tuple[str, str]] = {}
        self._state_shapes: list[tuple[int, ...]] | None = None
        self.cells = nn.ModuleList([cell])
        for k in range(1, num_layers * self.num_directions):
            above = k >= self.num_directions
            self.cells.append(_sibling(cell, cell.output_size * self.num_directions if above else cell.input_size))
        if len(self.cells) > self.num_directions:
            _check_stack(cell, self._cell(self.num_directions))
        if initial_state == "learned":
            self.learned_states = nn.ModuleList(LearnedState(self._cell(k)) for k in range(len(self.cells)))
        like = cell.first_tensor()
        if like is not None:
            self.to(like)

    @classmethod
    def from_torch(cls, module: nn.RNN | nn.LSTM | nn.GRU) -> Self:
        """Return a copy of one of torch's recurrent modules, with its weights.

        Raises
        ------
        ValueError
            If the module has projections (``proj_size``) or no bias.
        """
        if module.proj_size or not module.bias:
            raise ValueError("Only modules with bias and without proj_size can be copied.")
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
        """Number of directions: 2 if bidirectional, else 1."""
        return 2 if self.bidirectional else 1

    @property
    def input_size(self) -> int:
        """Number of input features per time step."""
        return self._cell(0).input_size

    @property
    def output_size(self) -> int:
        """Number of output features per time step, over all directions."""
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
            Values in the padding are ignored, NaN included.
        lengths : tensor or list of int, shape (batch,), optional
            Number of valid steps of each row; all by default.
        state : State, optional
            State returned by an earlier call, to continue its sequences; the initial state by default.

        Returns
        -------
        outputs : tensor of shape (batch, n_timesteps, output_size)
            Zero in the padding.
        state : State
            State of each row after its last valid step. Its tensors have shape
            (num_layers * num_directions, batch, …), ordered as in torch.nn.

        Raises
        ------
        InvalidSequencesError
            If the lengths do not match the batch.
        ValueError
            If x has another number of dimensions or features, or the state other shapes.
        TypeError
            If x is not a tensor of the dtype of the parameters.
        """
        first = self._cell(0)
        check_x(x, first)
        if state is not None:
            check_state(state, self._shapes_of_state(), len(self.cells), len(x))
        if lengths is None:
            return self._run_layers(x, None, state)
        lengths = check_lengths(lengths, x.shape[0], x.shape[1])
        # Stop at the longest sequence: extra padding must not cost time or change rounding.
        longest = max([1, *lengths.tolist()])
        if longest == x.shape[1]:
            return self._run_layers(x, ValidSteps.of(lengths, longest, x.device), state)
        outputs, state = self._run_layers(x[:, :longest], ValidSteps.of(lengths, longest, x.device), state)
        return F.pad(outputs, (0, 0, 0, x.shape[1] - longest)), state

    def _run_layers(self, x: Tensor, valid: ValidSteps | None, state: State | None) -> tuple[Tensor, State]:
        final = []
        x_below, below = x, []
        undrawn = random_state(x.device) if self.training and self.num_layers > 1 else ()
        for k, cell in enumerate(self.cells):
            assert isinstance(cell, Cell)
            before = self._initial_state(k, cell, len(x)) if state is None else state_at(state, k)
            output, after = self._run_direction(k, cell, x_below, valid, before)
            below.append(output)
            final.append(after)
            if len(below) == self.num_directions:
                x_below, below = below[0] if len(below) == 1 else torch.cat(below, dim=2), []
                x_below = self._passed_on(x_below, undrawn) if k < len(self.cells) - 1 else x_below
        return x_below, stack_states(final)

    def _passed_on(self, x: Tensor, undrawn: tuple[Tensor, ...]) -> Tensor:
        """Return the input of the next layer, given the state of the generators before the first layer.

        Random numbers are drawn in the order of memory, which depends on the engine: where dropout or a cell draws some,
        the layout is made the same.
        """
        if not self.training:
            return x
        drawn = self.dropout.p or not all(map(torch.equal, undrawn, random_state(x.device)))
        return self.dropout(x.contiguous() if drawn else x)

    def _initial_state(self, k: int, cell: Cell, batch_size: int) -> State:
        state = cell.initial_state(batch_size)
        check_initial_state(cell, state, batch_size)
        return self.learned_states[k](state) if self.initial_state == "learned" else state

    def _shapes_of_state(self) -> list[tuple[int, ...]]:
        """Return the shapes of one sample's state, computed once on a copy: initial_state may draw a new mask."""
        if self._state_shapes is None:
            self._state_shapes = [tuple(t.shape[1:]) for t in state_tensors(first_states(self._cell(0), 1))]
        return self._state_shapes

    def _run_direction(
        self, k: int, cell: Cell, x: Tensor, valid: ValidSteps | None, state: State
    ) -> tuple[Tensor, State]:
        with computed(cell) as plain, one_run():
            sizes = Sizes.of(plain, x, valid, state)
            engine, reason = choose_engine(plain, self.engine, sizes)
            if valid is not None and engine.reads_padding and k < self.num_directions:  # the layers above read zeros
                x = valid.clear(x)
            take_reason()
            if k % self.num_directions == 0:
                outputs, state = MEMORY[self.memory](engine, plain, x, valid, state)
            else:
                flip = (lambda z: z.flip(1)) if valid is None else valid.reverse
                outputs, state = MEMORY[self.memory](engine, plain, flip(x), valid, state)
                outputs = flip(outputs)
        fell_back = take_reason()
        self._ran[k] = (engine.name, reason) if fell_back is None else ("loop", fell_back)
        return outputs, state

    def explain(
        self, *, code: bool = False, sizes: tuple[int, int] | None = None, training: bool = True
    ) -> list[Choice]:
        """Return which engine ran each layer and direction, and why; before the first run, which one would run it.

        Parameters
        ----------
        code : bool, default=False
            Whether to include the generated code: C, a loop of torch calls, or Triton kernels.
        sizes : tuple of int (batch, n_timesteps), optional
            Batch size and number of steps to select the engines for; by default those of the last run.
        training : bool, default=True
            Whether gradients are required for that batch.
        """
        choices = []
        for k in range(len(self.cells)):
            with computed(copy_or_itself(self._cell(k))) as plain:
                if sizes is None:
                    engine, reason = choose_engine(plain, self.engine)
                else:
                    engine, reason = choose_engine(plain, self.engine, Sizes.now(*sizes, training=training))
                name = engine.name
                if sizes is None and k in self._ran:
                    name, reason = self._ran[k]
                made = engine.code(plain) if code and name == engine.name else ""
            layer, direction = divmod(k, self.num_directions)
            choices.append(Choice(layer, "backward" if direction else "forward", name, reason, made))
        return choices


def _check_choice(name: str, value: object, choices: list[str]) -> None:
    if value not in choices:
        raise ValueError(f"The {name!r} parameter of Recurrent must be one of {choices}. Got {value!r} instead.")


def _check_stack(cell: Cell, above: Cell) -> None:
    """Check that all layers have states of the same shapes, since they are returned in one tensor."""
    shapes, others = ([tuple(t.shape[1:]) for t in state_tensors(first_states(c, 1))] for c in (cell, above))
    if shapes != others:
        raise CellError(
            f"{type(cell).__name__} cannot be stacked: the state of a sample has shapes {shapes} in the first layer and "
            f"{others} in the second, with input_size={cell.input_size} and {above.input_size}. Make the state's shapes "
            "depend on hidden_size alone, or use num_layers=1."
        )


def _sibling(cell: Cell, input_size: int) -> Cell:
    """Return a checked cell for another layer or direction."""
    try:
        sibling = cell.sibling(input_size)
    except Exception as error:
        raise CellError(
            f"{type(cell).__name__} cannot be created again for another layer, with input_size={input_size}: "
            f"{type(error).__name__}: {error}"
        ) from error
    check_step(sibling)
    return sibling


def _cell_like(module: nn.RNN | nn.LSTM | nn.GRU) -> Cell:
    """Return a new cell with the same computation as one of torch's modules."""
    sizes = (module.input_size, module.hidden_size)
    if isinstance(module, nn.RNN):
        return RNNCell(*sizes, activation=module.nonlinearity)
    return LSTMCell(*sizes) if isinstance(module, nn.LSTM) else GRUCell(*sizes)
