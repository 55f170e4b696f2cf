"""Estimators accept X, y and weights from other libraries, and report missing values in them."""

from __future__ import annotations

from collections import UserList, deque
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
import xarray as xr
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score

from seqpipe.estimators import (
    Forecaster,
    LanguageModel,
    SequenceCaptioner,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTranslator,
    SlidingWindowClassifier,
    SlidingWindowRegressor,
    WindowedRegressor,
)
from seqpipe.exceptions import InvalidSequencesError
from seqpipe.sequences import Sequences
from seqpipe.transformers import SequenceScaler, TokenizeTexts, make_windows

TINY = {"hidden_size": 4, "max_epochs": 1, "random_state": 0}
rng = np.random.default_rng(0)
WIDE = pd.DataFrame(rng.normal(size=(12, 4)), columns=["t0", "t1", "t2", "t3"])
LABELS = ["low", "high"] * 6
NUMBERS = rng.normal(size=12).round(3)
CLASSIFIER = SequenceClassifier(**TINY)
REGRESSOR = SequenceRegressor(**TINY)


@pytest.mark.parametrize(
    "make", [pl.from_pandas, pa.Table.from_pandas, lambda f: f.convert_dtypes()], ids=["polars", "pyarrow", "nullable"]
)
def test_a_table_of_any_library_gives_the_same_model_with_the_columns_names(make: Any) -> None:
    expected = SequenceClassifier(**TINY).fit(WIDE, LABELS)
    found = SequenceClassifier(**TINY).fit(make(WIDE), LABELS)
    assert found.feature_names_in_.tolist() == [*WIDE.columns]
    np.testing.assert_array_equal(found.predict_proba(make(WIDE)), expected.predict_proba(WIDE))
    with pytest.raises(ValueError, match="must be in the same order"):
        found.predict(make(WIDE[WIDE.columns[::-1]]))


@pytest.mark.parametrize(
    "make",
    [
        pl.Series,
        pa.array,
        lambda y: pl.Series(y, dtype=pl.Enum(["low", "high"])),
        *[
            lambda y, dtype=dtype: pd.Series(y, dtype=dtype)
            for dtype in ("string", "string[pyarrow]", "category", "str")
        ],
    ],
    ids=["polars", "pyarrow", "enum", "string", "string[pyarrow]", "category", "str"],
)
def test_labels_of_any_library_are_learnt_and_scored(make: Any) -> None:
    fitted = SequenceClassifier(**TINY).fit(WIDE, make(LABELS))
    assert fitted.classes_.tolist() == ["high", "low"]
    assert fitted.score(WIDE, make(LABELS)) == np.mean(fitted.predict(WIDE) == LABELS)
    assert np.isfinite(cross_val_score(CLASSIFIER, WIDE, make(LABELS), cv=2)).all()


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (pd.Series([3, 4] * 6, dtype="Int64"), "i"),
        (pd.Series([3, 4] * 6, dtype="int64[pyarrow]"), "i"),
        (pd.Series(pd.Categorical([3, 4] * 6)), "i"),
        (pl.Series([3, 4] * 6), "i"),
        (torch.tensor([3, 4] * 6), "i"),
        (xr.DataArray([3, 4] * 6), "i"),
        (pd.Series([True, False] * 6, dtype="boolean"), "b"),
        (pd.Series([True, False] * 6, dtype="bool[pyarrow]"), "b"),
    ],
    ids=["Int64", "int64[pyarrow]", "category", "polars", "torch", "xarray", "boolean", "bool[pyarrow]"],
)
def test_whole_numbers_and_truth_values_stay_what_they_are_as_classes(labels: Any, kind: str) -> None:
    assert SequenceClassifier(**TINY).fit(WIDE, labels).classes_.dtype.kind == kind


@pytest.mark.parametrize(
    "make", [pl.Series, pa.array, pd.array, torch.from_numpy, xr.DataArray], ids=lambda f: f.__module__
)
def test_targets_and_weights_of_any_library_are_numbers(make: Any) -> None:
    expected = SequenceRegressor(**TINY).fit(WIDE, NUMBERS, sample_weight=np.arange(12.0))
    found = SequenceRegressor(**TINY).fit(WIDE, make(NUMBERS), sample_weight=make(np.arange(12.0)))
    np.testing.assert_array_equal(found.predict(WIDE), expected.predict(WIDE))
    assert found.score(WIDE, make(NUMBERS)) == expected.score(WIDE, NUMBERS)


# ---- what is missing


def with_hole(values: list[Any], make: Any) -> Any:
    return make([*values[:4], None, *values[5:]])


HOLES = {
    "list": list,
    "objects": lambda v: np.array(v, dtype=object),
    "NaN": lambda v: [np.nan if x is None else x for x in v],
    "NA": lambda v: [pd.NA if x is None else x for x in v],
    "Series": pd.Series,
    "category": lambda v: pd.Series(pd.Categorical(v)),
    "Arrow": lambda v: pd.Series(pd.array(pa.array(v), dtype=pd.ArrowDtype(pa.array(v).type))),
    "polars": pl.Series,
    "pyarrow": pa.array,
}
OF_NUMBERS = {**HOLES, "Float64": lambda v: pd.Series(v, dtype="Float64")}
OF_TEXTS = {
    **HOLES,
    "string": lambda v: pd.Series(v, dtype="string"),
    "string[pyarrow]": lambda v: pd.Series(v, dtype="string[pyarrow]"),
}
MISSING = "sample 4"


@pytest.mark.parametrize("make", OF_TEXTS.values(), ids=OF_TEXTS)
@pytest.mark.parametrize(
    "model", [CLASSIFIER, SlidingWindowClassifier(Ridge(), window=2)], ids=lambda m: type(m).__name__
)
def test_a_missing_label_is_named_with_its_sample_and_the_remedy(model: Any, make: Any) -> None:
    with pytest.raises(
        InvalidSequencesError, match=f"NaN or None: {MISSING} .*Drop these samples or fill in their labels"
    ):
        model.fit(WIDE, with_hole(LABELS, make))


@pytest.mark.parametrize("make", OF_NUMBERS.values(), ids=OF_NUMBERS)
@pytest.mark.parametrize(
    "model",
    [
        REGRESSOR,
        SlidingWindowRegressor(Ridge(), window=2),
        WindowedRegressor(Ridge(), window=2),
        Forecaster(Ridge(), window=2),
    ],
    ids=lambda m: type(m).__name__,
)
def test_a_missing_target_is_named_with_its_sample(model: Any, make: Any) -> None:
    with pytest.raises(InvalidSequencesError, match=MISSING):
        model.fit(WIDE, with_hole(NUMBERS.tolist(), make))


@pytest.mark.parametrize("make", OF_NUMBERS.values(), ids=OF_NUMBERS)
def test_a_missing_weight_is_named_with_its_sample(make: Any) -> None:
    with pytest.raises(InvalidSequencesError, match=f"sample_weight.*{MISSING}"):
        SequenceClassifier(**TINY).fit(WIDE, LABELS, sample_weight=with_hole([1.0] * 12, make))


@pytest.mark.parametrize("make", OF_TEXTS.values(), ids=OF_TEXTS)
def test_a_missing_text_is_named_with_its_sample(make: Any) -> None:
    texts = with_hole(LABELS, make)
    vectors = rng.normal(size=(12, 2))
    for fit in (
        TokenizeTexts("char").fit,
        LanguageModel(hidden_size=4, max_epochs=1).fit,
        lambda y: SequenceTranslator(hidden_size=4, max_epochs=1).fit(LABELS, y),
        lambda y: SequenceCaptioner(hidden_size=4, max_epochs=1).fit(vectors, y),
    ):
        with pytest.raises(InvalidSequencesError, match=f"{MISSING} (is missing|must be a string)"):
            fit(texts)


def test_a_missing_class_of_a_language_model_is_named_with_its_sample() -> None:
    with pytest.raises(InvalidSequencesError, match=MISSING):
        LanguageModel(hidden_size=4, max_epochs=1).fit(LABELS, with_hole(LABELS, pd.Series))


def test_a_list_of_texts_and_numbers_is_no_list_of_texts() -> None:
    with pytest.raises(InvalidSequencesError, match=r"mixes labels of types \['int', 'str'\]"):
        SequenceClassifier(**TINY).fit(WIDE, [1, "a"] * 6)


@pytest.mark.parametrize(
    "y", [[[0], [0, 1]] * 6, Sequences.from_arrays([[0.0], [0.0, 1.0]] * 6)], ids=["list", "Sequences"]
)
@pytest.mark.parametrize("model", [CLASSIFIER, REGRESSOR], ids=lambda m: type(m).__name__)
def test_targets_at_every_step_are_sent_to_the_estimators_that_take_them(model: Any, y: Any) -> None:
    with pytest.raises(InvalidSequencesError, match="StepClassifier or StepRegressor"):
        model.fit(WIDE, y)


# ---- the others


@pytest.mark.parametrize("make", [pl.from_pandas, pa.Table.from_pandas], ids=["polars", "pyarrow"])
def test_rows_in_time_order_may_come_from_any_library(make: Any) -> None:
    frame = make(WIDE)
    model = Forecaster(REGRESSOR, window=3)
    np.testing.assert_allclose(clone(model).fit(frame).predict(2), model.fit(WIDE).predict(2), rtol=1e-5)
    fitted = WindowedRegressor(Ridge(), window=3).fit(frame, frame["t0"])
    assert fitted.score(frame, frame["t0"]) > 0.9
    assert fitted.feature_names_in_.tolist() == [*WIDE.columns]
    assert SequenceScaler().fit(frame).feature_names_in_.tolist() == [*WIDE.columns]
    assert make_windows(frame, frame["t0"], window=3)[0].feature_names == tuple(WIDE.columns)


def test_a_list_of_equally_long_series_is_predicted_as_the_sequences_that_were_fitted() -> None:
    fitted = SequenceRegressor(**TINY).fit([rng.normal(size=n) for n in (2, 3, 4)], NUMBERS[:3])
    equal = rng.normal(size=(2, 3))
    expected = fitted.predict(equal[:, :, None])
    for X in (list(equal), equal.tolist(), [torch.from_numpy(x) for x in equal], [pl.Series(x) for x in equal]):
        np.testing.assert_array_equal(fitted.predict(X), expected)


def test_texts_may_come_from_polars() -> None:
    expected = TokenizeTexts("char").fit_transform(["ab", "ba"])
    assert TokenizeTexts("char").fit_transform(pl.Series(["ab", "ba"])) == expected
    assert TokenizeTexts("char").fit_transform(pl.DataFrame({"text": ["ab", "ba"]})) == expected


CUBE = xr.DataArray(rng.normal(size=(12, 3, 2)), dims=["sample", "time", "feature"], coords={"feature": ["a", "b"]})


@pytest.mark.parametrize("form", [lambda cube: cube, list, Sequences.from_arrays, lambda cube: _in_objects(cube)])
def test_labels_of_the_last_dimension_of_a_data_array_are_names_that_predict_holds_to(form: Any) -> None:
    model = SequenceClassifier(**TINY).fit(form(CUBE), LABELS)
    assert model.feature_names_in_.tolist() == ["a", "b"]
    np.testing.assert_array_equal(model.predict_proba(form(CUBE)), model.predict_proba(CUBE))
    with pytest.raises(ValueError, match="must be in the same order"):
        model.predict(form(CUBE.sel(feature=["b", "a"])))
    with pytest.raises(ValueError, match="unseen at fit time:\n- c"):
        model.predict(form(CUBE.assign_coords(feature=["a", "c"])))


def _in_objects(items: Any) -> Any:
    found = np.empty(len(items), dtype=object)
    found[:] = [pd.DataFrame(item.to_numpy(), columns=item["feature"].to_numpy()) for item in items]
    return found


SEQUENCES = [rng.normal(size=(n, 2)) for n in (3, 5, 4) * 4]


@pytest.mark.parametrize(
    "form", [deque, UserList, lambda items: dict(enumerate(items)).values(), lambda items: [deque(x) for x in items]]
)
def test_a_sequence_of_any_type_is_read_as_a_list(form: Any) -> None:
    expected = SequenceClassifier(**TINY).fit(SEQUENCES, LABELS)
    found = SequenceClassifier(**TINY).fit(form(SEQUENCES), deque(LABELS))
    np.testing.assert_array_equal(found.predict_proba(form(SEQUENCES)), expected.predict_proba(SEQUENCES))


@pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="numpy 2 has them")
def test_labels_of_numpys_texts_of_any_length_are_texts() -> None:
    model = SequenceClassifier(**TINY).fit(SEQUENCES, np.array(LABELS, dtype=np.dtypes.StringDType()))
    assert model.classes_.tolist() == ["high", "low"]
    assert set(model.predict(SEQUENCES)) <= {"high", "low"}


def test_two_columns_of_one_name_are_refused_with_the_name() -> None:
    frames = [pd.DataFrame(x, columns=["a", "a"]) for x in SEQUENCES]
    with pytest.raises(InvalidSequencesError, match=r"\['a'\] occur more than once"):
        SequenceClassifier(**TINY).fit(frames, LABELS)
    with pytest.raises(InvalidSequencesError, match=r"\['a'\] occur more than once"):
        Forecaster(Ridge(), window=2, horizon=1).fit(pd.concat(frames, ignore_index=True))


@pytest.mark.parametrize("weight", [{0: 1.0}, "balanced"])
def test_weights_by_label_in_place_of_sample_weight_are_referred_to_class_weight(weight: Any) -> None:
    with pytest.raises(InvalidSequencesError, match="set class_weight of a classifier"):
        SequenceClassifier(**TINY).fit(SEQUENCES, LABELS, sample_weight=weight)


def test_an_index_of_booleans_tells_nothing_of_time() -> None:
    series = pd.DataFrame({"v": np.arange(12.0)}, index=[True, False] * 6)
    assert Forecaster(Ridge(), window=4, horizon=2).fit(series).predict(2).index.tolist() == [1, 2]
