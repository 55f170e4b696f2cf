from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from seqpipe.datasets import load_digits
from seqpipe.exceptions import DataWarning, InvalidSequencesError, TrackingError
from seqpipe.pipeline import predict_table, run_recipe, write_table
from seqpipe.tracking import MLflowTracker, load_model

FORECAST = {"window": 4, "hidden_size": 3, "max_epochs": 1}


def model_of(recipe: dict[str, object], store: str) -> str:
    record = run_recipe({"tracking": {"uri": store}, **recipe}).record
    assert record is not None
    assert record.model_uri is not None
    return record.model_uri


@pytest.fixture(scope="module")
def classifier(store: str, make_sensors: Callable[..., pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "sensors.csv"
    make_sensors(12, longest=30).to_csv(path, index=False)
    data = {"path": str(path), "id": "device", "time": "t", "target": "activity", "sort": True}
    task = {"classify": {"hidden_size": 3, "max_epochs": 1}}
    return model_of({"data": data, "task": task, "steps": ["scale"], "evaluate": {"test_size": 3}}, store)


@pytest.fixture(scope="module")
def forecaster(store: str) -> str:
    data = {"dataset": "stocks", "target": ["IBM", "MSFT"]}
    return model_of({"data": data, "task": {"forecast": FORECAST}, "evaluate": {"test_size": 12}}, store)


@pytest.fixture(scope="module")
def exogenous(store: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("data") / "sales.csv"
    t = np.arange(40)
    pd.DataFrame({"day": t, "offer": t % 3, "sold": t % 3 + 1.0}).to_csv(path, index=False)
    data = {"path": str(path), "time": "day", "features": ["offer"], "target": "sold"}
    return model_of({"data": data, "task": {"forecast": FORECAST}, "evaluate": {"test_size": 4}}, store)


def test_a_new_table_may_have_other_columns_in_another_order(
    classifier: str, make_sensors: Callable[..., pd.DataFrame]
):
    new = make_sensors(4, longest=25, seed=3)
    new.to_csv("plain.csv", index=False)
    new["activity"] = ""
    new.insert(0, "battery", 0.5)
    new[["battery", "az", "ax", "t", "ay", "activity", "device"]].to_csv("more.csv", index=False)
    with pytest.warns(DataWarning, match=r"more\.csv: columns that .* not trained with are ignored: battery"):
        predicted = predict_table(classifier, "more.csv")
    pd.testing.assert_frame_equal(predict_table(classifier, "plain.csv"), predicted)


def test_rows_are_mended_as_the_recipe_said(classifier: str, make_sensors: Callable[..., pd.DataFrame]):
    new = make_sensors(2, longest=25)
    new.to_parquet("sorted.parquet")
    new.iloc[::-1].to_parquet("unsorted.parquet")
    in_order, reversed_ = (
        predict_table(classifier, "sorted.parquet"),
        predict_table(classifier, "unsorted.parquet"),
    )
    pd.testing.assert_frame_equal(in_order, reversed_.iloc[::-1].reset_index(drop=True))
    new.loc[3, "ax"] = np.nan
    new.to_csv("holes.csv", index=False)
    with pytest.raises(InvalidSequencesError, match=r"holes\.csv:5 \(id dev-000\): column 'ax' is empty"):
        predict_table(classifier, "holes.csv")


def test_a_column_that_is_not_there_is_named(classifier: str, make_sensors: Callable[..., pd.DataFrame]):
    make_sensors(2, longest=25).rename(columns={"ax": "a_x"}).to_csv("new.csv", index=False)
    with pytest.raises(InvalidSequencesError, match=r"new\.csv has no column 'ax', which .* Did you mean 'a_x'\?"):
        predict_table(classifier, "new.csv")


def test_a_classifier_needs_a_table(classifier: str):
    with pytest.raises(InvalidSequencesError, match="needs a table to predict for"):
        predict_table(classifier, n_steps=3)


def test_a_model_is_loaded_from_its_folder_and_from_its_run(
    classifier: str, store: str, make_sensors: Callable[..., pd.DataFrame]
):
    make_sensors(2, longest=25).to_csv("new.csv", index=False)
    folder = mlflow.artifacts.download_artifacts(classifier, tracking_uri=store)
    pd.testing.assert_frame_equal(predict_table(folder, "new.csv"), predict_table(classifier, "new.csv"))


def test_a_forecast_goes_on_at_the_dates_after_the_training_data(forecaster: str):
    predicted = predict_table(forecaster, n_steps=3)
    assert list(predicted.columns) == ["Date", "IBM", "MSFT"]
    assert predicted["Date"].tolist() == list(pd.date_range("2022-07-01", periods=3, freq="MS"))


def test_the_rows_to_forecast_must_follow_the_training_data(forecaster: str, write: Callable[..., Path]):
    write("Date\n2022-07-01\n2022-08-01\n", "next.csv")
    pd.testing.assert_frame_equal(predict_table(forecaster, "next.csv"), predict_table(forecaster, n_steps=2))
    write("Date\n2022-07-01\n2022-09-01\n", "later.csv")
    with pytest.raises(InvalidSequencesError, match=r"must continue from 2022-06-01.*row 2 must be at 2022-08-01"):
        predict_table(forecaster, "later.csv")


def test_a_forecast_with_known_columns_takes_them_from_the_table(exogenous: str, write: Callable[..., Path]):
    write("day,offer\n40,0\n41,1\n", "next.csv")
    predicted = predict_table(exogenous, "next.csv")
    assert (list(predicted.columns), predicted["day"].tolist()) == (["day", "sold"], [40, 41])
    with pytest.raises(InvalidSequencesError, match="needs a table to predict for"):
        predict_table(exogenous, n_steps=2)


def test_newer_rows_are_the_history_of_a_forecast(forecaster: str, write: Callable[..., Path]):
    write("Date,IBM,MSFT\n2022-07-01,130,280\n2022-08-01,128,261\n", "newer.csv")
    predicted = predict_table(forecaster, "newer.csv", n_steps=3)
    assert predicted["Date"].tolist() == list(pd.date_range("2022-09-01", periods=3, freq="MS"))
    model, _ = load_model(forecaster)
    expected = model.predict(3, history=pd.read_csv("newer.csv", index_col="Date", parse_dates=True).astype(float))
    np.testing.assert_allclose(predicted[["IBM", "MSFT"]], expected)
    write("Date,IBM,MSFT\n2022-07-01,130,280\n2022-08-01,128,261\n2022-09-01,,\n2022-10-01,,\n", "both.csv")
    pd.testing.assert_frame_equal(predict_table(forecaster, "both.csv"), predicted[:2])


def test_rows_that_the_model_was_trained_on_are_no_history(forecaster: str, write: Callable[..., Path]):
    write("Date,IBM,MSFT\n2022-07-01,130,280\n", "newer.csv")
    write("Date,IBM,MSFT\n2022-05-01,1,2\n2022-06-01,3,4\n2022-07-01,130,280\n", "longer.csv")
    with pytest.warns(
        DataWarning, match=r"longer\.csv: 2 rows up to the end of the training data, 2022-06-01 .*ignored"
    ):
        predicted = predict_table(forecaster, "longer.csv", n_steps=2)
    pd.testing.assert_frame_equal(predicted, predict_table(forecaster, "newer.csv", n_steps=2))
    write("Date,IBM,MSFT\n2022-05-01,1,2\n2022-06-01,3,4\n", "older.csv")
    with pytest.warns(DataWarning, match=r"2 rows up to the end of the training data"):
        predicted = predict_table(forecaster, "older.csv", n_steps=2)
    pd.testing.assert_frame_equal(predicted, predict_table(forecaster, n_steps=2))


@pytest.mark.parametrize(
    ("text", "n_steps", "message"),
    [
        (
            "Date,IBM,MSFT\n2022-08-01,1,2\n",
            2,
            r"rows of history must continue from 2022-06-01.*row 1 must be at 2022-07",
        ),
        ("Date,IBM,MSFT\n2022-07-01,1,2\n2022-09-01,1,2\n", 2, r"row 2 must be at 2022-08-01"),
        ("Date,IBM,MSFT\n2022-07-01,1,2\n2022-09-01,,\n", None, r"rows to forecast must continue from 2022-07-01"),
        ("Date,IBM,MSFT\n2022-08-01,1,2\n2022-07-01,1,2\n", 2, r"rows\.csv:3: the rows are not in the order of 'Date'"),
        ("Date,IBM\n2022-07-01,1\n", 2, r"rows\.csv has no column 'MSFT', which the model was trained with"),
        ("Date,IBM,MSFT\n2022-07-01,1,\n", 2, r"rows\.csv:2: column 'MSFT' is empty"),
        ("Date,IBM,MSFT\n2022-07-01,1,2\n", None, r"every row has a value of the target\. Give the number of steps"),
        ("Date,IBM,MSFT\n2022-07-01,,\n", 2, r"has 1 row to forecast, .*leave out either these rows or the number"),
        ("IBM,MSFT\n1,2\n", 2, r"rows\.csv has no column 'Date'"),
    ],
)
def test_rows_that_do_not_continue_a_series_are_refused(
    text: str, n_steps: int | None, message: str, forecaster: str, write: Callable[..., Path]
):
    write(text, "rows.csv")
    with pytest.raises(InvalidSequencesError, match=message):
        predict_table(forecaster, "rows.csv", n_steps=n_steps)


def test_history_with_known_columns_comes_with_the_rows_to_forecast(exogenous: str, write: Callable[..., Path]):
    write("day,offer,sold\n40,0,5\n41,1,\n42,2,\n", "next.csv")
    predicted = predict_table(exogenous, "next.csv")
    model, _ = load_model(exogenous)
    rows = pd.read_csv("next.csv", index_col="day").astype(float)
    expected = model.predict(rows[["offer"]][1:], history=(rows[["offer"]][:1], rows[["sold"]][:1]))
    np.testing.assert_allclose(predicted["sold"], np.ravel(expected))
    write("day,offer,sold\n40,0,5\n", "history.csv")
    with pytest.raises(InvalidSequencesError, match="Add one row per step, with its offer and an empty target"):
        predict_table(exogenous, "history.csv", n_steps=2)


def test_history_passes_the_steps_before_the_forecaster(store: str, write: Callable[..., Path]):
    t = np.arange(40)
    pd.DataFrame({"day": t, "offer": 50.0 * (t % 3), "sold": t % 3 + 1.0}).to_csv("sales.csv", index=False)
    data = {"path": "sales.csv", "time": "day", "features": ["offer"], "target": "sold"}
    plain = {"data": data, "task": {"forecast": {**FORECAST, "max_epochs": 20}}, "evaluate": {"test_size": 4}}
    write("day,offer,sold\n40,50,2\n41,100,\n42,0,\n", "next.csv")
    scaled = predict_table(model_of({**plain, "steps": ["scale"]}, store), "next.csv")
    assert scaled["day"].tolist() == [41, 42]
    np.testing.assert_allclose(scaled["sold"], [3, 1], atol=0.5)


def test_only_forecasts_take_a_number_of_steps_beside_a_table(
    classifier: str, make_sensors: Callable[..., pd.DataFrame]
):
    make_sensors(2, longest=25).to_csv("new.csv", index=False)
    with pytest.raises(InvalidSequencesError, match="does not forecast: leave out the number of steps"):
        predict_table(classifier, "new.csv", n_steps=2)


def test_a_model_of_arrays_takes_a_column_of_sequences(store: str):
    task = {"classify": {"hidden_size": 3, "max_epochs": 1}}
    model = model_of({"data": {"dataset": "digits"}, "task": task}, store)
    digits = load_digits()
    pd.DataFrame({"sequence": [image.tolist() for image in digits.X[:5]]}).to_parquet("images.parquet")
    predicted = predict_table(model, "images.parquet")
    assert list(predicted["prediction"]) == mlflow.pyfunc.load_model(model).predict(digits.X[:5]).tolist()


def test_a_model_that_is_not_there_is_told(store: str):
    with pytest.raises(TrackingError, match="There is no model 'models:/m-0' in 'sqlite"):
        predict_table("models:/m-0", "new.csv")


def test_a_model_that_no_recipe_made_is_told(store: str):
    X, y = np.random.default_rng(0).normal(size=(8, 2)), np.arange(8) % 2
    with MLflowTracker("by hand", tracking_uri=store) as tracker:
        make_pipeline(LogisticRegression()).set_callbacks(tracker).fit(X, y)
    assert tracker.model_uri_ is not None
    with pytest.raises(TrackingError, match="was not created by a recipe"):
        predict_table(tracker.model_uri_, "new.csv")


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path("hacked").touch, ())


def pickled_model(folder: Path, serialization: str) -> Path:
    folder.mkdir()
    (folder / "model.pkl").write_bytes(pickle.dumps(Hostile()))
    flavor = f"flavors:\n  sklearn:\n    pickled_model: model.pkl\n    serialization_format: {serialization}\n"
    (folder / "MLmodel").write_text(flavor)
    return folder


@pytest.mark.parametrize(
    ("serialization", "message"),
    [("cloudpickle", "was written with 'cloudpickle', which runs code"), ("skops", "cannot be read")],
)
def test_a_pickled_model_is_never_run(serialization: str, message: str, own_folder: Path):
    folder = pickled_model(own_folder / "model", serialization)
    with pytest.raises(TrackingError, match=message):
        predict_table(str(folder), "new.csv")
    assert not Path("hacked").exists()


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_table_is_written_by_its_suffix(name: str, own_folder: Path):
    frame = pd.DataFrame({"id": ["a", "b"], "prediction": [1.5, 2.5]})
    write_table(frame, name)
    read = pd.read_csv(name) if name.endswith("csv") else pd.read_parquet(name)
    pd.testing.assert_frame_equal(read, frame, check_dtype=False)


def test_the_pages_of_written_parquet_have_checksums(own_folder: Path):
    write_table(pd.DataFrame({"prediction": np.arange(1000.0)}), "out.parquet")
    content = bytearray(Path("out.parquet").read_bytes())
    content[len(content) // 4] ^= 1
    Path("out.parquet").write_bytes(content)
    with pytest.raises(OSError, match="CRC checksum verification failed"):
        pq.ParquetFile("out.parquet", page_checksum_verification=True).read()


def test_another_suffix_is_refused():
    with pytest.raises(InvalidSequencesError, match=r"out\.xlsx: predictions are written as \.csv, \.parquet or \.txt"):
        write_table(pd.DataFrame(), "out.xlsx")
