"""Forecasts of one or several series: a regressor of windows, fed with its own forecasts."""

from seqpipe.estimators.forecasting._forecaster import Forecaster

__all__ = ["Forecaster"]
