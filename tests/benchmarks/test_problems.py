"""Every problem gives the data that its kind promises."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from problems import LOOKED_AT_ONCE, TUNED_ON, ForecastProblem, Problem, SampleProblem, Samples, Series
from problems._problem import Array

ALL = (*TUNED_ON, *LOOKED_AT_ONCE)
SAMPLES = [p for p in ALL if isinstance(p, SampleProblem)]
FORECASTS = [p for p in ALL if isinstance(p, ForecastProblem)]


def named(problems: list[SampleProblem] | list[ForecastProblem]) -> pytest.MarkDecorator:
    cases = [
        pytest.param(p, id=p.name, marks=pytest.mark.skipif(not p.is_available, reason=f"needs {p.needs}"))
        for p in problems
    ]
    return pytest.mark.parametrize("problem", cases)


def arrays(data: Samples | Series) -> Iterator[Array]:
    parts = [data.train, data.future] if isinstance(data, Series) else vars(data).values()
    for part in parts:
        yield from map(np.asarray, part)


def same(a: Samples | Series, b: Samples | Series) -> bool:
    first, second = list(arrays(a)), list(arrays(b))
    return len(first) == len(second) and all(map(np.array_equal, first, second))


def test_there_are_enough_problems_with_a_name_of_their_own() -> None:
    assert len(ALL) >= 28
    assert len({p.name for p in ALL}) == len(ALL)


def test_the_halves_are_disjoint_and_have_every_kind() -> None:
    assert not set(TUNED_ON) & set(LOOKED_AT_ONCE)
    kinds = {"classification", "regression", "step classification", "step regression", "forecast"}
    assert {p.kind for p in TUNED_ON} == {p.kind for p in LOOKED_AT_ONCE} == kinds
    assert len(FORECASTS) >= 7


def test_the_first_problems_are_those_that_the_docs_have_scores_of() -> None:
    assert [p.name for p in TUNED_ON[:11]] == [
        "digits", "place_names", "waves", "share_swings", "few_long", "thirty_short", "many_classes", "ragged_motif",
        "adding", "noisy_series", "rare_event",
    ]  # fmt: skip


@pytest.mark.parametrize("problem", ALL, ids=lambda p: p.name)
def test_a_problem_is_described_and_scored(problem: Problem) -> None:
    first = problem.description.strip().splitlines()[0]
    assert re.fullmatch(r".{20,120}\.", first.strip())
    scores = {"forecast": {"MASE"}, "regression": {"R²"}, "classification": {"accuracy", "balanced accuracy"}}
    assert problem.score in scores[problem.kind.removeprefix("step ")]


@named(SAMPLES)
def test_samples_match_their_kind(problem: SampleProblem) -> None:
    data = problem(0)
    n_features = np.shape(data.X_train[0])[1]
    for X, y in ((data.X_train, data.y_train), (data.X_test, data.y_test)):
        assert len(X) == len(y) >= 30
        assert {np.shape(x)[1:] for x in X} == {(n_features,)}
        assert all(np.isfinite(x).all() and len(x) for x in X)
        if problem.kind.startswith("step"):
            assert [np.shape(target) for target in y] == [(len(x),) for x in X]
        else:
            assert np.shape(y) == (len(X),)
    train, test = (np.concatenate([np.ravel(target) for target in y]) for y in (data.y_train, data.y_test))
    if problem.is_regression:
        assert train.dtype.kind == "f"
        assert np.isfinite(train).all()
        assert train.std() > 0
    else:
        assert set(test) <= set(train)
        assert len(set(train)) >= 2


@named(FORECASTS)
def test_a_series_is_followed_by_its_future(problem: ForecastProblem) -> None:
    data = problem(0)
    assert data.train.shape[1:] == data.future.shape[1:]
    assert 1 <= len(data.future) < len(data.train) / 2
    assert len(data.train) >= 4 * data.period
    assert np.isfinite(data.train).all()
    assert np.isfinite(data.future).all()
    assert (data.train.std(axis=0) > 0).all()


@named([p for p in FORECASTS if p.name in ("nile", "el_nino", "interest_inflation", "google_volume")])
def test_seeds_of_a_real_series_forecast_rows_that_follow_the_known_ones(problem: ForecastProblem) -> None:
    newest, before = problem(0), problem(1)
    n = len(before.train)
    np.testing.assert_array_equal(before.train, newest.train[:n])
    np.testing.assert_array_equal(before.future, newest.train[n:])


@named([*SAMPLES, *FORECASTS])
def test_the_same_seed_gives_the_same_data_and_another_seed_other_data(problem: SampleProblem) -> None:
    data = problem(0)
    assert same(data, problem(0))
    assert same(data, problem(1)) is not problem.seeded


@named([*SAMPLES, *FORECASTS])
def test_tiny_data_is_of_the_same_kind(problem: SampleProblem | ForecastProblem) -> None:
    data, tiny = problem(0), problem(0).tiny()
    if isinstance(data, Series):
        assert isinstance(tiny, Series)
        assert len(tiny.train) <= 72
        np.testing.assert_array_equal(
            np.concatenate([tiny.train, tiny.future]), data.train[: len(tiny.train) + len(data.future)]
        )
    else:
        assert isinstance(tiny, Samples)
        assert 0 < len(tiny.X_train) == len(tiny.y_train) <= 12
        assert 0 < len(tiny.X_test) == len(tiny.y_test) <= 12
        assert np.ndim(tiny.y_train[0]) == np.ndim(data.y_train[0])
        assert max(map(len, tiny.X_train)) <= 48
