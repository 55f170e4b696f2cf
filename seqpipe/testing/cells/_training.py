"""Checks that gradients are correct and complete, also if activations are recomputed, and that numbers stay finite."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor

from seqpipe.builtins import seqpipe_wrappers
from seqpipe.recurrence import Recurrent, state_tensors
from seqpipe.recurrence.wrappers import wrap
from seqpipe.testing._report import Failure, Skip
from seqpipe.testing.cells._subject import CellSubject, furthest, seeded

__all__ = ["TRAINING"]

#: Parameters of wrappers that have no default.
_REQUIRED: dict[str, dict[str, Any]] = {"projection": {"size": 4}}


def gradients_reach_earlier_steps(subject: CellSubject) -> None:
    """The last output depends on earlier steps, through the state."""
    cell, x = subject.cell(), subject.inputs(16, 4).requires_grad_()
    projected = cell.project(x)
    if not projected.requires_grad:
        raise Failure("project() cuts the gradient: do not detach x, leave torch, or run under no_grad().")
    state = cell.initial_state(16)
    for t in range(4):
        output, state = cell.step(projected[:, t], state)
        _check_attached(t, output, state)
    if not any(_depends(output, x, t) for t in range(4)):
        raise Failure("The output does not depend on any input: let step() read x_t.")
    if not any(_depends(output, x, t) for t in range(3)):
        raise Failure(
            "The output at step 3 does not depend on steps 0 to 2: the state forgets everything, or a part of it is detached or "
            "returned as it was given. Return the new state, h and not h.detach()."
        )


def _check_attached(t: int, output: Tensor, state: object) -> None:
    if not output.requires_grad:
        raise Failure(
            f"The output at step {t} has no gradient: return it without detach(), .data, .numpy() or no_grad()."
        )
    real = [s for s in state_tensors(state) if s.is_floating_point() or s.is_complex()]
    if real and not any(s.requires_grad for s in real):
        raise Failure(f"The state after step {t} has no gradient: return h, not h.detach(), .data or a new tensor.")


def _depends(output: Tensor, x: Tensor, t: int) -> bool:
    (gradient,) = torch.autograd.grad(output.square().sum(), x, retain_graph=True, allow_unused=True)
    return gradient is not None and bool(gradient[:, t].any())


def every_parameter_learns(subject: CellSubject) -> None:
    """Every parameter has a gradient that is not zero."""
    layers = subject.layers()
    trained = {name: p for name, p in layers.named_parameters() if p.requires_grad}
    if not trained:
        raise Skip("it has no parameters to train")
    _loss(layers, subject.inputs(5, 6)).backward()
    dead = [name.removeprefix("cells.0.") for name, p in trained.items() if p.grad is None or not p.grad.any()]
    if dead:
        raise Failure(
            f"The outputs do not depend on {', '.join(dead)}: use them in the step, remove them, or set requires_grad=False."
        )


def gradients_are_right(subject: CellSubject) -> None:
    """In float64 the gradients of outputs and states equal finite differences."""
    layers, x = subject.layers(), subject.inputs(2, 3)
    names = [name for name, p in layers.named_parameters() if p.requires_grad]
    weights = [dict(layers.named_parameters())[name].detach().clone().requires_grad_() for name in names]

    def run(x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        outputs, state = torch.func.functional_call(layers, dict(zip(names, weights)), (x,))
        real = [torch.view_as_real(s) if s.is_complex() else s for s in state_tensors(state)]
        return outputs, *(s for s in real if s.requires_grad)

    try:
        torch.autograd.gradcheck(run, (x.clone().requires_grad_(), *weights), fast_mode=True)
    except RuntimeError as error:
        which = str(error).split("\n")[0]
        raise Failure(
            f"The gradients differ from finite differences: {which} A custom backward() may be wrong, or the step leaves "
            "torch or detaches a tensor."
        ) from error


def gradients_in_single_precision(subject: CellSubject) -> None:
    """In float32 the gradients are those of float64 to three digits."""
    found = []
    for dtype in (torch.float32, torch.float64):
        layers = subject.layers(dtype)
        x = subject.inputs(3, 5, dtype).requires_grad_()
        trained = [p for p in layers.parameters() if p.requires_grad]
        found.append(torch.autograd.grad(_loss(layers, x), [x, *trained], allow_unused=True))
    for one, other in zip(*found):
        if one is None or other is None:
            continue
        scale = float(other.abs().max()) or 1.0
        if float((one.double() - other).abs().max()) > 1e-3 * scale:
            raise Failure("A gradient in float32 differs from that in float64 by more than 0.1 %: a step loses digits.")


def activations_may_be_recomputed(subject: CellSubject) -> None:
    """With memory="recompute" outputs and gradients stay the same."""
    results = []
    for memory in ("keep", "recompute"):
        layers = subject.layers(training=not subject.draws_in_training, memory=memory)
        x = subject.inputs(2, 6).requires_grad_()
        with seeded(0):
            outputs, _ = layers(x)
            trained = [p for p in layers.parameters() if p.requires_grad]
            grads = torch.autograd.grad(outputs.square().sum(), [x, *trained], allow_unused=True)
        results.append([outputs, *(g for g in grads if g is not None)])
    if len(results[0]) != len(results[1]) or any(furthest(a, b) > 1 for a, b in zip(*results)):
        raise Failure('memory="recompute" gives another result: a step must not depend on anything but its arguments.')


def wrappers_fit(subject: CellSubject) -> None:
    """It runs and has finite gradients in every wrapper."""
    for name in sorted(spec.name for spec in seqpipe_wrappers()):
        try:
            cell = wrap(subject.cell(torch.float32), [{name: _REQUIRED.get(name, {})}])
            loss = _loss(Recurrent(cell.double(), engine="loop"), subject.inputs(2, 3))
            if loss.requires_grad:
                loss.backward()
        except Exception as error:
            raise Failure(f"In the wrapper {name!r} it fails: {type(error).__name__}: {error}") from error
        if not all(p.grad is None or bool(p.grad.isfinite().all()) for p in cell.parameters()):
            raise Failure(f"In the wrapper {name!r} a gradient is not finite.")


def large_and_small_inputs_stay_finite(subject: CellSubject) -> None:
    """In float32 inputs of 1e4 and 1e-20 give finite outputs, states and gradients."""
    for scale in (1e4, -1e4, 1e-20):
        layers = subject.layers(torch.float32)
        x = torch.full((2, 5, subject.input_size), scale).requires_grad_()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            outputs, state = layers(x)
        for what, tensor in (("output", outputs), *((f"state {i}", s) for i, s in enumerate(state_tensors(state)))):
            if not bool(tensor.isfinite().all()):
                raise Failure(
                    f"For inputs of {scale:g} the {what} is not finite: subtract the maximum before exp(), and use "
                    "torch.sigmoid, softmax and logsumexp."
                )
        (gradient,) = torch.autograd.grad(outputs.sum(), x, allow_unused=True)
        if gradient is not None and not bool(gradient.isfinite().all()):
            raise Failure(
                f"For inputs of {scale:g} the gradient is not finite: 0 * inf in a backward pass, as of sqrt at 0."
            )


def _loss(layers: Recurrent, x: Tensor) -> Tensor:
    outputs, state = layers(x)
    real = [s.abs() if s.is_complex() else s for s in state_tensors(state) if s.requires_grad]
    weights = torch.linspace(0.5, 1.5, outputs.numel(), dtype=outputs.dtype).view(outputs.shape)
    loss: Tensor = (outputs * weights).square().sum() + outputs.sum() + sum(s.sum() for s in real)
    return loss


TRAINING = (
    gradients_reach_earlier_steps,
    every_parameter_learns,
    gradients_are_right,
    gradients_in_single_precision,
    activations_may_be_recomputed,
    wrappers_fit,
    large_and_small_inputs_stay_finite,
)
