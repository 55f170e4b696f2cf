"""The task `forecast` for tables with several ids."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from seqpipe import SequenceScaler
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.tasks import ForecastTask, Roles, TaskData

ROLES = Roles(id="plant", time="month", target=("load",))
EXOGENOUS = Roles(id="plant", time="month", features=("offer",), target=("load",))
SMALL = {"cell": "rnn", "hidden_size": 3, "max_epochs": 1, "random_state": 0, "device": "cpu", "window": 6}
MODEL = ForecastTask().estimator({})
MONTHS = pd.date_range("2015-01-01", periods=60, freq="MS")


def rows_of(plant, n_rows, *, level=10.0, start=0):
    t = np.arange(start, start + n_rows)
    load = level * (5 + np.sin(2 * np.pi * t / 12) + 0.01 * (t % 5))
    return pd.DataFrame({"plant": plant, "month": MONTHS[t], "offer": t % 3.0, "load": load})


@pytest.fixture
def table():
    """Two plants with a season of twelve months, one with a hundred times the load and fewer rows."""
    return pd.concat([rows_of("north", 60), rows_of("south", 48, level=1000.0, start=6)], ignore_index=True)


class Zero:
    """A forecaster that needs no fit and predicts zeros."""

    def predict(self, X):
        return np.zeros((len(X), 1))


def data_of(table, roles=ROLES, **options):
    return ForecastTask().from_table(table, roles, name="energy", **options)


def split(table, roles=ROLES, *, test_size=4, task=None):
    return (task or ForecastTask()).split(MODEL, data_of(table, roles), test_size=test_size, seed=0)


def test_a_table_with_ids_is_a_panel(table):
    data = data_of(table)
    assert data.X.index.names == ["plant", "month"]
    assert data.X.loc["south"].index.tolist() == MONTHS[6:54].tolist()
    assert (list(data.X), data.y) == (["load"], None)


def test_rows_of_an_id_need_not_be_adjacent_in_a_table(table):
    mixed = table.sort_values("month", kind="stable").reset_index(drop=True)
    pd.testing.assert_frame_equal(data_of(mixed).X, data_of(table).X)


def test_rows_without_times_are_numbered_in_each_series(table):
    data = data_of(table.drop(columns="month"), Roles(id="plant", target=("load",)))
    assert data.X.index.names == ["plant", "step"]
    assert data.X.loc["south"].index.tolist() == list(range(48))


def test_the_last_rows_of_each_series_are_held_out(table):
    train, test = split(table, EXOGENOUS, test_size=4)
    assert test.X.loc["north"].index.tolist() == MONTHS[56:60].tolist()
    assert test.y.loc["south"].index.tolist() == MONTHS[50:54].tolist()
    assert (len(train.X), len(train.y)) == (100, 100)


def test_a_fraction_is_held_out_of_each_series(table):
    _, test = split(table, test_size=0.25)
    assert test.X.groupby(level="plant").size().to_dict() == {"north": 15, "south": 12}


@pytest.mark.parametrize(
    ("test_size", "message"),
    [
        (6, r"would hold out 6 of 5 rows of plant 'west': give .* a number from 1 to 4, or leave this series out"),
        (0.0, r"would hold out 0 of 60 rows of plant 'north'"),
    ],
)
def test_a_series_with_too_few_rows_to_hold_out_is_named(table, test_size, message):
    with pytest.raises(ValueError, match=message):
        split(pd.concat([table, rows_of("west", 5)]), test_size=test_size)


def test_series_of_unlike_frequency_are_refused(table):
    weeks = rows_of("west", 60).assign(month=pd.date_range("2015-01-04", periods=60, freq="W"))
    message = r"'energy': the times of the series 'north' have the frequency 'MS', those of 'west' .* 'W-SUN'.*resample"
    with pytest.raises(InvalidSequencesError, match=message):
        split(pd.concat([table, weeks]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda table: table.drop(index=70), "'energy', plant 'south' has no row for 2016-05-01.*interpolate"),
        (lambda table: pd.concat([table[:1], table]), "'energy', row 0: 'month' is 2015-01-01 .* a second time"),
        (
            lambda table: table.assign(load=table["load"].where(table.index != 70)),
            "row 70, plant south, month 2016-05-01 00:00:00, column 'load': the value is missing",
        ),
        (
            lambda table: table.assign(plant=np.where(table["plant"] == "north", "2020-01-01", "2020-01-02"), month=1),
            "second time",
        ),
        (
            lambda table: table.assign(
                plant=np.where(table["plant"] == "north", "2020-01-01", "2020-01-02"), month=np.arange(len(table))
            ),
            "ids in column 'plant' of 'energy' look like times, such as '2020-01-01', .* begin the ids with a word",
        ),
    ],
    ids=["gap", "twice", "missing", "twice as numbers", "ids like dates"],
)
def test_invalid_panels_are_refused_with_the_place(table, change, message):
    with pytest.raises(InvalidSequencesError, match=message):
        data_of(change(table))


def test_scores_are_means_over_series(table):
    train, test = split(table)
    metrics = ForecastTask().metrics(Zero(), test)
    north, south = (test.X.loc[id, "load"].to_numpy() for id in ("north", "south"))
    assert metrics["mae"] == pytest.approx((north.mean() + south.mean()) / 2)
    assert metrics["rmse"] == pytest.approx((np.sqrt((north**2).mean()) + np.sqrt((south**2).mean())) / 2)
    known = [train.X.loc[id, "load"].to_numpy() for id in ("north", "south")]
    scales = [np.abs(each[12:] - each[:-12]).mean() for each in known]
    assert metrics["mase"] == pytest.approx((north.mean() / scales[0] + south.mean() / scales[1]) / 2)


def test_a_series_that_never_changed_does_not_count_in_mase(table):
    _, alone = split(table[:60])
    _, both = split(pd.concat([table[:60], rows_of("west", 30).assign(load=1.0)]))
    assert ForecastTask().metrics(Zero(), both)["mase"] == ForecastTask().metrics(Zero(), alone)["mase"]


def test_the_naive_baselines_are_those_of_each_series(table):
    baselines = ForecastTask().baselines(MODEL, *split(table))
    alone = [ForecastTask().baselines(MODEL, *split(rows)) for _, rows in table.groupby("plant")]
    assert list(baselines) == ["last value", "seasonal naive", "drift", "ridge on lags"]
    for name in ("last value", "seasonal naive", "drift"):
        for score in ("mae", "rmse", "mase"):
            assert baselines[name][score] == pytest.approx(np.mean([each[name][score] for each in alone]))


@pytest.mark.parametrize("roles", [ROLES, EXOGENOUS])
def test_ridge_on_lags_is_one_model_of_all_series(table, roles):
    baselines = ForecastTask().baselines(MODEL, *split(table, roles))
    assert baselines["ridge on lags"]["mase"] < baselines["last value"]["mase"] / 10


def test_folds_are_cut_from_each_series(table):
    task, data = ForecastTask(), data_of(table)
    folds = list(task.cv(task.estimator({"horizon": 6}), data, n_splits=2, seed=0).split(data.X))
    tests = [data.X.iloc[test] for _, test in folds]
    assert [each.loc["north"].index[0] for each in tests] == [MONTHS[48], MONTHS[54]]
    assert [each.loc["south"].index[0] for each in tests] == [MONTHS[42], MONTHS[48]]
    assert [len(train) for train, _ in folds] == [48 + 36, 54 + 42]


def test_a_series_with_too_few_rows_for_the_folds_is_named(table):
    task, data = ForecastTask(), data_of(pd.concat([table, rows_of("west", 3)]))
    with pytest.raises(ValueError, match=r"Series 'west': Cannot have number of folds=6"):
        list(task.cv(task.estimator({}), data, n_splits=5, seed=0).split(data.X))


@pytest.mark.parametrize(("name", "value"), [("mae", -1.5), ("rmse", -(1 + np.sqrt(5)) / 2), ("r2", -2.0)])
def test_a_scorer_is_the_mean_over_series(name, value):
    index = pd.MultiIndex.from_product([["a", "b"], range(2)])
    truth = pd.DataFrame({"x": [1.0, -1.0, 3.0, 1.0]}, index=index)
    assert ForecastTask().scorer(name)(Zero(), truth) == pytest.approx(value)


@pytest.mark.parametrize("roles", [ROLES, EXOGENOUS])
def test_a_panel_is_searched_and_its_predictions_have_ids(table, roles):
    task = ForecastTask()
    model = task.estimator(SMALL | {"horizon": 2})
    train, test = split(table, roles)
    cv = task.cv(model, train, n_splits=2, seed=0)
    search = GridSearchCV(model, {"window": [4, 6]}, cv=cv, scoring=task.scorer("r2")).fit(train.X, train.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    frame = task.predictions(search, test)
    assert list(frame) == ["plant", "month", "load"]
    assert frame["plant"].tolist() == ["north"] * 4 + ["south"] * 4
    assert frame["month"].tolist() == [*MONTHS[56:60], *MONTHS[50:54]]
    errors = np.abs(frame["load"].to_numpy() - (test.X if test.y is None else test.y)["load"].to_numpy())
    assert task.metrics(search, test)["mae"] == pytest.approx((errors[:4].mean() + errors[4:].mean()) / 2)


def test_pictures_of_a_panel_show_its_series_from_the_worst_to_the_best(table):
    task = ForecastTask()
    parts = [
        rows_of(f"p{i}", 30, level=10.0**i).assign(load=lambda rows: rows["load"] + rows["load"].index % 2)
        for i in range(6)
    ]
    train, test = split(pd.concat(parts))
    model = task.estimator(SMALL | {"horizon": 2}).fit(train.X)
    pictures = task.pictures(model, train, test)
    assert set(pictures) == {"forecast", "forecast_fan", "learning_curves"}
    for name in ("forecast", "forecast_fan"):
        titles = [axes.get_title(loc="left") for axes in pictures[name].axes]
        assert len(titles) == 4
        assert titles[0].startswith("worst mase")
        assert titles[-1].startswith("best mase")
        scores = [float(title.partition("mase ")[2].partition(":")[0]) for title in titles]
        assert scores == sorted(scores, reverse=True)


def test_the_picture_of_one_id_is_that_of_one_series(table):
    task = ForecastTask()
    train, test = split(table[:60], test_size=1)
    picture = task.pictures(task.estimator(SMALL).fit(train.X), train, test)["forecast"]
    assert [axes.get_title(loc="left").partition(" ")[0] for axes in picture.axes] == ["mase"]


def test_steps_of_a_panel_without_times_are_counted_from_one_per_id(table):
    roles = Roles(id="plant", target=("load",))
    _, test = split(table, roles, test_size=2)
    frame = ForecastTask().predictions(Zero(), test)
    assert frame[["plant", "step"]].to_numpy().tolist() == [["north", 1], ["north", 2], ["south", 1], ["south", 2]]


def test_the_future_of_each_series_begins_after_its_end(table):
    task = ForecastTask()
    frame = task.predictions(Zero(), task.future(data_of(table[:-10]), 2))
    assert frame["month"].tolist() == [*pd.to_datetime(["2020-01-01", "2020-02-01"]), MONTHS[44], MONTHS[45]]


def test_the_future_of_a_panel_with_uneven_dates_is_counted(table):
    task = ForecastTask()
    uneven = table.iloc[[0, 1, 5, 12, 13, 20, 33, 34, 60, 61, 70, 77]]
    frame = task.predictions(Zero(), task.future(data_of(uneven), 2))
    assert list(frame.itertuples(index=False, name=None)) == [
        ("north", 1, 0.0),
        ("north", 2, 0.0),
        ("south", 1, 0.0),
        ("south", 2, 0.0),
    ]


def test_exogenous_columns_of_a_panel_pass_the_steps_before_the_forecaster(table):
    task = ForecastTask()
    model = make_pipeline(SequenceScaler(), task.estimator(SMALL))
    train, test = split(table, EXOGENOUS)
    frame = task.predictions(model.fit(train.X, train.y), test)
    assert frame["month"].tolist() == [*MONTHS[56:60], *MONTHS[50:54]]


def test_a_panel_may_come_without_a_table():
    index = pd.MultiIndex.from_product([["a", "b"], range(30)], names=["id", "step"])
    line = pd.DataFrame({"x": np.arange(60.0)}, index=index)
    train, test = ForecastTask().split(MODEL, TaskData(line, None, "lines"), test_size=5, seed=0)
    assert ForecastTask().baselines(MODEL, train, test)["drift"]["mae"] == pytest.approx(0.0)
