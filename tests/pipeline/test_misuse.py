"""Invalid recipes: each raises an error of seqpipe, before training if possible."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from seqpipe.exceptions import FitFailedError, RecipeError, SeqpipeError
from seqpipe.pipeline import run_recipe

LONG = {"path": "long.csv", "id": "id", "time": "t", "target": "y"}
TEXT = {"path": "text.csv", "sequence": "en", "target": "de"}
GRID = {"grid": {"hidden_size": [2]}, "cv": 2}


@pytest.fixture(autouse=True)
def tables(in_own_folder: None) -> None:
    """Write a long table and one of texts."""
    rng = np.random.default_rng(0)
    rows = [(i, t, rng.normal(), "ab"[i % 2]) for i in range(12) for t in range(3)]
    pd.DataFrame(rows, columns=["id", "t", "x", "y"]).to_csv("long.csv", index=False)
    Path("one.txt").write_text("one text\n")
    pd.DataFrame({"en": ["ab", "ba"] * 6, "de": ["ba", "ab"] * 6}).to_csv("text.csv", index=False)


def run(recipe: dict[str, Any]) -> None:
    defaults = {"data": LONG, "task": {"classify": {"max_epochs": 1}}, "tracking": {"enabled": False}}
    run_recipe({**defaults, **recipe})


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ({"task": {"classify": {"cell": 3}}}, r"task.classify.cell: The cell must be one of .* Got 3 instead"),
        ({"task": {"classify": {"cell": ["gru"]}}}, r"task.classify.cell: The cell must be one of .* Got \['gru'\]"),
        ({"data": TEXT, "task": {"translate": {"decoder_cell": 3}}}, r"decoder_cell: The cell must be one of"),
        ({"search": {"grid": {"cell": [1]}}}, r"search.grid.cell\[0\]: The cell must be one of .* Got 1 instead"),
        ({"search": {"grid": {"hidden_size": [[2]]}}}, r"search.grid.hidden_size\[0\]: The 'hidden_size' parameter"),
        ({"search": {"grid": {}}}, "search.grid: must not be empty"),
        ({"search": {"grid": {"hidden_size": []}}}, "search.grid.hidden_size: must not be empty"),
        (
            {"search": {"grid": {"hiden_size": [2]}}},
            "search.grid.hiden_size: is not a parameter here. Did you mean 'hidden_size'",
        ),
        ({"search": {**GRID, "cv": 50}}, "search.cv: .* Use fewer folds"),
        ({"search": {**GRID, "scoring": "nope"}}, "search.scoring: There is no score 'nope'"),
        (
            {"data": TEXT, "task": "language_model", "search": {**GRID, "scoring": "accuracy"}},
            "search.scoring: There is no score 'accuracy'. There are bits_per_token, perplexity",
        ),
        ({"data": {"dataset": "digits"}, "task": "forecast"}, "data.dataset: 'digits' holds samples, but forecasting"),
        ({"data": {**LONG, "path": "folder"}}, "data.path: there is no file folder"),
        ({"data": {**LONG, "id": "id\u200b"}}, r"data.id: .* Did you mean 'id', not 'id\\u200b'\?"),
        ({"evaluate": {"test_size": 500}}, "evaluate.test_size: test_size=500 should be"),
        ({"steps": [{"scale": {"method": 3}}]}, r"steps\[0\].scale.method: The 'method' parameter of SequenceScaler"),
        (
            {"data": TEXT, "task": {"translate": {"normalize": "NFX"}}},
            "task.translate.normalize: The 'normalize' parameter",
        ),
    ],
)
def test_a_recipe_that_cannot_be_run_is_told_with_its_field(recipe: dict[str, Any], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        run(recipe)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"net_params": {"optimizer__nope": 1}},
            "optimizer 'AdamW' of SequenceClassifier cannot be created with {'nope': 1}",
        ),
        ({"net_params": {"optimizer__betas": [1, 2, 3]}}, "optimizer 'AdamW' of SequenceClassifier cannot be created"),
        ({"net_params": {"optimizer__eps": "x"}}, "optimizer 'AdamW' of SequenceClassifier cannot be created"),
        ({"lr_schedule": "StepLR", "lr_schedule_params": {"step_size": 0}}, "lr_schedule='StepLR' failed with"),
        ({"lr_schedule": "StepLR", "lr_schedule_params": {"step_size": "x"}}, "lr_schedule='StepLR' failed with"),
        (
            {"lr_schedule": "CyclicLR", "lr_schedule_params": {"max_lr": "x"}},
            "lr_schedule='CyclicLR' cannot be created with",
        ),
    ],
)
def test_settings_that_torch_refuses_are_told_by_their_parameter(params: dict[str, Any], message: str) -> None:
    with pytest.raises(FitFailedError, match=f"^The fit failed with ValueError: .*{message}"):
        run({"task": {"classify": {"max_epochs": 2, **params}}})


@pytest.mark.parametrize("params", [{"patch": [4, 5]}, {"n_members": 0}, {"scale_inputs": "series"}])
def test_a_parameter_that_no_data_suits_is_refused_before_a_fit(params: dict[str, Any]) -> None:
    [name] = params
    with pytest.raises(
        RecipeError, match=rf"task.classify.{name}: The '{name}' parameter of SequenceClassifier must be"
    ):
        run({"task": {"classify": params}})


@pytest.mark.parametrize(
    ("data", "task", "message"),
    [
        (LONG, "language_model", "needs a sequence column of texts"),
        (LONG, "caption", "A row of 'long' is one vector"),
        ({"path": "one.txt"}, "language_model", "'one' holds one text, .* with 'continuous: true'"),
        (TEXT, "classify", "X contains texts instead of real numbers"),
        (TEXT, "step_classify", "needs one row per time step"),
        ({"dataset": "digits"}, "translate", "X, sample 0 must be a string"),
        ({"dataset": "digits"}, "step_regress", "with one target per time step"),
        ({"dataset": "stocks", "features": ["MSFT"]}, "classify", "has the time column 'Date' but no id column"),
        ({"dataset": "tunes"}, "caption", "'tunes' has no targets"),
    ],
)
def test_a_task_on_data_of_another_kind_is_told(data: dict[str, Any], task: str, message: str) -> None:
    with pytest.raises((SeqpipeError, ValueError), match=message):
        run({"data": data, "task": {task: {"max_epochs": 1}}})
