"""The run tree without a store."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.tracking._events import FitBegan, FitEnded, Released, Reported, RunBegan, RunEnded, SearchBegan
from seqpipe.tracking._outcome import FINISHED, LOST, Outcome
from seqpipe.tracking._run_path import run_path
from seqpipe.tracking._tree import RunTree, add_tree

TREE = uuid4()
BROKEN = Outcome("FAILED", "ValueError: no")


def began(**options):
    return FitBegan(tree=TREE, time=0, name="search", is_search=True, logs_model=False, params={}, tags={}, **options)


def fold(task):
    return (("search", 0), ("candidate-split-evaluation", task))


def start(task, time, worker=0):
    return RunBegan(tree=TREE, time=time, path=fold(task), worker=(worker, 0), params={}, tags={})


def end(task, time, outcome=FINISHED):
    return RunEnded(tree=TREE, time=time, path=fold(task), outcome=outcome)


def searching(n_splits, n_candidates):
    tree = RunTree(began())
    searched = [{"cell": str(i)} for i in range(n_candidates)]
    tree.apply(SearchBegan(tree=TREE, time=0, path=(), n_splits=n_splits, searched=searched))
    return tree


@given(st.data(), st.integers(1, 4), st.integers(1, 4), st.integers(1, 3))
def test_the_tree_is_complete_for_any_order_of_events(data, n_candidates, n_splits, n_workers):
    """Folds begin and end in any order that workers allow; some fail, some never report their end."""
    tree = searching(n_splits, n_candidates)
    tasks = list(range(n_candidates * n_splits))
    working: dict[int, int] = {}
    failed, time = set(), 1
    while tasks or working:
        worker = data.draw(st.integers(0, n_workers - 1))
        if worker in working:
            task = working.pop(worker)
            outcome = data.draw(st.sampled_from([FINISHED, BROKEN, None]))
            if outcome != FINISHED:
                failed.add(task)
            if outcome is not None:
                tree.apply(end(task, time, outcome))
        elif tasks:
            working[worker] = tasks.pop(0)
            tree.apply(start(working[worker], time, worker))
        time += 1
    tree.apply(FitEnded(tree=TREE, time=time, outcome=FINISHED, held=False))

    folds = [run for run in tree.runs if run.kind == "fold"]
    candidates = [run for run in tree.runs if run.kind == "candidate"]
    assert (len(candidates), len(folds)) == (n_candidates, n_candidates * n_splits)
    assert all(run.outcome is not None and run.start <= run.end <= time for run in tree.runs)
    for i, run in enumerate(tree.runs):
        assert run.parent is None or run.parent in tree.runs[:i]
        assert run.parent is None or run.parent.start <= run.start
        assert run.parent is None or run.parent.end >= run.end
    assert sum(run.outcome.status == "FAILED" for run in folds) == len(failed)
    failed_candidates = {task // n_splits for task in failed}
    assert sum(run.outcome.status == "FAILED" for run in candidates) == len(failed_candidates)


def report(task, epoch, time):
    path = (*fold(task), ("epoch", epoch - 1))
    return Reported(tree=TREE, time=time, path=path, step=epoch, metrics={"train_loss": 1 / epoch}, tags={})


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_fold_that_another_worker_repeats_is_one_run_with_each_epoch_once(has_ended):
    """Dask repeats the tasks of a worker that is gone, also those that were done."""
    tree = searching(2, 1)
    tree.apply(start(0, 10, worker=1))
    for epoch in (1, 2):
        tree.apply(report(0, epoch, 10 + epoch))
    if has_ended:
        tree.apply(end(0, 15))
    tree.apply(start(0, 20, worker=2))
    for epoch in (1, 2, 3):
        tree.apply(report(0, epoch, 20 + epoch))
    tree.apply(end(0, 30))

    [run] = [run for run in tree.runs if run.kind == "fold"]
    assert [(point.step, point.time) for point in run.points] == [(1, 11), (2, 12), (3, 23)]
    assert (run.start, run.end, run.outcome) == (10, 30, FINISHED)


def test_a_worker_that_begins_a_fold_has_ended_the_one_before():
    tree = searching(2, 1)
    tree.apply(start(0, 10))
    tree.apply(start(1, 30))

    _, _, forgotten, running = tree.runs
    assert (forgotten.outcome.status, forgotten.end) == ("FAILED", 30)
    assert "FitFailedWarning" in forgotten.tags["seqpipe.error"]
    assert running.outcome is None


def test_a_candidate_spans_its_folds_in_any_order_of_events():
    tree = searching(2, 1)
    for event in (start(1, 12, 1), start(0, 10, 0), end(1, 30), end(0, 20)):
        tree.apply(event)

    candidate = tree.runs[1]
    assert (candidate.start, candidate.end) == (10, 30)


def test_what_arrives_after_the_end_changes_nothing():
    tree = searching(1, 2)
    tree.apply(start(0, 10))
    tree.apply(FitEnded(tree=TREE, time=20, outcome=BROKEN, held=False))
    tree.apply(end(0, 30))
    tree.apply(start(1, 30))

    assert [run.outcome for run in tree.runs] == [BROKEN] * 3
    assert {run.end for run in tree.runs} == {20}


def test_an_epoch_reports_to_the_nearest_run_above_it():
    tree = searching(1, 1)
    tree.apply(start(0, 10))
    for path in ((*fold(0), ("fit-final-estimator", 1), ("epoch", 4)), (("epoch", 0),)):
        tree.apply(Reported(tree=TREE, time=11, path=path, step=5, metrics={"loss": 1.0}, tags={}))

    counts = {run.kind: len(run.points) for run in tree.runs}
    assert counts == {"search": 1, "candidate": 0, "fold": 1}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ((), ()),
        ((("epoch", 3),), ()),
        (fold(2), fold(2)),
        (fold(2) + fold(0), fold(2)),
        ((("refit-with-best-params", 1), ("epoch", 3)), (("refit-with-best-params", 1),)),
    ],
)
def test_the_outermost_fold_or_refit_owns_a_task(path, expected):
    assert run_path(path) == expected


@pytest.mark.parametrize(
    ("fit", "block", "status"),
    [
        (FINISHED, FINISHED, "FINISHED"),
        (FINISHED, BROKEN, "FAILED"),
        (BROKEN, FINISHED, "FAILED"),
        (Outcome("KILLED", "Ctrl-C"), BROKEN, "KILLED"),
    ],
)
def test_a_held_root_ends_as_badly_as_the_fit_or_the_block(fit, block, status):
    tree = RunTree(began())
    tree.apply(FitEnded(tree=TREE, time=5, outcome=fit, held=True))
    assert tree.root.outcome is None
    tree.apply(Released(tree=TREE, time=9, outcome=block))
    assert (tree.root.outcome.status, tree.root.end) == (status, 9)


def member(number, group, key, **options):
    return FitBegan(
        tree=UUID(int=number),
        time=number,
        name="fit",
        is_search=False,
        logs_model=False,
        params={},
        tags={},
        key=key,
        group=group and UUID(int=group),
        **options,
    )


def grouped():
    """Return the trees of a group (1) with a fit (2) and a group (3), which has two fits that are alike (4 and 5)."""
    trees: dict[UUID, RunTree] = {}
    for event in (
        member(1, None, None, kind="group"),
        member(2, 1, "a"),
        member(3, 1, "b", kind="group"),
        member(4, 3, "c"),
        member(5, 3, "c"),
    ):
        add_tree(trees, event, Path())
    return [trees[UUID(int=number)] for number in range(1, 6)]


def test_the_runs_of_a_group_have_keys_below_its_own():
    outer, fit, inner, first, second = grouped()
    root = outer.root.key
    assert [tree.root.key for tree in (fit, inner, first, second)] == [
        f"{root}/a",
        f"{root}/b",
        f"{root}/b/c",
        f"{root}/b/c-2",
    ]
    assert [tree.root.parent for tree in (fit, inner, first)] == [outer.root, outer.root, inner.root]
    assert [tree.root.name for tree in (fit, inner, first, second)] == ["fit (1)", "fit", "fit (1)", "fit (2)"]
    assert [len(tree.above) for tree in (outer, inner, second)] == [0, 1, 2]


@pytest.mark.parametrize("end", ["closed", "ended"])
def test_a_group_that_ends_has_ended_all_that_is_in_it(end):
    trees = grouped()
    outer, fit, *_ = trees
    fit.apply(FitEnded(tree=fit.id, time=8, outcome=FINISHED, held=False))
    assert outer.waits
    if end == "closed":
        outer.close()
    else:
        outer.apply(FitEnded(tree=outer.id, time=9, outcome=BROKEN, held=False))
    assert fit.root.outcome == FINISHED
    assert {tree.root.outcome for tree in trees if tree is not fit} == {LOST if end == "closed" else BROKEN}
    assert all(tree.root.end <= outer.root.end for tree in trees)


def test_a_fit_that_begins_after_its_group_has_ended_is_left_out():
    outer, *_ = grouped()
    outer.apply(FitEnded(tree=outer.id, time=9, outcome=BROKEN, held=False))
    trees = {outer.id: outer}
    add_tree(trees, member(7, 1, "late"), Path())
    assert list(trees) == [outer.id]
