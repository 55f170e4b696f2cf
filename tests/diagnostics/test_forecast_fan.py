"""Forecasts from successive origins, with bands of earlier errors."""

import numpy as np
import pandas as pd
import pytest

from seqpipe.diagnostics import plot_forecast_fan


def line_named(axes, name):
    return next(line for line in axes.lines if line.get_label() == name)


def test_each_forecast_begins_at_the_last_value_that_it_knew():
    truth = pd.Series(np.arange(10.0, 16.0), index=range(10, 16))
    axes = plot_forecast_fan(pd.Series(np.arange(10.0)), truth, np.zeros((4, 3))).axes[0]
    last = line_named(axes, "last forecast")
    np.testing.assert_array_equal(last.get_xdata(), [12, 13, 14, 15])
    np.testing.assert_array_equal(last.get_ydata(), [12, 0, 0, 0])
    first = line_named(axes, "earlier forecasts")
    np.testing.assert_array_equal(first.get_xdata(), [9, 10, 11, 12])
    np.testing.assert_array_equal(first.get_ydata(), [9, 0, 0, 0])


@pytest.mark.parametrize("n_origins", [6, 30])
def test_the_bands_are_the_errors_of_the_earlier_forecasts(n_origins):
    horizon = 3
    errors = np.random.default_rng(0).normal(size=(n_origins, horizon))
    truth = np.zeros(n_origins + horizon - 1)
    axes = plot_forecast_fan(pd.Series(np.zeros(5)), pd.Series(truth, index=range(5, 5 + len(truth))), -errors).axes[0]
    wide, narrow = (band.get_paths()[0].vertices for band in axes.collections)
    last = n_origins - 1
    for k in range(horizon):
        for band, shares in ((wide, [10, 90]), (narrow, [25, 75])):
            heights = band[band[:, 0] == 5 + last + k, 1]
            expected = -errors[last, k] + np.percentile(errors[:last, k], shares)
            assert [heights.min(), heights.max()] == pytest.approx(expected)


def test_few_forecasts_make_no_band():
    truth = pd.Series(np.zeros(7), index=range(5, 12))
    assert not plot_forecast_fan(pd.Series(np.zeros(5)), truth, np.zeros((5, 3))).axes[0].collections


@pytest.mark.parametrize("shape", [(4, 4), (3, 3), (4, 3, 2), (4,)])
def test_forecasts_that_do_not_fit_the_truth_are_refused(shape):
    with pytest.raises(ValueError, match=r"the shape \(n_origins, horizon, n_columns\) .* the truth, \(6, 1\)\. Got"):
        plot_forecast_fan(pd.Series(np.zeros(5)), pd.Series(np.zeros(6)), np.zeros(shape))


def test_each_series_of_a_panel_has_its_own_origins():
    index = pd.MultiIndex.from_product([["a", "b"], range(30)])
    whole = pd.DataFrame({"x": np.arange(60.0)}, index=index)
    before = whole.groupby(level=0).head(20)
    forecasts = {"b": np.full((8, 3), 2.0), "a": np.full((8, 3), 1.0)}
    figure = plot_forecast_fan(before, whole.drop(before.index), forecasts)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["a", "b"]
    for axes, value in zip(figure.axes, (1.0, 2.0)):
        assert line_named(axes, "last forecast").get_ydata()[1:].tolist() == [value] * 3
    with pytest.raises(ValueError, match=r"forecasts must have the series of the truth, \['a', 'b'\]. Got \['a'\]"):
        plot_forecast_fan(before, whole.drop(before.index), {"a": forecasts["a"]})
