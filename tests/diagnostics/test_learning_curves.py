import itertools

import numpy as np
import pytest

from seqpipe.diagnostics import plot_learning_curves
from seqpipe.diagnostics._style import GREY


def history(losses, valid=None):
    rows = [{"epoch": i + 1, "train_loss": loss} for i, loss in enumerate(losses)]
    for row, loss in zip(rows, valid or []):
        row["valid_loss"] = loss
    return rows


def axes_of(curves):
    (axes,) = plot_learning_curves(curves).axes
    return axes


def test_the_losses_are_drawn_against_their_epochs():
    axes = axes_of({"gru": history([0.9, 0.5, 0.4], valid=[1.0, 0.7, 0.6])})
    train, valid = axes.lines
    np.testing.assert_array_equal(train.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(train.get_ydata(), [0.9, 0.5, 0.4])
    np.testing.assert_array_equal(valid.get_ydata(), [1.0, 0.7, 0.6])
    assert train.get_linestyle() != valid.get_linestyle()


def test_training_and_validation_are_told_apart_by_a_legend_outside_the_data():
    legend = axes_of({"gru": history([0.9], valid=[1.0])}).get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["training", "validation"]
    assert legend.get_bbox_to_anchor() is not None


def test_the_legend_names_a_single_kind_of_loss_too():
    legend = axes_of({"gru": history([0.9, 0.5])}).get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["training"]


def test_a_score_on_held_out_data_stands_beside_its_curve():
    (axes,) = plot_learning_curves({"gru": history([0.9, 0.5])}, held_out={"gru": 0.98765}).axes
    assert [text.get_text() for text in axes.texts] == ["gru\nheld-out score 0.9877"]


def test_epochs_are_counted_where_the_history_does_not():
    axes = axes_of({"gru": [{"train_loss": 0.9}, {"train_loss": 0.8}]})
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), [1, 2])


def test_each_fit_is_named_at_its_end():
    axes = axes_of({"gru": history([0.9, 0.5]), "lstm": history([0.9, 0.4])})
    assert {text.get_text() for text in axes.texts} == {"gru", "lstm"}


def test_thirty_fits_are_told_apart_by_colour_and_marker():
    curves = {f"fit {i}": history([2.0, 1.0 + i]) for i in range(33)}
    axes = axes_of(curves)
    looks = [(line.get_color(), line.get_marker()) for line in axes.lines]
    assert len(set(looks[:30])) == 30
    assert {colour for colour, _ in looks[30:]} == {GREY}
    labels = [text.get_text() for text in axes.texts]
    assert {"fit 0", "■ fit 6", "▼ fit 29", "3 others in grey"} <= set(labels)


def test_a_fit_that_diverged_is_the_last_to_get_a_colour():
    curves = {"diverged": history([1.0, np.nan])} | {f"fit {i}": history([1.0, 0.5]) for i in range(30)}
    assert axes_of(curves).lines[0].get_color() == GREY


def test_a_notebook_shows_the_figure():
    assert plot_learning_curves({"gru": history([0.9])})._repr_png_().startswith(b"\x89PNG")


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_losses_that_are_not_finite_leave_a_gap(broken):
    (line,) = axes_of({"gru": history([1.0, broken, 0.5])}).lines
    np.testing.assert_array_equal(np.isnan(line.get_ydata()), [False, True, False])


def test_a_loss_over_decades_is_drawn_on_a_log_scale():
    axes = axes_of({"gru": history([10.0, 1.0, 0.01])})
    assert axes.get_yscale() == "log"
    assert axes.get_ylabel() == "loss (log scale)"


@pytest.mark.parametrize("decades", [2, 4, 7, 12, 25])
def test_ticks_on_a_log_scale_do_not_overlap(decades, drawn):
    (axes,) = drawn(plot_learning_curves({"gru": history([10.0 ** (decades / 2), 1.0, 10.0 ** (-decades / 2)])})).axes
    low, high = axes.get_ylim()
    labels = [tick.label1 for tick in axes.yaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    boxes = [label.get_window_extent() for label in labels]
    assert len(boxes) >= 2
    assert all(above.y0 > below.y1 for below, above in itertools.pairwise(boxes))


def test_a_loss_below_zero_is_drawn_on_a_linear_scale():
    assert axes_of({"gru": history([10.0, 1.0, -0.01])}).get_yscale() == "linear"


def test_a_single_epoch_is_a_dot():
    assert axes_of({"gru": history([0.9])}).lines[0].get_marker() == "o"


@pytest.mark.parametrize("curves", [{}, {"gru": []}, {"gru": history([np.nan])}])
def test_no_epochs_are_said_to_be_none(curves, drawn):
    figure = drawn(plot_learning_curves(curves))
    assert "no epochs were recorded" in [text.get_text() for text in figure.axes[0].texts]
