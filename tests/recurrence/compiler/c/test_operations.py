"""Operations that C supports, compared with torch: values and derivatives, also at kinks and at infinity."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from seqpipe.cells import Cell
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.compiler.c._c_engine import CompiledEngine
from seqpipe.recurrence.contents._contents import contents_of
from seqpipe.recurrence.engines._loop import LoopEngine

Function = Callable[[Tensor], Tensor]
Results = list[Tensor]

pytestmark = pytest.mark.usefixtures("compiled")

#: Numbers at which functions have kinks, jumps, poles or limits, and some between.
SPECIAL = [
    -math.inf,
    -50.0,
    -6.0,
    -3.0,
    -1.0,
    -0.5,
    -0.3,
    0.0,
    0.3,
    0.5,
    1.0,
    1.7,
    3.0,
    6.0,
    25.0,
    800.0,
    math.inf,
    math.nan,
]

NUMBER_BY_NUMBER: dict[str, Function] = {
    "relu6": F.relu6, "leaky_relu": F.leaky_relu, "elu": lambda z: F.elu(z, 1.3), "selu": F.selu, "celu": lambda z: F.celu(z, 0.7),
    "gelu": F.gelu, "gelu tanh": lambda z: F.gelu(z, approximate="tanh"), "silu": F.silu, "mish": F.mish, "softplus": F.softplus,
    "logsigmoid": F.logsigmoid, "hardsigmoid": F.hardsigmoid, "hardswish": F.hardswish, "hardtanh": F.hardtanh, "softsign": F.softsign,
    "softshrink": F.softshrink, "hardshrink": F.hardshrink, "threshold": lambda z: F.threshold(z, 0.5, 0.2), "tanhshrink": F.tanhshrink,
    "sign": torch.sign, "abs": torch.abs, "floor": torch.floor, "ceil": torch.ceil, "round": torch.round, "trunc": torch.trunc, "frac": torch.frac,
    "fmod": lambda z: torch.fmod(z, 0.7), "remainder": lambda z: torch.remainder(z, -0.7),
    "floor division": lambda z: torch.div(z, 0.3, rounding_mode="floor"), "division to zero": lambda z: torch.div(z, 0.3, rounding_mode="trunc"),
    "exp2": torch.exp2, "log2": torch.log2, "log10": torch.log10, "log1p": torch.log1p, "expm1": torch.expm1, "logit": torch.logit,
    "tan": torch.tan, "asin": torch.asin, "acos": torch.acos, "atan": torch.atan, "sinh": torch.sinh, "cosh": torch.cosh, "asinh": torch.asinh,
    "acosh": torch.acosh, "atanh": torch.atanh, "erf": torch.erf, "erfc": torch.erfc, "sinc": torch.sinc, "square root": lambda z: z**0.5,
    "power": lambda z: z**1.5, "power of two": lambda z: 2**z, "reciprocal": torch.reciprocal, "rsqrt": torch.rsqrt,
    "nan_to_num": torch.nan_to_num, "clamp": lambda z: z.clamp(-1, 1), "where": lambda z: torch.where((z > 0) | (z < -3), z, -z),
    "maximum": lambda z: torch.maximum(z, 2 * z), "minimum": lambda z: torch.minimum(z, 1 - z), "fmax": lambda z: torch.fmax(z, -z),
    "hypot": lambda z: torch.hypot(z, z + 1), "xlogy": lambda z: torch.xlogy(z, z), "atan2": lambda z: torch.atan2(z, z + 2),
    "logaddexp": lambda z: torch.logaddexp(z, 2 * z), "addcdiv": lambda z: torch.addcdiv(z, z, z * z + 1, value=0.5),
    "addcmul": lambda z: torch.addcmul(z, z, z, value=0.5), "lerp": lambda z: torch.lerp(z, 2 * z, 0.3),
    "masked_fill": lambda z: z.masked_fill(z > 0.5, 2.0), "a flag": lambda z: z * (z > 0).to(z.dtype), "isinf": lambda z: z.masked_fill(z.isinf(), 3.0),
    "a whole number": lambda z: z + z.nan_to_num(0, 9, -9).long(), "in place": lambda z: (z + 0).mul_(2).relu_(),
}  # fmt: skip

ALONG_COLUMNS: dict[str, Function] = {
    "softmax": lambda z: z.softmax(-1), "log_softmax": lambda z: z.log_softmax(1), "softmax of heads": lambda z: z.view(-1, 2, 3).softmax(1),
    "logsumexp": lambda z: z - z.logsumexp(1, keepdim=True), "amax": lambda z: z - z.amax(1, keepdim=True), "amin": lambda z: z.amin(1, keepdim=True),
    "max": lambda z: z.view(-1, 2, 3).max(2)[0], "min": lambda z: z.view(-1, 2, 3).min(1).values, "prod": lambda z: z.prod(1, keepdim=True),
    "argmax": lambda z: z.gather(1, z.argmax(1, keepdim=True)), "sort": lambda z: z.sort(1, descending=True)[0], "any": lambda z: z * (z > 1).any(1, keepdim=True),
    "std": lambda z: z / (1 + z.std(1, keepdim=True)), "var": lambda z: z.view(-1, 2, 3).var(2, correction=0), "cumsum": lambda z: z.cumsum(1),
    "norm": lambda z: z.norm(dim=1, keepdim=True), "norm of a cube": lambda z: z.norm(p=3, dim=1, keepdim=True), "normalize": lambda z: F.normalize(z, dim=1),
    "rms_norm": lambda z: F.rms_norm(z, (6,)), "layer_norm of heads": lambda z: F.layer_norm(z.view(-1, 2, 3), (3,)), "group_norm": lambda z: F.group_norm(z, 3),
    "glu": lambda z: F.glu(z, -1), "sum of heads": lambda z: z.view(-1, 2, 3).sum(1), "mean of heads": lambda z: z.view(-1, 2, 3).mean(2),
    "roll": lambda z: z.roll(1, 1), "flip": lambda z: z.flip(1), "pad": lambda z: F.pad(z[:, 1:], (2, 0), value=0.5), "repeat": lambda z: z.repeat(1, 2),
    "gather": lambda z: z[:, [5, 0, 0, 3]], "index_select": lambda z: z.index_select(1, torch.arange(5, -1, -2)), "every other": lambda z: z[:, ::2],
    "repeat_interleave": lambda z: z[:, :3].repeat_interleave(2, 1), "interleave": lambda z: torch.stack([z[:, :3], z[:, 3:]], -1),
    "transpose": lambda z: z.view(-1, 2, 3).transpose(1, 2), "tril": lambda z: (z[:, :3, None] * z[:, None, 3:]).tril(),
    "unfold": lambda z: z.unfold(1, 3, 1).sum(2), "outer": lambda z: z[:, :2, None] * z[:, None, 2:], "broadcast": lambda z: z.view(-1, 2, 3) * z[:, :2, None],
    "bmm": lambda z: torch.bmm(z.view(-1, 2, 3), z.view(-1, 3, 2)), "einsum of samples": lambda z: torch.einsum("bh,bh->b", z, z)[:, None],
    "einsum of heads": lambda z: torch.einsum("bnk,nkj->bnj", z.view(-1, 2, 3), torch.arange(24).view(2, 3, 4) / z.new_tensor(9.0)),
    "matrix of heads": lambda z: z.view(-1, 2, 3) @ (torch.arange(12).view(3, 4) / z.new_tensor(7.0)),
    "a row for each head": lambda z: z.view(-1, 2, 3) * torch.arange(6).view(2, 3).to(z), "bilinear": lambda z: F.bilinear(z, z, z.new_ones(2, 6, 6)),
    "complex": lambda z: torch.view_as_real(torch.complex(z[:, :3], z[:, 3:]) * (2 - 1j)).flatten(1), "angle": lambda z: torch.complex(z, 1 - z).angle(),
    "setitem": lambda z: _first_set(z), "a part in place": lambda z: _grown_part(z),
}  # fmt: skip


def _first_set(z: Tensor) -> Tensor:
    y = z.clone()
    y[:, 0] = 0.3
    y[:, 4:] = z[:, :2] * 2
    return y


def _grown_part(z: Tensor) -> Tensor:
    y = z * 1
    part = y[:, 1:4]
    part += z[:, :1]
    return y * part.sum(1, keepdim=True)


class Family(Cell):
    """Every function of a family, each on separate columns."""

    def __init__(self, family: dict[str, Function], width: int) -> None:
        super().__init__(len(family) * width, 1)
        self.scale = nn.Parameter(torch.ones(1))
        self.family, self.width = family, width
        sizes = [f(torch.zeros(1, width)).flatten(1).shape[1] for f in family.values()]
        self.ends = torch.tensor(sizes).cumsum(0).tolist()

    @property
    def output_size(self) -> int:
        return int(self.ends[-1])

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        parts = x_t.split(self.width, dim=1)
        return torch.cat([f(z).flatten(1) for f, z in zip(self.family.values(), parts)], dim=1), h * self.scale


def _in_c(cell: Cell, x: Tensor) -> tuple[Tensor, Tensor]:
    engine, contents = CompiledEngine(), contents_of(cell)
    plan = engine._plan_for(cell, contents, input_grad=True)
    assert not isinstance(plan, str), plan
    output, _ = engine._call(plan.program, cell, contents.tensors, x, None, cell.initial_state(len(x)))
    return output, *_derivative(output, x)


def _in_loop(cell: Cell, x: Tensor) -> tuple[Tensor, Tensor]:
    output, _ = LoopEngine().run(cell, x, None, cell.initial_state(len(x)))
    return output, *_derivative(output, x)


def _derivative(output: Tensor, x: Tensor) -> tuple[Tensor, ...]:
    weights = torch.linspace(0.5, 1.5, output.shape[-1], dtype=x.dtype).expand_as(output)
    return torch.autograd.grad(output, x, weights)


def _compare(family: dict[str, Function], x: Tensor, width: int) -> None:
    cell = Family(family, width).double()
    x = x[:, None].requires_grad_()
    (found, by_x), (expected, expected_by_x) = _in_c(cell, x), _in_loop(cell, x)
    for k, (name, start, end) in enumerate(zip(family, [0, *cell.ends], cell.ends)):
        ours, theirs = found[:, 0, start:end], expected[:, 0, start:end]
        torch.testing.assert_close(
            ours, theirs, rtol=1e-12, atol=1e-12, equal_nan=True, msg=lambda m, n=name: f"{n}: {m}"
        )
        columns = slice(k * width, (k + 1) * width)
        ours, theirs = by_x[:, 0, columns], expected_by_x[:, 0, columns]
        torch.testing.assert_close(
            ours, theirs, rtol=1e-12, atol=1e-12, equal_nan=True, msg=lambda m, n=name: f"derivative of {n}: {m}"
        )


def test_functions_of_a_number_are_torchs_at_kinks_and_limits_too() -> None:
    x = torch.tensor(SPECIAL, dtype=torch.float64)[:, None]
    _compare(NUMBER_BY_NUMBER, x.repeat(1, len(NUMBER_BY_NUMBER)), 1)


def test_functions_along_columns_are_torchs() -> None:
    x = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    x[0] = torch.tensor([1.0, 1.0, 0.0, 2.0, 2.0, -1.0])  # the largest twice
    _compare(ALONG_COLUMNS, x.repeat(1, len(ALONG_COLUMNS)), 6)


class DeltaNet(Cell):
    """A matrix as state: the value stored under a key is removed before a new one is stored."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.keys, self.values = nn.Linear(input_size, 2 * 3), nn.Linear(input_size, hidden_size)
        self.rate = nn.Linear(input_size, 1)

    def initial_state(self, batch_size: int) -> Tensor:
        return self.keys.weight.new_zeros(batch_size, self.hidden_size, 3)

    def step(self, x_t: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        q, k = (F.normalize(z, dim=-1) for z in self.keys(x_t).chunk(2, -1))
        rate = torch.sigmoid(self.rate(x_t))[:, :, None]
        held = torch.bmm(memory, k[:, :, None])
        memory = memory + rate * (self.values(x_t)[:, :, None] - held) * k[:, None, :]
        return torch.einsum("bhk,bk->bh", memory, q), memory


class Rotating(Cell):
    """A diagonal of complex numbers."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.decay, self.angle = nn.Parameter(torch.rand(hidden_size)), nn.Parameter(torch.rand(hidden_size))
        self.into = nn.Linear(input_size, 2 * hidden_size)
        self.out = nn.Parameter(torch.randn(hidden_size, hidden_size) / hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        zeros = super().initial_state(batch_size)
        return torch.complex(zeros, zeros)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        a = torch.exp(torch.complex(-self.decay, self.angle))
        h = a * h + torch.complex(*self.into(x_t).chunk(2, -1))
        return (h @ torch.complex(self.out, 1 - self.out)).real + h.abs(), h


class ComplexMemory(Cell):
    """A complex matrix per sample, read by a product with the state itself."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.query, self.write = nn.Linear(input_size, 2 * 4 * hidden_size), nn.Linear(input_size, hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        zeros = self.write.weight.new_zeros(batch_size, self.hidden_size, 4)
        return torch.complex(zeros, zeros)

    def step(self, x_t: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        q = torch.complex(*self.query(x_t).chunk(2, dim=-1)).reshape(-1, self.hidden_size, 4)
        output = torch.einsum("bhk,bhk->bh", q, memory).real
        return output, (0.5 + 0.2j) * memory + self.write(x_t).unsqueeze(-1) * q


class Ticking(Cell):
    """Units that are updated every few steps, counted by an integer in the state."""

    periods: Tensor

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.linear = nn.Linear(input_size + hidden_size, hidden_size)
        self.register_buffer("periods", torch.arange(hidden_size) % 3 + 1)

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        h = super().initial_state(batch_size)
        return h, torch.zeros(batch_size, 1, dtype=torch.int64)

    def step(self, x_t: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        h, t = state
        h = torch.where(t % self.periods == 0, torch.tanh(self.linear(torch.cat([x_t, h], -1))), h)
        return h, (h, t + 1)


class Attending(Cell):
    """Memory slots read by a softmax over inner dimensions and normalised per head, with weights shared by heads."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.query, self.write = nn.Linear(input_size, 4), nn.Linear(input_size, 3 * 4)
        self.shared, self.norm = nn.Linear(4, 4), nn.LayerNorm(4)
        self.out = nn.Linear(4, hidden_size)

    def initial_state(self, batch_size: int) -> Tensor:
        return self.out.weight.new_zeros(batch_size, 3, 4)

    def step(self, x_t: Tensor, slots: Tensor) -> tuple[Tensor, Tensor]:
        slots = self.norm(self.shared(slots) + self.write(x_t).view(-1, 3, 4))
        weights = torch.softmax((slots * self.query(x_t)[:, None]).sum(-1), dim=-1)
        return self.out((weights[:, :, None] * slots).sum(1)), slots


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        *((kind, torch.float64) for kind in (DeltaNet, Rotating, ComplexMemory, Ticking, Attending)),
        (Rotating, torch.float32),
        (Ticking, torch.float32),
    ],
)
def test_cells_of_the_literature_run_in_c_as_in_the_loop(
    kind: type[Cell], dtype: torch.dtype, everything: Callable[..., Results], furthest: Callable[..., float]
) -> None:
    torch.manual_seed(0)
    cell = kind(3, 5).to(dtype)
    x = torch.randn(5, 6, 3, dtype=dtype, requires_grad=True)
    lengths = torch.tensor([6, 2, 0, 4, 6])
    found, expected = (
        everything(_run(net, lengths), x, (), tuple(net.parameters()))
        for net in (Recurrent(cell), Recurrent(cell, engine="loop"))
    )
    assert Recurrent(cell).explain()[0].engine == "c"
    assert furthest(expected, found) < (1e-12 if dtype == torch.float64 else 1e-4)


def _run(net: Recurrent, lengths: Tensor) -> Callable[..., Results]:
    def run(x: Tensor, states: Any) -> Results:
        output, state = net(x, lengths)
        found = [output, *(state if isinstance(state, tuple) else (state,))]
        return [torch.view_as_real(t) if t.is_complex() else t.to(x.dtype) for t in found]

    return run


class Projecting(Cell):
    """An operation before the steps, and a step that C supports."""

    def __init__(self, function: Function) -> None:
        super().__init__(3, 6)
        self.input, self.recur = nn.Linear(3, 6), nn.Linear(6, 6)
        self.function = function

    def project(self, x: Tensor) -> Tensor:
        return self.function(self.input(x) + self.recur.bias)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(x_t + self.recur(h))
        return h, h


def _spectrum(x: Tensor) -> Tensor:
    return torch.fft.fft(x, dim=-1).real


def _average_so_far(x: Tensor) -> Tensor:
    return x.cumsum(1) / torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[:, None]


def _drawn(x: Tensor) -> Tensor:
    return F.dropout(x, 0.5)


@pytest.mark.parametrize("function", [_spectrum, _average_so_far, _drawn], ids=lambda f: f.__name__)
@pytest.mark.parametrize("input_grad", [True, False])
def test_an_operation_before_the_steps_leaves_the_steps_in_c(
    function: Function, input_grad: bool, everything: Callable[..., Results], furthest: Callable[..., float]
) -> None:
    torch.manual_seed(0)
    cell = Projecting(function).double()
    x = torch.randn(4, 5, 3, dtype=torch.float64)
    x[1, 2:] = math.nan  # which is padding
    x.requires_grad_(input_grad)
    results = []
    for net in (Recurrent(cell), Recurrent(cell, engine="loop")):
        torch.manual_seed(1)
        results.append(everything(_run(net, torch.tensor([5, 2, 0, 4])), x, (), tuple(net.parameters())))
    assert Recurrent(cell).explain()[0].engine == "c"
    assert furthest(*results) < 1e-12


def test_a_count_beyond_what_the_type_holds_is_left_to_the_plain_loop() -> None:
    net = Recurrent(Ticking(3, 5))
    h, t = torch.zeros(1, 2, 5), torch.full((1, 2, 1), 2**24 + 1)
    _, (_, after) = net(torch.randn(2, 3, 3), state=(h, t))
    assert after.flatten().tolist() == [2**24 + 4] * 2


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda z: z.half().to(z.dtype), "changes the dtype to torch.float16"),
        (lambda z: z.topk(2, 1)[0].repeat(1, 3), "aten.topk.default is not supported"),
        (lambda z: z.gather(1, (z > 0).long()), "uses computed indices"),
        (lambda z: z.sort(0)[0], "mixes samples|moves the rows"),
        (lambda z: z.softmax(0), "mixes samples"),
    ],
)
def test_what_is_not_known_is_refused_in_words(function: Function, words: str) -> None:
    cell = Family({"refused": function}, 6)
    assert re.search(words, CompiledEngine().refuses(cell) or "")
