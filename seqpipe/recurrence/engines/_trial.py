"""Comparison of an engine with the plain loop, on a small random batch."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from seqpipe.cells import Cell, State
from seqpipe.exceptions import CompilerError
from seqpipe.recurrence._generators import forked_generators
from seqpipe.recurrence._states import map_state, state_tensors
from seqpipe.recurrence._steps import ValidSteps
from seqpipe.recurrence.contents import contents_of, copied, first_states
from seqpipe.recurrence.engines._clock import compiling
from seqpipe.recurrence.engines._loop import LoopEngine

__all__ = ["Run", "draws_random_numbers", "find_fault", "one_line"]

#: Signature of `Engine.run`.
Run = Callable[[Cell, Tensor, ValidSteps | None, State], tuple[Tensor, State]]

_LENGTHS = (4, 1, 3, 0, 4)
#: Fraction of the largest value of all results that is the minimum scale of relative differences: smaller values may
#: be rounding errors around zero.
_ROUNDING = 1e-2
#: A difference up to this multiple of the plain loop's own rounding errors is rounding as well.
_AMPLIFIED = 10


@compiling()
def find_fault(
    run: Run, cell: Cell, *, training: bool, input_grad: bool = True, tried: Cell | None = None
) -> str | None:
    """Return how an engine's results differ from the plain loop's; None if they agree.

    Parameters
    ----------
    run : callable
        Function to compare, with the signature of `Engine.run`.
    cell : Cell
    training : bool
        Whether to compare gradients as well.
    input_grad : bool, default=True
        Whether they include the gradient of x.
    tried : Cell, optional
        Copy of the cell to pass to ``run``; a new one by default.
    """
    contents = contents_of(cell)
    device, dtype = contents.device, contents.dtype
    try:
        with forked_generators(device):
            expected = _all_results(LoopEngine().run, cell, training, input_grad)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # it may work for other batches
        return f"the plain loop fails on a trial batch of {len(_LENGTHS)} ({one_line(error)})"
    try:
        with forked_generators(device):  # again, so that a random initial state is the same
            found = _all_results(run, cell, training, input_grad, tried)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except CompilerError as error:  # its message may include several lines of compiler output
        return str(error)
    except Exception as error:  # a broken engine may raise anything
        return f"it fails ({one_line(error)})"
    if [(t.shape, t.dtype, t.device) for t in found] != [(t.shape, t.dtype, t.device) for t in expected]:
        return "its results differ in shape, dtype or device from the plain loop's"
    scale = max((float(t.abs().max()) for t in expected if t.numel() and _has_rounding(t)), default=0.0)
    least = _ROUNDING * scale if math.isfinite(scale) else 0.0
    bound = 3 * torch.finfo(dtype).eps ** 0.5
    differences = [_difference(a, b, least) for a, b in zip(expected, found)]
    if max(differences) <= bound:
        return None
    rounding = _rounding_of_loop(cell, training, input_grad, expected, least)
    if all(each <= max(bound, _AMPLIFIED * own) for each, own in zip(differences, rounding)):
        return None
    return f"its results differ from the plain loop's by {max(differences):.1e}"


def _rounding_of_loop(
    cell: Cell, training: bool, input_grad: bool, expected: list[Tensor], least: float
) -> list[float]:
    """Return the relative difference of each of the plain loop's results from that in float64; 0 if it is unknown.

    A cell may amplify rounding: the gradient of a normalization of one unit is 0 but for rounding, times 316. Of a cell
    whose results differ from run to run, such as one that reads the time, it is unknown.
    """
    contents = contents_of(cell)
    unknown = [0.0] * len(expected)
    if contents.dtype == torch.float64:
        return unknown
    try:
        with forked_generators(contents.device):
            again = _all_results(LoopEngine().run, cell, training, input_grad)
        with forked_generators(contents.device):
            exact = _all_results(LoopEngine().run, copied(cell).double(), training, input_grad)
    except Exception:  # a step that does not run in float64 is held to the stricter bound
        return unknown
    if [t.shape for t in exact] != [t.shape for t in expected] or not all(map(torch.equal, again, expected)):
        return unknown
    return [_difference(a.to(b.dtype), b, least) for a, b in zip(exact, expected)]


def draws_random_numbers(cell: Cell) -> bool:
    """Return whether the plain loop draws random numbers for a cell."""
    device = contents_of(cell).device
    with forked_generators(device):
        before = _random_state(device)
        _all_results(LoopEngine().run, cell, training=False, input_grad=False)
        return not torch.equal(before, _random_state(device))


def one_line(error: Exception) -> str:
    """Return an error's type and message in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _random_state(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _all_results(run: Run, cell: Cell, training: bool, input_grad: bool, tried: Cell | None = None) -> list[Tensor]:
    """Return outputs and final states of a copy's run and, in training, the gradients of a weighted sum of them."""
    state = first_states(cell, len(_LENGTHS))
    cell = tried or copied(cell)
    contents = contents_of(cell)
    tensors, device, dtype = contents.tensors, contents.device, contents.dtype
    generator = torch.Generator().manual_seed(0)

    def random(like: Tensor) -> Tensor:
        drawn = torch.randn(like.shape, generator=generator, dtype=torch.promote_types(like.dtype, torch.float64))
        return drawn.to(like.device, like.dtype)  # the same numbers in each type

    def perturbed(tensor: Tensor) -> Tensor:
        if not _has_rounding(tensor):  # such as step counters
            return tensor
        return (tensor.detach() + random(tensor) / 10).requires_grad_(training)

    valid = ValidSteps.of(torch.tensor(_LENGTHS), max(_LENGTHS), device)
    with torch.set_grad_enabled(training), torch.autocast(device.type, enabled=False):
        x = torch.empty(len(_LENGTHS), max(_LENGTHS), cell.input_size, dtype=dtype, device=device)
        x = valid.clear(random(x)).requires_grad_(training and input_grad)
        state = map_state(perturbed, state)
        outputs, after = run(cell, x, valid, state)
        results = [outputs, *state_tensors(after)]
        inputs = [t for t in (x, *state_tensors(state), *tensors.values()) if t.requires_grad]
        return [r.detach() for r in results] + (_gradients(results, inputs) if training else [])


def _gradients(results: list[Tensor], inputs: list[Tensor]) -> list[Tensor]:
    live = [r for r in results if r.requires_grad]
    if not live:
        return [torch.zeros_like(i) for i in inputs]
    weights = [torch.linspace(-1, 1, r.numel(), dtype=r.dtype, device=r.device).view(r.shape) for r in live]
    grads = torch.autograd.grad(live, inputs, weights, allow_unused=True)
    return [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, grads)]


def _difference(expected: Tensor, found: Tensor, least: float = 0.0) -> float:
    """Return the largest difference, relative to the largest expected value or to ``least`` if that is larger."""
    if not expected.numel():
        return 0.0
    if not _has_rounding(expected):
        return 0.0 if torch.equal(expected, found) else math.inf
    difference = float((expected - found).abs().max()) / max(float(expected.abs().max()), least, 1e-6)
    return difference if difference == difference else math.inf  # max() of several would ignore NaN


def _has_rounding(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()
