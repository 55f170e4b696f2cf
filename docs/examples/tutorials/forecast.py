"""
Forecast a series
=================

The next twelve months of a monthly series: windows, a network, the forecasts that every model has to beat, and a backtest.
"""

# %%
# The data
# --------
# Twenty years of monthly sales with a season, a business cycle of some three and a half years, and noise that carries over from month to month.

import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
n_months = 240
month = np.arange(n_months)
noise = np.zeros(n_months)
for t in range(1, n_months):
    noise[t] = 0.6 * noise[t - 1] + rng.normal(scale=1.5)
sales = pd.DataFrame(
    {"sales": 100 + 8 * np.sin(2 * np.pi * month / 12) + 15 * np.sin(2 * np.pi * month / 41) + noise},
    index=pd.date_range("2005-01-01", periods=n_months, freq="MS", name="month"),
)
known, later = sales[:204], sales[204:]
print(known.tail(3).round(1))

# %%
# Fit
# ---
# ``Forecaster`` cuts the series into windows, fits a sequence regressor to them, and predicts the steps after the end. ``window`` is what the model
# sees, ``horizon`` what it learns to predict at once, both in time steps. Whether it models the changes from month to month, and how much of the
# forecast is left to ridge regression on the same windows, is decided on the last windows. The forecast of a DataFrame is a DataFrame, with the
# months that follow. This series is a sum of waves, of which a linear function of the last months knows all there is: the network gets no weight.

from seqpipe import Forecaster, SequenceRegressor

network = SequenceRegressor(hidden_size=16, lr=0.005, max_epochs=60, random_state=0)
model = Forecaster(network, window=36, horizon=12).fit(known)
forecast = model.predict(12)
print(forecast[:3].round(1))
print("differences:", model.difference_, " weight of the network:", round(model.blend_weight_, 2))

# %%
# Against the naive forecasts
# ---------------------------
# The last value, the same month a year ago, and the last year plus the drift. A model that is worse than these is not worth its time; this one knows
# where in the cycle the last three years ended.

from sklearn.metrics import mean_absolute_error

last_year = known["sales"].to_numpy()[-12:]
drift = known["sales"].diff(12).to_numpy()[-60:].mean()
forecasts = {
    "model": forecast["sales"].to_numpy(),
    "last value": np.full(12, known["sales"].iloc[-1]),
    "last year": last_year,
    "last year + drift": last_year + drift,
}
for name, values in forecasts.items():
    print(f"{name:18} {mean_absolute_error(later[:12], values):5.2f}")

# %%
from seqpipe.diagnostics import plot_forecast

plot_forecast(known, later[:12], forecasts)

# %%
# Backtest
# --------
# One forecast may be lucky. ``backtest`` forecasts from every origin in the months after the training data, without fitting again; row *i* knows
# the first *i* of them.

fan = model.backtest(later)
print(fan.shape)
values = sales["sales"].to_numpy()
origins = range(204, 204 + len(fan))
errors = {
    "model": [mean_absolute_error(values[i : i + 12], fan[i - 204]) for i in origins],
    "last year": [mean_absolute_error(values[i : i + 12], values[i - 12 : i]) for i in origins],
}
for name, each in errors.items():
    print(f"{name:10} {np.mean(each):.2f} over {len(each)} origins")

# %%
# The bands are the spread of the errors that earlier forecasts made at the same distance.

from seqpipe.diagnostics import plot_forecast_fan

plot_forecast_fan(known, later, fan)

# %%
# Newer months
# ------------
# Once newer months are known, they are given as ``history``: the forecast then begins after them, from the window that ends there.

print(model.predict(3, history=later[:12]).round(1))

# %%
# Choose the window
# -----------------
# Steps of a series have to be split in order of time. ``TimeSeriesSplit`` does so, and ``window`` becomes a parameter to search; the score is R² of
# the twelve months after each training part.

from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

quick = Forecaster(SequenceRegressor(hidden_size=16, max_epochs=20, random_state=0), horizon=12)
search = GridSearchCV(quick, {"window": [12, 36]}, cv=TimeSeriesSplit(n_splits=3, test_size=12)).fit(known)
print(
    pd.DataFrame(search.cv_results_)[["param_window", "mean_test_score", "std_test_score"]]
    .round(2)
    .to_string(index=False)
)

# %%
# ``Forecaster`` does not predict intervals; the bands above are measured errors. For several series, exogenous columns and recursive forecasts see
# :doc:`the user guide </estimators>`; from a file, ``task: forecast`` in a :doc:`recipe </recipes>` draws the same pictures.
