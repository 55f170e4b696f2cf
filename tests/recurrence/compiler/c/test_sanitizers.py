"""The generated C under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seqpipe.exceptions import CompilerError
from seqpipe.recurrence.compiler.c._toolchain import find_compiler

try:
    COMPILER = find_compiler()
except CompilerError:
    pytest.skip("needs a C compiler", allow_module_level=True)

SCRIPT = """
import sys
from dataclasses import replace
import torch
from torch import nn
from seqpipe.cells import Cell, GRUCell
from seqpipe.recurrence.compiler.c import _c_program, _compiled_kernel, _toolchain
from seqpipe.recurrence.compiler.c._differentiable import run_compiled
from seqpipe.recurrence.compiler.c._objects import load

_toolchain._OPTIMIZED = "-O0"
_toolchain._COMMON += ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer")
room = ("* sizeof(REAL) + 64", "/ 2 * sizeof(REAL)" if sys.argv[1] == "wrong" else "* sizeof(REAL) + 64")
_compiled_kernel.load = lambda source: load(source.replace(*room))

class Wide(Cell):
    output_size = 10
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.inner = nn.Linear(input_size + 3, hidden_size)
        self.narrow = nn.Linear(hidden_size, 3)
        self.gain = nn.Parameter(torch.ones(hidden_size))
    def initial_state(self, batch_size):
        return torch.zeros(batch_size, self.hidden_size), torch.zeros(batch_size, 3)
    def step(self, x_t, state):
        a, b = state
        a = torch.tanh(self.inner(torch.cat([x_t, b], dim=1))) + a[:, :1]
        a = self.gain * (a - a.mean(dim=1, keepdim=True))
        b = torch.log1p(self.narrow(a).abs())
        return torch.cat([a[:, 2:], b, b, x_t[:, 1:]], dim=1), (a, b)

class Slots(Cell):
    def __init__(self, input_size, hidden_size):
        super().__init__(input_size, hidden_size)
        self.into, self.out = nn.Linear(input_size, 15), nn.Linear(5, hidden_size)
    def initial_state(self, batch_size):
        return torch.zeros(batch_size, 3, 5)
    def step(self, x_t, slots):
        slots = slots + torch.tanh(self.into(x_t)).view(-1, 3, 5)
        weights = torch.softmax((slots * x_t[:, :1, None]).sum(2), dim=1)
        slots = slots.transpose(1, 2)[:, [4, 0, 3, 1, 2]] * torch.bmm(slots.amax(2)[:, None], slots).transpose(1, 2)
        return self.out((slots * weights[:, None]).sum(2)), slots.transpose(1, 2)

def run(cell, **target):
    wanted = (True,) * len(list(cell.parameters()))
    program = _c_program.CProgram(cell, torch.float32, input_grad=True, parameter_grads=wanted)
    program.work = 10**9
    program.target = replace(program.target, **target)
    for batch, steps, n_cells in ((1, 1, 1), (5, 4, 1), (13, 9, 1), (12, 5, 3)):
        for lengths in (None, torch.arange(batch) % (steps + 1)):
            x = torch.randn(batch, steps, cell.input_size, requires_grad=True)
            initial = cell.initial_state(batch)
            states = tuple(initial if isinstance(initial, tuple) else [initial])
            states = tuple(s.clone().requires_grad_() for s in states)
            with torch.no_grad():
                run_compiled(program, x, lengths, states, [tuple(cell.parameters())] * n_cells)
            output, finals = run_compiled(program, x, lengths, states, [tuple(cell.parameters())] * n_cells)
            (output.sum() + sum(f.sum() for f in finals)).backward()

torch.set_num_threads(2)
cells = {"gru": (GRUCell(3, 5), {}), "wide": (Wide(3, 4), {}), "slots": (Slots(2, 3), {}), "ahead": (GRUCell(5, 18), {"cache_bytes": 0})}
for name in sys.argv[2:]:
    cell, target = cells[name]
    run(cell, **target)
    print(name, "is clean", flush=True)
"""


def runtimes() -> list[str]:
    """Return the sanitizers' libraries, which must be loaded first."""
    asked = [[*COMPILER.command, f"-print-file-name=lib{name}.so"] for name in ("asan", "ubsan")]
    return [subprocess.run(command, capture_output=True, text=True).stdout.strip() for command in asked]


def run_sanitized(how: str, folder: Path, *cells: str) -> subprocess.CompletedProcess[str]:
    if sys.platform != "linux" or not all(os.path.isabs(path) for path in runtimes()):
        pytest.skip("needs the sanitizers of gcc on Linux")
    environment = {
        **os.environ,
        "LD_PRELOAD": " ".join(runtimes()),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "SEQPIPE_CACHE": str(folder),
        "OMP_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, how, *cells], env=environment, capture_output=True, text=True, timeout=900
    )


@pytest.mark.parametrize(
    "cells",
    [pytest.param(["wide"]), pytest.param(["gru", "slots", "ahead"], marks=pytest.mark.slow)],
)
def test_both_loops_stay_within_their_memory_and_the_language(tmp_path: Path, cells: list[str]) -> None:
    ran = run_sanitized("right", tmp_path, *cells)
    assert (ran.returncode, ran.stdout.splitlines()) == (0, [f"{cell} is clean" for cell in cells]), ran.stderr[-4000:]


def test_a_loop_that_leaves_its_memory_is_caught(tmp_path: Path) -> None:
    ran = run_sanitized("wrong", tmp_path, "gru")
    assert ran.returncode != 0
    assert "ERROR: AddressSanitizer: heap-buffer-overflow" in ran.stderr
