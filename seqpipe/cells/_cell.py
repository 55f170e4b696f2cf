"""Base class of recurrent cells: a subclass defines one time step, the library does the rest."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import torch
from torch import Tensor, nn

__all__ = ["Cell", "State", "recurrent_init_"]

#: A tensor of shape (batch, …), or a tuple of such tensors.
State = Any


class Cell(nn.Module):
    """Base class of recurrent cells; subclasses implement `step`, one time step, or `linear_coefficients`.

    The loop over time, sequence lengths, stacking, bidirectional layers and persistence are handled by the library.

    Parameters
    ----------
    input_size : int
        Number of features per time step.
    hidden_size : int
        Number of features in the hidden state.

    Raises
    ------
    ValueError
        If a size is not a positive integer.

    Examples
    --------
    >>> import torch
    >>> from seqpipe import Cell, Recurrent
    >>> class Leaky(Cell):
    ...     def __init__(self, input_size, hidden_size):
    ...         super().__init__(input_size, hidden_size)
    ...         self.input = torch.nn.Linear(input_size, hidden_size)
    ...     def step(self, x_t, h):
    ...         h = 0.9 * h + 0.1 * torch.tanh(self.input(x_t))
    ...         return h, h
    >>> outputs, state = Recurrent(Leaky(3, 5))(torch.zeros(2, 7, 3))
    >>> outputs.shape, state.shape
    (torch.Size([2, 7, 5]), torch.Size([1, 2, 5]))
    """

    _arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, /, *args: Any, **kwargs: Any) -> Self:
        """Store the arguments, so that `sibling` can create further layers."""
        self = super().__new__(cls)
        object.__setattr__(self, "_arguments", (args, kwargs))
        return self

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
                raise ValueError(
                    f"The {name!r} parameter of {type(self).__name__} must be a positive integer. Got {size!r} instead."
                )
        self.input_size = int(input_size)
        self.hidden_size = int(hidden_size)

    @property
    def output_size(self) -> int:
        """Number of features of one output; ``hidden_size`` unless a subclass overrides it."""
        return self.hidden_size

    def initial_state(self, batch_size: int) -> State:
        """Return the state before the first step: zeros of shape (batch_size, hidden_size) unless overridden."""
        like = self.first_tensor()
        kind: dict[str, Any] = {} if like is None else {"dtype": like.dtype, "device": like.device}
        return torch.zeros(batch_size, self.hidden_size, **kind)

    def first_tensor(self) -> Tensor | None:
        """Return the tensor that determines the data type and device of the cell.

        The first parameter, or for a cell without parameters the first floating-point buffer; None if there is neither.
        """
        own = next((p for p in self._parameters.values() if p is not None), None)  # avoids walking all submodules
        if own is not None and own.is_floating_point():
            return own
        return next((t for t in (*self.parameters(), *self.buffers()) if t.is_floating_point()), None)

    def first_parameter(self) -> nn.Parameter | None:
        """Return the first parameter; None if the cell has none."""
        return next(self.parameters(), None)

    def project(self, x: Tensor) -> Tensor:
        """Map x of shape (batch, n_timesteps, input_size) to the input of `step`: the part without the state."""
        return x

    def step(self, x_t: Tensor, state: State) -> tuple[Tensor, State]:
        """Map one projected step of shape (batch, …) and the state to (output, new state).

        A cell that defines `linear_coefficients` need not define it: the step follows from them and `linear_output`.
        """
        if type(self).linear_coefficients is Cell.linear_coefficients:
            raise NotImplementedError(
                f"{type(self).__name__} must define step(x_t, state) -> (output, state), or linear_coefficients(x)."
            )
        x = x_t[:, None]
        a, b = self.linear_coefficients(x)
        h = a[:, 0] * state + b[:, 0]
        return self.linear_output(x, h[:, None])[:, 0], h

    def forward(self, x_t: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Take one step from x_t of shape (batch, input_size); return (output, new state)."""
        state = self.initial_state(len(x_t)) if state is None else state
        return self.step(self.project(x_t[:, None])[:, 0], state)

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return a and b of a linear step h_t = a_t ⊙ h_{t-1} + b_t; only cells with such a step define this.

        The state must be a single tensor, real or complex, of any shape (batch, …); `linear_output` maps it to the
        output. The recurrence is then computed in about 2 √n_timesteps parallel steps if that is faster.

        Parameters
        ----------
        x : tensor of shape (batch, n_timesteps, …)
            All steps at once, as `project` returns them.

        Returns
        -------
        a : tensor
            Factors, of as many dimensions as b and broadcastable to it.
        b : tensor of shape (batch, n_timesteps, …)
            Summands, each step of the shape of the state.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define a linear recurrence.")

    def linear_output(self, x: Tensor, states: Tensor) -> Tensor:
        """Map the states of a linear recurrence to outputs; the states themselves unless overridden.

        Parameters
        ----------
        x : tensor of shape (batch, n_timesteps, …)
            All steps at once, as `project` returns them.
        states : tensor of shape (batch, n_timesteps, …)
            State after each step.

        Returns
        -------
        outputs : tensor of shape (batch, n_timesteps, output_size)
        """
        return states

    def scan(self, x: Tensor, state: State, valid: Tensor | None) -> tuple[Tensor, State]:
        """Return what `step` gives for all steps; only cells with another parallel form than a linear step define this.

        Parameters
        ----------
        x : tensor of shape (batch, n_timesteps, …)
            All steps at once, as `project` returns them.
        state : State
            State before the first step.
        valid : tensor of bool, shape (batch, n_timesteps), or None
            Which steps are valid; None if all are. A step that is not leaves the state unchanged, with any output.

        Returns
        -------
        outputs : tensor of shape (batch, n_timesteps, output_size)
        state : State
            State after the last step.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define a scan.")

    def torch_kernel(self) -> str | None:
        """Return the name of the torch kernel equivalent to `step`, or None if there is none.

        One of "rnn_tanh", "rnn_relu", "lstm" and "gru"; the cell's parameters are then named as in
        ``torch.nn.GRUCell``: ``weight_ih``, ``weight_hh``, ``bias_ih``, ``bias_hh``.
        """
        return None

    def sibling(self, input_size: int) -> Self:
        """Return a newly initialised cell with the same settings and a different input size."""
        args, kwargs = self._arguments
        if args:
            return type(self)(input_size, *args[1:], **kwargs)
        return type(self)(**{**kwargs, "input_size": input_size})


@torch.no_grad()
def recurrent_init_(input_weight: Tensor, recurrent_weight: Tensor) -> None:
    """Initialise stacked gates in place: Glorot-uniform for the input, one orthogonal block per gate for the state.

    Parameters
    ----------
    input_weight : tensor of shape (n_gates * hidden_size, input_size)
    recurrent_weight : tensor of shape (n_gates * hidden_size, hidden_size)

    References
    ----------
    Saxe, McClelland and Ganguli, 2014, arXiv:1312.6120.
    """
    hidden_size = recurrent_weight.shape[1]
    for block in input_weight.split(hidden_size):
        nn.init.xavier_uniform_(block)
    for block in recurrent_weight.split(hidden_size):
        nn.init.orthogonal_(block)
