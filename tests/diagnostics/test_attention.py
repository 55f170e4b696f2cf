import numpy as np
import pytest

from seqpipe.diagnostics import plot_attention


def test_rows_are_the_output_and_columns_the_source(drawn):
    axes = drawn(plot_attention([[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]], source="a b", output=["x", "y"])).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", "␣", "b"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["x", "y"]
    np.testing.assert_array_equal(axes.images[0].get_array(), [[0.9, 0.1, 0.0], [0.2, 0.3, 0.5]])


def test_the_colours_mean_the_same_in_every_picture():
    assert plot_attention([[0.6, 0.4]], source="ab", output="x").axes[0].images[0].get_clim() == (0.0, 1.0)


@pytest.mark.parametrize("weights", [[[1.0]], np.empty((0, 2)), [0.5, 0.5]])
def test_weights_that_do_not_fit_the_tokens_are_refused(weights):
    with pytest.raises(ValueError, match=r"one row per output token and one column per source token, \(1, 2\)"):
        plot_attention(weights, source="ab", output="x")


@pytest.mark.parametrize("weights", [[[-1.0, 2.0]], [[np.nan, 1.0]]])
def test_scores_are_no_weights(weights):
    with pytest.raises(ValueError, match="weights must be between 0 and 1. Got .* apply the softmax first"):
        plot_attention(weights, source="ab", output="x")
