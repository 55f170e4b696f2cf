"""Generated kernels in Triton's interpreter, compared with the plain loop; refusals; compilation for a GPU."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from seqpipe.cells import Cell, GRUCell
from seqpipe.recurrence import Recurrent, TritonEngine
from seqpipe.recurrence.compiler.triton import _triton_engine
from seqpipe.recurrence.compiler.triton._functions import functions
from seqpipe.recurrence.compiler.triton._loading import load_kernels
from seqpipe.recurrence.compiler.triton._triton_program import TritonProgram, _precision
from seqpipe.testing import _invariants

pytestmark = [
    pytest.mark.usefixtures("interpreter"),
    pytest.mark.skipif(torch.cuda.is_available(), reason="Triton's own functions are made for the GPU here"),
]

SLOW = "SEQPIPE_SLOW" in os.environ  # set by `make fuzz`
NAMES = ["gru", "lstm", "mlp", "relu", "mgu", "reading", "pieces", "normalising", "exchanging", "calling"]
Make = Callable[..., Cell]
Distance = Callable[..., float]


@pytest.fixture(scope="module")
def engine() -> TritonEngine:
    """One engine, so that the kernels of a cell are tested once."""
    return TritonEngine()


@pytest.fixture
def chosen(needs_triton: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run every cell that the engine supports."""
    monkeypatch.setenv("SEQPIPE_ENGINE", "triton")


def program_of(cell: Cell) -> TritonProgram:
    wanted = tuple(p.requires_grad for p in cell.parameters())
    return TritonProgram(cell, next(cell.parameters()).dtype, input_grad=True, parameter_grads=wanted)


@st.composite
def batches(draw: Callable[..., Any]) -> tuple[int, int, list[int] | None, bool]:
    batch, steps = draw(st.integers(1, 6)), draw(st.integers(1, 4))
    lengths = draw(st.none() | st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
    return batch, steps, lengths, draw(st.booleans())


@pytest.mark.usefixtures("needs_triton")
@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6 if SLOW else 2, derandomize=True)
@given(drawn=batches())
def test_results_and_gradients_are_the_plain_loops(
    engine: TritonEngine, make: Make, distance: Distance, name: str, drawn: Any
) -> None:
    cell = make(name)
    assert engine.refuses(cell) is None
    batch, steps, lengths, input_grad = drawn
    assert distance(engine, cell, batch, steps, lengths, input_grad=input_grad) <= 1e-12


@pytest.mark.usefixtures("needs_triton")
@pytest.mark.parametrize("name", ["mgu", "lstm", "calling"])
def test_single_precision_is_as_near_as_it_can_be(
    engine: TritonEngine, make: Make, distance: Distance, name: str
) -> None:
    cell = make(name, dtype=torch.float32)
    assert distance(engine, cell, 4, 4, [4, 0, 2, 4]) <= 1e-5


@pytest.mark.usefixtures("needs_triton")
@pytest.mark.parametrize("name", ["gru", "normalising"])
def test_batches_of_several_blocks_and_operands_of_several_parts_are_right(
    engine: TritonEngine, make: Make, distance: Distance, name: str
) -> None:
    cell = make(name, 20, 37)
    assert distance(engine, cell, 18, 2, [2, 1, 0] * 6) <= 1e-12


@pytest.mark.usefixtures("chosen")
def test_layers_directions_and_copies_of_torchs_weights_run_alike() -> None:
    module = nn.GRU(3, 5, num_layers=2, bidirectional=True, batch_first=True).double()
    recurrent, x = Recurrent.from_torch(module), torch.randn(3, 4, 3, dtype=torch.float64)
    assert {choice.engine for choice in recurrent.explain()} == {"triton"}
    for found, expected in zip(recurrent(x), module(x)):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.usefixtures("chosen")
def test_padding_changes_nothing_and_a_row_does_not_see_its_batch(make: Make) -> None:
    recurrent, x = Recurrent(make("mgu")), torch.randn(4, 3, 3, dtype=torch.float64)
    lengths = torch.tensor([3, 1, 0, 2])
    _invariants.check_padding(recurrent, x, lengths, extra=2)
    _invariants.check_nan_in_padding(recurrent, x, lengths)
    _invariants.check_permutation(recurrent, x, lengths, torch.tensor([2, 0, 3, 1]))
    _invariants.check_causality(recurrent, x, 1)
    _invariants.check_chunks(recurrent, x, 1)


@pytest.mark.usefixtures("chosen")
def test_nan_in_the_padding_of_a_gradient_never_leaks(make: Make) -> None:
    recurrent, x = Recurrent(make("reading")), torch.randn(2, 3, 3, dtype=torch.float64, requires_grad=True)
    outputs, _ = recurrent(x, [3, 1])
    weights = torch.ones_like(outputs)
    weights[1, 1:] = torch.nan
    grads = torch.autograd.grad(outputs, [x, *recurrent.parameters()], weights)
    assert all(torch.isfinite(g).all() for g in grads)
    assert not grads[0][1, 1:].any()


@pytest.mark.usefixtures("chosen")
def test_a_second_derivative_is_refused(make: Make) -> None:
    recurrent, x = Recurrent(make("mgu")), torch.randn(1, 2, 3, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="cannot be differentiated twice"):
        torch.autograd.grad(recurrent(x)[0].sum(), x, create_graph=True)


@pytest.mark.usefixtures("needs_triton")
def test_functions_that_triton_lacks_are_right_to_the_last_digits() -> None:
    text = functions({"tanh", "log1p", "expm1", "pow"}) + (
        "\n\n@triton.jit\ndef apply(x, out, N: tl.constexpr):\n    i = tl.arange(0, N)\n    a = tl.load(x + i)\n"
        "    tl.store(out + i, tanh(a))\n    tl.store(out + N + i, expm1(a))\n"
        "    tl.store(out + 2 * N + i, log1p(tl.abs(a) - 0.5))\n    tl.store(out + 3 * N + i, pow(a, a * 0 + 3.0))\n"
        "    tl.store(out + 4 * N + i, pow(tl.abs(a), a))\n    tl.store(out + 5 * N + i, pow(a, a))\n"
    )
    x = torch.cat([torch.linspace(-5, 5, 250, dtype=torch.float64), torch.tensor([0, 1e-9, -1e-9, 3, -2, -3])])
    out = torch.empty(6, len(x), dtype=torch.float64)
    load_kernels(text)["apply"][(1,)](x, out, N=len(x))
    expected = [x.tanh(), x.expm1(), (x.abs() - 0.5).log1p(), x**3, x.abs() ** x, x**x]
    torch.testing.assert_close(out, torch.stack(expected), rtol=1e-13, atol=0, equal_nan=True)


def test_products_of_x_are_one_before_the_loop_and_those_of_its_gradient_come_after_it() -> None:
    program = program_of(GRUCell(3, 16))
    [ahead] = program.division.ahead
    assert (ahead.start, ahead.end) == (0, 48)
    assert program.training_kernel.text.count("tl.dot(") == program.backward_kernel.text.count("tl.dot(") == 3
    assert "x_t" not in program.training_kernel.text


def place_of(pointer: str, step: int) -> tuple[str, int]:
    """Return the memory that a pointer in a kernel's loop refers to at a step; parts of stored activations are distinguished."""
    name, _, start = pointer.partition(" + ")
    base, _, suffix = name.rpartition("_") if name[-2:] in ("_t", "_n") else (name, "", "")
    at = step + (suffix == "n") if suffix else 0
    if base.startswith("carry"):
        at %= 2
    return (base + start if base in ("kept", "left", "scratch") else base), at


def races(kernel: str) -> list[str]:
    """Return the lines that access memory shared with other threads without a preceding barrier."""
    lines = kernel[kernel.index("tl.range(steps") :].splitlines()[1:]
    stored: set[tuple[str, int]] = set()
    loaded: set[tuple[str, int]] = set()
    found = []
    for step in range(3):
        for line in (line for line in lines if line.startswith(" " * 8)):
            if "tl.debug_barrier()" in line:
                stored, loaded = set(), set()
            reads = {place_of(p, step) for p in re.findall(r"read\(([^,]+),", line)}
            writes = {place_of(p, step) for p in re.findall(r"write\(([^,]+),", line)}
            if reads & stored or writes & loaded:
                found.append(line)
            loaded, stored = loaded | reads, stored | writes
    return found


@pytest.mark.parametrize("name", NAMES)
def test_what_threads_hand_each_other_stands_behind_a_barrier(make: Make, name: str) -> None:
    program = program_of(make(name))
    for kernel in (program.inference_kernel, program.training_kernel, program.backward_kernel):
        assert races(kernel.text) == []
    without = program.training_kernel.text.replace("tl.debug_barrier()", "pass")
    assert bool(races(without)) == ("tl.debug_barrier()" in program.training_kernel.text)


@pytest.mark.usefixtures("chosen")
def test_explain_shows_both_kernels(make: Make) -> None:
    [choice] = Recurrent(make("mgu")).explain(code=True)
    assert choice.engine == "triton"
    assert re.findall(r"^def (forward|backward)\(", choice.code, flags=re.MULTILINE) == ["forward", "backward"]


class Softmax(Cell):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.softmax(h + x_t, dim=1)
        return h, h


class Flooring(Cell):
    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = h + x_t - torch.floor(h)
        return h, h


def refusal(cell: Cell) -> str:
    [choice] = Recurrent(cell).explain()
    assert choice.engine == "loop"
    return choice.reason


@pytest.mark.usefixtures("chosen")
def test_what_it_cannot_run_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch, make: Make) -> None:
    assert "it supports float32 and float64, not torch.bfloat16" in refusal(make("mgu", dtype=torch.bfloat16))
    assert "it computes along inner dimensions or moves columns, which the kernels do not support" in refusal(
        Softmax(4, 4)
    )
    assert "it computes floor, which the kernels do not support" in refusal(Flooring(4, 4))
    assert "it keeps 300 columns in registers, more than the maximum of 256" in refusal(GRUCell(3, 300))
    assert "a step reads 1.5 MiB of matrices" in refusal(GRUCell(3, 256).double())
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    assert "it needs a GPU, and the cell is on cpu" in refusal(make("mgu"))
    monkeypatch.setattr(_triton_engine, "has_triton", lambda: False)
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert "Triton is not installed: pip install triton" in refusal(make("mgu"))


class Address(Cell):
    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(input_size, hidden_size)
        self.weight = nn.Parameter(torch.ones(hidden_size))

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = id(x_t) % 9973 * x_t * self.weight
        return h, h


@pytest.mark.usefixtures("chosen")
def test_kernels_that_are_wrong_are_not_used() -> None:
    recurrent, x = Recurrent(Address(3, 3)), torch.ones(2, 3, 3)
    with pytest.warns(RuntimeWarning, match="Address is not compiled: its results differ from the plain loop's by"):
        recurrent(x)
    assert "its results differ" in refusal(recurrent.cells[0])  # type: ignore[arg-type]


def test_products_are_as_exact_as_torchs() -> None:
    before = torch.get_float32_matmul_precision()
    try:
        found = []
        for precision in ("highest", "high"):
            torch.set_float32_matmul_precision(precision)
            found.append(_precision())
    finally:
        torch.set_float32_matmul_precision(before)
    assert found == ["ieee", "tf32"]


COMPILE = """
import re, sys
import torch
from seqpipe.cells import GRUCell
from seqpipe.recurrence.compiler.triton._loading import load_kernels
from seqpipe.recurrence.compiler.triton._triton_program import TritonProgram

assert "triton" not in sys.modules
for dtype, name, precision, capability in ((torch.float32, "fp32", "tf32", 80), (torch.float64, "fp64", "ieee", 90)):
    program = TritonProgram(GRUCell(3, 20).to(dtype), dtype, input_grad=True, parameter_grads=(True,) * 4)
    for kernel in (program.training_kernel, program.backward_kernel):
        function = load_kernels(kernel.file)[kernel.name]
        import triton
        from triton.backends.compiler import GPUTarget
        constants = {"M": 4, "K": 16, "PRECISION": precision}
        def type_of(argument):
            if argument in constants:
                return "constexpr"
            if argument == "B" or re.fullmatch(r"p[0-9]+_(rows|columns)", argument):
                return "i32"
            return "*i64" if argument == "lengths" else f"*{name}"
        signature = {argument: type_of(argument) for argument in function.arg_names}
        places = {(function.arg_names.index(key),): value for key, value in constants.items()}
        source = triton.compiler.ASTSource(fn=function, signature=signature, constexprs=places)
        made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"enable_fp_fusion": True})
        print(kernel.name, "bar.sync" in made.asm["ptx"], "mma.sync" in made.asm["ptx"], len(made.asm["cubin"]) > 0)
"""


@pytest.mark.usefixtures("needs_triton")
def test_kernels_compile_for_gpus_without_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRITON_INTERPRET", "0")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", COMPILE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:-1] == ["forward True True True", "backward True True True"] * 2
