"""WindowSplit: no target row is both trained and tested on."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences
from seqpipe.transformers import SequenceScaler, WindowSplit, make_windows


def flat(X):
    return np.asarray(X).reshape(len(X), -1)


def target_rows(windows):
    span = np.arange(max(windows.horizon, 1))
    return set((windows.first_target_rows[:, None] + span).ravel().tolist())


@st.composite
def window_sets(draw):
    """Windows of one to three series, in order, or some of them shuffled and drawn again."""
    window, horizon, stride = (draw(st.integers(low, high)) for low, high in [(1, 4), (0, 4), (1, 3)])
    lengths = draw(st.lists(st.integers(window + horizon, 40), min_size=1, max_size=3))
    X = Sequences(np.zeros(sum(lengths)), np.cumsum([0, *lengths]))
    windows, _, _ = make_windows(X, X.values[:, 0], window=window, horizon=horizon, stride=stride)
    if draw(st.booleans()):
        windows = windows[draw(st.lists(st.integers(0, len(windows) - 1), min_size=1, max_size=60))]
    return windows


def folds(windows, splitter):
    try:
        return list(splitter.split(windows))
    except InvalidSequencesError:
        assume(False)


@given(window_sets(), st.integers(2, 4), st.booleans())
def test_no_target_row_is_both_trained_and_tested_on(windows, n_splits, expanding):
    for train, test in folds(windows, WindowSplit(n_splits, expanding=expanding)):
        assert len(train)
        assert len(test)
        assert not target_rows(windows[train]) & target_rows(windows[test])


@given(window_sets(), st.integers(2, 4), st.booleans())
def test_a_window_is_left_out_only_where_a_target_is_shared(windows, n_splits, expanding):
    for train, test in folds(windows, WindowSplit(n_splits, expanding=expanding)):
        tested = target_rows(windows[test])
        last = {series: windows[test].starts[windows[test].series == series].max(initial=-1) for series in range(3)}
        for i in set(range(len(windows))) - set(train) - set(test):
            later = expanding and windows.starts[i] >= last[windows.series[i]]
            one_of_no_test = expanding and last[windows.series[i]] == -1
            assert later or one_of_no_test or target_rows(windows[[i]]) & tested


@given(window_sets(), st.integers(1, 4))
def test_expanding_training_ends_before_the_test_in_every_series(windows, n_splits):
    for train, test in folds(windows, WindowSplit(n_splits)):
        for series in set(windows.series[test]):
            past = windows.starts[train][windows.series[train] == series]
            assert past.max(initial=-1) < windows.starts[test][windows.series[test] == series].min()


@given(window_sets(), st.integers(2, 4))
def test_every_window_is_tested_once_where_training_may_follow(windows, n_splits):
    tested = [test for _, test in folds(windows, WindowSplit(n_splits, expanding=False))]
    assert sorted(np.concatenate(tested)) == list(range(len(windows)))


def test_test_blocks_are_contiguous_and_alike_in_size():
    windows, _, _ = make_windows(np.arange(104.0), window=3, horizon=2)
    tests = [test for _, test in WindowSplit(4).split(windows)]
    assert [len(test) for test in tests] == [20, 20, 20, 20]
    assert np.array_equal(np.concatenate(tests), np.arange(20, 100))


def test_several_series_are_each_cut_at_the_same_share():
    windows, _, _ = make_windows(Sequences(np.zeros(64), [0, 22, 64]), window=1, horizon=1)
    for train, test in WindowSplit(2, expanding=False).split(windows):
        assert np.bincount(windows.series[test]).tolist() in ([11, 21], [10, 20])
        assert set(windows.series[train]) == {0, 1}


def test_shuffled_folds_reward_remembering_and_window_splits_do_not():
    clock, noise = np.arange(600.0), np.random.default_rng(0).normal(size=600)
    windows, targets, _ = make_windows(clock, noise, window=24, horizon=8)
    model = make_pipeline(FunctionTransformer(flat), KNeighborsRegressor(2))
    coming = targets.sum(axis=1)  # a clock tells nothing of it
    assert cross_val_score(model, windows, coming, cv=KFold(5, shuffle=True, random_state=0)).mean() > 0.7
    assert cross_val_score(model, windows, coming, cv=WindowSplit(5)).mean() < 0
    assert cross_val_score(model, windows, coming, cv=WindowSplit(5, expanding=False)).mean() < 0


def test_a_grid_search_over_a_pipeline_takes_the_splitter():
    series = np.sin(np.arange(200) / 3)
    windows, targets, _ = make_windows(series, window=8)
    model = make_pipeline(SequenceScaler(), FunctionTransformer(flat), Ridge())
    search = GridSearchCV(model, {"ridge__alpha": [1e-6, 1e6]}, cv=WindowSplit(3)).fit(windows, targets)
    assert search.n_splits_ == 3
    assert search.best_score_ > 0.99
    assert search.best_params_ == {"ridge__alpha": 1e-6}


def test_it_is_cloned_and_shown_as_scikit_learns_are():
    splitter = WindowSplit(3, expanding=False)
    assert repr(splitter) == "WindowSplit(expanding=False, n_splits=3)"
    assert splitter.get_n_splits() == 3
    assert repr(clone(splitter, safe=False)) == repr(splitter)


@pytest.mark.parametrize("X", [np.ones((10, 3)), [[1.0]], Sequences(np.ones(3), [0, 3])])
def test_anything_but_windows_is_refused_with_the_remedy(X):
    with pytest.raises(
        InvalidSequencesError, match=r"WindowSplit splits the Windows .*TimeSeriesSplit\(gap=horizon - 1\)"
    ):
        next(WindowSplit().split(X))


def test_too_few_windows_are_refused():
    windows, _, _ = make_windows(np.arange(5.0), window=2)
    with pytest.raises(InvalidSequencesError, match=r"3 windows with a horizon of 1 leave .* choose fewer splits"):
        list(WindowSplit(5).split(windows))


def test_a_horizon_that_leaves_nothing_to_train_on_is_refused():
    windows, _, _ = make_windows(np.arange(40.0), window=2, horizon=30)
    with pytest.raises(InvalidSequencesError, match=r"horizon of 30 leave 0 training .*a shorter horizon"):
        list(WindowSplit(2).split(windows))


@pytest.mark.parametrize(("n_splits", "expanding", "least"), [(0, True, 1), (1, False, 2), (2.5, True, 1)])
def test_a_number_of_splits_that_makes_no_sense_is_refused(n_splits, expanding, least):
    windows, _, _ = make_windows(np.arange(20.0), window=2)
    with pytest.raises(InvalidSequencesError, match=rf"'n_splits' parameter .* at least {least}. Got {n_splits}"):
        next(WindowSplit(n_splits, expanding=expanding).split(windows))
