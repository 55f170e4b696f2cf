from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from seqpipe.exceptions import RecipeError
from seqpipe.pipeline._load import load_recipe
from seqpipe.tasks import Roles

WHOLE = """\
name: sensors
seed: 3
data:
  path: sensors.csv
  id: device
  time: t
  features: [ax, ay]
  target: activity
  sort: true
  missing: forward
steps:
  - pad
  - scale: {method: robust}
task:
  classify: {cell: gru, hidden_size: 32}
search:
  random: {lr: [1e-3, 1e-2]}
  n_iter: 2
  cv: 4
  scoring: accuracy
  jobs: 2
evaluate: {test_size: 50}
tracking: {experiment: e, uri: "sqlite:///x.db", enabled: true, log_model: false, diagnostics: [gradient_flow]}
"""


def test_every_field_of_a_recipe_is_read(write: Callable[..., Path]):
    loaded = load_recipe(write(WHOLE))
    recipe = loaded.recipe
    assert loaded.name == "sensors"
    assert recipe.seed == 3
    assert recipe.data.roles == Roles("device", "t", ("ax", "ay"), ("activity",), None)
    assert (recipe.data.sort, recipe.data.missing) == (True, "forward")
    assert [(step.name, step.params) for step in recipe.steps] == [
        ("pad", {}),
        ("scale", {"method": "robust"}),
    ]
    assert (recipe.task.name, recipe.task.params) == ("classify", {"cell": "gru", "hidden_size": 32})
    assert recipe.search is not None
    assert recipe.search.grids[0][1] == {"lr": [0.001, 0.01]}
    assert (recipe.search.n_iter, recipe.search.cv, recipe.search.scoring, recipe.search.jobs) == (
        2,
        4,
        "accuracy",
        2,
    )
    assert recipe.evaluate.test_size == 50
    assert recipe.tracking.model_dump() == {
        "experiment": "e", "uri": "sqlite:///x.db", "enabled": True, "log_model": False, "diagnostics": ["gradient_flow"],
    }  # fmt: skip


def test_a_recipe_is_called_after_its_file(write: Callable[..., Path]):
    assert load_recipe(write("data: {dataset: digits}\ntask: classify", "my digits.yaml")).name == "my digits"


def test_one_diagnostic_needs_no_list_and_an_unknown_one_is_named():
    recipe = {"data": {"dataset": "digits"}, "task": "classify"}
    assert load_recipe({**recipe, "tracking": {"diagnostics": "hidden_states"}}).recipe.tracking.diagnostics == [
        "hidden_states"
    ]
    with pytest.raises(
        RecipeError,
        match=r"^recipe: tracking\.diagnostics.*: must be 'gradient_flow' or 'hidden_states'\. Got 'flow' instead",
    ):
        load_recipe({**recipe, "tracking": {"diagnostics": ["flow"]}})


def test_a_mapping_is_a_recipe_too():
    loaded = load_recipe({"data": {"dataset": "digits"}, "task": "classify"})
    assert (loaded.name, loaded.recipe.task.name) == ("recipe", "classify")
    with pytest.raises(RecipeError, match=r"^recipe: data\.datset: is not a field here\. Did you mean 'dataset'\?"):
        load_recipe({"data": {"datset": "digits"}, "task": "classify"})


def test_the_text_of_a_recipe_holds_its_overrides(write: Callable[..., Path]):
    path = write("data: {dataset: digits}\ntask: classify\n")
    text = load_recipe(path, ["task.classify.lr=0.5"]).text
    assert load_recipe(write(text, "again.yaml")).recipe.task.params == {"lr": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: {dataset: d}", r":1: task: is missing"),
        (
            "data: {dataset: d}\ntask: c\nserch: {}",
            r":3: serch: is not a field here\. Did you mean 'search'\?",
        ),
        ("data: {dataset: d}\ntask: c\n7: x", r":3: .*7.* is not a field here"),
        ("data: {dataset: d}\ntask: [a]", r":2: task: must be a name, or one name with its parameters"),
        ("data: {dataset: d}\ntask: {a: 1}", r":2: task: the parameters of 'a' must be written as"),
        ("data: {dataset: d}\ntask: {a: {}, b: {}}", r":2: task: must be a name, or one name"),
        ("data: {dataset: d, path: e}\ntask: c", r":1: data: give either 'dataset'.* or 'path'"),
        ("data: {id: e}\ntask: c", r":1: data: give either 'dataset'.* or 'path'"),
        ("data: d\ntask: c", r":1: data: must be fields with values"),
        (
            "task: c\ndata:\n  dataset: d\n  sort: no",
            r":4: data\.sort: must be true or false\. Got 'no' instead",
        ),
        (
            "task: c\ndata:\n  dataset: d\n  missing: fill",
            r":4: data\.missing: must be 'error', 'interpolate'",
        ),
        ("task: c\ndata:\n  dataset: d\n  target: []", r":4: data\.target: must not be empty"),
        ("task: c\ndata:\n  dataset: d\n  id: true", r":4: data\.id: must be a valid string\. Got True instead"),
        ("data: {dataset: d}\ntask: c\nseed: 1.5", r":3: seed: must be a valid integer\. Got 1\.5 instead"),
        ("data: {dataset: d}\ntask: c\nseed: -1", r":3: seed: must be greater than or equal to 0\. Got -1"),
        ("data: {dataset: d}\ntask: c\nsteps: {a: 1}", r":3: steps: must be a list"),
        ("data: {dataset: d}\ntask: c\nsteps:\n- a\n- b: 2", r":5: steps\[1\]: the parameters of 'b'"),
        (
            "data: {dataset: d}\ntask: c\nsearch:\n  grid:\n    cell: rnn",
            r":5: search\.grid\.cell: must be a list",
        ),
        (
            "data: {dataset: d}\ntask: c\nsearch:\n  grid:\n    cell: []",
            r":5: search\.grid\.cell: must not be empty",
        ),
        ("data: {dataset: d}\ntask: c\nsearch:\n  grid: {}", r":4: search\.grid: must not be empty"),
        ("data: {dataset: d}\ntask: c\nsearch: {cv: 3}", r":3: search: give either 'grid' or 'random'"),
        (
            "data: {dataset: d}\ntask: c\nsearch: {random: {a: [1]}}",
            r":3: search: 'n_iter'.* must be given with 'random'",
        ),
        ("data: {dataset: d}\ntask: c\nsearch: {grid: {a: [1]}, n_iter: 2}", r":3: search: 'n_iter'"),
        ("data: {dataset: d}\ntask: c\nsearch: {grid: {a: [1]}, jobs: 0}", r":3: search: 'jobs' must be"),
        (
            "data: {dataset: d}\ntask: c\nsearch:\n  grid: {a: [1]}\n  cv: 1",
            r":5: search\.cv: must be greater than",
        ),
        (
            "data: {dataset: d}\ntask: c\nevaluate:\n  test_size: 1.0",
            r":4: evaluate\.test_size: must be a fraction",
        ),
        (
            "data: {dataset: d}\ntask: c\nevaluate:\n  test_size: 0",
            r":4: evaluate\.test_size: must be a fraction",
        ),
        (
            "data: {dataset: d}\ntask: c\nevaluate:\n  test_size: a",
            r":4: evaluate\.test_size: must be a number",
        ),
        ("- a", r":1: a recipe must consist of fields"),
        ("", r":1: a recipe must consist of fields"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_line(text: str, message: str, write: Callable[..., Path]):
    with pytest.raises(RecipeError, match=rf"^\S*recipe\.yaml{message}"):
        load_recipe(write(text))


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("data: {dataset: d}\ntask: {_target_: os.system}", "task"),
        ("data: {dataset: d, _target_: os.system}\ntask: c", "data._target_"),
        ("data: {dataset: d}\ntask: c\n_target_: os.system", "_target_"),
    ],
)
def test_a_hydra_target_is_no_field(text: str, field: str, write: Callable[..., Path]):
    with pytest.raises(RecipeError, match=rf"recipe\.yaml:\d: {field}: "):
        load_recipe(write(text))


def test_a_shipped_recipe_is_found_by_name():
    assert load_recipe("digits").name == "digits"


def test_a_file_wins_over_a_shipped_recipe(write: Callable[..., Path]):
    write("name: mine\ndata: {dataset: d}\ntask: c", "digits")
    assert load_recipe("digits").name == "mine"


@pytest.mark.parametrize("name", ["digit", "digits.yml", "."])
def test_a_recipe_that_is_nowhere_is_told_with_those_that_are(name: str):
    with pytest.raises(RecipeError, match=r"no shipped recipe of this name.*The shipped ones are .*digits"):
        load_recipe(name)
