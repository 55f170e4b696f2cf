from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from seqpipe.exceptions import TrackingError
from seqpipe.pipeline import compare_experiment, run_recipe
from seqpipe.tracking import read_runs
from seqpipe.tracking._store import open_client

pytestmark = pytest.mark.live_tree

TINY = {
    "data": {"dataset": "digits"},
    "task": {"classify": {"max_epochs": 2, "hidden_size": 4}},
    "evaluate": {"test_size": 0.9},
}


@pytest.fixture(scope="module")
def two_runs(store: str) -> str:
    tracking = {"experiment": "compared", "uri": store}
    search = {"grid": {"cell": ["rnn", "gru"]}, "cv": 2}
    run_recipe({**TINY, "name": "first", "search": search, "tracking": tracking})
    run_recipe({**TINY, "name": "second", "tracking": tracking})
    return "compared"


def test_candidates_and_single_fits_stand_side_by_side(two_runs: str):
    table = compare_experiment(two_runs).table
    assert table.columns.tolist() == ["name", "mean", "std", "seconds", "compile_seconds", "n_parameters", "run"]
    assert set(table["name"]) == {"1: rnn", "1: gru", "2: second: gru · 4"}
    assert table["mean"].is_monotonic_decreasing
    assert (table["n_parameters"] > 0).all()
    assert np.isfinite(table["seconds"]).all()
    assert np.isfinite(table["compile_seconds"]).all()
    assert compare_experiment(two_runs).left_out == ""


@pytest.fixture(scope="module")
def over_two_data_sets(store: str) -> dict[str, str]:
    """Return the parent runs of a fit and of a search over other data, by name."""
    tracking = {"experiment": "over two", "uri": store}
    search = {"grid": {"cell": ["rnn", "gru"]}, "cv": 2}
    made = [
        run_recipe({**TINY, "name": "fit", "tracking": tracking}),
        run_recipe({**TINY, "name": "search", "search": search, "tracking": tracking, "evaluate": {"test_size": 0.8}}),
    ]
    return {result.name: result.record.run_id for result in made if result.record is not None}


def test_searches_over_other_data_are_left_out_and_named(over_two_data_sets: dict[str, str]):
    found = compare_experiment("over two")
    assert set(found.table["name"]) == {"2: rnn", "2: gru"}
    assert f"fit: gru · 4 (digits, {over_two_data_sets['fit'][:8]})" in found.left_out
    assert "--all-data" in found.left_out


def test_all_data_are_mixed_if_that_is_asked_for(over_two_data_sets: dict[str, str]):
    found = compare_experiment("over two", all_data=True)
    assert set(found.table["name"]) == {"1: fit: gru · 4", "2: rnn", "2: gru"}
    assert found.left_out == ""


def test_runs_are_chosen_by_the_begins_of_their_ids(over_two_data_sets: dict[str, str]):
    fit, search = over_two_data_sets["fit"], over_two_data_sets["search"]
    assert set(compare_experiment("over two", runs=[fit[:8]]).table["name"]) == {"1: fit: gru · 4"}
    assert set(compare_experiment("over two", runs=[search]).table["run"]) == {search[:8]}
    assert set(compare_experiment("over two", runs=[fit, search]).table["run"]) == {fit[:8], search[:8]}


def test_a_run_in_a_search_stands_for_it(over_two_data_sets: dict[str, str], store: str):
    runs = read_runs("over two", store, kinds=["fold", "refit"])
    for run_id in runs["run_id"]:
        assert set(compare_experiment("over two", runs=[run_id]).table["name"]) == {"2: rnn", "2: gru"}


def test_a_run_that_is_not_there_is_told_with_those_that_are(over_two_data_sets: dict[str, str]):
    with pytest.raises(TrackingError, match=rf"has no run whose id starts with 'zz'.*{over_two_data_sets['fit'][:8]}"):
        compare_experiment("over two", runs=["zz"])
    with pytest.raises(TrackingError, match="has several runs whose id starts with ''"):
        compare_experiment("over two", runs=[""])


def test_scores_by_another_rule_are_not_compared(store: str):
    recipe = {**TINY, "name": "two rules", "tracking": {"uri": store}}
    search = {"grid": {"hidden_size": [3]}, "cv": 2}
    run_recipe({**recipe, "search": {**search, "scoring": "neg_log_loss"}})
    run_recipe({**recipe, "search": search})
    found = compare_experiment("two rules")
    assert set(found.table["name"]) == {"2: hidden_size 3"}
    assert "their data or scoring differs: two rules: hidden_size (digits, " in found.left_out


def test_the_picture_is_a_figure(two_runs: str):
    assert isinstance(compare_experiment(two_runs).figure, Figure)


def test_the_experiment_that_changed_last_is_the_default(two_runs: str, store: str):
    run_recipe({**TINY, "name": "newest", "tracking": {"uri": store}})
    assert compare_experiment().experiment == "newest"


def test_candidates_of_a_single_search_have_plain_names(store: str):
    search = {"grid": {"hidden_size": [3, 4]}, "cv": 2}
    run_recipe({**TINY, "name": "alone", "search": search, "tracking": {"uri": store}})
    assert set(compare_experiment("alone").table["name"]) == {"hidden_size 3", "hidden_size 4"}


def test_an_unknown_experiment_is_told_with_those_that_are(two_runs: str):
    with pytest.raises(TrackingError, match=r"no experiment 'compard'.* Did you mean 'compared'\?"):
        compare_experiment("compard")


def test_an_experiment_without_runs_is_told(store: str):
    open_client(store).create_experiment("empty")
    with pytest.raises(TrackingError, match="'empty' has no candidates or fits yet"):
        compare_experiment("empty")


def test_candidates_of_a_deleted_search_are_left_out(store: str):
    recipe = {**TINY, "name": "thinned", "tracking": {"uri": store}}
    search = {"grid": {"hidden_size": [3, 4]}, "cv": 2}
    gone, _ = run_recipe({**recipe, "search": search}), run_recipe({**recipe, "search": search})
    run_recipe(recipe)
    assert gone.record is not None
    open_client(store).delete_run(gone.record.run_id)
    names = compare_experiment("thinned").table["name"]
    assert set(names) == {"1: hidden_size 3", "1: hidden_size 4", "2: thinned: gru · 4"}


def test_nothing_is_left_to_compare_where_the_only_search_was_deleted(store: str):
    found = run_recipe(
        {**TINY, "name": "emptied", "tracking": {"uri": store}, "search": {"grid": {"cell": ["rnn"]}, "cv": 2}}
    )
    assert found.record is not None
    open_client(store).delete_run(found.record.run_id)
    with pytest.raises(TrackingError, match="'emptied' has no candidates or fits yet"):
        compare_experiment("emptied")
