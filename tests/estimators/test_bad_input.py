"""Invalid input is refused before training, with its position and the remedy."""

from __future__ import annotations

import datetime as dt
import enum
import uuid
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError

from seqpipe.cells import Cell
from seqpipe.estimators import SequenceClassifier, SequenceRegressor, StepClassifier
from seqpipe.exceptions import CellError, DataWarning, InvalidSequencesError, UnknownNameError
from seqpipe.sequences import Sequences

TINY = {"hidden_size": 4, "max_epochs": 3, "random_state": 0}
rng = np.random.default_rng(0)
X = rng.normal(size=(20, 5, 2))
y = np.arange(20) % 2


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_a_value_that_is_not_finite_is_named_with_its_place(value: float, word: str) -> None:
    bad = X.copy()
    bad[7, 3, 1] = value
    with pytest.raises(InvalidSequencesError, match=f"{word}: sample 7, step 3, feature 1"):
        SequenceClassifier(**TINY).fit(bad, y)


def test_the_users_names_stand_in_the_error() -> None:
    frame = pd.DataFrame({"id": np.repeat(["a", "b"], 3), "t": [0, 1, 2] * 2, "speed": [1, 2, 3, 4, 5.0, 6]})
    sequences = Sequences.from_frame(frame, by="id", order="t", features=["speed"])
    sequences.values[4, 0] = np.nan
    with pytest.raises(InvalidSequencesError, match=r"\(id 'b'\), step 1, feature 'speed'"):
        SequenceClassifier(**TINY).fit(sequences, [0, 1])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_target_that_is_not_finite_is_named_with_its_sample(value: float) -> None:
    targets = X.mean(axis=(1, 2))
    targets[11] = value
    with pytest.raises(InvalidSequencesError, match="sample 11"):
        SequenceRegressor(**TINY).fit(X, targets)


def test_no_steps_at_all_are_refused() -> None:
    with pytest.raises(InvalidSequencesError, match="no time steps"):
        SequenceClassifier(**TINY).fit(np.empty((20, 0, 2)), y)


def test_steps_of_another_shape_at_predict_are_refused_with_the_shape_that_is_wanted() -> None:
    fitted = SequenceClassifier(**TINY).fit(X[..., None], y)
    with pytest.raises(InvalidSequencesError, match=r"Pass X of shape \(n_samples, n_timesteps, 2, 1\)"):
        fitted.predict(X[:, :, None])


def test_one_sequence_without_its_batch_axis_is_refused_with_the_remedy() -> None:
    fitted = SequenceClassifier(**TINY).fit(X, y)
    with pytest.raises(ValueError, match=r"For a single sequence, pass X\[None\]"):
        fitted.predict(X[0])


def test_other_features_at_predict_are_refused() -> None:
    fitted = SequenceClassifier(**TINY).fit(X, y)
    with pytest.raises(ValueError, match="X has 1 features, but SequenceClassifier is expecting 2 features"):
        fitted.predict(X[:, :, :1])


def test_a_table_where_sequences_were_fitted_is_refused_and_the_other_way_round() -> None:
    fitted = SequenceClassifier(**TINY).fit(X[:, :, 0], y)
    assert fitted.n_features_in_ == 5
    with pytest.raises(ValueError, match=r"fit with X\[:, :, None\]"):
        fitted.predict(X[:, :, :1])


@pytest.mark.parametrize("columns", [["b", "a"], ["a", "c"]])
def test_reordered_or_renamed_features_are_refused(columns: list[str]) -> None:
    values = rng.normal(size=(40, 2))
    offsets = np.arange(0, 41, 2)
    fitted = SequenceClassifier(**TINY).fit(Sequences(values, offsets, feature_names=["a", "b"]), y)
    assert fitted.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(Sequences(values, offsets, feature_names=columns))


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.float64, bool])
def test_other_real_numbers_are_cast(dtype: type) -> None:
    numbers = (X > 0).astype(dtype)
    expected = SequenceClassifier(**TINY).fit(numbers.astype("float32"), y).predict_proba(numbers)
    np.testing.assert_allclose(SequenceClassifier(**TINY).fit(numbers, y).predict_proba(numbers), expected, rtol=1e-5)


@pytest.mark.parametrize("bad", [X.astype(complex), X.astype(str)])
def test_complex_numbers_and_text_are_refused(bad: np.ndarray) -> None:
    with pytest.raises(InvalidSequencesError, match="must hold real numbers, got dtype"):
        SequenceClassifier(**TINY).fit(bad, y)


@pytest.mark.parametrize("labels", [np.array(["no", "yes"]), np.array([5, 9]), np.array([False, True])])
def test_labels_of_any_kind_come_back(labels: np.ndarray) -> None:
    fitted = SequenceClassifier(**TINY).fit(X, labels[y])
    assert set(fitted.predict(X)) <= set(labels)
    assert fitted.classes_.dtype == labels.dtype
    assert fitted.predict_proba(X).shape == (20, 2)


def test_one_class_is_predicted_as_it_is() -> None:
    fitted = SequenceClassifier(**TINY).fit(X, np.full(20, "only"))
    assert fitted.predict(X).tolist() == ["only"] * 20
    assert fitted.predict_proba(X).tolist() == [[1.0]] * 20


def test_a_label_that_partial_fit_was_not_told_of_is_refused() -> None:
    fitted = SequenceClassifier(**TINY).partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"not among the classes of the first fit: \[2\]"):
        fitted.partial_fit(X, y + 1)


def test_labels_that_were_never_seen_are_warned_of_when_scored() -> None:
    fitted = SequenceClassifier(**TINY).fit(X, y)
    with pytest.warns(DataWarning, match=r"not seen in fit, which count as errors: \[7\]"):
        assert fitted.score(X, np.full(20, 7)) == 0


def test_one_sample_is_enough() -> None:
    assert SequenceRegressor(**TINY).fit(X[:1], [3.0]).predict(X[:1]).shape == (1,)
    with pytest.raises(ValueError, match="leaves none for training"):
        SequenceRegressor(**TINY, early_stopping=True).fit(X[:1], [3.0])


def test_a_last_batch_of_one_keeps_its_shape() -> None:
    model = SequenceRegressor(**TINY, batch_size=19).fit(X, X.mean(axis=(1, 2)))
    assert model.predict(X[:1]).shape == (1,)


@pytest.mark.parametrize("shape", [(20,), (20, 1), (20, 3)])
def test_predictions_have_the_shape_of_the_targets(shape: tuple[int, ...]) -> None:
    targets = rng.normal(size=shape)
    assert SequenceRegressor(**TINY).fit(X, targets).predict(X).shape == shape


def test_a_constant_feature_and_a_constant_target_stay_finite() -> None:
    flat = X.copy()
    flat[:, :, 1] = 7
    prediction = SequenceRegressor(**TINY).fit(flat, np.full(20, 4.0)).predict(flat)
    assert np.isfinite(prediction).all()


def test_a_read_only_memory_map_is_enough(tmp_path) -> None:
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    expected = SequenceClassifier(**TINY).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(SequenceClassifier(**TINY).fit(mapped, y).predict_proba(mapped), expected)


def test_an_unknown_cell_is_named_with_what_there_is() -> None:
    with pytest.raises(UnknownNameError, match=r"must be one of \[.*'gru', 'lstm', .*Got 'gruu'.*Did you mean 'gru'\?"):
        SequenceClassifier("gruu").fit(X, y)
    with pytest.raises(TypeError, match=r"or a subclass of seqpipe\.Cell\. Got <class 'int'> instead"):
        SequenceClassifier(int).fit(X, y)


class NaNCell(Cell):
    def step(self, x_t, h):
        return h * torch.nan, h


class WideCell(Cell):
    def step(self, x_t, h):
        return torch.cat([h, h], dim=1), h


class DoubleCell(Cell):
    def step(self, x_t, h):
        return h.double(), h


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (NaNCell, "NaN or infinity in its output"),
        (WideCell, r"output, shape \(2, 4\) for a batch of 2, got \(2, 8\)"),
        (DoubleCell, "must keep the type torch.float32"),
    ],
)
def test_a_broken_cell_is_told_apart_from_broken_data(cell: type[Cell], words: str) -> None:
    with pytest.raises(CellError, match=f"The cell {cell.__name__} violates the cell protocol: .*{words}"):
        SequenceClassifier(cell, **TINY).fit(X, y)


def test_arguments_that_a_cell_does_not_take_are_named() -> None:
    with pytest.raises(CellError, match=r"activation='softplus'.*must be one of \['relu', 'sigmoid', 'tanh'\]"):
        SequenceClassifier("rnn", cell_params={"activation": "softplus"}, **TINY).fit(X, y)
    with pytest.raises(CellError, match="unexpected keyword argument 'activation'"):
        SequenceClassifier("gru", cell_params={"activation": "tanh"}, **TINY).fit(X, y)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("hidden_size", 0),
        ("dropout", 1.0),
        ("lr", -1),
        ("pooling", "first"),
        ("dtype", "float16"),
        ("max_epochs", 0),
    ],
)
def test_a_parameter_out_of_range_is_named_before_training(parameter: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter of SequenceClassifier must be"):
        SequenceClassifier(**{parameter: value}).fit(X, y)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("net__lr", "Set the 'lr' parameter of SequenceClassifier instead"),
        ("net__optimizer", "Set the 'optimizer' parameter of SequenceClassifier instead"),
        ("net__iterator_train__num_workers", "has no effect"),
        ("net__optimiser__momentum", "is not a parameter of skorch's net"),
    ],
)
def test_a_net_parameter_without_effect_is_refused(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SequenceClassifier(**TINY).set_params(**{name: 1}).fit(X, y)


def test_a_misspelt_parameter_of_the_optimizer_is_refused() -> None:
    with pytest.raises(
        ValueError, match="The optimizer 'AdamW' of SequenceClassifier cannot be created with .*momentun"
    ):
        SequenceClassifier(**TINY).set_params(net__optimizer__momentun=0.9).fit(X, y)


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused_with_what_is(device: str) -> None:
    with pytest.raises(ValueError, match=device):
        SequenceClassifier(**TINY, device=device).fit(X, y)


@pytest.mark.parametrize("bad", [None, "abc", 3, {"a": 1}, {1, 2}, (x for x in X)], ids=lambda b: type(b).__name__)
def test_what_is_no_data_is_refused_by_name(bad: object) -> None:
    with pytest.raises(InvalidSequencesError, match="X must be an array, a list of arrays, .* Got "):
        SequenceClassifier(**TINY).fit(bad, y)
    with pytest.raises(InvalidSequencesError, match="X must be an array, a list of arrays, .* Got "):
        SequenceClassifier(**TINY).fit(X, y).predict(bad)


def test_masked_steps_and_times_are_not_trained_on() -> None:
    with pytest.raises(InvalidSequencesError, match="masked array"):
        SequenceClassifier(**TINY).fit(np.ma.masked_greater(X[:, :, 0], 1), y)
    with pytest.raises(InvalidSequencesError, match="holds times"):
        SequenceClassifier(**TINY).fit(np.zeros((20, 4), "datetime64[s]"), y)


def test_a_value_too_large_for_the_networks_type_is_refused() -> None:
    with pytest.raises(InvalidSequencesError, match="too large for float32"):
        SequenceClassifier(**TINY).fit(X * 1e39, y)
    with pytest.raises(InvalidSequencesError, match="y is too large"):
        SequenceRegressor(**TINY).fit(X, np.where(y, 1e308, -1e308))


def test_columns_of_data_frames_are_remembered_and_kept_in_order() -> None:
    frames = [pd.DataFrame(x, columns=["a", "b"]) for x in X]
    fitted = SequenceClassifier(**TINY).fit(frames, y)
    assert fitted.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict([frame[["b", "a"]] for frame in frames])
    with pytest.raises(InvalidSequencesError, match=r"the columns \['b', 'a'\] where the first has \['a', 'b'\]"):
        SequenceClassifier(**TINY).fit([frames[0], frames[1][["b", "a"]], *frames[2:]], y)


@pytest.mark.parametrize(
    ("labels", "words"), [(["a", None] * 10, "sample 1"), (np.array([1, "a"] * 10, dtype=object), "mixes labels")]
)
def test_labels_that_cannot_be_compared_are_refused(labels: object, words: str) -> None:
    with pytest.raises(InvalidSequencesError, match=words):
        SequenceClassifier(**TINY).fit(X, np.array(labels, dtype=object))


@pytest.mark.parametrize("weights", [{0: 0, 1: 0}, {0: -1, 1: 1}, {0: np.nan, 1: 1}])
def test_class_weights_that_weigh_nothing_are_refused(weights: dict) -> None:
    with pytest.raises(
        ValueError, match="The 'class_weight' parameter of SequenceClassifier must have finite weights >= 0"
    ):
        SequenceClassifier(**TINY, class_weight=weights).fit(X, y)


def test_a_cell_that_fails_in_another_layer_is_named() -> None:
    class OneInput(Cell):
        def __init__(self, input_size: int, hidden_size: int) -> None:
            super().__init__(input_size, hidden_size)
            self.weight = {2: torch.nn.Linear(2, hidden_size)}[input_size]

        def step(self, x_t, h):
            return h, h

    with pytest.raises(CellError, match="The cell OneInput violates the cell protocol: .*for another layer"):
        SequenceClassifier(OneInput, **TINY, num_layers=2).fit(X, y)


def test_a_fit_that_fails_leaves_no_old_net_behind() -> None:
    model = SequenceClassifier(**TINY).fit(X, y)
    with pytest.raises(ValueError, match="differ from those|too few|leaves none"):
        model.set_params(early_stopping=True, validation_fraction=0.99).fit(X[:1], [5])
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_going_on_with_another_network_is_refused() -> None:
    model = SequenceRegressor(**TINY, warm_start=True).fit(X, X.mean(axis=(1, 2)))
    with pytest.raises(ValueError, match="does not match the fitted one"):
        model.set_params(hidden_size=5).fit(X, X.mean(axis=(1, 2)))
    with pytest.raises(ValueError, match="y has 2 outputs, but had 1 in the previous fit"):
        model.set_params(hidden_size=4).fit(X, X.mean(axis=1))


def test_a_panel_is_no_table_of_one_sequence_per_row() -> None:
    panel = pd.DataFrame(np.ones((6, 2)), index=pd.MultiIndex.from_product([["a", "b"], range(3)], names=["unit", "t"]))
    with pytest.raises(
        InvalidSequencesError, match=r"Sequences\.from_frame\(X\.reset_index\(\), by='unit', order='t'\)"
    ):
        SequenceClassifier().fit(panel, [0, 0, 0, 1, 1, 1])


def test_equally_long_series_that_fall_in_time_are_refused() -> None:
    dated = pd.Series(np.arange(3.0), index=pd.date_range("2024-01-01", periods=3))
    with pytest.raises(InvalidSequencesError, match=r"X\[1\], row 1: the rows are not in the order"):
        SequenceClassifier().fit([dated, dated[::-1]], [0, 1])


class Kind(enum.Enum):
    LOW, HIGH = 1, 2


@pytest.mark.parametrize("make", [SequenceClassifier, StepClassifier])
@pytest.mark.parametrize(
    ("labels", "match"),
    [
        ([Kind.LOW, Kind.HIGH], "type 'Kind'.*Convert them to strings"),
        ([dt.date(2024, 1, 1), dt.date(2024, 1, 2)], "type 'date'.*Convert them to strings"),
        ([uuid.UUID(int=1), uuid.UUID(int=2)], "type 'UUID'.*Convert them to strings"),
        ([2**70, 2**71], "type 'int'.*range of int64.*Convert them to strings"),
        ([2**64 - 1.0, 1.0], "out of the range of int64.*as strings"),
    ],
)
def test_labels_that_are_no_texts_or_numbers_are_refused_with_the_remedy(make: Any, labels: Any, match: str) -> None:
    y = labels * 2 if make is SequenceClassifier else [np.array(labels)] * 4
    with pytest.raises(InvalidSequencesError, match=match):
        make(hidden_size=2, max_epochs=1).fit(np.ones((4, 2, 1)), y)


def test_numbers_as_objects_are_labels() -> None:
    model = SequenceClassifier(hidden_size=2, max_epochs=1).fit(np.ones((4, 2, 1)), np.array([1, 2] * 2, dtype=object))
    assert model.classes_.dtype == np.int64
