"""Texts in recipes: classification, language models, predictions per line, and generation."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from rich.console import Console

from seqpipe.exceptions import DataWarning, InvalidSequencesError, RecipeError, TrackingError
from seqpipe.pipeline import RunResult, generate_text, predict_table, run_recipe, write_table
from seqpipe.pipeline._report import print_result
from seqpipe.tracking import load_model

TINY = {"hidden_size": 4, "max_epochs": 1}
TEXTS = pd.DataFrame({"name": ["anna", "hannah", "otto", "toto"] * 6, "kind": ["a", "a", "o", "o"] * 6})


def run(store: str, path: Path, task: object, **more: object) -> RunResult:
    recipe = {"data": {"path": str(path), "sequence": "name", "target": "kind"}, "task": task, **more}
    return run_recipe({"tracking": {"uri": store}, **recipe})


def model_of(result: RunResult) -> str:
    assert result.record is not None
    assert result.record.model_uri is not None
    return result.record.model_uri


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "names.csv"
    TEXTS.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def classifier(store: str, names: Path) -> str:
    task = {"classify": {**TINY, "embedding": 3, "max_epochs": 20}}
    return model_of(run(store, names, task, steps=["tokenize"]))


@pytest.fixture(scope="module")
def plain_writer(store: str, names: Path) -> str:
    data = {"path": str(names), "sequence": "name"}
    return model_of(run_recipe({"tracking": {"uri": store}, "data": data, "task": {"language_model": TINY}}))


@pytest.fixture(scope="module")
def writer(store: str, names: Path) -> RunResult:
    return run(store, names, {"language_model": TINY})


def test_texts_are_classified_line_by_line(classifier: str, write: Callable[..., Path]) -> None:
    write("anna\notto\r\nhannah\n", "new.txt")
    predicted = predict_table(classifier, "new.txt")
    assert list(predicted.columns) == ["id", "prediction", "p_a", "p_o"]
    pd.DataFrame({"name": ["anna", "otto", "hannah"]}).to_csv("new.csv", index=False)
    pd.testing.assert_frame_equal(predict_table(classifier, "new.csv"), predicted)
    write_table(predicted, "out.txt")
    assert Path("out.txt").read_text().split() == predicted["prediction"].tolist()


@pytest.mark.parametrize("kind", ["classifier", "plain_writer"])
def test_a_text_with_letters_that_were_not_trained_on_is_named_by_file_and_line(
    kind: str, request: pytest.FixtureRequest, write: Callable[..., Path]
) -> None:
    model = request.getfixturevalue(kind)
    write("anna\nzoe\n", "new.txt")
    with pytest.raises(InvalidSequencesError, match=r"^new\.txt:2: The character 'z' at step 0"):
        predict_table(model, "new.txt")
    pd.DataFrame({"name": ["anna", "otto", "hanna "]}).to_csv("new.csv", index=False)
    with pytest.raises(InvalidSequencesError, match=r"^new\.csv:4: The character ' ' at step 5"):
        predict_table(model, "new.csv")


@pytest.mark.parametrize("kind", ["classifier", "plain_writer"])
def test_a_blank_line_gets_a_blank_prediction(
    kind: str, request: pytest.FixtureRequest, write: Callable[..., Path]
) -> None:
    model = request.getfixturevalue(kind)
    write("anna\n\n  \notto\n\n", "gaps.txt")
    write("anna\notto\n", "plain.txt")
    found, plain = predict_table(model, "gaps.txt"), predict_table(model, "plain.txt")
    assert found["id"].tolist() == [0, 1, 2, 3]
    assert found["prediction"].isna().tolist() == [False, True, True, False]
    texts = found.iloc[[0, 3]].drop(columns="id").reset_index(drop=True)
    pd.testing.assert_frame_equal(texts, plain.drop(columns="id"), check_dtype=False)
    write_table(found, "out.txt")
    first, last = plain["prediction"]
    assert Path("out.txt").read_text() == f"{first}\n\n\n{last}\n"


def test_whole_numbers_stay_whole_beside_a_blank_line(store: str, tmp_path: Path, write: Callable[..., Path]) -> None:
    TEXTS.assign(kind=[1, 1, 2, 2] * 6).to_csv(tmp_path / "numbers.csv", index=False)
    result = run(store, tmp_path / "numbers.csv", {"classify": {**TINY, "embedding": 3}}, steps=["tokenize"])
    write("anna\n\notto\n", "gaps.txt")
    write_table(predict_table(model_of(result), "gaps.txt"), "out.txt")
    assert Path("out.txt").read_text().split("\n")[0] in {"1", "2"}


def test_a_text_file_that_is_not_there_is_told(classifier: str) -> None:
    with pytest.raises(InvalidSequencesError, match=r"old\.txt: there is no such file"):
        predict_table(classifier, "old.txt")


def test_a_model_that_was_trained_with_ids_takes_lines_without(store: str, tmp_path: Path, write) -> None:
    TEXTS.assign(key=range(len(TEXTS))).to_csv(tmp_path / "ids.csv", index=False)
    data = {"path": str(tmp_path / "ids.csv"), "sequence": "name", "target": "kind", "id": "key"}
    task = {"classify": {**TINY, "embedding": 3}}
    result = run_recipe({"tracking": {"uri": store}, "data": data, "steps": ["tokenize"], "task": task})
    write("anna\notto\n", "new.txt")
    assert predict_table(model_of(result), "new.txt")["id"].tolist() == [0, 1]


# ---- a text file in a recipe

DAYS = "".join(f"Day {i}: the boat leaves.\r\n\r\nWind, {i % 7} knots.\r\n" for i in range(30))


def lines_recipe(**task: object) -> dict[str, object]:
    return {"data": {"path": "days.txt"}, "task": {"language_model": {**TINY, **task}}, "tracking": {"enabled": False}}


def test_a_text_file_is_one_long_text_for_a_continuous_model(write: Callable[..., Path]) -> None:
    Path("days.txt").write_bytes(DAYS.encode())
    shown = StringIO()
    result = run_recipe(lines_recipe(continuous=True), console=Console(file=shown, width=120))
    assert "\n" in result.estimator.vocabulary_.tokens
    assert "\r" not in result.estimator.vocabulary_.tokens
    assert "one long text, read in passages" in shown.getvalue()


def test_a_text_file_holds_one_text_a_line_for_others(write: Callable[..., Path]) -> None:
    Path("days.txt").write_bytes(DAYS.encode())
    shown = StringIO()
    result = run_recipe(lines_recipe(), console=Console(file=shown, width=120))
    assert not {"\n", "\r"} & {*result.estimator.vocabulary_.tokens}
    assert "60 texts of 14 to 24 characters" in shown.getvalue()
    assert "one text per line, 30 blank lines left out" in shown.getvalue()


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (
            {"data": {"path": "days.txt", "target": "kind"}, "task": "language_model"},
            "data.target: .* no other columns",
        ),
        ({"data": {"path": "days.txt"}, "task": "translate"}, "data.path: .* 'translate' needs a target for each"),
    ],
)
def test_a_text_file_has_no_other_columns(recipe: dict[str, object], message: str) -> None:
    Path("days.txt").write_bytes(DAYS.encode())
    with pytest.raises(RecipeError, match=message):
        run_recipe(recipe)


def test_what_is_not_one_text_a_line_is_not_written_as_such() -> None:
    with pytest.raises(InvalidSequencesError, match=r"out\.txt: .* there are Date, IBM: write a \.csv"):
        write_table(pd.DataFrame({"Date": [1], "IBM": [2.0]}), "out.txt")
    with pytest.raises(InvalidSequencesError, match=r"prediction 1 has more than one line"):
        write_table(pd.DataFrame({"prediction": ["a", "b\nc"]}), "out.txt")
    write_table(pd.DataFrame({"prediction": [["C4", "D4"], ["E4"]]}), "out.txt")
    assert Path("out.txt").read_text() == "C4 D4\nE4\n"


def test_texts_need_the_step_that_tokenizes_them(store: str, names: Path) -> None:
    with pytest.raises(InvalidSequencesError, match="X contains texts instead of real numbers.* the step 'tokenize'"):
        run(store, names, {"classify": TINY})


def test_token_numbers_without_an_embedding_are_told_of(store: str, names: Path) -> None:
    with pytest.warns(
        DataWarning, match="SequenceClassifier contains token numbers, which are treated as .*embedding='one_hot'"
    ):
        run(store, names, {"classify": TINY}, steps=["tokenize"])


def test_a_language_model_takes_no_steps(store: str, names: Path) -> None:
    with pytest.raises(RecipeError, match="steps: the task 'language_model' takes raw texts"):
        run(store, names, {"language_model": TINY}, steps=["tokenize"])


def test_a_data_set_without_targets_is_for_tasks_that_need_none(store: str) -> None:
    with pytest.raises(RecipeError, match="'tunes' has no targets"):
        run_recipe({"data": {"dataset": "tunes"}, "task": "classify", "tracking": {"uri": store}})


def test_a_run_shows_and_records_what_its_model_writes(writer: RunResult) -> None:
    assert writer.record is not None
    samples = writer.texts["samples"]
    assert {line[:3] for line in samples.split("\n")} == {"a: ", "o: "}
    kept = mlflow.artifacts.load_text(f"{writer.record.artifact_uri}/samples.txt")
    assert kept == samples


def test_a_search_over_cells_compares_bits(store: str, names: Path) -> None:
    search = {"grid": {"cell": ["rnn", "gru"]}, "cv": 2, "scoring": "bits_per_token"}
    result = run(store, names, {"language_model": TINY}, search=search)
    assert set(result.table["cell"]) == {"rnn", "gru"}
    assert (result.table["mean"] < 0).all()


# ---- generate


def test_a_logged_model_writes_what_the_fitted_one_does(writer: RunResult, store: str) -> None:
    settings = {"length": 12, "temperature": 0.8, "top_k": 3, "random_state": 3}
    pieces = list(generate_text(model_of(writer), "an", label="o", tracking_uri=store, **settings))
    assert "".join(pieces) == writer.estimator.generate("an", label="o", **settings)[0]
    assert pieces[0] == "an"
    assert all(len(piece) == 1 for piece in pieces[1:])


def test_words_are_written_with_spaces_between(store: str) -> None:
    task = {"language_model": {**TINY, "level": "word", "unknown": "token"}}
    result = run_recipe({"data": {"dataset": "tunes"}, "task": task, "tracking": {"uri": store}})
    for prompt in ("", "C4:1 G4:1"):
        text = "".join(generate_text(model_of(result), prompt, length=5, random_state=0, tracking_uri=store))
        assert text == result.estimator.generate(prompt, length=5, random_state=0)[0]


def test_a_class_may_be_a_number(store: str, tmp_path: Path) -> None:
    TEXTS.assign(kind=[1, 1, 2, 2] * 6).to_csv(tmp_path / "numbers.csv", index=False)
    result = run(store, tmp_path / "numbers.csv", {"language_model": TINY})
    text = "".join(generate_text(model_of(result), label="2", random_state=0, tracking_uri=store))
    assert text == result.estimator.generate(label=2, random_state=0)[0]


def test_a_model_that_writes_nothing_is_told(classifier: str, store: str) -> None:
    with pytest.raises(TrackingError, match="is a SequenceClassifier, which does not generate texts"):
        generate_text(classifier, tracking_uri=store)


def test_the_report_of_a_language_model_names_the_command_that_writes(writer: RunResult) -> None:
    shown = StringIO()
    print_result(Console(file=shown), writer)
    assert f"model: {model_of(writer)} (seqpipe generate and predict take it)" in shown.getvalue()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompt": "xyz"}, "prompt: The character 'x'"),
        ({"label": "u"}, "'u' is not among the classes"),
        ({"top_p": 2.0}, "'top_p' parameter of generate"),
    ],
)
def test_a_wrong_setting_is_told_before_anything_is_written(
    writer: RunResult, store: str, settings: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidSequencesError, match=message):
        generate_text(model_of(writer), tracking_uri=store, **settings)


def test_a_model_is_loaded_with_its_words(writer: RunResult, store: str) -> None:
    loaded, _ = load_model(model_of(writer), store)
    assert loaded.vocabulary_ == writer.estimator.vocabulary_


def test_a_served_model_takes_a_column_of_texts(writer: RunResult, store: str) -> None:
    served = mlflow.pyfunc.load_model(model_of(writer))
    found = served.predict(pd.DataFrame({"sequence": ["ann", "ot"]}))
    assert list(found) == writer.estimator.predict(["ann", "ot"]).tolist()
