"""Pictures of fits, searches and predictions, as matplotlib figures that belong to no window."""

from seqpipe.diagnostics._candidates import plot_candidates
from seqpipe.diagnostics._confusion_matrix import plot_confusion_matrix
from seqpipe.diagnostics._forecast import plot_forecast
from seqpipe.diagnostics._learning_curves import plot_learning_curves
from seqpipe.diagnostics._truth_against_prediction import plot_truth_against_prediction

__all__ = [
    "plot_candidates",
    "plot_confusion_matrix",
    "plot_forecast",
    "plot_learning_curves",
    "plot_truth_against_prediction",
]
