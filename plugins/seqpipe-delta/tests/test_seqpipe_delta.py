"""Delta rules, tested against the equations of their papers, onnx's reference and seqpipe's checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from seqpipe_delta import DeltaNetCell, GatedDeltaNetCell, RWKV7Cell, seqpipe_cells
from torch import Tensor

from seqpipe import Cell, Recurrent
from seqpipe.datasets import load_adding
from seqpipe.pipeline import run_recipe
from seqpipe.plugins import host
from seqpipe.specs import DatasetSpec
from seqpipe.testing import check_cell, parametrize_with_cell_checks

ROOT = Path(__file__).parents[1]
CELLS = [DeltaNetCell, GatedDeltaNetCell, RWKV7Cell]
Weights = dict[str, np.ndarray]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def make(kind: type[Cell]) -> tuple[Recurrent, Weights]:
    """Return layers of 3 to 6 features with two heads and random weights, and these."""
    torch.manual_seed(0)
    layers = Recurrent(kind(3, 6, num_heads=2).double(), engine="loop")
    with torch.no_grad():
        for p in layers.parameters():
            p.normal_()
    return layers, {name.removeprefix("cells.0."): p.detach().numpy() for name, p in layers.named_parameters()}


def inputs(n_timesteps: int) -> Tensor:
    return torch.randn(4, n_timesteps, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def linear(x: np.ndarray, w: Weights, name: str) -> np.ndarray:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x)


def qkv(x: np.ndarray, w: Weights) -> Iterator[tuple[np.ndarray, ...]]:
    """Yield normalised q and k, and v, of one sample's step, head by head."""
    q, k, v = linear(x, w, "W").reshape(3, 2, 3)
    q, k = q * sigmoid(q), k * sigmoid(k)
    for head in range(2):
        yield unit(q[head]), unit(k[head]), v[head]


def delta_net(x: np.ndarray, S: np.ndarray, w: Weights) -> tuple[list[np.ndarray], list[np.ndarray]]:
    o, new = [], []
    for S_h, beta, (q, k, v) in zip(S, sigmoid(linear(x, w, "W_beta")), qkv(x, w)):
        new.append(S_h @ (np.eye(3) - beta * np.outer(k, k)) + beta * np.outer(v, k))
        o.append(new[-1] @ q)
    return o, new


def gated_delta_net(x: np.ndarray, S: np.ndarray, w: Weights) -> tuple[list[np.ndarray], list[np.ndarray]]:
    o, new = [], []
    alphas = np.exp(-np.exp(w["A"]) * np.log1p(np.exp(linear(x, w, "W_alpha"))))
    for S_h, alpha, beta, (q, k, v) in zip(S, alphas, sigmoid(linear(x, w, "W_beta")), qkv(x, w)):
        new.append(S_h @ (alpha * (np.eye(3) - beta * np.outer(k, k))) + beta * np.outer(v, k))
        o.append(new[-1] @ q)
    return o, new


def rwkv7(x: np.ndarray, S: np.ndarray, w: Weights) -> tuple[list[np.ndarray], list[np.ndarray]]:
    o, new = [], []
    parts = [*linear(x, w, "W").reshape(5, 2, 3), *(w[name].reshape(2, 3) for name in ("xi", "alpha", "rho"))]
    for head in range(2):
        r, k, v, a, d, xi, alpha, rho = (part[head] for part in parts)
        a, decay = sigmoid(a), np.exp(-np.exp(-0.5) * sigmoid(d))
        removed, added = unit(k * xi), k * (1 + (a - 1) * alpha)
        transition = np.diag(decay) - np.outer(removed, a * removed)
        new.append(S[head] @ transition + np.outer(v, added))
        o.append(new[-1] @ r + (r @ (rho * added)) * v)
    return o, new


@pytest.mark.parametrize(
    ("cell", "equations"), zip(CELLS, (delta_net, gated_delta_net, rwkv7)), ids=lambda value: value.__name__
)
def test_steps_follow_the_equations_of_the_paper(cell: type[Cell], equations: Callable) -> None:
    layers, w = make(cell)
    state = torch.randn(4, 2, 3, 3, dtype=torch.float64)
    outputs, after = layers(inputs(7), None, state[None])
    for row in range(4):
        S = state[row].numpy()
        for t, x in enumerate(inputs(7)[row].numpy()):
            o, S = equations(x, S, w)
            np.testing.assert_allclose(outputs[row, t].detach().numpy(), np.concatenate(o), rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(after[0, row].detach().numpy(), S, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("cell", "update_rule"), [(DeltaNetCell, "delta"), (GatedDeltaNetCell, "gated_delta")], ids=["delta", "gated_delta"]
)
def test_the_recurrence_is_that_of_onnx_linear_attention(cell: type[Cell], update_rule: str) -> None:
    reference = pytest.importorskip("onnx.reference.ops.op_linear_attention").LinearAttention
    layers, _ = make(cell)
    q, k, v, beta, *decay = (
        part.flatten(2).detach().numpy() for part in layers.cells[0]._split(layers.cells[0].project(inputs(7)))
    )
    expected, S = reference._run(
        None, q, k, v, None, *(decay or [None]), beta, kv_num_heads=2, q_num_heads=2, scale=1.0, update_rule=update_rule
    )
    outputs, after = layers(inputs(7))
    np.testing.assert_allclose(outputs.detach().numpy(), expected, rtol=1e-4, atol=1e-5)  # in float32
    np.testing.assert_allclose(after[0].mT.detach().numpy(), S, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_the_parallel_form_of_several_chunks_equals_its_steps(cell: type[Cell]) -> None:
    steps, _ = make(cell)
    parallel = Recurrent(steps.cells[0], engine="scan")
    assert parallel.explain()[0].engine == "scan"
    x, lengths = inputs(70), [70, 32, 0, 5]
    torch.testing.assert_close(parallel(x, lengths), steps(x, lengths), rtol=1e-12, atol=1e-12)


@parametrize_with_cell_checks(CELLS)
def test_the_cells_pass_seqpipes_checks(cell: type[Cell], check: str) -> None:
    check_cell(cell, include=[check], exclude=["speed_is_graded"])


@pytest.mark.parametrize("cell", CELLS)
def test_the_cells_pass_seqpipes_checks_with_two_heads(cell: type[Cell]) -> None:
    of_shapes = ["siblings_keep_settings", "stacked_layers_run", "linear_form_equals_step"]
    check_cell(cell, cell_params={"num_heads": 2}, sizes=(3, 4), include=of_shapes)


@pytest.mark.parametrize("cell", CELLS)
def test_the_c_engine_compiles_the_step(cell: type[Cell]) -> None:
    layers, _ = make(cell)
    compiled = Recurrent(layers.cells[0], engine="c")
    assert compiled.explain()[0].engine == "c" or "compiler" in compiled.explain()[0].reason
    torch.testing.assert_close(compiled(inputs(7)), layers(inputs(7)), rtol=1e-12, atol=1e-12)


def test_a_value_written_at_full_rate_is_read_under_its_key_and_replaces_the_last() -> None:
    cell = DeltaNetCell(1, 2).double()
    k, values = torch.tensor([0.6, 0.8]).double(), torch.tensor([[1.0, 2.0], [-3.0, 5.0]]).double()
    S = cell.initial_state(1)
    for v in values:
        o, S = cell.step(torch.cat([k, k, v, torch.ones(1).double()])[None], S)
        torch.testing.assert_close(o[0], v)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("num_heads", [0, 4])
def test_heads_that_do_not_divide_the_hidden_size_are_refused(cell: type[Cell], num_heads: int) -> None:
    message = f"'num_heads' parameter of {cell.__name__} must be a positive divisor of hidden_size=6. Got {num_heads}"
    with pytest.raises(ValueError, match=message):
        cell(3, 6, num_heads=num_heads)


@pytest.mark.parametrize("spec", seqpipe_cells(), ids=lambda spec: spec.name)
def test_the_distribution_offers_its_cells_by_name(spec) -> None:
    found = host().find("cell", spec.name, parameter="cell")
    assert found.spec.factory is spec.factory
    assert found.distribution == "seqpipe-delta"
    assert f"| `{spec.name}` |" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_of_the_readme_runs() -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict = {}
    exec(block, names)
    assert set(names["model"].predict(names["X"])) <= {"up", "down"}


@pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")  # of one epoch
def test_the_recipe_runs_at_a_tiny_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = load_adding()
    tiny = DatasetSpec("adding", lambda: replace(whole, X=whole.X[:60, :10], y=whole.y[:60]))
    sizes = ["search.cv=2", "search.grid.cell=[rwkv7]", "task.regress.hidden_size=4", "task.regress.max_epochs=1"]
    with host().offering("dataset", tiny, "seqpipe"):
        ran = run_recipe(ROOT / "adding.yaml", overrides=[*sizes, "tracking.enabled=false"])
    assert len(ran.table) == 1
