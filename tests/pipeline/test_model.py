from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sklearn.base import BaseEstimator
from sklearn.dummy import DummyClassifier
from sklearn.pipeline import Pipeline

from seqpipe.estimators import SequenceClassifier
from seqpipe.exceptions import RecipeError
from seqpipe.pipeline._data import load_data
from seqpipe.pipeline._job import Job, prepare_job
from seqpipe.pipeline._load import load_recipe
from seqpipe.pipeline._model import build_model, make_task
from seqpipe.tasks import ClassifyTask

DIGITS = {"data": {"dataset": "digits"}, "task": "classify"}
SERIES = {"data": {"dataset": "waves", "target": "value"}, "task": "forecast"}


def build(device: str | None = None, **fields: Any) -> Any:
    loaded = load_recipe({**DIGITS, **fields})
    task = make_task(loaded)
    return build_model(loaded, task, load_data(loaded, task).data, device=device)


def prepare(recipe: dict[str, Any] = DIGITS, **fields: Any) -> Job:
    return prepare_job(load_recipe({**recipe, **fields}))


def test_a_task_without_steps_is_a_bare_estimator_with_the_seed():
    model = build(task={"classify": {"cell": "lstm", "hidden_size": 8}}, seed=7)
    assert isinstance(model, SequenceClassifier)
    assert (model.cell, model.hidden_size, model.random_state) == ("lstm", 8, 7)


def test_steps_stand_before_the_estimator_in_a_pipeline():
    model = build(steps=["pad", {"scale": {"method": "robust"}}])
    assert isinstance(model, Pipeline)
    assert list(model.named_steps) == ["pad", "scale", "model"]
    assert model.named_steps["scale"].method == "robust"


@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
def test_a_schedule_that_only_a_function_makes_is_refused_before_training(name: str):
    with pytest.raises(
        RecipeError, match=rf"task\.classify\.lr_schedule: '{name}' needs a function of the epoch, which"
    ):
        build(task={"classify": {"lr_schedule": name}})


@pytest.mark.parametrize("params", [{}, {"device": "auto"}, {"device": "cuda:99"}])
def test_a_device_that_is_asked_for_goes_before_the_recipes(params: dict[str, Any]):
    assert build("cpu", task={"classify": params}).device == "cpu"
    assert build("cpu", task={"classify": params}, steps=["pad"])["model"].device == "cpu"


def test_without_one_asked_for_the_recipes_device_is_taken():
    assert build(task={"classify": {"device": "cpu"}}).device == "cpu"


def test_names_of_the_net_reach_the_estimator():
    params = build(task={"classify": {"net__optimizer__eps": 1e-6}}).get_params()
    assert params["net__optimizer__eps"] == 1e-6


def test_a_forecasts_parameters_reach_the_regressor_inside():
    model = prepare(SERIES, task={"forecast": {"window": 5, "hidden_size": 3}}, seed=7).estimator
    params = model.get_params()
    assert (params["window"], params["estimator__hidden_size"], params["estimator__random_state"]) == (
        5,
        3,
        7,
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"task": "clasify"},
            r"task: The task must be one of .* Got 'clasify' instead\. Did you mean 'classify'\?",
        ),
        ({"task": "os.system"}, r"task: The task must be one of"),
        (
            {"task": {"classify": {"hiden_size": 3}}},
            r"task\.classify\.hiden_size: .*Did you mean 'hidden_size'\?",
        ),
        (
            {"task": {"classify": {"hidden_size": 0}}},
            r"task\.classify\.hidden_size: The 'hidden_size' parameter",
        ),
        (
            {"task": {"classify": {"cell": "gruu"}}},
            r"task\.classify\.cell: .*Got 'gruu' instead\. Did you mean 'gru'\?",
        ),
        ({"task": {"classify": {"cell": "torch.nn.GRU"}}}, r"task\.classify\.cell: .* must be one of"),
        (
            {"task": {"classify": {"device": "cuda:99"}}},
            r"task\.classify\.device: device='cuda:99', but torch sees",
        ),
        (
            {"task": {"classify": {"wrappers": [{"zoneout": {"q": 0.1}}]}}},
            r"task\.classify\.wrappers: The wrapper 'zoneout' has no parameter 'q'\. It has p\.",
        ),
        (
            {"task": {"step_classify": {"tbptt": [4, 2]}}},
            r"task\.step_classify\.tbptt: .* must have k1 <= k2\. Got \[4, 2\] instead",
        ),
        ({"steps": ["scal"]}, r"steps\[0\]: The step must be one of .*Did you mean 'scale'\?"),
        ({"steps": ["sklearn.preprocessing.StandardScaler"]}, r"steps\[0\]: The step must be one of"),
        ({"steps": ["pad", "pad"]}, r"steps\[1\]: the step 'pad' is duplicated"),
        (
            {"steps": [{"scale": {"methd": 1}}]},
            r"steps\[0\]\.scale\.methd: is not a parameter here\. Did you mean 'method'\?",
        ),
        ({"steps": [{"scale": {"method": "robst"}}]}, r"steps\[0\]\.scale\.method: .*Got 'robst' instead"),
        ({"steps": ["model"]}, r"steps\[0\]: The step must be one of"),
    ],
)
def test_a_wrong_name_or_value_is_told_before_training(fields: dict[str, Any], message: str):
    with pytest.raises(RecipeError, match=rf"^recipe: {message}"):
        build(**fields)


def test_a_device_that_is_not_there_is_told_before_training():
    with pytest.raises(RecipeError, match=r"^--device: device='cuda:99', but torch sees"):
        build("cuda:99")
    with pytest.raises(RecipeError, match=r"^--device: .*Got 'nonsense' instead"):
        build("nonsense", task={"classify": {"device": "cpu"}})


def test_a_device_for_a_task_without_one_is_refused():
    class Plain(ClassifyTask):
        def estimator(self, params: Mapping[str, Any]) -> BaseEstimator:
            return DummyClassifier(**params)

    loaded = load_recipe(DIGITS)
    data = load_data(loaded, make_task(loaded)).data
    with pytest.raises(RecipeError, match=r"^--device: the task 'classify' has no device; remove the option"):
        build_model(loaded, Plain(), data, device="cpu")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"net_params": {"optimizer": "SGD"}}, r"net_params: 'optimizer' cannot be set in a recipe"),
        ({"net_params": {"callbacks": [1]}}, r"net_params: 'callbacks' cannot be set in a recipe"),
        ({"net_params": {"callbacks": ["os.system"]}}, r"net_params: The callback must be a registered name"),
        ({"net_params": {1: 2}}, r"net_params: '1' cannot be set in a recipe"),
        ({"net_params": {"compile": True}}, r"net_params: 'compile' cannot be set"),
        ({"net__compile": True}, r"net__compile: 'compile' cannot be set"),
        ({"net__compile__backend": "inductor"}, r"net__compile__backend: 'compile__backend' cannot be set"),
        ({"net_params": {"callbacks__guard": None}}, r"net_params: 'callbacks__guard' cannot be set"),
        ({"net_params": {"criterion__weight": {"a": 1}}}, r"net_params: 'criterion__weight' cannot be set"),
        ({"net__criterion": "MSELoss"}, r"net__criterion: The loss must be one of .* Did you mean 'mse'"),
        ({"net__criterion": ["mse"]}, r"net__criterion: 'criterion' cannot be set in a recipe"),
        ({"net__module": "os.system"}, r"net__module: 'module' cannot be set in a recipe"),
    ],
)
def test_parts_of_the_net_are_not_set_from_a_recipe(params: dict[str, Any], message: str):
    with pytest.raises(RecipeError, match=rf"^recipe: task\.classify\.{message}"):
        build(task={"classify": params})
    with pytest.raises(RecipeError, match=rf"^recipe: task\.forecast\.{message}"):
        prepare(SERIES, task={"forecast": params})


def test_parts_of_the_net_are_not_searched_from_a_recipe():
    grid = {"net__optimizer": ["SGD"]}
    with pytest.raises(RecipeError, match=r"search\.grid\.net__optimizer\[0\]: 'optimizer' cannot be set"):
        prepare(search={"grid": grid}, steps=["scale"])


def test_options_of_the_nets_parts_are_set_from_a_recipe():
    options = {"optimizer__betas": [0.8, 0.9], "optimizer__amsgrad": True}
    assert build(task={"classify": {"net_params": options}}).net_params == options


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"grid": {"cel": ["gru"]}}, r"search\.grid\.cel: is not a parameter here\. Did you mean 'cell'\?"),
        ({"grid": {"cell": ["gru", "gruu"]}}, r"search\.grid\.cell\[1\]: .*Did you mean 'gru'\?"),
        ({"random": {"lr": [0.1, -1]}, "n_iter": 2}, r"search\.random\.lr\[1\]: The 'lr' parameter"),
        (
            {"grid": {"wrappers": [["residual"], ["dropuot"]]}},
            r"search\.grid\.wrappers\[1\]: .*Did you mean 'dropout'\?",
        ),
        ({"grid": {"optimizer": ["SGD", "adamw"]}}, r"search\.grid\.optimizer\[1\]: .*Did you mean 'AdamW'\?"),
        ({"grid": {"lr_schedule": [None, "LambdaLR"]}}, r"search\.grid\.lr_schedule\[1\]: 'LambdaLR' needs a function"),
        ({"grid": {"lr_schedule": ["one_cycle"]}}, r"search\.grid\.lr_schedule\[0\]: .*Did you mean 'OneCycleLR'\?"),
        (
            {"grid": {"scale__methd": ["robust"]}},
            r"search\.grid\.scale__methd: .*Did you mean 'scale__method'\?",
        ),
        (
            {"grid": {"scale__method": ["robst"]}},
            r"search\.grid\.scale__method\[0\]: .*Did you mean 'robust'\?",
        ),
        ({"grid": {"lr": [0.1]}, "scoring": "acuracy"}, r"search\.scoring: .*Did you mean 'accuracy'\?"),
        ({"grid": {"lr": [0.1]}, "cv": 500}, r"search\.cv: .*n_splits=500.* Use fewer folds"),
    ],
)
def test_a_wrong_search_is_told_before_training(search: dict[str, Any], message: str):
    with pytest.raises(RecipeError, match=rf"^recipe: {message}"):
        prepare(search=search, steps=["scale"])


def test_a_test_size_that_the_data_does_not_allow_is_told_before_training():
    with pytest.raises(RecipeError, match=r"^recipe: evaluate\.test_size: .*5000"):
        prepare(evaluate={"test_size": 5000})


def test_steps_before_a_forecast_are_refused():
    with pytest.raises(RecipeError, match=r"^recipe: steps: .* is the series to forecast"):
        prepare(SERIES, steps=["scale"])


def test_candidates_are_called_as_the_recipe_writes_them():
    job = prepare(search={"grid": {"hidden_size": [4, 8], "scale__method": ["robust"]}}, steps=["scale"])
    assert sorted(job.candidates) == [
        "hidden_size 4 · method robust",
        "hidden_size 8 · method robust",
    ]
    assert sorted(job.estimator.param_grid) == ["model__hidden_size", "scale__method"]


def test_a_random_search_draws_no_more_than_there_is():
    assert len(prepare(search={"random": {"lr": [0.1, 0.2]}, "n_iter": 50}).candidates) == 2


def test_the_data_and_the_search_are_told_before_training():
    job = prepare(search={"grid": {"lr": [0.1]}, "cv": 4})
    assert job.summary == [
        "recipe: 1,797 sequences of 8 steps, 8 features, 10 classes; 450 held out",
        "search: 1 candidate, 4 folds each",
    ]
    series = prepare(SERIES, evaluate={"test_size": 10})
    assert series.summary == ["recipe: a series of 301 steps: value; 10 held out"]


def test_several_grids_are_searched_one_after_the_other():
    grids = [{"cell": ["gru"], "hidden_size": [3, 4]}, {"cell": ["lstm"], "lr": [0.1]}]
    assert prepare(search={"grid": grids, "cv": 2}).candidates == [
        "gru · 3",
        "gru · 4",
        "lstm · lr 0.1",
    ]


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ([], r"search\.grid: must not be empty"),
        ([{"cell": ["gru"]}, {"cel": ["gru"]}], r"search\.grid\[1\]\.cel: is not a parameter here"),
        ([{"cell": ["gruu"]}], r"search\.grid\[0\]\.cell\[0\]: The cell must be one of"),
        ([{"cell": "gru"}], r"search\.grid\[0\]\.cell: must be a list"),
    ],
)
def test_a_fault_in_one_of_several_grids_is_named_with_its_place(grid: Any, message: str):
    with pytest.raises(RecipeError, match=f"^recipe: {message}"):
        prepare(search={"grid": grid})
