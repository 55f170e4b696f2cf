"""Transformers of the features of sequences, joined per time step."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PolynomialFeatures, StandardScaler

import seqpipe
from seqpipe.exceptions import InvalidSequencesError, UnknownNameError
from seqpipe.sequences import Sequences, Windows
from seqpipe.transformers import (
    PadSequences,
    SequenceColumnTransformer,
    SequenceScaler,
    SequenceUnion,
    make_windows,
    sequence_union,
)

rng = np.random.default_rng(0)
RAGGED = [rng.normal(size=(n, 2)) for n in rng.integers(2, 6, size=8)]
NAMED = Sequences(
    np.concatenate(RAGGED),
    np.cumsum([0, *map(len, RAGGED)]),
    feature_names=["speed", "load"],
    ids=np.array([*"abcdefgh"]),
)
SQUARE = FunctionTransformer(np.square, feature_names_out="one-to-one")


def test_a_union_joins_features_per_step() -> None:
    found = sequence_union(SequenceScaler(), "passthrough", PCA(1)).fit_transform(RAGGED)
    rows = np.concatenate(RAGGED)
    expected = np.hstack([StandardScaler().fit_transform(rows), rows, PCA(1).fit_transform(rows)])
    np.testing.assert_allclose(found.values, expected)
    assert found.lengths.tolist() == [*map(len, RAGGED)]


def test_columns_go_through_their_own_transformers() -> None:
    states = Sequences(np.column_stack([NAMED.values[:, 0], np.arange(len(NAMED.values)) % 3]), NAMED.offsets)
    model = SequenceColumnTransformer([("level", SequenceScaler("robust"), 0), ("state", OneHotEncoder(), [1])])
    found = model.fit_transform(states)
    np.testing.assert_array_equal(found.values[:, 1:], np.eye(3)[np.arange(len(NAMED.values)) % 3])
    np.testing.assert_allclose(found.values[:, :1], SequenceScaler("robust").fit_transform(states).values[:, :1])
    np.testing.assert_array_equal(model.transform(states[:2]).values, found[:2].values)


def test_other_features_are_dropped_or_come_last() -> None:
    dropped = SequenceColumnTransformer([("square", SQUARE, "load")])
    assert dropped.fit(NAMED).get_feature_names_out().tolist() == ["square__load"]
    kept = SequenceColumnTransformer([("square", SQUARE, [-1])], remainder="passthrough").fit(NAMED)
    assert kept.get_feature_names_out().tolist() == ["square__load", "remainder__speed"]
    np.testing.assert_allclose(kept.transform(NAMED).values, NAMED.values[:, ::-1] ** [2, 1])


def test_names_and_ids_are_kept() -> None:
    union = SequenceUnion([("poly", PolynomialFeatures(2, include_bias=False)), ("same", "passthrough")])
    found = union.fit_transform(NAMED)
    assert found.feature_names == tuple(union.get_feature_names_out())
    assert found.feature_names[2:] == ("poly__speed^2", "poly__speed load", "poly__load^2", "same__speed", "same__load")
    np.testing.assert_array_equal(found.ids, NAMED.ids)
    assert sequence_union(FunctionTransformer(np.square)).fit(RAGGED).get_feature_names_out().tolist() == [
        "functiontransformer__0", "functiontransformer__1",
    ]  # fmt: skip


def test_three_dimensions_stay_an_array_and_windows_stay_windows() -> None:
    cube = rng.normal(size=(6, 4, 2))
    found = sequence_union(SequenceScaler(), SQUARE).fit_transform(cube)
    np.testing.assert_array_equal(found[:, :, 2:], cube**2)
    windows, _, _ = make_windows(rng.normal(size=(30, 2)), window=5)
    part = windows[3:12]  # leaves rows at both ends uncovered, which no transformer may see
    of_windows = sequence_union(SequenceScaler(), PCA(1)).fit(part).transform(part)
    assert isinstance(of_windows, Windows)
    np.testing.assert_allclose(
        np.asarray(of_windows)[:, :, :2], np.asarray(SequenceScaler().fit_transform(part)), rtol=1e-12
    )
    assert of_windows.shape == (9, 5, 3)


def test_a_pipeline_within_is_of_sequences_if_its_first_step_is() -> None:
    seen: list[Any] = []
    inner = make_pipeline(SequenceScaler(), FunctionTransformer(lambda X: seen.append(type(X)) or X))
    sequence_union(inner, make_pipeline(StandardScaler(), PCA(1))).fit(RAGGED)
    assert seen[0] is Sequences


def test_parameters_of_transformers_have_names() -> None:
    columns = SequenceColumnTransformer([("a", SequenceScaler(), [0]), ("b", PCA(1), [0, 1])])
    assert columns.get_params()["a__method"] == "standard"
    columns.set_params(a__method="minmax", b="drop")
    assert (columns.transformers[0][1].method, columns.transformers[1]) == ("minmax", ("b", "drop", [0, 1]))
    assert columns.fit_transform(RAGGED).n_features == 1
    union = SequenceUnion([("a", SequenceScaler())]).set_params(transformers=[("c", SQUARE)], c__func=np.cbrt)
    assert clone(union).get_params()["c"].func is np.cbrt


def test_a_fit_leaves_the_given_transformers_unfitted() -> None:
    scaler = SequenceScaler()
    fitted = sequence_union(scaler).fit(RAGGED)
    assert not hasattr(scaler, "scaler_")
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(fitted)).transform(RAGGED).values, fitted.transform(RAGGED).values
    )


def test_a_fitted_composition_is_saved_without_pickle(tmp_path: Any) -> None:
    columns = SequenceColumnTransformer([("a", SequenceScaler(), [0])], remainder="passthrough")
    model = make_pipeline(columns, seqpipe.SequenceRegressor(hidden_size=2, max_epochs=1, random_state=0))
    model.fit(RAGGED, np.arange(8.0))
    seqpipe.save(model, tmp_path / "model")
    np.testing.assert_array_equal(seqpipe.load(tmp_path / "model").predict(RAGGED), model.predict(RAGGED))


def test_data_frames_of_transformers_within_become_arrays() -> None:
    with sklearn.config_context(transform_output="pandas"):
        assert sequence_union(StandardScaler(), SequenceScaler()).fit_transform(RAGGED).n_features == 4
    with pytest.raises(AttributeError, match="does not apply to SequenceUnion, which returns sequences"):
        sequence_union("passthrough").set_output(transform="pandas")


@pytest.mark.parametrize(
    ("model", "X", "error", "words"),
    [
        (sequence_union(SequenceScaler()), np.ones((4, 3)), InvalidSequencesError, "must be sequences. Got a table"),
        (
            sequence_union(PadSequences(9)),
            RAGGED,
            InvalidSequencesError,
            "'padsequences' of SequenceUnion .* time steps",
        ),
        (SequenceUnion([("a", "keep")]), RAGGED, InvalidSequencesError, "'a' .* 'drop' or 'passthrough'. Got 'keep'"),
        (SequenceUnion([("a", "drop")]), RAGGED, InvalidSequencesError, "drops all features"),
        (SequenceUnion([("a", SQUARE), ("a", SQUARE)]), RAGGED, ValueError, "Names provided are not unique"),
        (SequenceColumnTransformer([("a", SQUARE, "lod")]), NAMED, InvalidSequencesError, "Did you mean 'load'"),
        (SequenceColumnTransformer([("a", SQUARE, "load")]), RAGGED, InvalidSequencesError, "none of them has a name"),
        (SequenceColumnTransformer([("a", SQUARE, 2)]), RAGGED, InvalidSequencesError, "an index below 2.* Got 2"),
        (SequenceColumnTransformer([], remainder="keep"), RAGGED, UnknownNameError, "'remainder' parameter"),
    ],
)
def test_what_cannot_be_joined_is_refused_with_its_name(model: Any, X: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        model.fit(X)
