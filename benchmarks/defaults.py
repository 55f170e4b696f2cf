"""Compare the default parameters on various problems with a hand-written GRU, and baselines of other libraries.

    python benchmarks/defaults.py                            # the problems to tune on
    python benchmarks/defaults.py --only digits,nile         # some of them
    python benchmarks/defaults.py --quick                    # one seed, without the slow problems
    python benchmarks/defaults.py --final                    # also those to look at once: after the defaults are settled
    python benchmarks/defaults.py --final --write            # and write the tables into docs/defaults.md, as `make defaults`

Prints two Markdown tables per half, of sequences and of forecasts: the median over seeds of the held-out score, half of
its range, and the CPU seconds of one fit and prediction on one core; then wins, ties (within one standard error of the
mean difference over seeds; with one seed, of equal scores) and losses. A dash means that a method does not apply, would
take hours, or is not installed (benchmarks/requirements-defaults.txt names aeon and statsmodels).
"""

from __future__ import annotations

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

import numpy as np
from _aeon_baselines import mini_rocket, nearest_by_dtw
from _baselines import Task, forest, hand_written_gru, joined, linear
from _defaults_table import GRU, OURS, ROCKET, Result, Results, counts, header, row, with_scores
from _forecast_baselines import drift, ets, last_value, mase, ridge_on_lags, seasonal_naive, theta
from _measure import machine, threads
from problems import LOOKED_AT_ONCE, TUNED_ON, ForecastProblem, SampleProblem, Samples, Series
from problems._problem import Array
from sklearn.metrics import accuracy_score, balanced_accuracy_score, r2_score

from seqpipe import Forecaster, SequenceClassifier, SequenceRegressor, StepClassifier, StepRegressor

SCORES = {"accuracy": accuracy_score, "balanced accuracy": balanced_accuracy_score, "R²": r2_score}
ESTIMATORS = {
    "classification": SequenceClassifier, "regression": SequenceRegressor, "step classification": StepClassifier,
    "step regression": StepRegressor,
}  # fmt: skip
#: Number of seeds: a forecast is one short stretch of time, so that more of them are needed.
SEEDS, FORECAST_SEEDS = 3, 5
SLOW = frozenset({
    "few_long", "adding", "noisy_series", "ragged_motif", "which_first", "gestures", "appliance_days",
    "shapelet_in_noise", "long_gestures", "machine_cycles", "lorenz_rate", "faint_spread", "noise_long", "breathing",
    "two_seasons",
})  # fmt: skip
#: The page that shows the tables.
PAGE = Path(__file__).parents[1] / "docs" / "defaults.md"
Problems = Sequence[SampleProblem | ForecastProblem]


def seqpipe_defaults(task: Task) -> Array:
    """Fit the estimator with default parameters."""
    model = ESTIMATORS[task.problem.kind](**_parameters(task.seed, task.tiny))
    return joined(model.fit(task.data.X_train, task.data.y_train).predict(task.data.X_test))


def seqpipe_forecast(data: Series, seed: int, tiny: bool) -> Array:
    """Fit the forecaster with default parameters; it is told the season, as the other methods are."""
    model = Forecaster(SequenceRegressor(**_parameters(seed, tiny)), horizon=len(data.future), season=data.period)
    return np.asarray(model.fit(data.train).predict())


def _parameters(seed: int, tiny: bool) -> dict[str, Any]:
    return {"random_state": seed, "device": "cpu"} | ({"max_epochs": 1} if tiny else {})


METHODS: dict[str, Callable[[Task], Array | None]] = {
    OURS: seqpipe_defaults, GRU: hand_written_gru, "linear": linear, "forest": forest, ROCKET: mini_rocket,
    "1-NN DTW": nearest_by_dtw,
}  # fmt: skip
#: Compiled at the first call, which is not timed.
COMPILED = (mini_rocket, nearest_by_dtw)
FORECASTS: dict[str, Callable[[Series], Array | None]] = {
    "last value": last_value, "seasonal naive": seasonal_naive, "drift": drift, "ridge on lags": ridge_on_lags,
    "ETS": ets, "Theta": theta,
}  # fmt: skip


def sequence_results(problem: SampleProblem, n_seeds: int, tiny: bool) -> Results:
    """Return the results of all methods for sequences."""
    loaded = [problem(seed) for seed in range(n_seeds)]
    tasks = [Task(problem, data.tiny() if tiny else data, seed, tiny) for seed, data in enumerate(loaded)]
    score = SCORES[problem.score]
    results = Results(problem.name, _size(tasks[0].data), problem.score)
    for name, method in METHODS.items():
        if method in COMPILED:
            method(replace(tasks[0], data=tasks[0].data.tiny(), tiny=True))
        runs = [_timed(partial(method, task), partial(score, task.y_test)) for task in tasks]
        results.by_method[name] = _result(runs)
    return results


def forecast_results(problem: ForecastProblem, n_seeds: int, tiny: bool) -> Results:
    """Return the results of all methods for forecasts."""
    loaded = [problem(seed) for seed in range(n_seeds)]
    series = [data.tiny() if tiny else data for data in loaded]
    n_series = series[0].train[0].size
    size = f"{len(series[0].train)} × {n_series}, {len(series[0].future)} ahead, season {series[0].period}"
    results = Results(problem.name, size, problem.score)
    ours = [_timed(partial(seqpipe_forecast, d, seed, tiny), partial(mase, d)) for seed, d in enumerate(series)]
    results.by_method[OURS] = _result(ours)
    for name, method in FORECASTS.items():
        runs = [_timed(partial(method, data), partial(mase, data)) for data in series]
        results.by_method[name] = _result(runs)
    return results


def _timed(fit: Callable[[], Array | None], score: Callable[[Array], float]) -> tuple[float, float] | None:
    """Return the held-out score and the CPU seconds of fit and prediction; None if the method was not run."""
    begin = time.process_time()
    predicted = fit()
    seconds = time.process_time() - begin
    return None if predicted is None else (float(score(predicted)), seconds)


def _result(runs: Sequence[tuple[float, float] | None]) -> Result | None:
    found = [run for run in runs if run is not None]
    return Result(tuple(score for score, _ in found), tuple(seconds for _, seconds in found)) if found else None


def _size(data: Samples) -> str:
    lengths = sorted({len(x) for x in data.X_train})
    steps = str(lengths[0]) if len(lengths) == 1 else f"{lengths[0]}-{lengths[-1]}"
    return f"{len(data.X_train)} × {steps} × {np.asarray(data.X_train[0]).shape[1]}"


def report(problems: Problems, *, quick: bool, tiny: bool) -> Iterator[str]:
    """Yield the table of sequences and that of forecasts, with their counts; rows as they are ready."""
    samples = [p for p in problems if isinstance(p, SampleProblem)]
    forecasts = [p for p in problems if isinstance(p, ForecastProblem)]
    n_seeds, n_forecast_seeds = (1, 1) if quick or tiny else (SEEDS, FORECAST_SEEDS)
    if samples:
        yield from _table(METHODS, (sequence_results(p, n_seeds, tiny) for p in samples))
    if forecasts:
        yield from _table([OURS, *FORECASTS], (forecast_results(p, n_forecast_seeds, tiny) for p in forecasts))


def _table(methods: Iterable[str], rows: Iterable[Results]) -> Iterator[str]:
    yield header(list(methods))
    table = []
    for results in rows:
        table.append(results)
        yield row(results)
    yield f"\n{counts(table)}\n"


def chosen(problems: Problems, only: set[str] | None, quick: bool) -> Problems:
    """Return the problems to run: those named, else those that are not slow if ``quick``; without missing data."""
    found = [p for p in problems if (p.name in only if only else not (quick and p.name in SLOW))]
    for p in found:
        if not p.is_available:
            print(f"{p.name} is left out: {p.needs} is not installed.\n")
    return [p for p in found if p.is_available]


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME,…", help="run only these problems")
    parser.add_argument("--quick", action="store_true", help="one seed, without the slow problems")
    parser.add_argument("--final", action="store_true", help="also the problems to look at once")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/defaults.md")
    parser.add_argument("--tiny", action="store_true", help="sizes that say nothing, for tests")
    options = parser.parse_args(arguments)
    options.only = set(options.only.split(",")) if options.only else None
    names = {p.name for p in (*TUNED_ON, *(LOOKED_AT_ONCE if options.final else ()))}
    if unknown := sorted((options.only or set()) - names):
        kept = sorted({p.name for p in LOOKED_AT_ONCE} & set(unknown))
        remedy = f"{', '.join(kept)}: to be looked at once, with --final." if kept else f"Choose from {sorted(names)}."
        parser.error(f"--only got {', '.join(unknown)}. {remedy}")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    options = _arguments(arguments)
    halves = {"Tuned on": TUNED_ON} | ({"Looked at once": LOOKED_AT_ONCE} if options.final else {})
    lines = [f"Measured on {machine()}.\n"]
    with warnings.catch_warnings(), threads(1):
        warnings.simplefilter("ignore")
        for title, half in halves.items():
            if problems := chosen(half, options.only, options.quick):
                for line in chain([f"### {title}\n"], report(problems, quick=options.quick, tiny=options.tiny)):
                    print(line, flush=True)
                    lines.append(line)
    if options.write:
        PAGE.write_text(with_scores(PAGE.read_text(encoding="utf-8"), "\n".join(lines), "defaults"), encoding="utf-8")


if __name__ == "__main__":
    main()
