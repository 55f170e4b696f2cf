import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from seqpipe.exceptions import InvalidSequencesError, UnknownNameError
from seqpipe.tasks import ForecastTask, Roles, TaskData

TWO = Roles(time="month", target=("gas", "coal"))
ONE = Roles(time="month", target=("gas",))
EXOGENOUS = Roles(time="month", features=("holidays",), target=("gas",))
SMALL = {"cell": "rnn", "hidden_size": 3, "max_epochs": 2, "random_state": 0, "device": "cpu", "window": 12}
MODEL = ForecastTask().estimator({})


class Constant:
    """A forecaster that needs no fit and always predicts the same."""

    def __init__(self, *values):
        self.values = np.array(values, dtype=float)

    def predict(self, X):
        n_steps = X if isinstance(X, int) else len(X)
        return np.repeat(self.values[None], n_steps, axis=0)


def data_of(table, roles, **options):
    return ForecastTask().from_table(table, roles, name="energy", **options)


def test_the_targets_are_the_series(monthly_table):
    data = data_of(monthly_table, TWO)
    assert list(data.X) == ["gas", "coal"]
    assert data.y is None
    assert data.X.index.equals(pd.DatetimeIndex(monthly_table["month"]))
    assert data.X.index.name == "month"


def test_without_targets_every_numeric_column_is_forecast(monthly_table):
    assert list(data_of(monthly_table, Roles(time="month")).X) == ["gas", "coal", "holidays"]


def test_features_are_exogenous(monthly_table):
    data = data_of(monthly_table, EXOGENOUS)
    assert list(data.X) == ["holidays"]
    assert list(data.y) == ["gas"]
    assert data.y.index.equals(data.X.index)


def test_the_steps_ahead_need_no_targets(monthly_table):
    ahead = data_of(monthly_table[["month", "holidays"]], EXOGENOUS, with_target=False)
    assert (list(ahead.X), ahead.y) == (["holidays"], None)
    ahead = data_of(monthly_table[["month"]], TWO, with_target=False)
    assert (ahead.X.shape, ahead.y) == ((120, 0), None)


def test_one_id_is_a_panel_of_one_series(monthly_table):
    data = data_of(monthly_table.assign(plant="north"), Roles(id="plant", time="month", target=("gas",)))
    assert data.X.shape == (120, 1)
    assert data.X.index.names == ["plant", "month"]


def test_a_column_of_sequences_is_refused(monthly_table):
    with pytest.raises(
        InvalidSequencesError, match="one row per time step; 'energy' cannot have a column of sequences"
    ):
        data_of(monthly_table, Roles(sequence="gas"))


def test_an_empty_table_is_refused(monthly_table):
    with pytest.raises(InvalidSequencesError, match="'energy' has no rows"):
        data_of(monthly_table.iloc[:0], ONE)


@pytest.mark.parametrize(("column", "roles"), [("gas", ONE), ("holidays", EXOGENOUS)])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_unfit_value_is_refused_with_row_time_and_column(monthly_table, column, roles, value):
    monthly_table.loc[7, column] = value
    message = rf"'energy', row 7, month 2010-08-01 00:00:00, column '{column}': the value .* \(1 such"
    with pytest.raises(InvalidSequencesError, match=message):
        data_of(monthly_table, roles)


def test_a_series_of_text_is_refused(monthly_table):
    with pytest.raises(InvalidSequencesError, match=r"The target column 'gas' of 'energy' holds .*, not numbers"):
        data_of(monthly_table.assign(gas="high"), ONE)


@pytest.mark.parametrize(("test_size", "held_out"), [(12, 12), (0.25, 30), (0.251, 31), (np.int64(1), 1), (119, 119)])
def test_the_last_rows_are_held_out(monthly_table, test_size, held_out):
    data = data_of(monthly_table, EXOGENOUS)
    train, test = ForecastTask().split(MODEL, data, test_size=test_size, seed=0)
    assert len(test.X) == len(test.y) == held_out
    pd.testing.assert_frame_equal(pd.concat([train.X, test.X]), data.X, check_freq=False)
    pd.testing.assert_frame_equal(pd.concat([train.y, test.y]), data.y, check_freq=False)


@pytest.mark.parametrize("test_size", [0, 120, 0.0, 1.0, 500, -3])
def test_a_split_that_leaves_a_side_empty_is_refused(monthly_table, test_size):
    with pytest.raises(
        ValueError, match=r"would hold out .* of 120 rows: give a fraction .* or a number from 1 to 119"
    ):
        ForecastTask().split(MODEL, data_of(monthly_table, ONE), test_size=test_size, seed=0)


def test_names_of_the_regressor_reach_it_inside_the_forecaster():
    task = ForecastTask()
    assert task.parameter("cell") == "estimator__cell"
    assert task.parameter("net__optimizer__weight_decay") == "estimator__net__optimizer__weight_decay"
    assert task.parameter("window") == "window"
    assert task.parameter("estimator__cell") == "estimator__cell"
    assert task.parameter("season") == "season"


@pytest.mark.parametrize("season", [0, -1, 2.5, True, "year", None])
def test_a_season_that_is_no_number_of_steps_is_refused(season):
    with pytest.raises(ValueError, match=r"The 'season' of the task 'forecast' must be 'auto' or a positive number"):
        ForecastTask().with_settings({"season": season})


def test_an_unknown_parameter_is_refused():
    with pytest.raises(UnknownNameError, match=r"'forecast' has no parameter 'windows'\. Did you mean 'window'\?"):
        ForecastTask().estimator({"windows": 3})


def test_each_fold_tests_a_horizon_after_its_training_data(monthly_table):
    task = ForecastTask()
    data = data_of(monthly_table, ONE)
    folds = list(task.cv(task.estimator({"horizon": 12}), data, n_splits=3, seed=0).split(data.X))
    assert [(len(train), len(test)) for train, test in folds] == [(84, 12), (96, 12), (108, 12)]


@pytest.mark.parametrize("horizon", [1, 50])
def test_a_horizon_of_one_step_or_of_too_many_leaves_folds_of_equal_shares(monthly_table, horizon):
    task = ForecastTask()
    cv = task.cv(task.estimator({"horizon": horizon}), data_of(monthly_table, ONE), n_splits=3, seed=0)
    assert isinstance(cv, TimeSeriesSplit)
    assert cv.test_size is None


def test_metrics_agree_with_their_definitions(monthly_table):
    _, test = ForecastTask().split(MODEL, data_of(monthly_table, TWO), test_size=4, seed=0)
    metrics = ForecastTask().metrics(Constant(10.0, 118.0), test)
    errors = np.abs(test.X.to_numpy() - [10.0, 118.0])
    assert metrics["mae"] == pytest.approx(errors.mean())
    assert metrics["mae_gas"] == pytest.approx(errors[:, 0].mean())
    assert metrics["mae_coal"] == pytest.approx(errors[:, 1].mean())
    expected = np.mean([np.sqrt((errors[:, i] ** 2).mean()) for i in (0, 1)])
    assert metrics["rmse"] == pytest.approx(expected)


def test_one_series_has_no_error_of_its_own_column(monthly_table):
    _, test = ForecastTask().split(MODEL, data_of(monthly_table, ONE), test_size=4, seed=0)
    assert list(ForecastTask().metrics(Constant(10.0), test)) == ["mae", "rmse", "mase"]


def test_mase_is_one_for_the_error_of_the_seasonal_naive_forecast(monthly_table):
    # coal increases by one per month: it was twelve lower one season before
    data = data_of(monthly_table.assign(coal=np.arange(120.0)), Roles(time="month", target=("coal",)))
    train, test = ForecastTask().split(MODEL, data, test_size=12, seed=0)
    assert ForecastTask().baselines(MODEL, train, test)["seasonal naive"]["mase"] == pytest.approx(1.0)
    assert ForecastTask().baselines(MODEL, train, test)["drift"]["mase"] == pytest.approx(0.0)


def test_a_season_can_be_given(monthly_table):
    task, others = ForecastTask().with_settings({"season": 1, "window": 3})
    assert others == {"window": 3}
    data = data_of(monthly_table.assign(coal=np.arange(120.0)), Roles(time="month", target=("coal",)))
    train, test = task.split(task.estimator({}), data, test_size=4, seed=0)
    baselines = task.baselines(task.estimator({}), train, test)
    assert baselines["seasonal naive"] == baselines["last value"]
    assert baselines["last value"]["mase"] == pytest.approx(2.5)


def test_a_column_that_never_changed_is_left_out_of_mase(monthly_table):
    data = data_of(monthly_table.assign(gas=3.0), TWO)
    _, test = ForecastTask().split(MODEL, data, test_size=4, seed=0)
    assert np.isfinite(ForecastTask().metrics(Constant(3.0, 118.0), test)["mase"])


def test_data_that_was_not_split_has_no_mase(monthly_table):
    assert list(ForecastTask().metrics(Constant(10.0), data_of(monthly_table, ONE))) == ["mae", "rmse"]


@pytest.mark.parametrize("roles", [ONE, TWO, EXOGENOUS])
def test_the_baselines_are_naive_ones_and_ridge_on_lags(monthly_table, roles):
    train, test = ForecastTask().split(MODEL, data_of(monthly_table, roles), test_size=12, seed=0)
    baselines = ForecastTask().baselines(MODEL, train, test)
    assert list(baselines) == ["last value", "seasonal naive", "drift", "ridge on lags"]
    assert baselines["ridge on lags"]["mae"] < baselines["last value"]["mae"]


def test_a_series_too_short_for_ridge_has_the_naive_baselines_alone(monthly_table):
    train, test = ForecastTask().split(MODEL, data_of(monthly_table[:6], ONE), test_size=4, seed=0)
    assert list(ForecastTask().baselines(MODEL, train, test)) == ["last value", "seasonal naive", "drift"]


def test_the_seasonal_naive_forecast_knows_a_pure_season(monthly_table):
    train, test = ForecastTask().split(MODEL, data_of(monthly_table, ONE), test_size=12, seed=0)
    assert ForecastTask().baselines(MODEL, train, test)["seasonal naive"]["mae"] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "value"),
    [("mae", -1.5), ("rmse", -np.sqrt(2.5)), ("mse", -2.5), ("neg_mean_absolute_error", -1.5), ("r2", -9.0)],
)
def test_a_scorer_is_greater_where_the_forecast_is_better(name, value):
    scorer = ForecastTask().scorer(name)
    truth = np.array([1.0, 2.0])
    assert scorer(Constant(0.0), truth[:, None]) == pytest.approx(value)
    assert scorer(Constant(0.0), np.zeros((2, 1)), truth) == pytest.approx(value)


def test_a_scorer_reaches_other_processes():
    scorer = ForecastTask().scorer("mae")
    assert pickle.loads(pickle.dumps(scorer)) == scorer


def test_predictions_carry_time_and_targets(monthly_table):
    _, test = ForecastTask().split(MODEL, data_of(monthly_table, TWO), test_size=2, seed=0)
    frame = ForecastTask().predictions(Constant(1.0, 2.0), test)
    months = pd.to_datetime(["2019-11-01", "2019-12-01"])
    expected = pd.DataFrame({"month": months, "gas": [1.0, 1.0], "coal": [2.0, 2.0]})
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False)


def test_predictions_without_time_count_the_steps_from_one(monthly_table):
    roles = Roles(target=("gas",))
    _, test = ForecastTask().split(MODEL, data_of(monthly_table, roles), test_size=2, seed=0)
    assert ForecastTask().predictions(Constant(1.0), test).to_dict("list") == {
        "step": [1, 2],
        "gas": [1.0, 1.0],
    }


def test_the_future_goes_on_at_the_frequency_of_the_dates(monthly_table):
    task = ForecastTask()
    frame = task.predictions(Constant(1.0, 2.0), task.future(data_of(monthly_table, TWO), 2))
    assert frame["month"].tolist() == pd.to_datetime(["2020-01-01", "2020-02-01"]).tolist()
    assert list(frame) == ["month", "gas", "coal"]


def test_the_future_of_uneven_dates_is_counted(monthly_table):
    task = ForecastTask()
    data = data_of(monthly_table.iloc[[0, 1, 5, 12, 13, 20, 33, 34, 60, 90]], ONE)
    assert task.predictions(Constant(1.0), task.future(data, 2))["step"].tolist() == [1, 2]


@pytest.mark.parametrize("target", [("gas", "coal"), ()])
def test_forecasts_of_a_table_without_targets_are_named(monthly_table, target):
    estimator = ForecastTask().estimator(SMALL).fit(monthly_table[["gas", "coal"]])
    ahead = data_of(monthly_table[["month"]].iloc[:3], Roles(time="month", target=target), with_target=False)
    assert list(ForecastTask().predictions(estimator, ahead)) == ["month", "gas", "coal"]


@pytest.mark.parametrize("roles", [ONE, TWO, EXOGENOUS])
def test_a_window_is_searched_and_the_best_forecast_is_shown(monthly_table, roles):
    task = ForecastTask()
    estimator = task.estimator(SMALL | {"horizon": 6})
    train, test = task.split(task.estimator({}), data_of(monthly_table, roles), test_size=12, seed=0)
    grid = {task.parameter("window"): [6, 12], task.parameter("hidden_size"): [2]}
    cv = task.cv(estimator, train, n_splits=2, seed=0)
    search = GridSearchCV(estimator, grid, cv=cv, scoring=task.scorer("mae")).fit(train.X, train.y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    pictures = task.pictures(search, train, test)
    assert len(pictures["forecast"].axes) == len(roles.target)
    assert len(pictures["learning_curves"].axes[0].lines) >= 1
    assert len(pictures["forecast_fan"].axes) == len(roles.target)
    assert len(task.predictions(search, test)) == 12


def test_one_horizon_of_held_out_steps_makes_no_fan(monthly_table):
    task = ForecastTask()
    estimator = task.estimator(SMALL | {"horizon": 12})
    train, test = task.split(task.estimator({}), data_of(monthly_table, ONE), test_size=12, seed=0)
    assert set(task.pictures(estimator.fit(train.X), train, test)) == {"forecast", "learning_curves"}


def test_a_series_may_come_without_a_table():
    series = pd.DataFrame({"x": np.arange(40.0)})
    task = ForecastTask()
    train, test = task.split(task.estimator({}), TaskData(series, None, "line"), test_size=5, seed=0)
    assert task.baselines(task.estimator({}), train, test)["drift"]["mae"] == pytest.approx(0.0)


def test_folds_are_as_long_as_the_horizon_of_the_model_in_hand(monthly_table):
    task = ForecastTask()
    short, long = (task.estimator({"horizon": horizon}) for horizon in (4, 12))
    data = data_of(monthly_table, ONE)
    assert [task.cv(model, data, n_splits=3, seed=0).test_size for model in (short, long)] == [4, 12]


def test_a_search_over_horizons_is_judged_with_the_one_that_it_chose(monthly_table):
    task = ForecastTask()
    model = task.estimator(SMALL | {"horizon": 6})
    train, test = task.split(model, data_of(monthly_table, ONE), test_size=12, seed=0)
    search = GridSearchCV(
        model, {"horizon": [3, 6]}, cv=task.cv(model, train, n_splits=2, seed=0), scoring=task.scorer("mae")
    )
    search.fit(train.X)
    forecast = np.asarray(search.best_estimator_.predict(len(test.X)))
    assert task.metrics(search, test)["mae"] == pytest.approx(np.abs(test.X.to_numpy() - forecast).mean())
