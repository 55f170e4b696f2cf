"""Scores of folds and candidates, in the store before the search ends, and each of them once."""

from __future__ import annotations

import math
from collections import Counter
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joblib import parallel_config
from sklearn.model_selection import GridSearchCV

from seqpipe import reported
from seqpipe.tracking._events import FitBegan, FitEnded, FoldScored, RunBegan, RunEnded, SearchBegan, SearchEnded
from seqpipe.tracking._outcome import FINISHED
from seqpipe.tracking._search import SearchResults
from seqpipe.tracking._tree import RunTree

TREE = uuid4()
GRID = {"cell": ["gru", "lstm"]}


@pytest.mark.live_tree
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_each_score_is_in_the_store_once_as_the_search_has_it(net, data, make_tracker, runs, client, n_jobs):
    scoring = reported(["accuracy", "balanced_accuracy"])
    search = GridSearchCV(net(), GRID, cv=3, scoring=scoring, refit="accuracy", return_train_score=True)
    with parallel_config(backend="threading", n_jobs=n_jobs):
        search.set_callbacks(make_tracker()).fit(*data)

    columns, names = search.cv_results_, [f"{of}_{name}" for of in ("test", "train") for name in scoring]
    for run in runs("candidate"):
        number = int(run.data.tags["seqpipe.candidate"]) - 1
        for name in (f"{kind}_{name}" for kind in ("mean", "std") for name in names):
            assert run.data.metrics[name] == columns[name][number]
    for run in runs("fold"):
        number, split = int(run.data.tags["seqpipe.candidate"]) - 1, int(run.data.tags["seqpipe.fold"]) - 1
        assert {name: run.data.metrics[name] for name in names} == {
            name: columns[f"split{split}_{name}"][number] for name in names
        }
    for run in [*runs("candidate"), *runs("fold")]:
        scores = [key for key in run.data.metrics if "accuracy" in key]
        assert {len(client.get_metric_history(run.info.run_id, key)) for key in scores} == {1}


@pytest.mark.live_tree
def test_a_candidate_is_scored_once_its_folds_are_and_a_fold_at_once(net, data, make_tracker, runs):
    tracker, seen = make_tracker(), []

    def look(epoch):
        tracker._writer.drain()
        found = [*runs("candidate"), *runs("fold")] if epoch == 1 else []
        seen.append({run.info.run_name: run.data.metrics for run in found})

    search = GridSearchCV(net(on_epoch=look), GRID, cv=2, scoring=reported("accuracy"), refit=False)
    search.set_callbacks(tracker).fit(*data)

    one, two = seen[3], seen[6]
    assert one["gru · fold 1"]["test_score"] == search.cv_results_["split0_test_score"][0]
    assert "mean_test_score" not in one["gru"]
    assert two["gru"]["mean_test_score"] == search.cv_results_["mean_test_score"][0]
    assert two["gru"]["std_test_score"] == search.cv_results_["std_test_score"][0]
    assert "mean_test_score" not in two["lstm"]


def results(n_candidates, folds, error):
    """Return the results of a search, whose means differ by rounding from those of the folds."""
    means = [sum(each) / len(each) for each in folds]
    return SearchResults(
        params=[{"cell": str(i)} for i in range(n_candidates)],
        candidates=[{"mean_test_score": mean * (1 + error), "rank_test_score": 1.0} for mean in means],
        folds=[[{"test_score": score} for score in each] for each in folds],
        best_score=max(means),
        best=0,
    )


@given(st.data(), st.integers(1, 3), st.integers(1, 3))
def test_a_score_is_one_point_whichever_way_it_comes(data, n_candidates, n_splits):
    """Some folds are scored while the search runs, once or twice, or after its end; the others with its results."""
    score = st.one_of(st.floats(0, 1), st.just(math.nan))
    folds = [[data.draw(score) for _ in range(n_splits)] for _ in range(n_candidates)]
    tree = RunTree(FitBegan(tree=TREE, time=0, name="", is_search=True, logs_model=False, params={}, tags={}))
    tree.apply(SearchBegan(tree=TREE, time=0, path=(), n_splits=n_splits, searched=None))
    paths = [(("search", 0), ("candidate-split-evaluation", task)) for task in range(n_candidates * n_splits)]
    for path in paths:
        tree.apply(RunBegan(tree=TREE, time=1, path=path, worker=(0, 0), params={}, tags={}))
        tree.apply(RunEnded(tree=TREE, time=2, path=path, outcome=FINISHED))
    scored = [
        FoldScored(tree=TREE, time=3, path=path, scores={"test_score": folds[i // n_splits][i % n_splits]})
        for i, path in enumerate(paths)
        for _ in range(data.draw(st.integers(0, 2)))
    ]
    events = data.draw(st.permutations(scored))
    end = SearchEnded(tree=TREE, time=4, path=(), results=results(n_candidates, folds, 1e-16))
    for event in [*events[: (cut := data.draw(st.integers(0, len(events))))], end, *events[cut:]]:
        tree.apply(event)
    tree.apply(FitEnded(tree=TREE, time=5, outcome=FINISHED, held=False))

    for run in tree.runs:
        expected = {"fold": ["test_score"], "candidate": ["mean_test_score", "rank_test_score"]}.get(run.kind, [])
        counts = Counter(point.key for point in run.points)
        assert set(counts.values()) <= {1}
        assert set(expected) <= set(counts)
