import numpy as np
import pytest

from seqpipe.diagnostics import plot_truth_against_prediction


def test_each_sample_is_a_point_beside_the_line_of_equality():
    (axes,) = plot_truth_against_prediction([0.0, 1.0, 2.0], [0.5, 1.0, 3.0]).axes
    (points,), (line,) = axes.collections, axes.lines
    np.testing.assert_array_equal(points.get_offsets(), [[0.0, 0.5], [1.0, 1.0], [2.0, 3.0]])
    np.testing.assert_array_equal(line.get_xdata(), line.get_ydata())
    assert "mean absolute error 0.5" in [text.get_text() for text in axes.texts]


def test_each_output_has_a_panel_with_its_name():
    figure = plot_truth_against_prediction(np.zeros((4, 2)), np.ones((4, 2)), names=["load", "wind"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["load", "wind"]


def test_outputs_without_names_are_counted():
    figure = plot_truth_against_prediction(np.zeros((4, 2)), np.ones((4, 2)))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["output 0", "output 1"]


def test_a_perfect_constant_prediction_is_drawn(drawn):
    (axes,) = drawn(plot_truth_against_prediction([1.0, 1.0], [1.0, 1.0])).axes
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), [[1.0, 1.0], [1.0, 1.0]])
    assert axes.get_xlim()[0] < 1 < axes.get_xlim()[1]


def test_other_shapes_are_never_broadcast():
    with pytest.raises(ValueError, match=r"y_pred of shape \(3, 1\) must have the shape of y_true, \(4, 1\)"):
        plot_truth_against_prediction(np.zeros(4), np.zeros(3))
