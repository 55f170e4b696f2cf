"""Linear cells, tested against the equations of their papers, with seqpipe's checks, and as installed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from seqpipe_linear import LRUCell, MinLSTMCell, RGLRUCell, S5Cell, SRUCell, seqpipe_cells

from seqpipe import Cell, Recurrent
from seqpipe.datasets import load_adding
from seqpipe.pipeline import run_recipe
from seqpipe.plugins import host
from seqpipe.specs import DatasetSpec
from seqpipe.testing import check_cell, parametrize_with_cell_checks

ROOT = Path(__file__).parents[1]
CELLS = [MinLSTMCell, LRUCell, RGLRUCell, SRUCell, S5Cell]
Weights = dict[str, np.ndarray]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def linear(x: np.ndarray, w: Weights, name: str) -> np.ndarray:
    return x @ w[f"{name}.weight"].T + w.get(f"{name}.bias", 0)


def min_lstm(x: np.ndarray, h: np.ndarray, w: Weights) -> tuple[np.ndarray, np.ndarray]:
    f, i, candidate = np.split(linear(x, w, "input"), 3, axis=-1)
    f, i = sigmoid(f), sigmoid(i)
    h = f / (f + i) * h + i / (f + i) * candidate
    return h, h


def lru(x: np.ndarray, h: np.ndarray, w: Weights) -> tuple[np.ndarray, np.ndarray]:
    lam = np.exp(-np.exp(w["nu"]) + 1j * np.exp(w["theta"]))
    h = lam * h + np.exp(w["gamma"]) * (x @ (w["B_re"] + 1j * w["B_im"]).T)
    return (h @ (w["C_re"] + 1j * w["C_im"]).T).real + x @ w["D"].T, h


def rg_lru(x: np.ndarray, h: np.ndarray, w: Weights) -> tuple[np.ndarray, np.ndarray]:
    x = linear(x, w, "input")
    r, i = np.split(sigmoid(linear(x, w, "gates")), 2, axis=-1)
    a = sigmoid(w["Lambda"]) ** (8 * r)
    h = a * h + np.sqrt(1 - a**2) * (i * x)
    return h, h


def sru(x: np.ndarray, c: np.ndarray, w: Weights) -> tuple[np.ndarray, np.ndarray]:
    f, r = sigmoid(linear(x, w, "W_f")), sigmoid(linear(x, w, "W_r"))
    c = f * c + (1 - f) * linear(x, w, "W")
    return r * np.tanh(c) + (1 - r) * linear(x, w, "highway"), c


def s5(u: np.ndarray, x: np.ndarray, w: Weights) -> tuple[np.ndarray, np.ndarray]:
    lam = w["Lambda_re"] + 1j * w["Lambda_im"]
    lam_bar = np.exp(lam * np.exp(w["log_step"]))
    B_bar = np.diag((lam_bar - 1) / lam) @ (w["B_re"] + 1j * w["B_im"])
    x = lam_bar * x + u @ B_bar.T
    C = w["C_re"] + 1j * w["C_im"]
    both = np.concatenate([x, x.conj()], axis=-1) @ np.concatenate([C, C.conj()], axis=-1).T  # conjugate pairs
    return both.real + u @ w["D"].T, x


@pytest.mark.parametrize(("cell", "equations"), zip(CELLS, (min_lstm, lru, rg_lru, sru, s5)), ids=lambda c: c.__name__)
def test_steps_follow_the_equations_of_the_paper(cell: type[Cell], equations: Callable) -> None:
    torch.manual_seed(0)
    layers = Recurrent(cell(3, 5).double(), engine="loop")
    x = torch.randn(4, 6, 3, dtype=torch.float64)
    like = layers.cells[0].initial_state(4)
    state = torch.randn(4, 5, dtype=like.dtype)
    w = {name.removeprefix("cells.0."): p.detach().numpy() for name, p in layers.named_parameters()}
    outputs, after = layers(x, None, state[None])
    h = state.numpy()
    for t in range(6):
        y, h = equations(x[:, t].numpy(), h, w)
        np.testing.assert_allclose(outputs[:, t].detach().numpy(), y, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(after[0].detach().numpy(), h, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_the_parallel_form_of_a_long_sequence_equals_its_steps(cell: type[Cell]) -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 90, 3, dtype=torch.float64)
    steps = Recurrent(cell(3, 4).double(), engine="loop")
    parallel = Recurrent(steps.cells[0], engine="scan")
    assert parallel.explain()[0].engine == "scan"
    torch.testing.assert_close(parallel(x, [90, 40]), steps(x, [90, 40]), rtol=1e-12, atol=1e-12)


@parametrize_with_cell_checks(CELLS)
def test_the_cells_pass_seqpipes_checks(cell: type[Cell], check: str) -> None:
    check_cell(cell, include=[check], exclude=["speed_is_graded"])


def test_the_lru_is_initialised_on_its_ring_and_normalised() -> None:
    torch.manual_seed(0)
    cell = LRUCell(2, 2000, r_min=0.5, r_max=0.9, max_phase=0.3).double()
    lam, _ = cell.linear_coefficients(torch.zeros(1, 1, 2, dtype=torch.float64))
    assert 0.5 <= lam.abs().min() < 0.51
    assert 0.89 < lam.abs().max() <= 0.9001
    assert 0.29 < lam.angle().max() <= 0.3
    torch.testing.assert_close(
        cell.gamma.exp() ** 2 + lam[0, 0].abs() ** 2, torch.ones(2000).double(), rtol=1e-5, atol=0
    )


def test_the_decay_of_the_rg_lru_is_drawn_near_one() -> None:
    torch.manual_seed(0)
    a = torch.sigmoid(RGLRUCell(2, 1000).Lambda) ** 8
    assert 0.8999 <= a.min() < 0.901
    assert 0.998 < a.max() <= 0.9991


def test_s5_is_initialised_to_the_normal_part_of_hippo_legs() -> None:
    cell = S5Cell(2, 3, state_size=4).double()
    n = np.arange(8)
    legs = -np.tril(np.sqrt(np.outer(2 * n + 1, 2 * n + 1)), -1) - np.diag(n + 1)
    normal = legs + np.outer(np.sqrt(n + 0.5), np.sqrt(n + 0.5))
    eigenvalues = np.linalg.eigvals(normal)
    expected = np.sort_complex(eigenvalues[eigenvalues.imag > 0])
    found = cell.Lambda_re.detach().numpy() + 1j * cell.Lambda_im.detach().numpy()
    np.testing.assert_allclose(np.sort(found.imag), np.sort(expected.imag), rtol=1e-6)
    np.testing.assert_allclose(found.real, -0.5, rtol=1e-6)
    np.testing.assert_allclose(expected.real, -0.5, rtol=1e-6)
    assert cell.initial_state(2).shape == (2, 4)


def test_an_sru_of_equal_sizes_needs_no_map_of_its_highway() -> None:
    assert sum(p.numel() for p in SRUCell(4, 4).parameters()) == 3 * 16 + 2 * 4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LRUCell(2, 3, r_min=0.9, r_max=0.5), r"must be 0 <= r_min < r_max <= 1. Got 0\.9 and 0\.5 instead"),
        (lambda: LRUCell(2, 3, r_max=1.5), r"Got 0\.0 and 1\.5 instead"),
        (lambda: S5Cell(2, 3, state_size=0), "'state_size' parameter of S5Cell must be a positive integer. Got 0"),
    ],
)
def test_settings_out_of_range_are_refused(make: Callable[[], Cell], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("spec", seqpipe_cells(), ids=lambda spec: spec.name)
def test_the_distribution_offers_its_cells_by_name(spec) -> None:
    found = host().find("cell", spec.name, parameter="cell")
    assert found.spec.factory is spec.factory
    assert found.distribution == "seqpipe-linear"
    assert f"| `{spec.name}` |" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_of_the_readme_runs() -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    names: dict = {}
    exec(block, names)
    assert np.isfinite(names["model"].predict(names["X"])).all()


@pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning")  # of one epoch
def test_the_recipe_runs_at_a_tiny_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    whole = load_adding()
    tiny = DatasetSpec("adding", lambda: replace(whole, X=whole.X[:60, :10], y=whole.y[:60]))
    sizes = ["search.cv=2", "search.grid.cell=[lru]", "task.regress.hidden_size=2", "task.regress.max_epochs=1"]
    with host().offering("dataset", tiny, "seqpipe"):
        ran = run_recipe(ROOT / "adding.yaml", overrides=[*sizes, "tracking.enabled=false"])
    assert len(ran.table) == 1
