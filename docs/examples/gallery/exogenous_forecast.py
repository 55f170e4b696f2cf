"""
A forecast with columns known ahead
===================================

Demand follows the temperature, and the temperature of the coming days is known from a weather service. With y given, the columns of X are exogenous: ``predict`` and
``backtest`` take their values at the steps to forecast.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import mean_absolute_error

from seqpipe import Forecaster, SequenceRegressor
from seqpipe.diagnostics import plot_forecast

rng = np.random.default_rng(0)
n = 500
days = pd.date_range("2024-01-01", periods=n, freq="D", name="day")
temperature = np.zeros(n)
for t in range(1, n):
    temperature[t] = 0.8 * temperature[t - 1] + rng.normal()
weekday = days.day_of_week.to_numpy()
demand = 50 + 4 * temperature + 10 * (weekday < 5) + rng.normal(scale=0.5, size=n)
X = pd.DataFrame({"temperature": temperature, "workday": (weekday < 5).astype(float)}, index=days)
y = pd.Series(demand, index=days, name="demand")

network = SequenceRegressor(hidden_size=16, max_epochs=40, random_state=0)
known, later = slice(None, 460), slice(460, 474)
with_columns = Forecaster(network, window=14, horizon=14).fit(X[known], y[known]).predict(X[later])
without = Forecaster(network, window=14, horizon=14).fit(y[known]).predict(14)

# %%
forecasts = {"with temperature": np.ravel(with_columns), "demand alone": np.ravel(without)}
for name, forecast in forecasts.items():
    print(f"{name:18} mean absolute error {mean_absolute_error(y[later], forecast):.2f}")

# %%
plot_forecast(y[known], y[later], forecasts)
