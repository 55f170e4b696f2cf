"""Random cells with attributes, masks, counters, parametrizations and mistakes: every engine gives what the plain loop gives.

A few of them are tests. Run as a script, this file draws others for as long as it is asked to, each batch of them in a process
of its own under the address and undefined-behaviour sanitizers: ``make fuzz``.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

from seqpipe.cells import Cell
from seqpipe.exceptions import CompilerError, SeqpipeError
from seqpipe.recurrence import Recurrent
from seqpipe.recurrence.compiler.c import _toolchain
from seqpipe.recurrence.compiler.c._toolchain import find_compiler

SEEDS = range(8 if "SEQPIPE_SLOW" in os.environ else 3)  # `make fuzz` draws more
GLOBAL_RATE = {"rate": 0.5}

#: Each way to keep a number that scales the state, and what changes it between runs.
RATES = {
    "number": lambda cell: cell.rate,
    "dict": lambda cell: cell.settings["rate"],
    "namespace": lambda cell: cell.space.rate,
    "class": lambda cell: cell.shared,
    "global": lambda cell: GLOBAL_RATE["rate"],
    "buffer": lambda cell: cell.rates,
    "held": lambda cell: cell.held["rates"][0],
    "mask": lambda cell: cell.mask,
    "row mask": lambda cell: cell.row_mask,
    "counter": lambda cell: cell.count(),
    "batch": lambda cell: 0.5 if cell.batch_size > 2 else 0.1,
}
FUNCTIONS = {
    "tanh": torch.tanh, "sigmoid": torch.sigmoid, "gelu": F.gelu, "silu": F.silu, "softplus": F.softplus, "elu": F.elu,
    "mish": F.mish, "hardsigmoid": F.hardsigmoid, "logsigmoid": F.logsigmoid, "sin": torch.sin,
    "softmax": lambda h: torch.softmax(h, dim=1), "normalize": lambda h: F.normalize(h, dim=1),
    "layer norm": lambda h: F.layer_norm(h, h.shape[1:]), "flip": lambda h: h.flip(1), "roll": lambda h: h.roll(1, 1),
    "cumsum": lambda h: torch.cumsum(h, dim=1), "sort": lambda h: h.sort(dim=1).values,
    "in place": lambda h: torch.tanh(h).mul_(0.5).add_(0.1),
}  # fmt: skip
WEIGHTS = {
    "plain": lambda cell: cell.recur.weight,
    "made": lambda cell: cell.made["weight"],
    "qr": lambda cell: torch.linalg.qr(cell.recur.weight)[0],
    "exponential": lambda cell: torch.matrix_exp(cell.recur.weight - cell.recur.weight.T),
}
PARAMETRIZED = {
    "none": lambda module: module,
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
}
PROJECTS = {
    "none": lambda cell, x: x,
    "linear": lambda cell, x: torch.tanh(cell.before(x)),
    "unknown": lambda cell, x: torch.cumsum(cell.before(x), dim=2),
    "sized": lambda cell, x: cell.before(x.reshape(x.shape[0] * x.shape[1], -1)).view(x.shape[0], x.shape[1], -1),
}
STATES = {
    "one": lambda h: h,
    "two": lambda h: (h, h[:, :2] * 1.0),
    "counted": lambda h: (h, torch.zeros(len(h), 1, dtype=torch.int64)),
    "expanded": lambda h: h.new_full((h.shape[1],), 0.1).expand(len(h), -1),
    "transposed": lambda h: h.new_zeros(h.shape[::-1]).t(),
    "few rows": lambda h: h[:3],
    "other type": lambda h: h.float(),
    "no rows": lambda h: h[0],
}
MISTAKES = {
    "none": lambda output: output,
    "squeeze": lambda output: output.squeeze(0),
    "too wide": lambda output: torch.cat([output, output[:1]], dim=0) if len(output) == 2 else output,
    "not a tensor": lambda output: 3.0 if len(output) == 17 else output,
}
PARTS = {
    "rate": RATES, "function": FUNCTIONS, "weight": WEIGHTS, "parametrized": PARAMETRIZED, "project": PROJECTS, "state": STATES,
    "mistake": MISTAKES,
}  # fmt: skip
#: Parts that are drawn as often as all others together.
USUAL = {"mistake": "none", "parametrized": "none", "state": "one", "weight": "plain"}


class Drawn(Cell):
    """A cell composed of drawn parts."""

    shared = 0.5

    def __init__(self, input_size: int, hidden_size: int, parts: dict[str, str]) -> None:
        super().__init__(input_size, hidden_size)
        self.parts = parts
        self.before = nn.Linear(input_size, input_size)
        self.input = nn.Linear(input_size, hidden_size)
        self.recur = nn.Linear(hidden_size, hidden_size, bias=False)
        PARAMETRIZED[parts["parametrized"]](self.recur)
        self.rates: Tensor
        self.register_buffer("rates", torch.rand(hidden_size))
        self.rate, self.t, self.batch_size = 0.5, 0, 1
        self.settings, self.space = {"rate": 0.5}, SimpleNamespace(rate=0.5)
        self.held = {"rates": [torch.rand(hidden_size, dtype=torch.float64)]}

    def initial_state(self, batch_size: int) -> Any:
        h = super().initial_state(batch_size)
        self.t, self.batch_size = 0, batch_size
        if self.parts["rate"] == "mask":
            self.mask = torch.bernoulli(h.new_full((self.hidden_size,), 0.5))
        if self.parts["rate"] == "row mask":
            self.row_mask = torch.bernoulli(torch.full_like(h, 0.5))
        if self.parts["weight"] == "made":
            self.made = {"weight": F.dropout(self.recur.weight * 1.0, 0.3, self.training)}
        return STATES[self.parts["state"]](h)

    def count(self) -> float:
        self.t += 1
        return 1 / self.t

    def project(self, x: Tensor) -> Tensor:
        return PROJECTS[self.parts["project"]](self, x)

    def step(self, x_t: Tensor, state: Any) -> Any:
        h = state[0] if isinstance(state, tuple) else state
        self_batch = {"batch": 0.5 if len(x_t) > 2 else 0.1}
        rate = self_batch.get(self.parts["rate"]) or RATES[self.parts["rate"]](self)
        new = self.input(x_t) + h @ WEIGHTS[self.parts["weight"]](self)
        h = rate * h + FUNCTIONS[self.parts["function"]](new)
        output = MISTAKES[self.parts["mistake"]](h)
        if not isinstance(state, tuple):
            return output, h
        return output, (h, state[1] + 1)


def draw(seed: int) -> tuple[random.Random, dict[str, str]]:
    """Return a generator for further choices, and the parts of a cell."""
    rng = random.Random(seed)
    parts = {}
    for name, choices in PARTS.items():
        usual = name in USUAL and rng.random() < 0.5
        parts[name] = USUAL[name] if usual else rng.choice(list(choices))
    return rng, parts


def change(cell: Drawn, rng: random.Random) -> None:
    """Change in place what the cell may read."""
    rate = rng.choice([0.1, 0.3, 0.9])
    cell.rate, cell.space.rate, Drawn.shared = rate, rate, rate
    cell.settings["rate"] = GLOBAL_RATE["rate"] = rate
    with torch.no_grad():
        cell.rates.fill_(rate)
        cell.held["rates"][0].fill_(rate)


def outcome(recurrent: Recurrent, x: Tensor, lengths: Any, seed: int, engine: str) -> Any:
    """Return outputs, states and gradients, or the exception raised."""
    recurrent.engine = engine
    recurrent.zero_grad()
    torch.manual_seed(seed)
    x = x.clone().requires_grad_()
    try:
        outputs, state = recurrent(x, lengths)
        states = state if isinstance(state, tuple) else (state,)
        loss = outputs.square().sum() + sum(s.square().sum() for s in states if s.is_floating_point())
        loss.backward()
    except Exception as error:  # other engines must raise the same errors as the loop
        return error
    grads = [p.grad.clone() for p in recurrent.parameters() if p.grad is not None]
    return [outputs.detach(), *[s.detach() for s in states], x.grad, *grads]


def difference(seed: int, seen: Counter[str]) -> str | None:
    """Run a drawn cell in the chosen engine and in the loop; return how they differ."""
    rng, parts = draw(seed)
    torch.manual_seed(seed)
    try:
        recurrent = Recurrent(
            Drawn(rng.randint(1, 4), rng.randint(2, 9), parts).double(),
            num_layers=rng.choice([1, 1, 2]),
            bidirectional=rng.random() < 0.3,
            memory=rng.choice(["keep", "keep", "recompute"]),
        ).train(rng.random() < 0.7)
    except SeqpipeError:
        seen["refused when built"] += 1
        return None
    for k in range(3):
        n, n_timesteps = rng.choice([1, 2, 3, 5, 17]), rng.randint(1, 8)
        x = torch.randn(n, n_timesteps, recurrent.input_size, dtype=torch.float64)
        lengths = None if rng.random() < 0.5 else [rng.randint(0, n_timesteps) for _ in range(n)]
        buffers = {name: b.clone() for name, b in recurrent.named_buffers()}
        expected = outcome(recurrent, x, lengths, seed + k, "loop")
        recurrent.load_state_dict(buffers, strict=False)
        found = outcome(recurrent, x, lengths, seed + k, "auto")
        seen["raised" if isinstance(expected, Exception) else recurrent.explain()[0].engine] += 1
        problem = _compared(expected, found)
        if problem is not None:
            return f"seed {seed}, run {k}, {n} x {n_timesteps}, {parts}, {recurrent.explain()[0]}: {problem}"
        change(recurrent._cell(0), rng)  # type: ignore[arg-type]
    return None


def _compared(expected: Any, found: Any) -> str | None:
    if isinstance(expected, Exception) or isinstance(found, Exception):
        same = type(expected) is type(found)
        return None if same else f"the loop gives {expected!r:.200}, this {found!r:.200}"
    if [t.shape for t in expected] != [t.shape for t in found]:
        return "other shapes or other gradients"
    for a, b in zip(expected, found):
        scale = max(1.0, float(a.abs().nan_to_num().max())) if a.numel() else 1.0
        if not torch.allclose(a, b, rtol=0, atol=1e-8 * scale, equal_nan=True):
            return f"differs by {float((a - b).abs().max()):.1e}"
    return None


@pytest.mark.parametrize("engine", ["c", "torch"])
@pytest.mark.parametrize("seed", SEEDS)
def test_random_cells_give_what_the_plain_loop_gives(seed: int, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", engine)
    if engine == "c":
        try:
            find_compiler()
        except CompilerError as error:
            pytest.skip(str(error))
    assert difference(seed, Counter()) is None


def fuzz_some(first: int, count: int) -> None:
    """Print the differences found for some seeds, then what was run."""
    warnings.simplefilter("error", RuntimeWarning)
    _toolchain._OPTIMIZED = "-O0"
    _toolchain._COMMON += ("-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer")
    torch.set_num_threads(2)
    seen: Counter[str] = Counter()
    for seed in range(first, first + count):
        print(f"seed {seed}", file=sys.stderr, flush=True)  # the last one printed if the process dies
        try:
            problem = difference(seed, seen)
        except Exception as error:  # also an engine refused with a warning
            problem = f"seed {seed}, {draw(seed)[1]}: {type(error).__name__}: {error}"
        if problem is not None:
            print(f"FOUND {problem}", flush=True)
    print("RAN " + " ".join(f"{name.replace(' ', '_')}={number}" for name, number in seen.items()), flush=True)


def sanitized(folder: str) -> dict[str, str]:
    """Return the environment in which compiled loops run under the sanitizers."""
    asked = [[*find_compiler().command, f"-print-file-name=lib{name}.so"] for name in ("asan", "ubsan")]
    runtimes = [subprocess.run(command, capture_output=True, text=True).stdout.strip() for command in asked]
    return {
        **os.environ, "LD_PRELOAD": " ".join(runtimes), "ASAN_OPTIONS": "detect_leaks=0", "SEQPIPE_CACHE": folder,
        "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def main() -> int:
    """Fuzz for some minutes; return 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--first", type=int, default=1000, help="the first seed")
    parser.add_argument("--count", type=int, default=None, help="run so many seeds in this process")
    arguments = parser.parse_args()
    if arguments.count is not None:
        fuzz_some(arguments.first, arguments.count)
        return 0
    end, first, found, total = time.monotonic() + 60 * arguments.minutes, arguments.first, 0, Counter[str]()
    while time.monotonic() < end:
        with tempfile.TemporaryDirectory(prefix="seqpipe-fuzz-") as folder:
            command = [sys.executable, __file__, "--first", str(first), "--count", "40"]
            ran = subprocess.run(command, env=sanitized(folder), capture_output=True, text=True)
        for line in ran.stdout.splitlines():
            if line.startswith("FOUND"):
                found += 1
                print(line, flush=True)
            elif line.startswith("RAN"):
                total.update({name: int(n) for name, n in (part.split("=") for part in line.split()[1:])})
        if ran.returncode:
            found += 1
            print(f"FOUND a process that ended with {ran.returncode}:\n{ran.stderr[-3000:]}", flush=True)
        first += 40
    runs = ", ".join(f"{name} {number}" for name, number in sorted(total.items()))
    print(f"{first - arguments.first} cells, runs by engine: {runs}; {found} findings")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
