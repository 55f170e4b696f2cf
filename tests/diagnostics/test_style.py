import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqpipe.diagnostics._style import LineEnd, _spread_out, label_ends, new_figure, shorten


@given(
    st.lists(st.floats(-0.5, 1.5), min_size=1, max_size=12),
    st.lists(st.floats(0.01, 0.08), min_size=12, max_size=12),
)
def test_labels_never_overlap_and_keep_their_order(centres, heights):
    heights = heights[: len(centres)]
    moved = _spread_out(centres, heights)
    rows = sorted(zip(moved, centres, heights))
    for (low, centre, height), (high, next_centre, next_height) in itertools.pairwise(rows):
        assert high - low >= (height + next_height) / 2 - 1e-9
        assert centre <= next_centre
    assert max(moved) <= 1 + 1e-9


def test_labels_with_room_stay_where_their_lines_end():
    assert _spread_out([0.9, 0.1, 0.5], [0.05] * 3) == pytest.approx([0.9, 0.1, 0.5])


def test_no_lines_need_no_labels():
    axes = new_figure(4, 3).subplots()
    label_ends(axes, [])
    assert not axes.texts


def test_a_label_stands_to_the_right_of_the_axes_in_the_colour_of_its_line():
    axes = new_figure(4, 3).subplots()
    axes.plot([0, 1], [0, 1])
    label_ends(axes, [LineEnd("gru", 1.0, 1.0, "#0072B2")])
    (label,) = axes.texts
    assert label.get_position()[0] > 1
    assert (label.get_text(), label.get_color()) == ("gru", "#0072B2")


@given(st.text(), st.integers(4, 40), st.integers(1, 3))
def test_a_fitted_name_is_never_longer_than_its_room(name, width, lines):
    found = shorten(name, width=width, lines=lines)
    assert found.count("\n") < lines
    assert len(found.replace("\n", "")) <= width * lines


@pytest.mark.parametrize("name", ["gru", "", "0", "cell=gru, hidden_size=64"])
def test_a_short_name_is_kept(name):
    assert shorten(name) == name


def test_a_long_name_keeps_both_its_ends():
    found = shorten("a name that is far too long for its place, number 17", width=20, lines=1)
    assert found.startswith("a name")
    assert found.endswith("17")
    assert "…" in found


def test_a_name_of_two_lines_breaks_between_words():
    assert shorten("cell=gru, hidden_size=64, dropout=0.5", width=26) == "cell=gru, hidden_size=64,\ndropout=0.5"
