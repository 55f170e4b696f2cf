"""A fit that is interrupted and continued equals the one that was not, bit for bit."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from seqpipe import (
    Cell,
    Checkpoint,
    LanguageModel,
    SequenceCaptioner,
    SequenceClassifier,
    SequenceRegressor,
    SequenceTranslator,
    StepClassifier,
    StepRegressor,
)
from seqpipe.exceptions import CheckpointError, CheckpointWarning
from seqpipe.training import CheckpointFolder, SequenceNet

pytestmark = [
    pytest.mark.filterwarnings("ignore::seqpipe.exceptions.BaselineWarning"),
    pytest.mark.filterwarnings("ignore::seqpipe.exceptions.DataWarning"),
]

#: Whether to run all combinations, each with several interruptions.
ALL = os.environ.get("SEQPIPE_FAULTS", "0") not in ("", "0")


class Interruption(BaseException):
    """Ends a fit where a signal would."""


@dataclass
class Case:
    """An estimator whose fit is interrupted."""

    name: str
    estimator: Any
    data: Callable[[bool], tuple[Any, Any]]
    ragged: bool = True
    usual: bool = False
    params: dict[str, Any] = field(default_factory=dict)


def sequences(ragged: bool, n: int = 24) -> list[Any]:
    random = np.random.default_rng(0)
    return [random.normal(size=(random.integers(3, 11) if ragged else 9, 2)) for _ in range(n)]


def labels(ragged: bool) -> tuple[Any, Any]:
    X = sequences(ragged)
    return X, [str(int(x[:, 0].sum() > 0)) for x in X]


def numbers(ragged: bool) -> tuple[Any, Any]:
    X = sequences(ragged)
    return X, [float(x.sum()) for x in X]


def step_labels(ragged: bool) -> tuple[Any, Any]:
    X = sequences(ragged)
    return X, [(x[:, 0] > 0).astype(int) for x in X]


def step_numbers(ragged: bool) -> tuple[Any, Any]:
    X = sequences(ragged)
    return X, [np.cumsum(x[:, 0]) for x in X]


def texts(ragged: bool) -> tuple[Any, Any]:
    return ["san juan", "los altos", "palo alto", "la mesa", "el paso", "santa fe", "san jose"], None


def long_text(ragged: bool) -> tuple[Any, Any]:
    return ["the quick brown fox jumps over the lazy dog. " * 12], None


def pairs(ragged: bool) -> tuple[Any, Any]:
    words = ["one", "two", "three", "four", "five", "six", "seven", "eight"]
    return words, [word[::-1] for word in words]


def captions(ragged: bool) -> tuple[Any, Any]:
    X = np.random.default_rng(0).normal(size=(12, 6, 6))
    return X, ["up" if x.sum() > 0 else "down" for x in X]


SMALL = {"max_epochs": 3, "batch_size": 8, "hidden_size": 5, "random_state": 0}


def classifier(**params: Any) -> Any:
    return SequenceClassifier(**{**SMALL, "early_stopping": False, **params})


def cases() -> Iterator[Case]:
    for cell in ("gru", "lstm", "rnn", "min_gru", "mlp"):
        for ragged in (False, True):
            yield Case(f"{cell}-{ragged}", classifier(cell=cell), labels, ragged, usual=cell == "lstm")
    for optimizer in (
        "ASGD",
        "Adadelta",
        "Adafactor",
        "Adagrad",
        "Adam",
        "Adamax",
        "NAdam",
        "RAdam",
        "RMSprop",
        "Rprop",
        "SGD",
    ):
        estimator = SequenceRegressor(optimizer=optimizer, **SMALL)
        yield Case(optimizer, estimator, numbers, usual=optimizer == "Adam")
    yield Case(
        "momentum", SequenceRegressor(optimizer="SGD", net_params={"optimizer__momentum": 0.9}, **SMALL), numbers
    )
    for schedule in (
        "CosineAnnealingLR",
        "CosineAnnealingWarmRestarts",
        "CyclicLR",
        "ExponentialLR",
        "LinearLR",
        "MultiStepLR",
        "PolynomialLR",
        "ReduceLROnPlateau",
        "StepLR",
        None,
    ):
        estimator = SequenceRegressor(lr_schedule=schedule, **SMALL)
        yield Case(f"{schedule}", estimator, numbers, usual=schedule == "MultiStepLR")
    for ragged in (False, True):
        yield Case(f"dropout-{ragged}", classifier(num_layers=2, dropout=0.3), labels, ragged, usual=ragged)
        yield Case(f"wrappers-{ragged}", classifier(wrappers=["zoneout", "dropout"]), labels, ragged)
        yield Case(f"learned-{ragged}", classifier(initial_state="learned", bidirectional=True), labels, ragged)
        stopping = {"early_stopping": True, "n_iter_no_change": 2, "max_epochs": 9}
        yield Case(f"stopping-{ragged}", classifier(**stopping), labels, ragged, usual=not ragged)
        yield Case(f"members-{ragged}", classifier(n_members=3, dropout=0.2), labels, ragged, usual=ragged)
        yield Case(f"members-stopping-{ragged}", classifier(n_members=3, **stopping), labels, ragged)
        yield Case(f"clipped-{ragged}", classifier(gradient_clip_norm=0.01, lr=0.1), labels, ragged)
        for tbptt in ((2, 2), (3, 5)):
            estimator = StepClassifier(tbptt=tbptt, dropout=0.2, **SMALL)
            yield Case(f"tbptt-{tbptt}-{ragged}", estimator, step_labels, ragged, usual=ragged and tbptt == (3, 5))
        yield Case(f"steps-{ragged}", StepClassifier(**SMALL), step_labels, ragged)
        yield Case(f"last-steps-{ragged}", StepClassifier(tbptt=(3, 3), loss_on=2, **SMALL), step_labels, ragged)
        yield Case(f"step-numbers-{ragged}", StepRegressor(bidirectional=True, **SMALL), step_numbers, ragged)
        yield Case(f"step-members-{ragged}", StepRegressor(n_members=2, **SMALL), step_numbers, ragged)
        yield Case(f"float64-{ragged}", SequenceRegressor(dtype="float64", **SMALL), numbers, ragged)
        yield Case(f"recompute-{ragged}", SequenceRegressor(memory="recompute", **SMALL), numbers, ragged)
        yield Case(f"pooling-{ragged}", SequenceRegressor(pooling="attention", **SMALL), numbers, ragged)
        yield Case(f"weights-{ragged}", classifier(class_weight="balanced", patch=None), labels, ragged)
    for engine in ("loop", "torch", "unrolled"):
        yield Case(engine, classifier(engine=engine, dropout=0.2, num_layers=2), labels, ragged=False)
    few = {**SMALL, "batch_size": 3}
    yield Case("language model", LanguageModel(**few), texts, usual=True)
    yield Case("one text", LanguageModel(continuous=True, **few), long_text, usual=True)
    yield Case("translator", SequenceTranslator(**few), pairs, usual=True)
    yield Case("captioner", SequenceCaptioner(**few), captions)


CASES = [case for case in cases() if ALL or case.usual]


@contextmanager
def interrupted_at(update: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    made = 0
    step = SequenceNet.updates

    def updates(self: SequenceNet, *args: Any, **kwargs: Any) -> Iterator[Any]:
        nonlocal made
        for each in step(self, *args, **kwargs):
            made += 1
            if made > update:
                raise Interruption
            yield each

    with monkeypatch.context() as patch:
        patch.setattr(SequenceNet, "updates", updates)
        yield


def networks(estimator: Any) -> list[torch.nn.Module]:
    return [each.net_.module_ for each in estimator.members_ or [estimator]]


def assert_equal(found: Any, expected: Any) -> None:
    for one, other in zip(networks(found), networks(expected), strict=True):
        for name, value in other.state_dict().items():
            assert torch.equal(one.state_dict()[name], value), name
    for one, other in zip(found.history_, expected.history_, strict=True):
        assert {**one, "dur": 0} == {**other, "dur": 0}
    assert found.n_iter_ == expected.n_iter_


def fit(estimator: Any, data: tuple[Any, Any]) -> Any:
    return estimator.fit(*data)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("threads", [1, 2] if ALL else [1])
def test_a_continued_fit_equals_the_uninterrupted_one(
    case: Case, threads: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = case.data(case.ragged)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        expected = fit(clone(case.estimator), data)
        for update in (1, 2, 5, 8) if ALL else (4,):
            checkpoint = Checkpoint(tmp_path / str(update), every_n_updates=2 if update == 5 else 1)
            with interrupted_at(update, monkeypatch), pytest.raises(Interruption):
                fit(clone(case.estimator).set_params(checkpoint=checkpoint), data)
            if ALL:  # once more, on the way
                with interrupted_at(3, monkeypatch), suppress(Interruption):
                    fit(clone(case.estimator).set_params(checkpoint=checkpoint), data)
            assert_equal(fit(clone(case.estimator).set_params(checkpoint=checkpoint), data), expected)
    finally:
        torch.set_num_threads(before)


def test_the_cases_are_many() -> None:
    assert len(list(cases())) >= 60


def test_members_in_threads_continue_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = step_numbers(True)
    estimator = StepRegressor(tbptt=(3, 3), n_members=2, **SMALL)
    expected = fit(clone(estimator), data)
    estimator.set_params(checkpoint=Checkpoint(tmp_path, every_n_updates=1))
    with interrupted_at(9, monkeypatch), pytest.raises(Interruption):
        fit(clone(estimator), data)
    assert_equal(fit(clone(estimator), data), expected)


@pytest.mark.parametrize("random_state", [None, 3])
def test_a_finished_fit_is_restored_without_an_update(
    random_state: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = classifier(random_state=random_state, early_stopping="auto", checkpoint=tmp_path / "fit")
    expected = fit(clone(estimator), labels(True))
    with interrupted_at(0, monkeypatch):
        found = fit(clone(estimator), labels(True))
    assert_equal(found, expected)
    X, _ = labels(True)
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    assert [path.suffix for path in (tmp_path / "fit").iterdir() if path.name != "lock"] == [".checkpoint"]


def test_a_fit_without_a_seed_continues_with_its_random_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    estimator = classifier(random_state=None, checkpoint=Checkpoint(tmp_path, every_n_updates=1))
    with interrupted_at(4, monkeypatch), pytest.raises(Interruption):
        fit(clone(estimator), labels(True))
    interrupted = CheckpointFolder(tmp_path, 2)
    try:
        state = interrupted.newest()
    finally:
        interrupted.close()
    assert state is not None
    found = fit(clone(estimator), labels(True))
    assert found.history_[0]["epoch"] == 1
    assert state["states"][0]["history"][0]["train_loss"] == found.history_[0]["train_loss"]


# ---- refused


@pytest.fixture
def interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    estimator = classifier(checkpoint=Checkpoint(tmp_path, every_n_updates=1))
    with interrupted_at(4, monkeypatch), pytest.raises(Interruption):
        fit(clone(estimator), labels(True))
    return estimator


def test_other_settings_are_refused_unless_forced(interrupted: Any, tmp_path: Path) -> None:
    other = clone(interrupted).set_params(lr=0.5)
    with pytest.raises(CheckpointError, match=r"of another fit: lr is 0.01 there and 0.5 here.*resume=\"force\""):
        fit(other, labels(True))
    forced = fit(other.set_params(checkpoint=Checkpoint(tmp_path, resume="force")), labels(True))
    assert [record["epoch"] for record in forced.history_] == [1, 2, 3]


def test_other_data_are_refused(interrupted: Any) -> None:
    X, y = labels(True)
    X[3] = X[3] + 1e-6
    with pytest.raises(CheckpointError, match="X is other data"):
        fit(interrupted, (X, y))
    with pytest.raises(CheckpointError, match=r"of another fit: y is other data; weights is other data"):
        interrupted.fit(labels(True)[0], y[::-1], sample_weight=np.arange(1.0, 25.0))


def test_the_cells_code_is_one_of_the_settings(tmp_path: Path) -> None:
    def cell(slope: float) -> Any:
        class Leaky(Cell):
            def __init__(self, input_size: int, hidden_size: int) -> None:
                super().__init__(input_size, hidden_size)
                self.linear = torch.nn.Linear(input_size + hidden_size, hidden_size)

            if slope > 1:

                def step(self, x_t: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
                    h = torch.tanh(self.linear(torch.cat([x_t, h], dim=1)))
                    return h, h

            else:

                def step(self, x_t: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
                    h = torch.sigmoid(self.linear(torch.cat([x_t, h], dim=1)))
                    return h, h

        return Leaky

    fit(classifier(cell=cell(2), checkpoint=tmp_path), labels(True))
    with pytest.raises(CheckpointError, match="of another fit: cell is"):
        fit(classifier(cell=cell(0), checkpoint=tmp_path), labels(True))


def test_never_starts_again(interrupted: Any, tmp_path: Path) -> None:
    again = interrupted.set_params(checkpoint=Checkpoint(tmp_path, resume="never"), lr=0.5)
    assert_equal(fit(again, labels(True)), fit(clone(again).set_params(checkpoint=None), labels(True)))


def test_cross_validation_needs_a_folder_per_fit(tmp_path: Path) -> None:
    X, y = labels(True)
    with pytest.raises(CheckpointError, match=r"use seqpipe\.resumable"):
        cross_val_score(classifier(checkpoint=tmp_path), X, y, cv=2, error_score="raise")
    shared = classifier(checkpoint=Checkpoint(tmp_path / "shared", shared=True))
    scores = cross_val_score(shared, X, y, cv=2)
    np.testing.assert_array_equal(scores, cross_val_score(classifier(), X, y, cv=2))


def test_a_folder_serves_one_fit_at_a_time(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path, 2)
    try:
        with pytest.raises(CheckpointError, match="is in use by another fit"):
            fit(classifier(checkpoint=tmp_path), labels(True))
    finally:
        folder.close()


# ---- damage


def test_a_damaged_checkpoint_is_told_and_the_one_before_it_taken(interrupted: Any, tmp_path: Path) -> None:
    newest = max(tmp_path.glob("*.checkpoint"))
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    expected = fit(clone(interrupted).set_params(checkpoint=None), labels(True))
    with pytest.warns(CheckpointWarning, match=r"is damaged \(it is not complete, or its bytes have changed\)"):
        found = fit(interrupted, labels(True))
    assert_equal(found, expected)


def test_only_damaged_checkpoints_are_an_error(interrupted: Any, tmp_path: Path) -> None:
    for path in tmp_path.glob("*.checkpoint"):
        path.write_bytes(path.read_bytes()[:-7])
    with (
        pytest.warns(CheckpointWarning, match="is damaged"),
        pytest.raises(CheckpointError, match=r"No checkpoint in .* can be read\. Delete the folder"),
    ):
        fit(interrupted, labels(True))


def test_a_folder_that_cannot_be_written_is_an_error_before_training() -> None:
    with pytest.raises(
        CheckpointError, match=r"No checkpoint can be written to '/proc/seqpipe'.*choose another folder"
    ):
        fit(classifier(checkpoint="/proc/seqpipe"), labels(True))


def test_a_full_disk_ends_the_fit_and_keeps_the_checkpoint(in_child: Any, tmp_path: Path) -> None:
    estimator = classifier(checkpoint=Checkpoint(tmp_path, every_n_updates=1), max_epochs=5)

    def limited() -> None:
        largest = max(path.stat().st_size for path in tmp_path.glob("*.checkpoint"))
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 100, resource.RLIM_INFINITY))

    def fill() -> int:
        step = SequenceNet.train_step

        def train_step(self: SequenceNet, batch: Any, **params: Any) -> Any:
            if len(self.history) == 2:
                limited()
            return step(self, batch, **params)

        SequenceNet.train_step = train_step  # type: ignore[method-assign]
        try:
            fit(clone(estimator).set_params(hidden_size=5), labels(True))
        except CheckpointError as error:
            return 7 if "File too large" in str(error) else 8
        return 9

    assert in_child(fill) == 7
    assert_equal(fit(clone(estimator), labels(True)), fit(clone(estimator).set_params(checkpoint=None), labels(True)))


# ---- killed


def kill_at(phase: str, number: int, sent: int) -> None:
    """Let this process receive a signal at the given call of a function of a phase."""
    owner: Any
    owner, name = {
        "step": (SequenceNet, "train_step"),
        "validation": (SequenceNet, "validation_step"),
        "write": (os, "fsync"),
        "rename": (Path, "replace"),
    }[phase]
    function, calls = getattr(owner, name), 0

    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == number:
            os.kill(os.getpid(), sent)
        return function(*args, **kwargs)

    setattr(owner, name, wrapped)


KILLED = classifier(early_stopping=True, dropout=0.2, num_layers=2, max_epochs=3)


@pytest.fixture(scope="module")
def uninterrupted() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return fit(clone(KILLED), labels(True))
    finally:
        torch.set_num_threads(before)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("phase", ["step", "validation", "write", "rename"])
@pytest.mark.parametrize("number", range(1, 40) if ALL else (2, 3))
def test_nothing_is_lost_whenever_the_process_is_killed(
    phase: str, number: int, uninterrupted: Any, in_child: Any, tmp_path: Path
) -> None:
    estimator = clone(KILLED).set_params(checkpoint=Checkpoint(tmp_path, every_n_updates=1))

    def run() -> int:
        kill_at(phase, number, signal.SIGKILL)
        fit(clone(estimator), labels(True))
        return 0

    assert in_child(run) in (-signal.SIGKILL, 0)

    def finish() -> int:
        assert_equal(fit(clone(estimator), labels(True)), uninterrupted)
        return 0

    assert in_child(finish) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(("sent", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    ("phase", "number", "place"), [("step", 4, (1, 1)), ("validation", 1, (1, 0)), ("step", 9, None)]
)
def test_a_signal_leaves_a_checkpoint_that_no_step_is_missing_from(
    sent: int,
    code: int,
    phase: str,
    number: int,
    place: tuple[int, int] | None,
    uninterrupted: Any,
    in_child: Any,
    tmp_path: Path,
) -> None:
    estimator = clone(KILLED).set_params(checkpoint=tmp_path)

    def run() -> int:
        kill_at(phase, number, sent)
        fit(clone(estimator), labels(True))
        return 0

    assert in_child(run) == code
    folder = CheckpointFolder(tmp_path, 2)
    try:
        found = folder.newest()
    finally:
        folder.close()
    assert found is not None
    saved = found["states"][0]["place"]
    assert place == (None if saved is None else (saved["epoch"], saved["batch"]))

    def finish() -> int:
        assert_equal(fit(clone(estimator), labels(True)), uninterrupted)
        return 0

    assert in_child(finish) == 0
