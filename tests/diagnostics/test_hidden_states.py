"""States of a fitted network after each step."""

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from seqpipe import SequenceRegressor, SequenceScaler
from seqpipe.diagnostics import hidden_states, plot_hidden_states


@pytest.fixture(scope="module")
def X():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 2)) for n in (5, 9, 7, 9)]


def fitted(cell, X, **settings):
    return SequenceRegressor(cell, hidden_size=4, max_epochs=1, random_state=0, **settings).fit(X, [0.0, 1.0, 2.0, 3.0])


def recurrent_outputs(model, x):
    module = model.net_.module_
    with torch.no_grad():
        outputs, _ = module.recurrent(module.input(torch.tensor(x[None], dtype=torch.float32)))
    return outputs[0].numpy()


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_they_are_what_the_layer_gives_on_both_ways(X, cell):
    model = fitted(cell, X, bidirectional=True)
    states = hidden_states(model, X, sample=2)
    assert [str(layer) for layer in states.layers] == ["layer 0 forward", "layer 0 backward"]
    outputs = recurrent_outputs(model, X[2])
    np.testing.assert_allclose(np.concatenate(states.values, axis=1), outputs, rtol=1e-5, atol=1e-6)


def test_they_are_the_sequences_own_among_longer_ones(X):
    model = fitted("gru", X)
    alone = hidden_states(model, X[:1])
    assert alone.values[0].shape == (5, 4)
    np.testing.assert_array_equal(hidden_states(model, X, sample=0).values[0], alone.values[0])


def test_a_pipeline_is_looked_into_with_what_its_steps_make_of_the_data(X):
    pipeline = make_pipeline(SequenceScaler(), SequenceRegressor(hidden_size=4, max_epochs=1, random_state=0))
    pipeline.fit(X, [0.0, 1.0, 2.0, 3.0])
    inside = hidden_states(pipeline[-1], pipeline[:-1].transform(X), sample=3)
    np.testing.assert_array_equal(hidden_states(pipeline, X, sample=3).values[0], inside.values[0])


def test_dropout_rests_and_the_mode_is_put_back(X):
    model = fitted("gru", X, num_layers=2, dropout=0.5)
    model.net_.module_.train()
    first = hidden_states(model, X)
    np.testing.assert_array_equal(hidden_states(model, X).values[1], first.values[1])
    assert model.net_.module_.training


@pytest.mark.parametrize("sample", [-1, 4])
def test_a_sample_that_is_not_there_is_refused(X, sample):
    with pytest.raises(
        ValueError, match=f"'sample' parameter of hidden_states must be an int from 0 to 3. Got {sample} instead"
    ):
        hidden_states(fitted("gru", X), X, sample=sample)


def test_the_colours_are_white_at_zero(X):
    axes = plot_hidden_states(hidden_states(fitted("gru", X), X)).axes[0]
    low, high = axes.images[0].get_clim()
    assert low == -high < 0
