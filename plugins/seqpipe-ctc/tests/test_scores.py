"""The scores of label sequences."""

import pytest
from seqpipe_ctc import edit_distance, label_error_rate, sequence_accuracy


@pytest.mark.parametrize(
    ("truth", "predicted", "distance"),
    [
        ("kitten", "sitting", 3),
        ("abc", "abc", 0),
        ("", "ab", 2),
        ("ab", "", 2),
        ([1, 2, 3], [1, 3], 1),
        ("ab", "ba", 2),
    ],
)
def test_the_edit_distance_counts_insertions_removals_and_replacements(truth, predicted, distance) -> None:
    assert edit_distance(truth, predicted) == distance


def test_the_label_error_rate_is_the_edit_distance_per_true_label() -> None:
    assert label_error_rate(["abc", "d"], ["ab", "de"]) == 2 / 4


def test_the_label_error_rate_needs_a_true_label() -> None:
    with pytest.raises(ValueError, match="at least one true label"):
        label_error_rate(["", ""], ["a", ""])


def test_the_sequence_accuracy_counts_sequences_without_an_error() -> None:
    assert sequence_accuracy(["ab", [1, 2], "c"], ["ab", (1, 2), "d"]) == pytest.approx(2 / 3)
