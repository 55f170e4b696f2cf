"""`Wrapper`: the base class of cells that wrap a cell."""

from __future__ import annotations

from math import prod
from numbers import Real
from typing import Any, Self

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.recurrence._check import check_step
from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence._states import state_tensors

__all__ = ["Wrapper", "innermost"]


class Wrapper(Cell):
    """Delegate everything to the wrapped cell; subclasses override what they change.

    A wrapper is itself a cell, so wrappers compose in any order. Its state is the inner cell's, followed by its own
    tensors: the innermost cell's tensors always come first.

    Parameters
    ----------
    cell : Cell
        Cell to wrap.

    Raises
    ------
    CellError
        If the cell violates the protocol.
    """

    cell: Cell
    #: Number of state tensors that this wrapper adds.
    n_own: int = 0

    def __init__(self, cell: Cell) -> None:
        check_step(cell)
        super().__init__(cell.input_size, cell.hidden_size)
        self.cell = cell
        with torch.no_grad(), forked_generators():
            self._inner_is_tuple = isinstance(cell.initial_state(1), tuple)
            x = self.like.new_zeros(1, 1, cell.input_size)
            self._inner_shape = tuple(int(n) for n in cell.project(x).shape[2:])

    @property
    def like(self) -> Tensor:
        """A tensor of the inner cell's dtype, on its device."""
        first = self.cell.first_tensor()
        return torch.empty(0) if first is None else first

    @property
    def output_size(self) -> int:
        """Number of output features per time step."""
        return self.cell.output_size

    def own_state(self, batch_size: int) -> tuple[Tensor, ...]:
        """Return the initial values of the state tensors that this wrapper adds."""
        return ()

    def initial_state(self, batch_size: int) -> State:
        """Return the inner cell's initial state, followed by this wrapper's own tensors."""
        return self.join_state(self.cell.initial_state(batch_size), self.own_state(batch_size))

    def join_state(self, inner: State, own: tuple[Tensor, ...]) -> State:
        """Return the inner cell's state and this wrapper's own tensors as one flat tuple."""
        return (*state_tensors(inner), *own) if own else inner

    def split_state(self, state: State) -> tuple[State, tuple[Tensor, ...]]:
        """Return the inner cell's state and this wrapper's own tensors."""
        if not self.n_own:
            return state, ()
        inner, own = state[: -self.n_own], state[-self.n_own :]
        return inner if self._inner_is_tuple else inner[0], own

    @property
    def inner_shape(self) -> tuple[int, ...]:
        """Shape of one projected step of the inner cell, without the batch dimension."""
        return self.cell.projected_shape if isinstance(self.cell, Wrapper) else self._inner_shape

    @property
    def projected_shape(self) -> tuple[int, ...]:
        """Shape of one projected step, without the batch dimension."""
        return self.inner_shape

    def project(self, x: Tensor) -> Tensor:
        """Map x (batch, n_timesteps, input_size) to the inner cell's projection."""
        return self.cell.project(x)

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the inner cell's step."""
        return self.cell.step(x_t, state)

    def with_features(self, projected: Tensor, extra: Tensor) -> Tensor:
        """Append further features (batch, n_timesteps, n) to a projected input, flattened."""
        return torch.cat([projected.flatten(2), extra], dim=2)

    def split_features(self, x_t: Tensor) -> tuple[Tensor, Tensor]:
        """Split one step into the inner cell's projection and the further features (batch, n)."""
        width = prod(self.inner_shape)
        inner = x_t[:, :width]
        return inner if len(self.inner_shape) == 1 else inner.unflatten(1, self.inner_shape), x_t[:, width:]

    def sibling(self, input_size: int) -> Self:
        """Return a wrapper with the same settings around a sibling of the inner cell."""
        args, kwargs = self._arguments
        inner = self.cell.sibling(input_size)
        return type(self)(inner, *args[1:], **kwargs) if args else type(self)(**{**kwargs, "cell": inner})

    def share(self, name: str, value: Any) -> float:
        """Return a parameter as a float in [0, 1).

        Raises
        ------
        ValueError
            If it is not a number in that range.
        """
        if isinstance(value, bool) or not isinstance(value, Real) or not 0 <= float(value) < 1:
            raise ValueError(
                f"The {name!r} parameter of {type(self).__name__} must be a number in the range [0, 1). "
                f"Got {value!r} instead."
            )
        return float(value)


def innermost(cell: Cell) -> Cell:
    """Return the cell inside all wrappers."""
    while isinstance(cell, Wrapper):
        cell = cell.cell
    return cell
