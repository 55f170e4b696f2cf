"""Checks of a cell in use: parallel forms, engines, persistence, estimators, speed."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from torch import Tensor

from seqpipe.cells import Cell, GRUCell
from seqpipe.estimators import StepRegressor
from seqpipe.recurrence import Recurrent, state_tensors
from seqpipe.testing._report import Failure
from seqpipe.testing.cells._parallel_form import linear_form_equals_step
from seqpipe.testing.cells._subject import CellSubject, differ, furthest

__all__ = ["USE"]

#: Engines that are compared with the plain loop, and the types in which they are.
_ENGINES = ("auto", "c", "torch", "fused", "scan")


def engines_agree(subject: CellSubject) -> str:
    """Every engine that takes the cell gives the outputs, states and gradients of the plain loop."""
    x, lengths = subject.inputs(4, 6), torch.tensor([6, 2, 1, 5])
    expected, ran, refused = _everything(subject.layers(), x, lengths), ["loop"], []
    for name in _ENGINES:
        layers = subject.layers(engine=name)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = _everything(layers, x, lengths)
        choice = layers.explain()[0]
        for warning in caught:
            if issubclass(warning.category, RuntimeWarning) and "loop" in str(warning.message):
                raise Failure(
                    f"{warning.message} A step that the loop takes otherwise depends on more than its arguments."
                )
        for what, one, other in zip(_names(found), found, expected):
            if furthest(one, other) > 100:
                raise Failure(
                    f'engine="{name}" gives another {what} than the plain loop: torch_kernel() or linear_coefficients() may '
                    "name another computation, or the step may change with the batch size or between runs."
                )
        if choice.engine == name:
            ran.append(name)
        elif name != "auto":
            refused.append(f"{name} ({choice.reason.partition(f'not {name}: ')[2] or choice.reason})")
    told = f"; not in {', '.join(refused)}" if refused else ""
    return f"equal in {', '.join(ran)}{told}; the default {subject_reason(subject)}"


def subject_reason(subject: CellSubject) -> str:
    """Return which engine would run the cell, and why."""
    choice = subject.layers(engine="auto").explain()[0]
    return f"is {choice.engine}: {choice.reason}"


def _everything(layers: Recurrent, x: Tensor, lengths: Tensor) -> list[Tensor]:
    x = x.clone().requires_grad_()
    outputs, state = layers(x, lengths)
    trained = [p for p in layers.parameters() if p.requires_grad]
    grads = torch.autograd.grad(outputs.square().sum(), [x, *trained], allow_unused=True)
    found = [outputs.detach(), *(s.detach() for s in state_tensors(state))]
    return [*found, *(torch.zeros_like(p) if g is None else g for p, g in zip([x, *trained], grads))]


def _names(found: list[Tensor]) -> list[str]:
    return ["output", *["state or gradient"] * (len(found) - 1)]


def weights_are_saved_and_loaded(subject: CellSubject) -> None:
    """A new cell with the loaded weights gives the same results."""
    layers, x = subject.layers(), subject.inputs(2, 4)
    with torch.no_grad():
        for p in layers.parameters():
            p.add_(0.01)
        trained = layers(x)[0]
    fresh = Recurrent(
        subject.factory(subject.input_size, subject.hidden_size, **subject.params).double(), engine="loop"
    )
    try:
        fresh.eval().load_state_dict(layers.state_dict())
    except RuntimeError as error:
        raise Failure(f"The weights do not load into a new cell: {error}") from error
    with torch.no_grad():  # as before: operations may round otherwise if they record gradients
        loaded = fresh(x)[0]
    if furthest(loaded, trained) > 0:
        raise Failure(
            "A new cell with the loaded weights gives other results: a tensor is neither parameter nor buffer."
        )


def cells_are_copied(subject: CellSubject) -> None:
    """A copy gives the same results."""
    layers, x = subject.layers(), subject.inputs(2, 4)
    try:
        made = copy.deepcopy(layers)
    except Exception as error:
        raise Failure(f"It cannot be copied: {type(error).__name__}: {error}") from error
    if differ(subject.run(made, x), subject.run(layers, x)) > 0:
        raise Failure("A copy gives other results: it must hold all that a step reads.")


def estimators_fit_it(subject: CellSubject) -> None:
    """It is a value of cell= in estimators: cloned, searched, fitted to sequences of unequal length."""
    X, y = _problem(subject)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            grid = {"cell": [subject.estimator_params["cell"]], "lr": [0.01]}
            GridSearchCV(_estimator(subject), grid, cv=2, error_score="raise").fit(X, y)
    except Exception as error:
        raise Failure(f"StepRegressor(cell=…) fails: {type(error).__name__}: {error}") from error


def streams_equal_predictions(subject: CellSubject) -> None:
    """A stream, step by step, gives the predictions for the whole sequence."""
    X, y = _problem(subject)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = clone(_estimator(subject)).fit(X, y)
    stream = model.stream()
    pushed = np.array([stream.push(step) for step in X[0]])
    if np.abs(pushed - model.predict(X[:1])[0]).max() > 1e-8:
        raise Failure("A stream gives other numbers than predict: the state does not hold all that later steps need.")


def _estimator(subject: CellSubject) -> StepRegressor:
    return StepRegressor(**subject.estimator_params, max_epochs=1, random_state=0, dtype="float64", engine="loop")


def _problem(subject: CellSubject) -> tuple[list[Any], list[Any]]:
    x = subject.inputs(6, 5).numpy()
    X = [each[: 2 + i % 4] for i, each in enumerate(x)]
    return X, [each[:, 0].cumsum() for each in X]


def speed_is_graded(subject: CellSubject) -> str:
    """A training step on 32 sequences of 64 steps is timed against gru and against the plain loop; nothing is judged."""
    ours, gru = (lambda: subject.cell(torch.float32, hidden_size=32)), (lambda: GRUCell(subject.input_size, 32))
    sides: dict[str, tuple[Callable[[], Cell], str]] = {
        "it": (ours, "auto"), "the loop": (ours, "loop"), "gru": (gru, "auto"),
    }  # fmt: skip
    x = subject.inputs(32, 64, torch.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layers = {name: Recurrent(make(), engine=engine) for name, (make, engine) in sides.items()}
        rounds = [{name: _seconds(each, x) for name, each in layers.items()} for _ in range(6)]
    times = {name: min(round[name] for round in rounds[1:]) for name in sides}
    against = times["it"] / times["gru"]
    grade = next((g for g, most in (("A", 2), ("B", 5), ("C", 20)) if against <= most), "D")
    return (
        f"grade {grade}: {against:.1f} times the time of gru, {times['the loop'] / times['it']:.1f} times as fast as the plain "
        f"loop; the engine {subject_reason(subject)}"
    )


def _seconds(layers: Recurrent, x: Tensor) -> float:
    begin = time.perf_counter()
    outputs = layers(x)[0]
    if outputs.requires_grad:
        outputs.sum().backward()
    return time.perf_counter() - begin


USE = (
    linear_form_equals_step,
    engines_agree,
    weights_are_saved_and_loaded,
    cells_are_copied,
    estimators_fit_it,
    streams_equal_predictions,
    speed_is_graded,
)
