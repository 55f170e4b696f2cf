"""Fitted estimators pickle as plain arrays, and load on machines without the GPU they were fitted on."""

from __future__ import annotations

import pickle
import pickletools

import numpy as np
import pytest
import torch

from seqpipe.estimators import SequenceClassifier, SequenceRegressor

rng = np.random.default_rng(0)
X = rng.normal(size=(30, 5, 2))
y = np.arange(30) % 3


@pytest.fixture(params=[SequenceClassifier, SequenceRegressor])
def fitted(request):
    return request.param("lstm", hidden_size=4, num_layers=2, bidirectional=True, max_epochs=3, random_state=0).fit(
        X, y
    )


def test_a_pickle_names_no_class_of_torch_or_skorch(fitted) -> None:
    names = {str(argument) for _, argument, _ in pickletools.genops(pickle.dumps(fitted)) if isinstance(argument, str)}
    assert not {name for name in names if name.startswith(("torch", "skorch"))}


def test_a_loaded_estimator_predicts_the_same_bits(fitted) -> None:
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.predict(X), fitted.predict(X))
    assert loaded.history_ == fitted.history_


def test_an_estimator_fitted_on_a_gpu_loads_where_there_is_none(fitted) -> None:
    expected = fitted.predict(X)
    fitted.device_ = "cuda:0"  # all that a pickle keeps of the GPU
    loaded = pickle.loads(pickle.dumps(fitted))
    if torch.cuda.is_available():
        assert loaded.device_ == "cuda:0"
    else:
        assert loaded.device_ == "cpu"
    np.testing.assert_allclose(loaded.predict(X), expected, rtol=1e-5)
