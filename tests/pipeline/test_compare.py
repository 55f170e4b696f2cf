from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from seqpipe.exceptions import TrackingError
from seqpipe.pipeline import compare_experiment, run_recipe
from seqpipe.tracking._store import open_client

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
    assert table.columns.tolist() == ["name", "mean", "std", "seconds", "n_parameters"]
    assert set(table["name"]) == {"1: cell=rnn", "1: cell=gru", "2: second"}
    assert table["mean"].is_monotonic_decreasing
    assert (table["n_parameters"] > 0).all()
    assert np.isfinite(table["seconds"]).all()


def test_the_picture_is_a_figure(two_runs: str):
    assert isinstance(compare_experiment(two_runs).figure, Figure)


def test_the_experiment_that_changed_last_is_the_default(two_runs: str, store: str):
    run_recipe({**TINY, "name": "newest", "tracking": {"uri": store}})
    assert compare_experiment().experiment == "newest"


def test_candidates_of_a_single_search_have_plain_names(store: str):
    search = {"grid": {"hidden_size": [3, 4]}, "cv": 2}
    run_recipe({**TINY, "name": "alone", "search": search, "tracking": {"uri": store}})
    assert set(compare_experiment("alone").table["name"]) == {"hidden_size=3", "hidden_size=4"}


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
    assert set(names) == {"1: hidden_size=3", "1: hidden_size=4", "2: thinned"}


def test_nothing_is_left_to_compare_where_the_only_search_was_deleted(store: str):
    found = run_recipe(
        {**TINY, "name": "emptied", "tracking": {"uri": store}, "search": {"grid": {"cell": ["rnn"]}, "cv": 2}}
    )
    assert found.record is not None
    open_client(store).delete_run(found.record.run_id)
    with pytest.raises(TrackingError, match="'emptied' has no candidates or fits yet"):
        compare_experiment("emptied")
