"""The convolutional cells, tested against the equations of their papers and with seqpipe's checks."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d
from seqpipe_conv import ConvGRUCell, ConvLSTMCell
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from seqpipe import Cell, Recurrent, SequenceClassifier, StepRegressor
from seqpipe.pipeline import run_recipe
from seqpipe.plugins import host
from seqpipe.testing import check_cell, parametrize_with_cell_checks

BOTH = pytest.mark.parametrize("kind", [ConvGRUCell, ConvLSTMCell])
TINY = {"hidden_size": 3, "max_epochs": 2, "random_state": 0}


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def convolved(kernels: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """Return the convolutions with zero padding, summed over input channels."""
    return np.array([sum(correlate2d(m, k, mode="same") for m, k in zip(maps, each)) for each in kernels])


def test_a_step_of_convlstm_follows_equation_3_of_its_paper() -> None:
    torch.manual_seed(0)
    cell = ConvLSTMCell(2 * 4 * 5, 3, element_shape=(2, 4, 5)).double()
    with torch.no_grad():
        for peephole in (cell.W_ci, cell.W_cf, cell.W_co):
            peephole.normal_()
    w = {name: p.detach().numpy() for name, p in cell.named_parameters()}
    X, H, C = torch.randn(2, 4, 5).double(), torch.randn(3, 4, 5).double(), torch.randn(3, 4, 5).double()
    from_x = convolved(w["W_x.weight"], X.numpy()) + w["W_x.bias"][:, None, None]
    i, f, c, o = np.split(from_x + convolved(w["W_h.weight"], H.numpy()), 4)
    i, f = sigmoid(i + w["W_ci"] * C.numpy()), sigmoid(f + w["W_cf"] * C.numpy())
    expected_c = f * C.numpy() + i * np.tanh(c)
    expected_h = sigmoid(o + w["W_co"] * expected_c) * np.tanh(expected_c)
    output, (found_h, found_c) = cell(X.reshape(1, -1), (H.reshape(1, -1), C.reshape(1, -1)))
    np.testing.assert_allclose(found_h.detach().numpy().reshape(3, 4, 5), expected_h, rtol=1e-12)
    np.testing.assert_allclose(found_c.detach().numpy().reshape(3, 4, 5), expected_c, rtol=1e-12)
    assert output is found_h


def test_a_step_of_convgru_follows_the_equations_of_its_paper() -> None:
    torch.manual_seed(0)
    cell = ConvGRUCell(2 * 4 * 5, 3, element_shape=(2, 4, 5)).double()
    w = {name: p.detach().numpy() for name, p in cell.named_parameters()}
    X, h = torch.randn(2, 4, 5).double(), torch.randn(3, 4, 5).double()
    z, r, x = np.split(convolved(w["W_x.weight"], X.numpy()) + w["W_x.bias"][:, None, None], 3)
    U_z, U_r = np.split(w["U_zr.weight"], 2)
    z, r = sigmoid(z + convolved(U_z, h.numpy())), sigmoid(r + convolved(U_r, h.numpy()))
    expected = (1 - z) * h.numpy() + z * np.tanh(x + convolved(w["U.weight"], r * h.numpy()))
    output, state = cell(X.reshape(1, -1), h.reshape(1, -1))
    np.testing.assert_allclose(state.detach().numpy().reshape(3, 4, 5), expected, rtol=1e-12)
    assert output is state


@parametrize_with_cell_checks([ConvGRUCell, ConvLSTMCell], exclude=["speed_is_graded"])
def test_the_cells_pass_seqpipes_checks_on_plain_features(cell: type[Cell], check: str) -> None:
    check_cell(cell, include=[check])


@BOTH
@pytest.mark.parametrize("shape", [(3, 1, 2), (1, 2)])
def test_the_cells_pass_seqpipes_checks_on_frames(kind: type[Cell], shape: tuple[int, ...]) -> None:
    sizes = (int(np.prod(shape)), 2)
    check_cell(kind, cell_params={"element_shape": shape}, sizes=sizes, exclude=["speed_is_graded"])


@BOTH
def test_maps_keep_their_place_through_layers_and_both_directions(kind: type[Cell]) -> None:
    torch.manual_seed(0)
    layers = Recurrent(kind(48, 3, element_shape=(1, 6, 8)), num_layers=2, bidirectional=True)
    assert layers.cells[2].W_x.in_channels == 6
    x = torch.zeros(1, 1, 48)
    x[0, 0, 0] = 1.0  # two layers of 3 by 3 kernels spread the corner by two pixels, through W_x alone
    moved = (layers(x)[0] - layers(torch.zeros_like(x))[0]).abs().reshape(6, 6, 8).amax(dim=0) > 0
    assert moved[:3, :3].all()
    assert not moved[3:].any()
    assert not moved[:, 3:].any()


def test_the_plain_loop_or_torchs_plan_runs_it_and_says_so() -> None:
    [choice] = Recurrent(ConvLSTMCell(16, 2, element_shape=(4, 4))).explain()
    assert choice.engine in ("loop", "torch")
    assert "not " in choice.reason or "SEQPIPE_ENGINE" in choice.reason


@pytest.mark.parametrize(("name", "kind"), [("convgru", ConvGRUCell), ("convlstm", ConvLSTMCell)])
def test_the_distribution_offers_the_cells_by_name(name: str, kind: type[Cell]) -> None:
    found = host().find("cell", name, parameter="cell")
    assert found.spec.factory is kind
    assert found.distribution == "seqpipe-conv"


@BOTH
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"element_shape": (2, 3)}, r"of input_size=8 numbers. Got \(2, 3\) instead"),
        ({"element_shape": (2, 2, 2, 1)}, r"Got \(2, 2, 2, 1\) instead"),
        ({"kernel_size": 2}, "'kernel_size' parameter of Conv.*Cell must be odd. Got 2 instead"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(kind: type[Cell], given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kind(8, 2, **given)


@pytest.fixture
def frames() -> tuple[list[np.ndarray], np.ndarray]:
    """Ragged films of 4 by 4 pixels with a spot in the left or right half of the last frame."""
    rng = np.random.default_rng(0)
    films = [np.zeros((n, 1, 4, 4)) for n in rng.integers(2, 5, size=24)]
    ends = rng.integers(4, size=24)
    for film, end in zip(films, ends):
        film[-1, 0, 1, end] = 1.0
    return films, np.where(ends < 2, "left", "right")


@pytest.mark.parametrize("name", ["convgru", "convlstm"])
def test_an_estimator_is_fitted_to_ragged_films_and_persists(name: str, frames) -> None:
    films, y = frames
    model = SequenceClassifier(name, **{**TINY, "max_epochs": 40}, num_layers=2).fit(films, y)
    assert model.score(films, y) > 0.9
    assert model.element_shape_ == (1, 4, 4)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(films), model.predict_proba(films))
    flat = [film.reshape(len(film), -1) for film in films]
    np.testing.assert_array_equal(model.predict_proba(flat), model.predict_proba(films))


def test_cells_and_kernels_are_searched_over_films(frames) -> None:
    films, y = frames
    grid = [{"cell": ["convlstm"], "cell_params": [{"kernel_size": 1}, None]}, {"cell": ["gru"]}]
    search = GridSearchCV(SequenceClassifier(**TINY), grid, cv=2, error_score="raise").fit(films, y)
    assert len(search.cv_results_["mean_test_score"]) == 3
    assert clone(search.best_estimator_).fit(films, y).element_shape_ == (1, 4, 4)


def test_one_target_per_frame_is_learned_with_the_cell_in_a_wrapper(frames) -> None:
    films, _ = frames
    targets = [film.sum(axis=(1, 2, 3)) for film in films]
    model = StepRegressor("convlstm", **TINY, wrappers=["residual"], cell_params={"kernel_size": 1}, num_layers=2)
    assert [len(each) for each in model.fit(films, targets).predict(films)] == [len(film) for film in films]


def test_the_example_of_the_readme_runs() -> None:
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict = {}
    exec(block, names)
    assert names["model"].element_shape_ == (1, 6, 6)


def test_the_recipe_runs_at_a_tiny_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = ["task.classify.hidden_size=2", "task.classify.max_epochs=1", "evaluate.test_size=1700"]
    ran = run_recipe(Path(__file__).parents[1] / "frames.yaml", overrides=[*tiny, "tracking.enabled=false"])
    assert ran.estimator.element_shape_ == (1, 16, 16)
