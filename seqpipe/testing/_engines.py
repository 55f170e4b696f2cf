"""`check_engine`: conformance checks for engines, to be run in the tests of plug-ins."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell, GRUCell, LSTMCell, MinGRUCell, MLPCell, RNNCell
from seqpipe.recurrence import Engine, LoopEngine, ValidSteps, state_tensors
from seqpipe.testing._report import Check, CheckReport, Failure, Skip, check_named, run_checks, selected

__all__ = ["ENGINE_CELLS", "ENGINE_CHECKS", "check_engine"]

#: The cells that an engine is checked with by default.
ENGINE_CELLS: tuple[Callable[[int, int], Cell], ...] = (RNNCell, GRUCell, LSTMCell, MinGRUCell, MLPCell)

#: Relative tolerance of outputs, states and gradients, in multiples of which sums may differ in another order.
_TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-10}


@dataclass(frozen=True)
class EngineSubject:
    """An engine to be checked, and the cells that it is checked with."""

    engine: Engine
    cells: tuple[Callable[[int, int], Cell], ...]

    def taken(self) -> Iterator[tuple[str, Cell]]:
        """Yield new cells that the engine takes, with a name that says their type."""
        for dtype in (torch.float64, torch.float32):
            for kind in self.cells:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(0)
                    cell = kind(3, 5).to(dtype)
                if self.engine.refuses(cell) is None:
                    yield f"{type(cell).__name__} in {dtype}", cell


def refuses_or_takes_each_cell(subject: EngineSubject) -> str:
    """Each cell is refused with a reason, a str, or taken, which refuses() says by None."""
    reasons = {}
    for kind in subject.cells:
        found: Any = subject.engine.refuses(kind(3, 5))
        if found is not None and (not isinstance(found, str) or not found):
            raise Failure(f"refuses() returns {found!r} for {kind(3, 5)}: return None, or the reason as a str.")
        reasons[type(kind(3, 5)).__name__] = "taken" if found is None else f"refused ({found})"
    if not any(reason == "taken" for reason in reasons.values()):
        raise Failure(f"It takes none of the cells: {reasons}. Pass cells= that it takes.")
    return "; ".join(f"{name}: {reason}" for name, reason in reasons.items())


def refuses_without_changes(subject: EngineSubject) -> None:
    """refuses() leaves the cell as it is, and says the same when asked again."""
    for what, cell in subject.taken():
        before = copy.deepcopy(cell.state_dict())
        if subject.engine.refuses(cell) is not None:
            raise Failure(f"refuses() takes {what} at first and refuses it when asked again.")
        if any(not torch.equal(a, b) for a, b in zip(before.values(), cell.state_dict().values())):
            raise Failure(f"refuses() changes the weights of {what}.")


def results_equal_the_loop(subject: EngineSubject) -> None:
    """Outputs and final states are those of the plain loop, for rows of equal and of unequal length, also without a step."""
    for what, cell in subject.taken():
        for lengths in (None, [6, 2, 1, 4], [3, 0, 2, 3]):
            expected, found = (_run(engine, cell, lengths) for engine in (LoopEngine(), subject.engine))
            for part, one, other in zip(("outputs", *["state"] * 9), found, expected):
                _compare(f"The {part} of {what} for lengths {lengths}", one, other)


def gradients_equal_the_loop(subject: EngineSubject) -> None:
    """The gradients of input, initial state and parameters are those of the plain loop."""
    for what, cell in subject.taken():
        for lengths in (None, [6, 2, 1, 4]):
            expected, found = (_gradients(engine, cell, lengths) for engine in (LoopEngine(), subject.engine))
            for one, other in zip(found, expected):
                _compare(f"A gradient of {what} for lengths {lengths}", one, other)


def padding_is_not_read(subject: EngineSubject) -> None:
    """With reads_padding=False, NaN in the padding changes nothing."""
    if getattr(subject.engine, "reads_padding", True):
        raise Skip("it reads the padding, which is set to zero for it")
    for what, cell in subject.taken():
        clean, spoilt = (_run(subject.engine, cell, [6, 2, 1, 4], filler) for filler in (0.0, torch.nan))
        for one, other in zip(spoilt, clean):
            _compare(f"With NaN in the padding the result of {what}", one, other)


def states_are_carried_on(subject: EngineSubject) -> None:
    """Steps run in two calls, with the state carried on, give the results of one call."""
    for what, cell in subject.taken():
        x = _inputs(cell)
        with torch.no_grad():
            before = cell.initial_state(len(x))
            whole, _ = subject.engine.run(cell, x, None, before)
            first, between = subject.engine.run(cell, x[:, :2], None, before)
            second, _ = subject.engine.run(cell, x[:, 2:], None, between)
        _compare(f"In two calls the outputs of {what}", torch.cat([first, second], dim=1), whole)


def changed_weights_are_read(subject: EngineSubject) -> None:
    """A cell whose weights changed since the last run, as in training, is run with the new ones."""
    for what, cell in subject.taken():
        _run(subject.engine, cell, None)
        with torch.no_grad():
            for parameter in cell.parameters():
                parameter.add_(0.1)
        _compare(
            f"After a change of its weights the outputs of {what}",
            *(_run(engine, cell, None)[0] for engine in (subject.engine, LoopEngine())),
        )


def _inputs(cell: Cell, lengths: list[int] | None = None, filler: float = 0.0) -> Tensor:
    random = torch.Generator().manual_seed(1)
    like = cell.first_tensor()
    assert like is not None
    x = torch.randn(4, 6, 3, generator=random, dtype=torch.float64).to(like.dtype)
    if lengths is None:
        return x
    x = x[:, : max(lengths)]
    past = torch.arange(x.shape[1]) >= torch.tensor(lengths)[:, None]
    return x.masked_fill(past[:, :, None], filler)


def _valid(x: Tensor, lengths: list[int] | None) -> ValidSteps | None:
    return None if lengths is None else ValidSteps.of(torch.tensor(lengths), x.shape[1], x.device)


def _run(engine: Engine, cell: Cell, lengths: list[int] | None, filler: float = 0.0) -> list[Tensor]:
    x = _inputs(cell, lengths, filler)
    valid = _valid(x, lengths)
    with torch.no_grad():
        outputs, state = engine.run(cell, x, valid, cell.initial_state(len(x)))
    return [outputs if valid is None else valid.clear(outputs), *state_tensors(state)]


def _gradients(engine: Engine, cell: Cell, lengths: list[int] | None) -> list[Tensor]:
    x = _inputs(cell, lengths).requires_grad_()
    valid = _valid(x, lengths)
    begin = [s.clone().requires_grad_() for s in state_tensors(cell.initial_state(len(x)))]
    outputs, state = engine.run(cell, x, valid, tuple(begin) if len(begin) > 1 else begin[0])
    outputs = outputs if valid is None else valid.clear(outputs)
    loss = outputs.square().sum() + sum(s.sum() for s in state_tensors(state))
    wanted = [x, *begin, *cell.parameters()]
    found = torch.autograd.grad(loss, wanted, allow_unused=True)
    return [torch.zeros_like(t) if g is None else g for t, g in zip(wanted, found)]


def _compare(what: str, found: Tensor, expected: Tensor) -> None:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        raise Failure(
            f"{what}: {found.dtype} of shape {tuple(found.shape)} instead of {expected.dtype} of shape {tuple(expected.shape)}."
        )
    scale = max(1.0, float(expected.abs().max())) if expected.numel() else 1.0
    difference = float((found - expected).abs().max()) / scale if expected.numel() else 0.0
    if not difference <= _TOLERANCE[expected.dtype]:
        raise Failure(
            f"{what}: a difference of {difference:.2g} from the loop. Refuse cells and batches that the engine cannot run, or "
            "pass them on to seqpipe.recurrence.LoopEngine."
        )


#: All checks of engines, in the order in which they run.
ENGINE_CHECKS: tuple[Check[EngineSubject], ...] = tuple(
    check_named(function.__name__, function)
    for function in (
        refuses_or_takes_each_cell, refuses_without_changes, results_equal_the_loop, gradients_equal_the_loop,
        padding_is_not_read, states_are_carried_on, changed_weights_are_read,
    )
)  # fmt: skip


def check_engine(
    engine: Engine,
    *,
    cells: Collection[Callable[[int, int], Cell]] = ENGINE_CELLS,
    include: Collection[str] | None = None,
    exclude: Collection[str] = (),
    expected_failed: Mapping[str, str] | None = None,
    raise_exceptions: bool = True,
) -> CheckReport:
    """Check that an engine gives the results of the plain loop for the cells that it takes.

    Parameters
    ----------
    engine : Engine
        An instance of the engine.
    cells : collection of callable (input_size, hidden_size) -> Cell
        Cells to check with, at least one of which it takes.
    include, exclude, expected_failed, raise_exceptions
        As in `check_cell`.

    Returns
    -------
    report : CheckReport
        The outcome of every check.

    Raises
    ------
    CheckError
        If a check fails and ``raise_exceptions`` is true.

    Examples
    --------
    >>> from seqpipe.recurrence import FusedEngine
    >>> from seqpipe.testing import check_engine
    >>> check_engine(FusedEngine()).passed
    True
    """
    checks = selected(ENGINE_CHECKS, include, exclude, owner="check_engine")
    subject = EngineSubject(engine, tuple(cells))
    report = run_checks(checks, subject, getattr(engine, "name", type(engine).__name__), expected_failed)
    if raise_exceptions:
        report.raise_if_failed()
    return report
