"""Steps that are tensors: passed in their shape to cells that declare it, flattened to the others."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.estimators import RecurrentEstimator, SequenceClassifier, SequenceRegressor, StepRegressor
from seqpipe.exceptions import CellError

TINY = {"hidden_size": 3, "max_epochs": 1, "random_state": 0}
RNG = np.random.default_rng(0)
FILMS = [RNG.normal(size=(n, 2, 3)) for n in RNG.integers(2, 5, size=20)]
MEANS = np.array([film.mean() for film in FILMS])


class RowMeans(Cell):
    """Store the mean of each row of a matrix, which cannot be computed from flat input."""

    def __init__(self, input_size: int, hidden_size: int, element_shape: tuple[int, ...] | None = None) -> None:
        super().__init__(input_size, hidden_size)
        self.shape = (1, input_size) if element_shape is None else element_shape
        if np.prod(self.shape) != input_size:
            raise ValueError(f"{self.shape} are not {input_size} numbers.")
        self.mix = torch.nn.Linear(self.shape[0] + hidden_size, hidden_size)

    def project(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], *self.shape).mean(dim=3)

    def step(self, x_t: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.tanh(self.mix(torch.cat([x_t, h], dim=1)))
        return h, h

    def sibling(self, input_size: int) -> RowMeans:
        return RowMeans(input_size, self.hidden_size)


def cell_of(model: RecurrentEstimator, layer: int = 0) -> Cell:
    return model.net_.module_.recurrent.cells[layer]


def test_a_cell_that_declares_the_parameter_is_given_the_shape_of_a_step() -> None:
    model = SequenceRegressor(RowMeans, **TINY, num_layers=2).fit(FILMS, MEANS)
    assert (cell_of(model).shape, cell_of(model, 1).shape) == ((2, 3), (1, 3))
    assert (model.element_shape_, model.n_features_in_) == ((2, 3), 6)


def test_the_shape_given_by_the_user_goes_first() -> None:
    model = SequenceRegressor(RowMeans, **TINY, cell_params={"element_shape": (3, 2)}).fit(FILMS, MEANS)
    assert cell_of(model).shape == (3, 2)
    with pytest.raises(CellError, match=r"cannot be created with input_size=6.*element_shape=\(5, 5\)"):
        model.set_params(cell_params={"element_shape": (5, 5)}).fit(FILMS, MEANS)


def test_other_cells_get_flat_features() -> None:
    flat = [film.reshape(len(film), 6) for film in FILMS]
    of_films, of_flat = (SequenceRegressor("gru", **TINY).fit(X, MEANS) for X in (FILMS, flat))
    np.testing.assert_array_equal(of_films.predict(FILMS), of_flat.predict(flat))
    np.testing.assert_array_equal(of_flat.predict(FILMS), of_flat.predict(flat))


@pytest.mark.parametrize("make", [lambda: list(FILMS), lambda: np.stack([film[:2] for film in FILMS])])
def test_the_fitted_cell_knows_the_shape_after_loading_and_takes_flat_steps(make: Callable[[], list]) -> None:
    X = make()
    model = SequenceClassifier(RowMeans, **TINY).fit(X, MEANS > 0)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    flat = [film.reshape(len(film), 6) for film in X]
    np.testing.assert_allclose(loaded.predict_proba(flat), model.predict_proba(X), rtol=1e-6)


def test_a_fit_to_flat_steps_forgets_the_shape_of_the_last_one() -> None:
    model = StepRegressor(RowMeans, **TINY).fit(FILMS, [film.mean(axis=(1, 2)) for film in FILMS])
    assert cell_of(model).shape == (2, 3)
    flat = [film.reshape(len(film), 6) for film in FILMS]
    model.fit(flat, [film.mean(axis=1) for film in flat])
    assert (cell_of(model).shape, model.element_shape_) == ((1, 6), None)
