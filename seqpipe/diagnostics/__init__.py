"""Inspect fitted networks, and plot fits as matplotlib figures, independently of pyplot."""

from seqpipe.diagnostics._attention import plot_attention
from seqpipe.diagnostics._candidates import plot_candidates
from seqpipe.diagnostics._confusion_matrix import plot_confusion_matrix
from seqpipe.diagnostics._forecast import plot_forecast
from seqpipe.diagnostics._forecast_fan import plot_forecast_fan
from seqpipe.diagnostics._gradient_flow import GradientFlow, gradient_flow
from seqpipe.diagnostics._gradient_flow_picture import plot_gradient_flow
from seqpipe.diagnostics._hidden_states import HiddenStates, hidden_states
from seqpipe.diagnostics._hidden_states_picture import plot_hidden_states
from seqpipe.diagnostics._learning_curves import plot_learning_curves
from seqpipe.diagnostics._truth_against_prediction import plot_truth_against_prediction

__all__ = [
    "GradientFlow",
    "HiddenStates",
    "gradient_flow",
    "hidden_states",
    "plot_attention",
    "plot_candidates",
    "plot_confusion_matrix",
    "plot_forecast",
    "plot_forecast_fan",
    "plot_gradient_flow",
    "plot_hidden_states",
    "plot_learning_curves",
    "plot_truth_against_prediction",
]
