"""Random cells, planned and compiled, compared with autograd."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from seqpipe.cells import Cell
from seqpipe.exceptions import CompilerError
from seqpipe.recurrence._states import state_tensors
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.compiler.c import _compiled_kernel
from seqpipe.recurrence.compiler.c._backward_loop import emit_backward
from seqpipe.recurrence.compiler.c._c_program import CProgram
from seqpipe.recurrence.compiler.c._differentiable import run_compiled
from seqpipe.recurrence.compiler.c._forward_loop import emit_forward
from seqpipe.recurrence.compiler.c._objects import LIBRARIES
from seqpipe.recurrence.compiler.c._preamble import microkernel, preamble
from seqpipe.recurrence.compiler.c._toolchain import find_compiler
from seqpipe.recurrence.compiler.eager import _eager_program
from seqpipe.recurrence.compiler.eager._columns import RunSize
from seqpipe.recurrence.compiler.program._layout import Target
from seqpipe.recurrence.compiler.triton import _triton_run
from seqpipe.recurrence.compiler.triton._loading import has_triton
from seqpipe.recurrence.compiler.triton._triton_program import TritonProgram
from seqpipe.recurrence.engines import ThreadPolicy
from seqpipe.recurrence.engines._loop import LoopEngine

#: Numbers of cells; `make fuzz` draws more.
SLOW = "SEQPIPE_SLOW" in os.environ
N_CELLS, N_IN_TORCH, N_IN_TRITON = (500, 40, 24) if SLOW else (120, 20, 8)
N_TOGETHER = 20
LENGTHS = [4, 0, 2, 4, 1, 3, 3]
FUNCTIONS = {"log", "sin", "cos", "erf", "log1p", "expm1", "pow"}

UNARY = [
    "torch.tanh({0})", "torch.sigmoid({0})", "torch.relu({0})", "F.leaky_relu({0}, 0.2)", "F.silu({0})", "F.softplus({0})", "F.elu({0})",
    "torch.sin({0})", "torch.cos({0})", "{0}.abs()", "torch.sqrt(1 + {0} * {0})", "torch.log1p({0}.abs())", "-{0}", "1 - {0}",
    "0.5 * {0}", "{0} / 3", "F.hardtanh({0})", "torch.rsqrt(1 + {0}.square())", "torch.erf({0})",
    "torch.expm1(torch.tanh({0}))", "torch.exp(torch.sin({0}))", "torch.log(1 + {0} ** 2)", "(1 + {0} * {0}).reciprocal()",
    "torch.tanh({0}) ** 3", "{0}.clamp(min=-0.1)", "(1 + {0} * {0}) ** 0.3", "{0}.contiguous()",
]  # fmt: skip
BINARY = [
    "{0} + {1}", "{0} - {1}", "{0} * {1}", "{0} / (1 + {1} * {1})",
    "torch.where({0} > {1}, {0}, {1} * 0.5)", "torch.lerp({0}, {1}, torch.sigmoid({0}))", "torch.lerp({0}, {1}, 0.3)", "torch.addcmul({0}, {1}, {1}, value=0.5)",
    "torch.add({0}, {1}, alpha=2)", "{0}.masked_fill({1} < 0, 0.3)", "torch.where(({0} > 0) & ({1} > 0), {1}, -{0})",
    "torch.sigmoid({0}) * {1} + (1 - torch.sigmoid({0})) * {0}", "torch.stack([{0}, {1}], dim=1)[:, 1]",
]  # fmt: skip


@dataclass
class Drawn:
    """The code of a step, and its parameters."""

    lines: list[str] = field(default_factory=list)
    linears: list[tuple[int, int, bool]] = field(default_factory=list)
    vectors: list[int] = field(default_factory=list)
    state_widths: tuple[int, ...] = ()
    output_size: int = 0

    @property
    def code(self) -> str:
        return "\n".join(["def step(self, x_t, state):", *(f"    {line}" for line in self.lines)])


class Writer:
    """Writes a random step line by line: each line makes a value from earlier ones."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.drawn = Drawn()
        self.widths: dict[str, int] = {"x_t": 3}

    def write(self) -> Drawn:
        choose, drawn = self.random, self.drawn
        drawn.state_widths = tuple(choose.choice([1, 4, 5, 9]) for _ in range(choose.choice([1, 1, 2])))
        names = [f"s{k}" for k in range(len(drawn.state_widths))]
        drawn.lines.append(f"{', '.join(names)} = state" if len(names) > 1 else "s0 = state")
        self.widths |= dict(zip(names, drawn.state_widths))
        ways: list[Callable[[], object]] = [self.unary, self.binary, self.linear, self.shape, self.vector, self.total]
        ways += ways[:3]
        for _ in range(choose.randint(3, 9)):
            choose.choice(ways)()
        after = [self.new_state(f"n{k}", width) for k, width in enumerate(drawn.state_widths)]
        output = choose.choice([after[0], self.any(), self.any()])
        drawn.output_size = self.widths[output]
        drawn.lines.append(f"return {output}, {after[0] if len(after) == 1 else '(' + ', '.join(after) + ')'}")
        return drawn

    def any(self) -> str:
        names = list(self.widths)
        return self.random.choice(names[-4:] if self.random.random() < 0.6 else names)

    def of_width(self, width: int) -> str:
        found = [n for n, w in self.widths.items() if w == width]
        return self.random.choice(found) if found and self.random.random() < 0.8 else self.linear(width=width)

    def let(self, expression: str, width: int, name: str | None = None) -> str:
        name = name or f"v{len(self.drawn.lines)}"
        self.drawn.lines.append(f"{name} = {expression}")
        self.widths[name] = width
        return name

    def unary(self) -> None:
        name = self.any()
        self.let(self.random.choice(UNARY).format(name), self.widths[name])

    def binary(self) -> None:
        name = self.any()
        self.let(self.random.choice(BINARY).format(name, self.of_width(self.widths[name])), self.widths[name])

    def linear(self, *, width: int | None = None) -> str:
        name, width = self.any(), width or self.random.choice([1, 3, 4, 8, 10])
        self.drawn.linears.append((self.widths[name], width, self.random.random() < 0.6))
        return self.let(f"self.linears[{len(self.drawn.linears) - 1}]({name})", width)

    def shape(self) -> None:
        name = self.any()
        width = self.widths[name]
        kind = self.random.choice(["chunk", "slice", "cat", "split", "join"])
        if kind == "chunk" and width % 2 == 0:
            line = len(self.drawn.lines)
            self.drawn.lines.append(f"v{line}, u{line} = {name}.chunk(2, dim=-1)")
            self.widths |= {f"v{line}": width // 2, f"u{line}": width // 2}
        elif kind == "split" and width > 2:
            self.let(f"torch.split({name}, [1, {width - 1}], dim=1)[1]", width - 1)
        elif kind == "slice" and width > 1:
            start = self.random.randrange(width)
            end = self.random.randint(start + 1, width)
            self.let(f"{name}[:, {start}:{end}]", end - start)
        elif width <= 10:
            other = self.any()
            self.let(f"torch.cat([{name}, {other}], dim=-1)", width + self.widths[other])

    def vector(self) -> None:
        name = self.any()
        self.drawn.vectors.append(self.random.choice([self.widths[name], 1]))
        sign = self.random.choice("+*-")
        self.let(f"{name} {sign} self.vectors[{len(self.drawn.vectors) - 1}]", self.widths[name])

    def total(self) -> None:
        name = self.any()
        sign, way, other = self.random.choice("+*-"), self.random.choice(["sum", "mean"]), self.any()
        if other[0] == "v":  # else a sum over centred values would be a rounding error
            other = self.random.choice(["torch.sigmoid({0})", "{0}.square()"]).format(other)
        self.let(f"{name} {sign} {other}.{way}(dim=-1, keepdim=True)", self.widths[name])

    def new_state(self, name: str, width: int) -> str:
        parts = [self.of_width(width), self.linear(width=width)]
        return self.let(f"torch.tanh({parts[0]} - 0.5 * {parts[1]})", width, name)


class Random(Cell):
    """The cell with the random step of a given number."""

    def __init__(self, seed: int) -> None:
        self_drawn = Writer(seed).write()
        super().__init__(3, self_drawn.state_widths[0])
        self.drawn = self_drawn
        self.linears = nn.ModuleList([nn.Linear(n, m, bias=bias) for n, m, bias in self_drawn.linears])
        self.vectors = nn.ParameterList([nn.Parameter(torch.randn(width)) for width in self_drawn.vectors])
        scope: dict[str, Any] = {"torch": torch, "F": nn.functional}
        exec(self_drawn.code, scope)
        self.function = scope["step"]

    @property
    def output_size(self) -> int:
        return self.drawn.output_size

    def initial_state(self, batch_size: int) -> Any:
        like = next(self.parameters())
        states = tuple(torch.zeros(batch_size, width, dtype=like.dtype) for width in self.drawn.state_widths)
        return states if len(states) > 1 else states[0]

    def step(self, x_t: Tensor, state: Any) -> Any:
        return self.function(self, x_t, state)


#: What every program defines under the same name.
OWN_NAMES = r"\b(run|run_part|run_one|run_team|team|whole|cut|gather|Call)\b"


def cell_of(seed: int) -> Random:
    torch.manual_seed(seed)
    return Random(seed).double()


def compile_together(sources: list[str], target: Target) -> dict[str, Any]:
    """Compile several programs as one, which is much faster."""
    needed = sorted({(int(h), int(v)) for s in sources for h, v in re.findall(r"static void mk(\d+)_(\d+)\(", s)})
    head = preamble(double=True, vector_bytes=target.vector_bytes, registers=target.registers, functions=FUNCTIONS)
    bodies = [re.sub(OWN_NAMES, rf"\g<0>{i}", s[s.index("int run(") :]) for i, s in enumerate(sources)]
    library = LIBRARIES.load("".join([head, *(str(microkernel(*k)) for k in needed), *bodies]), optimization="-O0")
    return {
        source: SimpleNamespace(**{name: library[f"{name}{i}"] for name in ("run_one", "run_team", "gather")})
        for i, source in enumerate(sources)
    }


@cache
def programs(first: int) -> list[tuple[int, Random, CProgram]]:
    """Plan and compile the cells from a number on; every other group multiplies many steps at once where possible."""
    found, sources = [], []
    with pytest.MonkeyPatch.context() as patch:
        for seed in range(first, first + N_TOGETHER):
            cell = cell_of(seed)
            wanted = (True,) * len(list(cell.parameters()))
            try:
                program = CProgram(cell, torch.float64, input_grad=True, parameter_grads=wanted)
            except Exception as error:
                raise AssertionError(f"cell {seed} has no plan: {error}\n{cell.drawn.code}") from error
            if first // N_TOGETHER % 2:
                program.target = replace(program.target, cache_bytes=0)
            found.append((seed, cell, program))
            sources += [emit_forward(program.program, program.layout, program.target, keep=True).source]
            sources += [emit_backward(program.program, program.layout, program.target).source]
        made = compile_together(sources, found[0][2].target)
        patch.setattr(_compiled_kernel, "load", made.__getitem__)
        for _, _, program in found:
            _ = program.training_kernel, program.backward_kernel
    return found


@pytest.fixture(autouse=True)
def several_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Use two threads even for such small batches."""
    before = torch.get_num_threads()
    monkeypatch.setattr(ThreadPolicy, "parts", lambda self, work, n_rows, threads: min(threads, n_rows))
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def needs_compiler() -> None:
    """Skip where there is no C compiler."""
    try:
        find_compiler()
    except CompilerError as error:
        pytest.skip(str(error))


def run_one(program: CProgram, x: Tensor, lengths: Tensor, states: tuple[Tensor, ...], weights: Any) -> Any:
    return run_compiled(program, x, lengths, states, [weights])


def compare(
    cell: Random, run: Callable[..., Any], everything: Callable[..., list[Tensor]], furthest: Callable[..., float]
) -> float:
    """Return the largest deviation of a planned run from autograd through the plain loop."""
    lengths = torch.tensor(LENGTHS)
    valid = ValidSteps.of(lengths, max(LENGTHS), lengths.device)
    weights = tuple(cell.parameters())
    x = valid.clear(torch.randn(len(LENGTHS), max(LENGTHS), 3, dtype=torch.float64)).requires_grad_()
    several = isinstance(cell.initial_state(1), tuple)
    states = tuple(torch.randn_like(s).mul(0.5).requires_grad_() for s in state_tensors(cell.initial_state(len(x))))

    def loop(x: Tensor, states: Any) -> tuple[Tensor, ...]:
        outputs, after = LoopEngine().run(cell, x, valid, states if several else states[0])
        return valid.clear(outputs), *state_tensors(after)

    def planned(x: Tensor, states: Any) -> tuple[Tensor, ...]:
        outputs, finals = run(x, lengths, states, weights)
        return outputs, *finals

    return furthest(everything(loop, x, states, weights), everything(planned, x, states, weights))


@pytest.mark.usefixtures("needs_compiler")
@pytest.mark.parametrize("first", range(0, N_CELLS, N_TOGETHER))
def test_random_cells_give_what_autograd_gives(
    first: int, everything: Callable[..., list[Tensor]], furthest: Callable[..., float]
) -> None:
    for seed, cell, program in programs(first):
        error = compare(cell, partial(run_one, program), everything, furthest)
        assert error <= 1e-11, f"cell {seed} is {error:.1e} from autograd\n{cell.drawn.code}"


@pytest.mark.parametrize("first", range(0, N_CELLS, 100))
def test_random_cells_planned_for_torch_give_what_autograd_gives(
    first: int,
    everything: Callable[..., list[Tensor]],
    furthest: Callable[..., float],
) -> None:
    run_size = RunSize(elements=1, min_rows=7)  # so that such small batches have several runs of steps
    for seed in range(first, first + N_IN_TORCH):
        cell = cell_of(seed)
        parameter_grads = (True,) * len(list(cell.parameters()))
        program = _eager_program.EagerProgram(
            cell, torch.float64, input_grad=True, parameter_grads=parameter_grads, run_size=run_size
        )
        error = compare(cell, partial(_eager_program.run_eagerly, program), everything, furthest)
        assert error <= 1e-11, f"cell {seed} is {error:.1e} from autograd\n{cell.drawn.code}"


@pytest.mark.skipif(not has_triton() or torch.cuda.is_available(), reason="needs Triton's interpreter")
def test_random_cells_written_in_triton_give_what_autograd_gives(
    monkeypatch: pytest.MonkeyPatch, everything: Callable[..., list[Tensor]], furthest: Callable[..., float]
) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    for seed in range(N_IN_TRITON):
        cell = cell_of(seed)
        parameter_grads = (True,) * len(list(cell.parameters()))
        program = TritonProgram(cell, torch.float64, input_grad=True, parameter_grads=parameter_grads)
        with np.errstate(all="ignore"):  # values beyond the last column of a tile are arbitrary
            error = compare(cell, partial(_triton_run.run_kernels, program), everything, furthest)
        assert error <= 1e-11, f"cell {seed} is {error:.1e} from autograd\n{cell.drawn.code}"
