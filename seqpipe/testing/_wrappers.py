"""`check_wrapper`: conformance checks for wrappers of cells, to be run in the tests of plug-ins."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor

from seqpipe.cells import Cell, LSTMCell, RNNCell
from seqpipe.recurrence import Recurrent, state_tensors
from seqpipe.recurrence.wrappers import Dropout, Residual, Wrapper
from seqpipe.testing._report import Check, CheckReport, Failure, Skip, check_named, run_checks, selected, told
from seqpipe.testing.cells import CELL_CHECKS
from seqpipe.testing.cells._subject import CellSubject, seeded

__all__ = ["WRAPPER_CHECKS", "check_wrapper"]

#: The cells that are wrapped: the state of one is a tensor, that of the other a tuple.
_CELLS = (RNNCell, LSTMCell)


class _Counted(RNNCell):
    """A cell whose state ends with a count of its steps, an integer tensor (batch, 1), which no wrapper adds."""

    def initial_state(self, batch_size: int) -> tuple[Tensor, Tensor]:
        """Return h and the count."""
        h = super().initial_state(batch_size)
        return h, torch.zeros(batch_size, 1, dtype=torch.int64, device=h.device)

    def step(self, x_t: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Take the step of an RNN and count it."""
        h, n = state
        output, h = super().step(x_t, h)
        return output, (h, n + 1)


@dataclass(frozen=True)
class WrappedSubject(CellSubject):
    """A cell in a wrapper; estimators are given both.

    Attributes
    ----------
    inner : type of Cell
    wrapper : callable (cell) -> Cell
    """

    inner: type[Cell] = RNNCell
    wrapper: Callable[[Cell], Cell] = Residual

    @property
    def estimator_params(self) -> dict[str, Any]:
        """Parameters by which an estimator uses the cell."""
        return {"cell": self.inner, "wrappers": [self.wrapper], "hidden_size": self.hidden_size}


@dataclass(frozen=True)
class WrapperSubject:
    """A wrapper to be checked, and its further arguments."""

    wrapper: Callable[..., Cell]
    params: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the wrapper in reports."""
        return CellSubject(self.wrapper, self.params).name

    def wrap(self, cell: Cell) -> Cell:
        """Return the cell in the wrapper, which always has the same initial weights."""
        with seeded(0):
            return self.wrapper(cell, **self.params)

    def around(self, cell: type[Cell]) -> CellSubject:
        """Return the wrapped cell as one to be checked."""
        return WrappedSubject(
            lambda input_size, hidden_size: self.wrap(cell(input_size, hidden_size)),
            inner=cell,
            wrapper=partial(self.wrapper, **self.params),
        )


def returns_a_cell(subject: WrapperSubject) -> None:
    """Called with a cell, it returns a cell of the same input size."""
    for kind in _CELLS:
        try:
            made: Any = subject.wrap(kind(3, 5))
        except Exception as error:
            raise Failure(
                f"Around {kind.__name__} it fails: {told(error)}. Arguments without a default are passed as wrapper_params="
            ) from error
        if not isinstance(made, Cell):
            raise Failure(
                f"Around {kind.__name__} it returns a {type(made).__name__}: return a seqpipe.Cell, such as a subclass of "
                "seqpipe.recurrence.wrappers.Wrapper."
            )
        if made.input_size != 3:
            raise Failure(
                f"Around a cell with input_size=3 it has input_size={made.input_size}: call super().__init__(cell)."
            )


def leaves_the_cell_as_it_is(subject: WrapperSubject) -> None:
    """The cell that it is given keeps its weights, its mode, its attributes and its step."""
    for kind in _CELLS:
        cell, untouched = (_seeded_cell(kind) for _ in range(2))
        wrapped = subject.wrap(cell)
        x = torch.ones(2, 4, wrapped.input_size, dtype=torch.float64)
        with torch.no_grad(), seeded(0):
            Recurrent(wrapped, engine="loop")(x)
        for name, weight in untouched.state_dict().items():
            if not torch.equal(weight, cell.state_dict()[name]):
                raise Failure(
                    f"It changes {name} of {kind.__name__}: compute from the weights of the cell, do not write them."
                )
        if cell.training != untouched.training:
            raise Failure(f"It calls eval() or train() of {kind.__name__}: leave the mode to the one who trains.")
        if added := sorted(vars(cell).keys() ^ vars(untouched).keys()):
            raise Failure(
                f"It sets {', '.join(added)} on {kind.__name__}: keep attributes, and what a step does, on the wrapper."
            )


def _seeded_cell(kind: type[Cell]) -> Cell:
    with seeded(0):
        return kind(3, 5).double()


def state_of_the_cell_comes_first(subject: WrapperSubject) -> None:
    """Its state begins with that of the cell, before and after a step; its own tensors, n_own of them, follow."""
    cell = _seeded_cell(_Counted)
    wrapped = subject.wrap(cell)
    state = wrapped.initial_state(2)
    for when in ("before the first step", "after a step"):
        found = state_tensors(state)
        fits = len(found) >= 2 and found[0].shape == (2, 5) and found[1].dtype == torch.int64
        if not fits:
            raise Failure(
                f"The state {when} does not begin with that of the cell, but with tensors of {_described(found[:2])}: return "
                "self.join_state(inner, own), with the state of the cell first."
            )
        if isinstance(wrapped, Wrapper):
            _check_own(wrapped, len(found) - 2, when)
        with torch.no_grad(), seeded(0):
            x = torch.ones(2, 1, wrapped.input_size, dtype=torch.float64)
            _, state = wrapped.step(wrapped.project(x)[:, 0], state)


def _check_own(wrapped: Wrapper, n_found: int, when: str) -> None:
    if n_found != wrapped.n_own:
        raise Failure(
            f"The state {when} has {n_found} tensors after those of the cell, and n_own is {wrapped.n_own}: set n_own to "
            "the number of tensors that own_state returns."
        )


def _described(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(f"{t.dtype} and shape {tuple(t.shape)}" for t in tensors)


def fits_with_other_wrappers(subject: WrapperSubject) -> None:
    """It wraps a wrapped cell, and is wrapped: residual and dropout inside and outside give finite outputs and gradients."""
    for kind in _CELLS:
        for name, other in (("residual", Residual), ("dropout", partial(Dropout, on=["output", "state"]))):
            orders = {
                f"around {name} around {kind.__name__}": lambda other=other, kind=kind: subject.wrap(other(kind(3, 5))),
                f"in {name}, around {kind.__name__}": lambda other=other, kind=kind: other(subject.wrap(kind(3, 5))),
            }
            for where, make in orders.items():
                _check_trains(where, make)


def _check_trains(where: str, make: Callable[[], Cell]) -> None:
    try:
        with seeded(0):
            layers = Recurrent(make(), num_layers=2, engine="loop")
            outputs, _ = layers(torch.randn(4, 5, 3), torch.tensor([5, 2, 1, 4]))
            outputs.square().sum().backward()
    except Exception as error:
        raise Failure(
            f"It fails {where}: {told(error)}. If project() returns another shape than that of the cell, define "
            "projected_shape; read and write the state by split_state and join_state."
        ) from error
    if not all(p.grad is None or bool(p.grad.isfinite().all()) for p in layers.parameters()):
        raise Failure(f"A gradient is not finite {where}: avoid 0 * inf, as of a root or a division at 0.")


def _around(check: Check[CellSubject]) -> Check[WrapperSubject]:
    """Return the check of a cell, for each cell in the wrapper."""

    def run(subject: WrapperSubject) -> str:
        remarks, skips = [], []
        for kind in _CELLS:
            try:
                remark = check.run(subject.around(kind))
            except Skip as reason:
                skips.append(f"around {kind.__name__}: {reason}")
            except Exception as error:
                raise Failure(f"around {kind.__name__}: {told(error)}") from error
            else:
                remarks += [f"around {kind.__name__}: {remark}"] if remark else []
        if len(skips) == len(_CELLS):
            raise Skip("; ".join(skips))
        return "; ".join(remarks)

    return Check(check.name, f"Around a cell: {check.meaning}", run)


#: All checks of wrappers, in the order in which they run: its own, then those of cells but for the one of speed.
WRAPPER_CHECKS: tuple[Check[WrapperSubject], ...] = (
    *(
        check_named(function.__name__, function)
        for function in (
            returns_a_cell, leaves_the_cell_as_it_is, state_of_the_cell_comes_first, fits_with_other_wrappers,
        )
    ),
    *(_around(check) for check in CELL_CHECKS if check.name != "speed_is_graded"),
)  # fmt: skip


def check_wrapper(
    wrapper: Callable[..., Cell],
    *,
    wrapper_params: Mapping[str, Any] | None = None,
    include: Collection[str] | None = None,
    exclude: Collection[str] = (),
    expected_failed: Mapping[str, str] | None = None,
    raise_exceptions: bool = True,
) -> CheckReport:
    """Check that a wrapper makes cells that conform to the protocol, around a cell with one state tensor and one with two.

    Parameters
    ----------
    wrapper : callable (cell, …) -> Cell
        The class of the wrapper, or a function.
    wrapper_params : dict, optional
        Further arguments.
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
    >>> from seqpipe.recurrence.wrappers import Projection
    >>> from seqpipe.testing import check_wrapper
    >>> check_wrapper(Projection, wrapper_params={"size": 2}, exclude=["engines_agree", "estimators_fit_it"]).passed
    True
    """
    checks = selected(WRAPPER_CHECKS, include, exclude, owner="check_wrapper")
    subject = WrapperSubject(wrapper, dict(wrapper_params or {}))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        report = run_checks(checks, subject, subject.name, expected_failed)
    if raise_exceptions:
        report.raise_if_failed()
    return report
