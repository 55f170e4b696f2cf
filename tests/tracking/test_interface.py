"""What a person reads in the MLflow interface of a search, in Chromium."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "screenshots.py"
PARAMS = ("cell", "hidden_size")


@pytest.fixture(scope="module")
def screenshots() -> Any:
    """The module that makes the screenshots of the documentation."""
    spec = spec_from_file_location("screenshots", SCRIPT)
    module = sys.modules["screenshots"] = module_from_spec(spec)
    spec.loader.exec_module(module)
    if module.chromium() is None:
        pytest.skip("Chromium is not installed, and cannot be by a user without rights: apt-get install chromium")
    return module


def test_a_person_finds_candidates_curves_picture_and_model(screenshots: Any, tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    search = screenshots.record(uri, n_samples=200, max_epochs=3)
    results = search.cv_results_
    with screenshots.served(uri, tmp_path) as links, screenshots.visit() as visitor:
        assert list(links) == [
            "Candidates by score",
            "Best five compared",
            "Learning curves",
            "Learning curves by cell",
        ]

        # The way of a person who starts at the list of experiments.
        visitor.open(links["Candidates by score"].partition("#")[0] + "#/experiments")
        visitor.choose_training()
        visitor.follow("digits")
        assert visitor.choose_view("Candidates by score") == list(links)
        rows = visitor.candidates()
        scores = [float(row["mean_test_score"]) for row in rows]
        assert scores == pytest.approx(sorted(results["mean_test_score"], reverse=True))
        spreads = sorted(float(row["std_test_score"]) for row in rows)
        assert spreads == pytest.approx(sorted(results["std_test_score"]))
        expected = {tuple(str(results["params"][i][name]) for name in PARAMS) for i in range(4)}
        assert {tuple(row[name] for name in PARAMS) for row in rows} == expected
        names = [row["Run Name"] for row in rows]
        assert len(set(names)) == 4
        for row in rows:
            assert all(row[name] in row["Run Name"] for name in PARAMS)

        compared = visitor.compare(2)
        assert all(name in compared for name in names[:2])

        # The links that `seqpipe ui` prints.
        visitor.open(links["Candidates by score"])
        assert [row["Run Name"] for row in visitor.candidates()] == names
        visitor.open(links["Best five compared"])
        assert visitor.charts()[:2] == ["mean_test_score", "Parallel Coordinates"]
        visitor.open(links["Learning curves"])
        assert visitor.charts()[:2] == ["mean_valid_loss", "mean_train_loss"]
        assert visitor.curves() == {name: [1, 2, 3] for name in names}

        visitor.follow(names[0])
        overview = visitor.read("Overview")
        assert f"{scores[0]:.6g}" in overview
        assert "mean_valid_loss" in overview
        visitor.follow(re.compile("^GridSearchCV"))
        assert min(visitor.picture("pictures", "gradient_flow.png")) > 100
        visitor.open(links["Candidates by score"].partition("runs?")[0] + "models?workflowType=machine_learning")
        assert {"Ready", "Model ID", "Source run"} <= set(visitor.open_model().splitlines())
