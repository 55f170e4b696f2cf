"""The cells of the xLSTM, tested against the equations of the paper, the package xlstm and seqpipe's checks."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from seqpipe_xlstm import MLSTMCell, SLSTMCell, seqpipe_cells
from torch import Tensor

from seqpipe import Cell, Recurrent
from seqpipe.datasets import load_adding
from seqpipe.pipeline import run_recipe
from seqpipe.plugins import host
from seqpipe.specs import DatasetSpec
from seqpipe.testing import check_cell, parametrize_with_cell_checks

ROOT = Path(__file__).parents[1]
CELLS = [SLSTMCell, MLSTMCell]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def make(kind: type[Cell]) -> tuple[Recurrent, dict[str, np.ndarray]]:
    """Return layers of 3 to 6 features with two heads, and their weights."""
    torch.manual_seed(0)
    layers = Recurrent(kind(3, 6, num_heads=2).double(), engine="loop")
    return layers, {name.removeprefix("cells.0."): p.detach().numpy() for name, p in layers.named_parameters()}


def inputs(n_timesteps: int) -> Tensor:
    return torch.randn(4, n_timesteps, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def test_the_slstm_follows_equations_8_to_14_of_the_paper() -> None:
    layers, w = make(SLSTMCell)
    outputs, (_, c_found, n_found, m) = layers(inputs(7))
    h, c, n = np.zeros((3, 4, 6))
    R = np.zeros((4, 6, 6))  # block-diagonal, per gate
    for head, rows in enumerate((slice(0, 3), slice(3, 6))):
        R[:, rows, rows] = w["R"][head].reshape(3, 4, 3).transpose(1, 2, 0)
    for t, x in enumerate(inputs(7).numpy().transpose(1, 0, 2)):
        i, f, z, o = (
            x @ W.T + b + h @ R_gate.T
            for W, b, R_gate in zip(w["W.weight"].reshape(4, 6, 3), w["W.bias"].reshape(4, 6), R)
        )
        i, f, z, o = np.exp(i), sigmoid(f), np.tanh(z), sigmoid(o)
        c = f * c + i * z
        n = f * n + i
        h = o * c / n
        np.testing.assert_allclose(outputs[:, t].detach().numpy(), h, rtol=1e-12, atol=1e-12)
    for stabilised, state in ((c_found, c), (n_found, n)):
        np.testing.assert_allclose((stabilised * m.exp())[0].detach().numpy(), state, rtol=1e-12, atol=1e-12)


def test_the_mlstm_follows_equations_19_to_27_of_the_paper() -> None:
    layers, w = make(MLSTMCell)
    outputs, (C_found, n_found, m) = layers(inputs(7))
    C, n = np.zeros((4, 2, 3, 3)), np.zeros((4, 2, 3))
    for t, x in enumerate(inputs(7).numpy().transpose(1, 0, 2)):
        q, k, v, o = (x @ w["W.weight"].T + w["W.bias"]).reshape(4, 4, 2, 3).transpose(1, 0, 2, 3)
        i, f = (x @ w["gates.weight"].T + w["gates.bias"]).reshape(4, 2, 2).transpose(1, 0, 2)
        i, f, k = np.exp(i), sigmoid(f), k / np.sqrt(3)
        C = f[..., None, None] * C + i[..., None, None] * np.einsum("bhi,bhj->bhij", v, k)
        n = f[..., None] * n + i[..., None] * k
        read = np.einsum("bhij,bhj->bhi", C, q) / np.maximum(np.abs((n * q).sum(-1)), 1)[..., None]
        np.testing.assert_allclose(
            outputs[:, t].detach().numpy(), (sigmoid(o) * read).reshape(4, 6), rtol=1e-12, atol=1e-12
        )
    size = m[0].exp()[..., None]
    np.testing.assert_allclose((n_found[0] * size).detach().numpy(), n, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose((C_found[0] * size[..., None]).detach().numpy(), C, rtol=1e-12, atol=1e-12)


def test_the_slstm_equals_the_vanilla_cell_of_the_package_xlstm() -> None:
    vanilla = pytest.importorskip("xlstm.blocks.slstm.src.vanilla")
    layers, _ = make(SLSTMCell)
    cell = layers.cells[0]
    x, states = cell.project(inputs(9)).transpose(0, 1), torch.zeros(4, 4, 6, dtype=torch.float64)
    pointwise = vanilla.slstm_pointwise_function_registry["slstm"]
    expected, final, _ = vanilla.slstm_forward(x, states, cell.R.mT, torch.zeros(24), pointwise)
    outputs, after = layers(inputs(9))
    torch.testing.assert_close(outputs, expected[0, 1:].transpose(0, 1), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(torch.cat(after), final, rtol=1e-12, atol=1e-12)


def test_the_mlstm_equals_both_forms_of_the_package_xlstm() -> None:
    backends = pytest.importorskip("xlstm.blocks.mlstm.backends")
    layers, _ = make(MLSTMCell)
    cell = layers.cells[0]
    q, k, v, o, i, _ = (part.transpose(1, 2) for part in cell._split(cell.project(inputs(9))))
    k = k * 3**0.5  # the package divides by it
    f = cell.gates(inputs(9))[..., 2:].transpose(1, 2)
    parallel = backends.parallel_stabilized_simple(q, k, v, i[..., None], f[..., None], eps=0)
    torch.testing.assert_close(layers(inputs(9))[0], (o * parallel).transpose(1, 2).flatten(2), rtol=1e-12, atol=1e-12)
    C, n, m = (torch.zeros(shape, dtype=torch.float64) for shape in ((4, 2, 3, 3), (4, 2, 3, 1), (4, 2, 1, 1)))
    for t in range(9):
        parts = [part[:, :, t : t + 1].clone() for part in (q, k, v, i[..., None], f[..., None])]
        _, (C, n, m) = backends.recurrent_step_stabilized_simple(C, n, m, *parts, eps=0)
    found = layers(inputs(9))[1]
    for one, other in zip(found, (C.mT, n[..., 0], m[..., 0, 0])):
        torch.testing.assert_close(one[0], other, rtol=1e-12, atol=1e-12)


def test_the_parallel_mlstm_of_several_chunks_equals_its_steps() -> None:
    steps, _ = make(MLSTMCell)
    parallel = Recurrent(steps.cells[0], engine="scan")
    assert parallel.explain()[0].engine == "scan"
    x = inputs(150)
    lengths = [150, 64, 0, 70]
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


def test_an_input_gate_of_zero_at_the_first_step_stores_it_all_the_same() -> None:
    layers, _ = make(SLSTMCell)
    with torch.no_grad():
        layers.cells[0].W.bias[:6] = -1e4
    outputs, _ = layers(inputs(3))
    assert outputs.isfinite().all()
    assert outputs[:, 0].abs().min() > 0


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
    assert found.distribution == "seqpipe-xlstm"
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
    sizes = ["search.cv=2", "search.grid.cell=[slstm]", "task.regress.hidden_size=2", "task.regress.max_epochs=1"]
    with host().offering("dataset", tiny, "seqpipe"):
        ran = run_recipe(ROOT / "adding.yaml", overrides=[*sizes, "tracking.enabled=false"])
    assert len(ran.table) == 1
