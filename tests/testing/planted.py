"""Cells with one planted fault each, by the check that finds it and words of its message."""

from __future__ import annotations

import random
import threading
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe import Cell, LSTMCell, RNNCell
from seqpipe.cells import MinGRUCell

__all__ = ["FAULTS", "Sound", "Summing"]


class Sound(Cell):
    """A plain tanh cell, for faults to be built in."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        h = torch.tanh(self.input(x_t) + h)
        return h, h


class OnlyOutput(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> Any:
        return super().step(x_t, h)[0]


class TooWide(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        output, h = super().step(x_t, h)
        return torch.cat([output, output], dim=1), h


class StateOfAnotherForm(LSTMCell):
    """Returns the tensors of its state in another order."""

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        h, c = super().initial_state(batch_size)
        return h, torch.cat([c, c], dim=1)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Any]:
        h, c = state
        output, (h, c) = super().step(x_t, (h, c[:, : self.hidden_size]))
        return output, (torch.cat([c, c], dim=1), h)


class StateInSinglePrecision(Sound):
    def initial_state(self, batch_size: int) -> Tensor:
        return torch.zeros(batch_size, self.hidden_size)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        output, h = super().step(x_t, h.to(x_t))
        return output, h


class FewRows(Sound):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.register_buffer("first", torch.zeros(8, hidden_size))

    def initial_state(self, batch_size: int) -> Tensor:
        first: Tensor = self.first  # type: ignore[assignment]
        return first[:batch_size]


class Squeezes(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        output, h = super().step(x_t, h)
        return output.squeeze(), h.squeeze()


class OneRowForAll(Sound):
    def initial_state(self, batch_size: int) -> Tensor:
        return super().initial_state(min(batch_size, 1000))


class FixedWidth(Cell):
    """Ignores hidden_size."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, 8)
        self.input = nn.Linear(input_size, 8)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        h = torch.tanh(self.input(x_t) + h)
        return h, h


class SizesSwapped(Sound):
    def __init__(self, hidden_size: int, input_size: int) -> None:
        super().__init__(input_size, hidden_size)


def swapped(input_size: int, hidden_size: int) -> Cell:
    return SizesSwapped(hidden_size, input_size)


class SiblingTooWide(Sound):
    def sibling(self, input_size: int) -> Any:
        return type(self)(input_size, 2 * self.hidden_size)


class SiblingOfAnotherKind(Sound):
    def sibling(self, input_size: int) -> Any:
        return RNNCell(input_size, self.hidden_size)


class SiblingForgetsSettings(Sound):
    def __init__(self, input_size: int, hidden_size: int, *, bias: bool = False) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size, bias=bias)

    def sibling(self, input_size: int) -> Any:
        return type(self)(input_size, self.hidden_size, bias=True)


class PlainTensor(Sound):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.gain = torch.rand(hidden_size, requires_grad=True)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        return super().step(x_t, self.gain * h)


class ListOfLayers(Sound):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.layers = [nn.Linear(hidden_size, hidden_size)]


class UnsavedConstant(Sound):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.gain = {"of h": torch.rand(hidden_size)}


class Lazy(Cell):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.gain = nn.Parameter(torch.ones(hidden_size))

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        if not hasattr(self, "input"):
            self.input = nn.Linear(x_t.shape[1], self.hidden_size).to(x_t)
        h = torch.tanh(self.input(x_t) + self.gain * h)
        return h, h


class KeepsParameter(Sound):
    def initial_state(self, batch_size: int) -> Tensor:
        self.kept = self.input.weight
        return super().initial_state(batch_size)


class OnTheHost(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        return super().step(x_t, h + torch.linspace(0, 1, self.hidden_size, dtype=h.dtype))


class ThroughFloat32(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        output, h = super().step(x_t, h)
        return output, h.float().to(h.dtype)


class InPlace(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        h += torch.tanh(self.input(x_t))
        return h, h


class ChangesInput(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        x_t[:, 0] = 0
        return super().step(x_t, h)


class Counts(Sound):
    calls = 0

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        self.calls += 1
        return super().step(x_t + self.calls, h)


class CountsInBuffer(Sound):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.register_buffer("calls", torch.zeros(()))

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        self.calls = self.calls + 1
        return super().step(x_t, h)


class MemoryOnSelf(Sound):
    def initial_state(self, batch_size: int) -> Tensor:
        self.memory = super().initial_state(batch_size)
        return self.memory

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        self.memory = torch.tanh(self.input(x_t) + self.memory)
        return self.memory, h


class RandomInUse(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        return super().step(x_t + torch.randn_like(x_t), h)


class RandomFromElsewhere(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        return super().step(x_t + random.random() if self.training else x_t, h)


class MixesRows(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        return super().step(x_t - x_t.mean(dim=0), h)


class MixesRowsInTraining(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        return super().step(x_t - x_t.mean(dim=0) if self.training else x_t, h)


class CountsRows(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        return super().step(x_t + torch.arange(len(x_t)).to(x_t)[:, None], h)


class ReadsPadding(Sound):
    def project(self, x: Tensor) -> Tensor:
        return x - x.mean(dim=1, keepdim=True)


class SeesTheFuture(Sound):
    def project(self, x: Tensor) -> Tensor:
        return x + F.pad(x[:, 1:], (0, 0, 0, 1))


class CountsSteps(Sound):
    def project(self, x: Tensor) -> Tensor:
        return x + torch.arange(x.shape[1]).to(x)[:, None]


class DetachedOutput(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        output, h = super().step(x_t, h)
        return output.detach(), h


class DetachedState(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        output, h = super().step(x_t, h)
        return output, h.detach()


class CutsTheGradient(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        return super().step(x_t, h.detach())


class InNumpy(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        h = torch.from_numpy(np.tanh((self.input(x_t) + h).detach().numpy()))
        return h, h


class Forgets(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        h = torch.tanh(self.input(x_t))
        return h, h


class IgnoresInput(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        return super().step(0 * x_t, h)


class DeadParameter(Sound):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.unused = nn.Parameter(torch.ones(hidden_size))


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return grad * (1 - x.tanh())


class WrongDerivative(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        h = _Tanh.apply(self.input(x_t) + h)
        return h, h


class Overflows(Sound):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        z = self.input(x_t) + h
        h = (z.exp() - (-z).exp()) / (z.exp() + (-z).exp())
        return h, h


class FarOut(MinGRUCell):
    """Its step is linear near zero only."""

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        output, _ = super().step(x_t, h)
        h = output.clamp(-5, 5)
        return h, h


class BroadcastCoefficients(MinGRUCell):
    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = super().linear_coefficients(x)
        return a, b.mean(dim=-1, keepdim=True)


class FactorsOfAnotherShape(MinGRUCell):
    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = super().linear_coefficients(x)
        return a.flatten(1), b


class MixesSteps(MinGRUCell):
    """Its step is derived; several steps at once give other coefficients than one."""

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        return Cell.step(self, x_t, h)

    def linear_coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        a, b = super().linear_coefficients(x)
        return a, b + b.mean(dim=1, keepdim=True)


class ForgetsToRead(MinGRUCell):
    """Its output is not its state."""

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        _, h = super().step(x_t, h)
        return torch.tanh(h), h


class ReadsOneColumn(MinGRUCell):
    def linear_output(self, x: Tensor, states: Tensor) -> Tensor:
        return states[..., :1]


class Summing(Cell):
    """Adds its inputs up, with a scan."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.input = nn.Linear(input_size, hidden_size)

    def project(self, x: Tensor) -> Tensor:
        return self.input(x)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        h = h + x_t
        return h, h

    def scan(self, x: Tensor, h: Tensor, valid: Tensor | None) -> tuple[Tensor, Any]:
        outputs = h[:, None] + (x if valid is None else x * valid[..., None]).cumsum(dim=1)
        return outputs, outputs[:, -1]


class ScansThePadding(Summing):
    def scan(self, x: Tensor, h: Tensor, valid: Tensor | None) -> tuple[Tensor, Any]:
        return super().scan(x, h, None)


class ScansFromZero(Summing):
    def scan(self, x: Tensor, h: Tensor, valid: Tensor | None) -> tuple[Tensor, Any]:
        return super().scan(x, torch.zeros_like(h), valid)


class WrongKernel(RNNCell):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Any]:
        h = torch.sin(x_t + self.recur(h))
        return h, h

    def torch_kernel(self) -> str:
        return "rnn_tanh"


class Uncopyable(Sound):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.lock = threading.Lock()


#: The check that finds each fault, and words of its message.
FAULTS: dict[Any, tuple[str, str]] = {
    OnlyOutput: ("step_returns_output_and_state", r"must return \(output, state\), got Tensor"),
    TooWide: ("step_returns_output_and_state", r"its output, shape \(2, 5\) for a batch of 2, got \(2, 10\)"),
    StateOfAnotherForm: ("step_returns_output_and_state", r"as its state tensor 0, shape \(2, 5\)"),
    StateInSinglePrecision: ("step_returns_output_and_state", "keep the type"),
    FewRows: ("any_number_of_rows", r"A batch of 2000 fails: .* its tensor 0 is \(8, 5\)"),
    OneRowForAll: ("any_number_of_rows", "A batch of 2000 fails"),
    Squeezes: ("any_number_of_rows", r"For a batch of 1 the output has shape \(5,\): return 1 rows"),
    FixedWidth: ("sizes_are_used", "hidden_size=6 gives the shapes of hidden_size=5"),
    swapped: ("siblings_keep_settings", "take input_size as the first argument"),
    SiblingTooWide: ("siblings_keep_settings", r"sibling\(5\) has hidden_size=10, a new cell 5"),
    SiblingOfAnotherKind: ("siblings_keep_settings", r"sibling\(\) returns a RNNCell"),
    SiblingForgetsSettings: ("siblings_keep_settings", "has input.bias of shape"),
    PlainTensor: ("tensors_are_registered", r"gain holds a nn\.Parameter .* not registered"),
    ListOfLayers: ("tensors_are_registered", r"layers holds .* nn\.ModuleList"),
    UnsavedConstant: ("tensors_are_registered", "gain holds a tensor that is not registered"),
    Lazy: ("parameters_exist_from_the_start", r"adds \['cells.0.input.bias', 'cells.0.input.weight'\]"),
    KeepsParameter: ("parameters_exist_from_the_start", r"adds \['cells.0.kept'\] to the parameters"),
    OnTheHost: ("runs_on_other_devices", "Create tensors with device=x.device"),
    ThroughFloat32: ("computes_in_its_type", "the state 0 has the digits of float32"),
    InPlace: ("arguments_stay_unchanged", "tensor 0 of the state it is given in place"),
    ChangesInput: ("arguments_stay_unchanged", "changes its input in place"),
    Counts: ("nothing_is_kept_between_steps", "A step changes self.calls"),
    CountsInBuffer: ("nothing_is_kept_between_steps", "A step changes self.calls"),
    MemoryOnSelf: ("nothing_is_kept_between_steps", "A step changes self.memory"),
    RandomInUse: ("results_repeat", "draw random numbers only if self.training"),
    RandomFromElsewhere: ("results_repeat_with_the_seed", "draw random numbers from torch"),
    MixesRows: ("rows_are_independent", "Row 0, of 7 steps, gives another result in a batch of 4 than alone"),
    MixesRowsInTraining: ("rows_are_independent_in_training", "must not mix rows"),
    CountsRows: ("order_of_rows_does_not_matter", "the position of a row"),
    ReadsPadding: ("rows_are_independent", r"nor steps in project\(\)"),
    SeesTheFuture: ("later_steps_do_not_matter", "depend on step 3 or later"),
    CountsSteps: ("chunks_equal_the_whole", "do not count steps elsewhere"),
    DetachedOutput: ("gradients_reach_earlier_steps", "The output at step 0 has no gradient"),
    DetachedState: ("gradients_reach_earlier_steps", r"return h, not h\.detach\(\)"),
    CutsTheGradient: ("gradients_reach_earlier_steps", "does not depend on steps 0 to 2"),
    InNumpy: ("gradients_reach_earlier_steps", r"without detach\(\), \.data, \.numpy\(\)"),
    Forgets: ("gradients_reach_earlier_steps", "the state forgets everything"),
    IgnoresInput: ("gradients_reach_earlier_steps", "does not depend on any input"),
    DeadParameter: ("every_parameter_learns", "do not depend on unused: use them"),
    WrongDerivative: ("gradients_are_right", r"A custom backward\(\) may be wrong"),
    Overflows: ("large_and_small_inputs_stay_finite", "For inputs of 10000 the output is not finite"),
    FarOut: ("linear_form_equals_step", "For inputs near .* and states near 100"),
    BroadcastCoefficients: ("linear_form_equals_step", r"b of shape \(4, 6, 1\): return \(4, 6, 5\)"),
    FactorsOfAnotherShape: ("linear_form_equals_step", r"a of shape \(4, 30\): return \(4, 6, 5\)"),
    MixesSteps: ("linear_form_equals_step", "a and b must not mix steps"),
    ForgetsToRead: ("linear_form_equals_step", r"define linear_output\(x, states\), unless the output is the state"),
    ReadsOneColumn: (
        "linear_form_equals_step",
        r"linear_output returns shape \(4, 6, 1\): return the outputs, \(4, 6, 5\)",
    ),
    ScansThePadding: ("linear_form_equals_step", r"\[6, 2, 1, 4\] valid steps, state 0 after scan differs"),
    ScansFromZero: ("linear_form_equals_step", "states near 0.01, the outputs of scan differ"),
    WrongKernel: ("engines_agree", "gives another output than the plain loop"),
    Uncopyable: ("cells_are_copied", "It cannot be copied"),
}
