import numpy as np
import pytest

from seqpipe.diagnostics import plot_confusion_matrix

Y_TRUE = ["walk", "walk", "walk", "run", "run", "sit"]
Y_PRED = ["walk", "walk", "run", "run", "run", "walk"]


def axes_of(figure):
    return figure.axes[0]


def names(axes):
    return [label.get_text() for label in axes.get_xticklabels()]


def test_a_cell_is_coloured_by_its_share_of_the_true_class():
    (image,) = axes_of(plot_confusion_matrix(Y_TRUE, Y_PRED)).images
    np.testing.assert_allclose(image.get_array(), [[1, 0, 0], [0, 0, 1], [1 / 3, 0, 2 / 3]])


def test_a_cell_tells_its_count_where_there_is_one():
    axes = axes_of(plot_confusion_matrix(Y_TRUE, Y_PRED))
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert written == {(0, 0): "2", (2, 1): "1", (0, 2): "1", (2, 2): "2"}


def test_the_title_states_the_share_of_correct_predictions():
    assert (
        axes_of(plot_confusion_matrix(Y_TRUE, Y_PRED)).get_title(loc="left") == "Confusion matrix\n66.7% of 6 correct"
    )


def test_classes_are_sorted_and_named():
    assert names(axes_of(plot_confusion_matrix(Y_TRUE, Y_PRED))) == ["run", "sit", "walk"]


def test_classes_stand_in_the_order_asked_for():
    axes = axes_of(plot_confusion_matrix(Y_TRUE, Y_PRED, labels=["walk", "run", "sit"]))
    assert names(axes) == ["walk", "run", "sit"]


def test_a_class_that_was_only_predicted_has_a_row():
    axes = axes_of(plot_confusion_matrix([0, 0], [0, 7]))
    assert names(axes) == ["0", "7"]
    assert axes.images[0].get_array().tolist() == [[0.5, 0.5], [0.0, 0.0]]


@pytest.mark.parametrize("n_classes", [26, 40])
def test_many_classes_leave_no_room_for_counts(n_classes):
    assert not axes_of(plot_confusion_matrix(np.arange(n_classes), np.arange(n_classes))).texts


def test_very_many_classes_are_not_all_named():
    axes = axes_of(plot_confusion_matrix(np.arange(150), np.arange(150)))
    assert len(axes.get_xticklabels()) == 50
