"""All cells of torchrecurrent against its own layers, and with a part of seqpipe's checks."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from seqpipe import Cell, Recurrent, SequenceClassifier, load, save
from seqpipe.pipeline import run_recipe
from seqpipe.plugins import host
from seqpipe.testing import check_cell

torchrecurrent = pytest.importorskip("torchrecurrent")
adapters = pytest.importorskip("seqpipe_torchrecurrent")

ROOT = Path(__file__).parents[1]
SPECS = adapters.seqpipe_cells()
EACH = pytest.mark.parametrize("cell", [spec.factory for spec in SPECS], ids=lambda cell: cell.__name__)
#: What an adapter can get wrong; all checks of 41 cells take a minute.
CHECKS = [
    "step_returns_output_and_state",
    "siblings_keep_settings",
    "rows_are_independent",
    "padding_does_not_matter",
    "chunks_equal_the_whole",
    "stacked_layers_run",
    "every_parameter_learns",
    "gradients_are_right",
]


def test_all_cells_of_torchrecurrent_are_offered() -> None:
    wanted = {name for name in torchrecurrent.__all__ if name.endswith("Cell")}
    assert {spec.factory.adapted.__name__ for spec in SPECS} == wanted
    assert {name for name in adapters.__all__ if name in wanted} == wanted
    assert len(SPECS) >= 41


@EACH
def test_a_cell_gives_the_results_of_the_layer_that_torchrecurrent_builds_of_it(cell: type[Cell]) -> None:
    torch.manual_seed(0)
    layer = getattr(torchrecurrent, cell.__name__.removesuffix("Cell"))(4, 4, batch_first=True).double()
    ours = Recurrent(cell(4, 4).double(), engine="loop")
    layer.cells[0].load_state_dict(ours.cells[0].cell.state_dict())
    x = torch.randn(3, 6, 4).double()
    torch.testing.assert_close(ours(x)[0], layer(x)[0], rtol=1e-12, atol=1e-12)


def test_the_delay_of_taugru_is_that_of_torchrecurrents_layer() -> None:
    torch.manual_seed(0)
    layer = torchrecurrent.tauGRU(3, 4, batch_first=True, delay=3).double()
    ours = Recurrent(adapters.tauGRUCell(3, 4, delay=3).double(), engine="loop")
    layer.cells[0].load_state_dict(ours.cells[0].cell.state_dict())
    x = torch.randn(2, 8, 3).double()
    torch.testing.assert_close(ours(x)[0], layer(x)[0], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("delay", [0, 1.5])
def test_a_delay_that_is_no_number_of_steps_is_refused(delay: float) -> None:
    with pytest.raises(ValueError, match=f"'delay' parameter of tauGRUCell must be a positive integer. Got {delay}"):
        adapters.tauGRUCell(3, 4, delay=delay)


@EACH
def test_a_cell_passes_seqpipes_checks(cell: type[Cell]) -> None:
    check_cell(cell, include=CHECKS)


@pytest.mark.parametrize("name", ["IntersectionRNNCell", "TGRUCell", "TLSTMCell"])
def test_an_input_that_is_part_of_the_state_or_output_is_mapped_to_the_hidden_size(name: str) -> None:
    cell = getattr(adapters, name)
    assert isinstance(cell(5, 5).input, torch.nn.Identity)
    assert cell(3, 5).input.weight.shape == (5, 3)


def test_the_distribution_offers_a_cell_by_name() -> None:
    found = host().find("cell", "torchrecurrent_taugru", parameter="cell")
    assert found.spec.factory is adapters.tauGRUCell
    assert found.distribution == "seqpipe-torchrecurrent"


def test_an_estimator_with_settings_of_the_cell_is_fitted_saved_and_pickled(tmp_path: Path) -> None:
    X = np.random.default_rng(0).normal(size=(40, 6, 2))
    y = (X[:, :, 0].mean(axis=1) > 0).astype(int)
    settings = {"hidden_size": 8, "cell_params": {"nonlinearity": "relu"}, "num_layers": 2, "random_state": 0}
    model = SequenceClassifier("torchrecurrent_indrnn", **settings).fit(X, y)
    assert model.score(X, y) > 0.9
    save(model, tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_a_setting_that_the_cell_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'leak'"):
        adapters.MGUCell(2, 3, leak=0.5)


def test_the_readme_lists_every_cell() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert sorted(listed) == sorted(spec.name for spec in SPECS)


def test_the_example_of_the_readme_runs() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names: dict = {}
    exec(block, names)
    assert names["model"].score(names["X"], names["y"]) > 0.9


def test_the_recipe_runs_at_a_tiny_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = ["task.classify.hidden_size=2", "task.classify.max_epochs=1", "search.cv=2", "evaluate.test_size=1600"]
    ran = run_recipe(ROOT / "images.yaml", overrides=[*tiny, "tracking.enabled=false"])
    assert len(ran.table) == 7
