"""SequenceScaler: scikit-learn's scalers over valid steps."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from seqpipe.exceptions import InvalidSequencesError, UnknownNameError
from seqpipe.sequences import Sequences, Windows
from seqpipe.transformers import SequenceScaler, make_windows

SCALERS = {"minmax": MinMaxScaler, "robust": RobustScaler, "standard": StandardScaler}
RNG = np.random.default_rng(0)
RAGGED = Sequences(
    RNG.normal([5, -3], [2, 0.1], size=(30, 2)), [0, 4, 11, 30], feature_names=["a", "b"], ids=list("xyz")
)


@pytest.mark.parametrize("method", SCALERS)
def test_sequences_are_scaled_as_one_table_of_their_steps(method):
    scaled = SequenceScaler(method).fit_transform(RAGGED)
    assert np.array_equal(scaled.values, SCALERS[method]().fit_transform(RAGGED.values))
    assert np.array_equal(scaled.offsets, RAGGED.offsets)
    assert scaled.feature_names == RAGGED.feature_names
    assert scaled.ids.tolist() == ["x", "y", "z"]


@pytest.mark.parametrize("method", SCALERS)
def test_a_table_is_scaled_column_by_column(method):
    table = RNG.normal(size=(9, 4))
    assert np.array_equal(SequenceScaler(method).fit_transform(table), SCALERS[method]().fit_transform(table))


@pytest.mark.parametrize("method", SCALERS)
@pytest.mark.parametrize("kind", ["sequences", "array", "table", "windows"])
def test_the_inverse_gives_the_input_back(method, kind):
    array = RNG.normal(3, 2, size=(5, 6, 2))
    X = {
        "sequences": RAGGED,
        "array": array,
        "table": array[:, :, 0],
        "windows": Windows(array.reshape(-1, 2), [0, 7, 20], 4),
    }[kind]
    scaler = SequenceScaler(method).fit(X)
    back = scaler.inverse_transform(scaler.transform(X))
    assert type(back) is type(X)
    assert np.allclose(*(Y.values if kind == "sequences" else np.asarray(Y) for Y in (back, X)))


def test_an_array_stays_an_array_of_its_type():
    X = RNG.normal(size=(4, 5, 2)).astype("f4")
    scaled = SequenceScaler().fit_transform(X)
    assert scaled.shape == X.shape
    assert scaled.dtype == np.float32
    assert np.allclose(scaled.mean(axis=(0, 1)), 0, atol=1e-6)


def test_a_list_becomes_sequences():
    scaled = SequenceScaler().fit_transform([np.ones((2, 1)), np.zeros((1, 1))])
    assert isinstance(scaled, Sequences)
    assert scaled.lengths.tolist() == [2, 1]


@given(st.lists(st.integers(0, 16), min_size=1, max_size=6))
def test_of_windows_only_the_covered_rows_count_however_often_covered(starts):
    base = np.random.default_rng(0).normal(size=(20, 2))
    windows = Windows(base, starts, 4)
    covered = sorted({row for start in starts for row in range(start, start + 4)})
    expected = StandardScaler().fit(base[covered])
    scaler = SequenceScaler().fit(windows)
    assert np.allclose(scaler.scaler_.mean_, expected.mean_)
    scaled = scaler.transform(windows)
    assert np.allclose(scaled[0], expected.transform(windows[0]))


def test_training_windows_know_nothing_of_later_rows():
    series = np.concatenate([RNG.normal(size=50), np.full(50, 1e6)])
    windows, _, _ = make_windows(series, window=5)
    scaler = SequenceScaler().fit(windows[:40])
    assert abs(scaler.scaler_.mean_[0]) < 1
    assert np.asarray(scaler.transform(windows[-1:])).min() > 1e5


def test_windows_stay_views_of_one_scaled_series():
    windows, _, _ = make_windows(RNG.normal(size=(50, 2)), window=10)
    scaled = SequenceScaler().fit_transform(windows)
    assert scaled.base.shape == (50, 2)
    assert np.array_equal(scaled.starts, windows.starts)
    assert scaled.horizon == windows.horizon


def test_rows_that_no_window_covers_may_be_unfit_and_stay_unknown():
    base = np.ones((10, 1))
    base[[0, 9]] = [[np.nan], [np.inf]]
    scaled = SequenceScaler().fit_transform(Windows(base, [1, 2], 3))
    assert np.isfinite(np.asarray(scaled)).all()
    assert np.isnan(scaled.base[[0, 9]]).all()


@pytest.mark.parametrize("method", SCALERS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_constant_feature_becomes_zero(method, dtype):
    X = np.stack([np.full((3, 4), 7.3), RNG.normal(size=(3, 4))], axis=-1).astype(dtype)
    scaled = SequenceScaler(method).fit_transform(X)
    assert np.isfinite(scaled).all()
    assert np.allclose(scaled[:, :, 0], 0, atol=1e-5)


def test_the_input_is_not_changed():
    values = RAGGED.values.copy()
    scaler = SequenceScaler().fit(RAGGED)
    scaler.inverse_transform(scaler.transform(RAGGED))
    assert np.array_equal(RAGGED.values, values)


def test_fit_again_forgets_the_first_fit():
    again = SequenceScaler().fit(RAGGED).fit(np.ones((3, 4)))
    assert again.input_kind_ == "table"
    assert again.n_features_in_ == 4
    assert not hasattr(again, "feature_names_in_")


def test_set_output_is_for_tables():
    table = pd.DataFrame(RNG.normal(size=(4, 2)), columns=["p", "q"], index=list("abcd"))
    scaled = SequenceScaler().set_output(transform="pandas").fit_transform(table)
    assert scaled.columns.tolist() == ["p", "q"]
    assert scaled.index.tolist() == list("abcd")
    with sklearn.config_context(transform_output="pandas"):
        assert isinstance(SequenceScaler().fit_transform(table), pd.DataFrame)
        assert isinstance(SequenceScaler().fit_transform(RAGGED), Sequences)
        assert SequenceScaler().fit_transform(np.ones((2, 3, 1))).shape == (2, 3, 1)


@pytest.mark.parametrize("data", [RAGGED, np.ones((2, 3, 1))], ids=["ragged", "3-D"])
def test_a_data_frame_of_scaled_sequences_is_refused_with_the_remedy(data):
    with pytest.raises(InvalidSequencesError, match=r"set_output\(transform='pandas'\) of SequenceScaler .*frame_from"):
        SequenceScaler().set_output(transform="pandas").fit_transform(data)
    assert len(SequenceScaler().set_output(transform="default").fit_transform(data)) == len(data)


def test_features_keep_their_names():
    assert SequenceScaler().fit(RAGGED).get_feature_names_out().tolist() == ["a", "b"]
    assert SequenceScaler().fit(np.ones((2, 3, 2))).get_feature_names_out().tolist() == ["x0", "x1"]


def test_an_unknown_method_is_refused_with_the_closest_one():
    with pytest.raises(UnknownNameError, match=r"'method' parameter of SequenceScaler must be one of .* 'standard'\?"):
        SequenceScaler("standart").fit(RAGGED)


def test_windows_of_a_read_only_memory_map_are_scaled(tmp_path):
    np.save(tmp_path / "series.npy", RNG.normal(size=(50, 2)))
    series = np.load(tmp_path / "series.npy", mmap_mode="r")
    windows, _, _ = make_windows(series, window=10)
    scaled = SequenceScaler().fit_transform(windows)
    assert np.allclose(scaled.base[windows.rows], StandardScaler().fit_transform(series[windows.rows]))


def test_a_panel_keeps_its_ids_and_times():
    index = pd.MultiIndex.from_product([["a", "b"], range(3)], names=["id", "t"])
    panel = pd.DataFrame({"x": np.arange(6.0), "y": np.arange(6.0) ** 2}, index=index)
    scaled = SequenceScaler("minmax").fit(panel).transform(panel)
    pd.testing.assert_frame_equal(scaled, panel / panel.max())
