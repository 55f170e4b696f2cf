import numpy as np
import pandas as pd
import pytest

from seqpipe.diagnostics import plot_forecast


def series(n_steps, n_columns=1, index=None):
    index = pd.date_range("2020-01-01", periods=n_steps, freq="MS", name="month") if index is None else index
    values = np.arange(float(n_steps * n_columns)).reshape(n_steps, n_columns)
    return pd.DataFrame(values, index=index, columns=[f"c{i}" for i in range(n_columns)])


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def test_history_truth_and_forecasts_are_lines():
    whole = series(60)
    figure = plot_forecast(whole[:48], whole[48:], {"model": np.zeros(12), "drift": np.ones((12, 1))})
    drawn = lines(figure.axes[0])
    assert list(drawn) == ["history", "truth", "model", "drift"]
    np.testing.assert_array_equal(drawn["truth"].get_ydata(), np.arange(47.0, 60.0))
    np.testing.assert_array_equal(drawn["model"].get_ydata(), [47.0, *np.zeros(12)])


def test_only_the_end_of_a_long_history_is_drawn():
    whole = series(500)
    figure = plot_forecast(whole[:490], whole[490:], {"model": np.zeros(10)})
    np.testing.assert_array_equal(lines(figure.axes[0])["history"].get_ydata(), np.arange(450.0, 490.0))


def test_a_series_needs_no_frame():
    whole = series(60)["c0"]
    figure = plot_forecast(whole[:48], whole[48:], {"model": np.zeros(12)})
    assert figure.axes[0].get_title(loc="left") == "c0"


def test_each_column_has_a_panel_and_all_share_one_legend():
    whole = series(60, n_columns=3)
    figure = plot_forecast(whole[:48], whole[48:], {"model": np.zeros((12, 3))})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["c0", "c1", "c2"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["history", "truth", "model"]


def test_more_columns_than_panels_are_told():
    whole = series(30, n_columns=20)
    figure = plot_forecast(whole[:25], whole[25:], {"model": np.zeros((5, 20))})
    assert len(figure.axes) == 12
    assert figure.get_suptitle() == "Forecast of 5 steps (the first 12 of 20 series)"


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(30),
        pd.Index(np.arange(30) * 0.1, name="seconds"),
        pd.date_range("2020-01-01", periods=30, tz="Europe/Paris"),
        pd.period_range("2020-01", periods=30, freq="M"),
        pd.Index([f"week {i}" for i in range(30)]),
    ],
)
def test_any_index_serves_as_time(index, drawn):
    whole = series(30, index=index)
    figure = drawn(plot_forecast(whole.iloc[:25], whole.iloc[25:], {"model": np.zeros(5)}))
    times = lines(figure.axes[0])["truth"].get_xdata()
    assert len(times) == 6
    assert (np.diff(figure.axes[0].convert_xunits(times)) > 0).all()


def test_dates_are_written_as_dates(drawn):
    whole = series(60)
    figure = drawn(plot_forecast(whole[:48], whole[48:], {"model": np.zeros(12)}))
    assert figure.axes[0].get_xlabel() == "month"
    assert "2024" in [label.get_text() for label in figure.axes[0].get_xticklabels()]


def test_a_short_history_is_drawn_whole(drawn):
    whole = series(3)
    figure = drawn(plot_forecast(whole[:1], whole[1:], {"model": np.zeros(2)}))
    np.testing.assert_array_equal(lines(figure.axes[0])["history"].get_ydata(), [0.0])


@pytest.mark.parametrize("shape", [(11,), (13, 1), (12, 2), (2, 12)])
def test_a_forecast_of_another_shape_is_refused(shape):
    whole = series(60)
    with pytest.raises(
        ValueError, match=r"The forecast 'model' of shape .* must have the shape of the truth, \(12, 1\)"
    ):
        plot_forecast(whole[:48], whole[48:], {"model": np.zeros(shape)})


@pytest.mark.parametrize("frequency", ["YS", "MS", "D", "h", "min"])
@pytest.mark.parametrize("n_steps", [10, 20])
def test_dates_of_any_span_have_some_ticks_and_not_too_many(frequency, n_steps, drawn):
    series = pd.Series(np.arange(5.0 * n_steps), index=pd.date_range("2000-03-05", periods=5 * n_steps, freq=frequency))
    truth = series.iloc[-n_steps:]
    axes = drawn(plot_forecast(series.iloc[:-n_steps], truth, {"model": truth})).axes[0]
    low, high = axes.get_xlim()
    assert 2 <= sum(low <= tick <= high for tick in axes.get_xticks()) <= 8


def test_dates_are_written_in_their_zone():
    whole = series(72, index=pd.date_range("2025-07-01 00:00", periods=72, freq="h", tz="Asia/Tokyo"))
    axes = plot_forecast(whole[:60], whole[60:], {"model": np.zeros(12)}).axes[0]
    midnights = [
        tick for tick, text in zip(axes.get_xticks(), axes.get_xticklabels()) if text.get_text().startswith("Jul")
    ]
    assert {tick % 1 for tick in midnights} == {15 / 24}  # in UTC


def test_each_series_of_a_panel_has_its_own_times(drawn):
    whole = {"north": series(60), "south": series(50) + 100}
    before, after = (
        pd.concat({"north": whole["north"][rows], "south": whole["south"][rows]})
        for rows in (slice(-4), slice(-4, None))
    )
    figure = drawn(plot_forecast(before, after, {"model": np.arange(8.0)}))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["north", "south"]
    south = lines(figure.axes[1])
    np.testing.assert_array_equal(south["truth"].get_ydata(), np.arange(145.0, 150.0))
    np.testing.assert_array_equal(south["model"].get_ydata(), [145.0, 4, 5, 6, 7])
    assert south["truth"].get_xdata()[-1] < lines(figure.axes[0])["truth"].get_xdata()[0]


def test_columns_of_a_panel_are_named_with_their_id_and_unlike_lengths_are_told():
    whole = {"north": series(60, n_columns=2), "south": series(50, n_columns=2)}
    before = pd.concat({id: each[:40] for id, each in whole.items()})
    after = pd.concat({id: each[40:] for id, each in whole.items()})
    figure = plot_forecast(before, after, {"model": np.zeros((30, 2))})
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["north, c0", "north, c1", "south, c0", "south, c1"]
    assert figure.get_suptitle() == "Forecast of up to 20 steps"
