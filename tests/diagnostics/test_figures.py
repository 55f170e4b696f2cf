"""Properties of all pictures."""

import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from seqpipe import diagnostics
from seqpipe.diagnostics import GradientFlow, HiddenStates
from seqpipe.diagnostics._recording import Layer

LONG = "cell=gru, hidden_size=128, num_layers=2, bidirectional=True, dropout=0.25, lr=0.001, $x_1$ & $y$"


def history(n_epochs):
    return [{"epoch": i + 1, "train_loss": 1 / (i + 1), "valid_loss": 1.2 / (i + 1)} for i in range(n_epochs)]


def learning_curves(n_names=1, n_epochs=3, name="gru"):
    return diagnostics.plot_learning_curves({f"{name} {i}": history(n_epochs) for i in range(n_names)})


def confusion_matrix(n_classes=2, name="class"):
    classes = np.array([f"{name} {i:02}" for i in range(n_classes)])
    return diagnostics.plot_confusion_matrix(np.repeat(classes, 3), np.repeat(np.roll(classes, 1), 3))


def forecast(n_columns=1, n_steps=12, name="sales"):
    index = pd.date_range("2020-01-01", periods=5 * n_steps, freq="MS", name="month")
    values = np.arange(5.0 * n_steps * n_columns).reshape(-1, n_columns)
    series = pd.DataFrame(values, index=index, columns=[f"{name} {i}" for i in range(n_columns)])
    truth = series.iloc[-n_steps:]
    return diagnostics.plot_forecast(series.iloc[:-n_steps], truth, {name: truth, "drift": truth * 1.01})


def forecast_fan(n_columns=1, n_origins=20, horizon=6, name="sales"):
    n_steps = n_origins + horizon - 1
    index = pd.date_range("2020-01-01", periods=3 * n_steps, freq="MS", name="month")
    values = np.random.default_rng(0).normal(size=(3 * n_steps, n_columns)).cumsum(axis=0)
    series = pd.DataFrame(values, index=index, columns=[f"{name} {i}" for i in range(n_columns)])
    truth = series.iloc[-n_steps:]
    forecasts = np.stack([truth.to_numpy()[i : i + horizon] + 0.5 for i in range(n_origins)])
    return diagnostics.plot_forecast_fan(series.iloc[:-n_steps], truth, forecasts)


def truth_against_prediction(n_outputs=1, n_samples=50, name="load"):
    y = np.random.default_rng(0).normal(size=(n_samples, n_outputs))
    return diagnostics.plot_truth_against_prediction(y, y + 1, names=[f"{name} {i}" for i in range(n_outputs)])


def candidates(n_candidates=3, name="gru"):
    scores = np.linspace(0.9, 0.5, n_candidates)
    names = [f"{name} {i}" for i in range(n_candidates)]
    table = pd.DataFrame({"name": names, "mean": scores, "std": 0.01, "seconds": 1.0 + scores, "n_parameters": 1000})
    return diagnostics.plot_candidates(table, {each: history(4) for each in names})


def layers(n_layers, name=""):
    return tuple(Layer(name, k // 2, ("forward", "backward")[k % 2]) for k in range(n_layers))


def gradient_flow(n_layers=1, n_timesteps=30, n_samples=20, name=""):
    random = np.random.default_rng(0)
    norms = random.lognormal(size=(n_samples, n_layers, n_timesteps)) * 0.8 ** np.arange(n_timesteps)
    return diagnostics.plot_gradient_flow(GradientFlow(layers(n_layers, name), norms, np.ones(n_layers)))


def hidden_states(n_layers=1, n_timesteps=30, hidden_size=8, name=""):
    values = np.random.default_rng(0).normal(size=(n_layers, n_timesteps, hidden_size))
    return diagnostics.plot_hidden_states(HiddenStates(layers(n_layers, name), tuple(values)))


def attention(n_source=8, n_output=5, name="word"):
    weights = np.random.default_rng(0).dirichlet(np.ones(n_source), size=n_output)
    return diagnostics.plot_attention(weights, [f"{name} {i}" for i in range(n_source)], [name] * n_output)


PICTURES = [
    learning_curves, confusion_matrix, forecast, forecast_fan, truth_against_prediction, candidates, gradient_flow, hidden_states,
    attention,
]  # fmt: skip


def test_every_public_picture_is_drawn_here():
    plots = [name for name in diagnostics.__all__ if name.startswith("plot_")]
    assert plots == sorted(f"plot_{picture.__name__}" for picture in PICTURES)


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_is_a_figure_of_no_window(picture, drawn):
    assert isinstance(drawn(picture()), Figure)
    assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()


@pytest.mark.parametrize("picture", PICTURES)
def test_a_picture_is_at_most_900_pixels_wide(picture, drawn):
    figure = drawn(picture())
    assert figure.get_figwidth() * figure.dpi <= 900


@pytest.mark.parametrize("picture", PICTURES)
def test_long_names_with_dollar_signs_are_drawn_as_they_are(picture, drawn):
    figure = drawn(picture(name=LONG))
    named = [text for text in figure.findobj(Text) if text.get_visible() and "$y$" in text.get_text()]
    assert not any(text.get_parse_math() for text in named)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("picture", "sizes"),
    [
        (learning_curves, {"n_epochs": 1}),
        (learning_curves, {"n_epochs": 300, "n_names": 12}),
        (confusion_matrix, {"n_classes": 10}),
        (confusion_matrix, {"n_classes": 40}),
        (confusion_matrix, {"n_classes": 150}),
        (forecast, {"n_columns": 4}),
        (forecast, {"n_columns": 14}),
        (forecast, {"n_steps": 1}),
        (forecast_fan, {"n_columns": 14}),
        (forecast_fan, {"n_origins": 1, "horizon": 1}),
        (forecast_fan, {"n_origins": 200}),
        (truth_against_prediction, {"n_outputs": 14}),
        (truth_against_prediction, {"n_samples": 1}),
        (gradient_flow, {"n_layers": 12}),
        (gradient_flow, {"n_timesteps": 1, "n_samples": 1}),
        (hidden_states, {"n_layers": 12}),
        (hidden_states, {"n_timesteps": 1, "hidden_size": 1}),
        (hidden_states, {"n_timesteps": 3000, "hidden_size": 300}),
        (attention, {"n_source": 1, "n_output": 1}),
        (attention, {"n_source": 200, "n_output": 150}),
        (candidates, {"n_candidates": 1}),
        (candidates, {"n_candidates": 60}),
    ],
)
def test_texts_are_legible_whether_a_picture_holds_much_or_little(picture, sizes, drawn):
    assert drawn(picture(**sizes)).axes


@pytest.mark.parametrize("picture", PICTURES)
def test_every_panel_says_what_its_axes_are(picture):
    panels = [axes for axes in picture().axes if axes.get_label() != "<colorbar>"]
    assert all(axes.get_xlabel() for axes in panels)
    assert any(axes.get_ylabel() or axes.get_title(loc="left") for axes in panels)
