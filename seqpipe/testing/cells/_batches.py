"""Checks that a sequence gives the same result in any batch, with any padding, whole or in chunks."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from seqpipe.recurrence import Recurrent
from seqpipe.testing._report import Failure, Skip
from seqpipe.testing.cells._subject import CellSubject, Run, differ

__all__ = ["BATCHES"]

_LENGTHS = [7, 2, 1, 5]


def rows_are_independent(subject: CellSubject, layers: Recurrent) -> None:
    """A sequence gives the same result alone as in a batch."""
    x, together = _batch(subject, layers)
    for i, length in enumerate(_LENGTHS):
        alone = subject.run(layers, x[i : i + 1, :length])
        found = together.rows(slice(i, i + 1))
        if differ(alone, Run(found.outputs[:, :length], found.state)) > 1:
            raise Failure(
                f"Row {i}, of {length} steps, gives another result in a batch of {len(x)} than alone: a step must not mix "
                "rows, as a mean over dim 0 or batch normalization does, nor steps in project()."
            )


def order_of_rows_does_not_matter(subject: CellSubject, layers: Recurrent) -> None:
    """Permuted rows give permuted results."""
    x, lengths = subject.inputs(4, 7), torch.tensor(_LENGTHS)
    order = torch.tensor([2, 0, 3, 1])
    found = subject.run(layers, x[order], lengths[order])
    if differ(found, subject.run(layers, x, lengths).rows(order)) > 1:
        raise Failure("Permuted rows give other results: a step must not use the position of a row.")


def padding_does_not_matter(subject: CellSubject, layers: Recurrent) -> None:
    """More padding, of any values, leaves outputs and state unchanged."""
    x, short = _batch(subject, layers)
    for what, filler in (("ones", 1.0), ("NaN", torch.nan)):
        longer = torch.cat([x, torch.full_like(x[:, :3], filler)], dim=1)
        past = torch.arange(10) >= torch.tensor(_LENGTHS)[:, None]
        found = subject.run(layers, longer.masked_fill(past[:, :, None], filler), torch.tensor(_LENGTHS))
        if differ(Run(found.outputs[:, :7], found.state), short) > 1:
            raise Failure(f"Padding of {what} changes the result: project() must not mix the steps of a sequence.")


def later_steps_do_not_matter(subject: CellSubject, layers: Recurrent) -> None:
    """An output does not depend on later steps."""
    x = subject.inputs(2, 6)
    changed = x.clone()
    changed[:, 3:] = 1 - 2 * changed[:, 3:]
    one, other = (subject.run(layers, each).outputs[:, :3] for each in (x, changed))
    if differ(Run(one, one[None, :, 0]), Run(other, other[None, :, 0])) > 0:
        raise Failure("Outputs at steps 0 to 2 depend on step 3 or later: project() must map each step by itself.")


def chunks_equal_the_whole(subject: CellSubject, layers: Recurrent) -> None:
    """A sequence run in chunks, with the state carried on, gives the result of the whole: the state holds all."""
    x = subject.inputs(3, 5)
    whole = subject.run(layers, x)
    first = subject.run(layers, x[:, :2])
    second = subject.run(layers, x[:, 2:], state=first.state)
    if differ(Run(torch.cat([first.outputs, second.outputs], dim=1), second.state), whole) > 1:
        raise Failure(
            "Steps 0 to 1, then 2 to 4 from the state after them, give other results than all five: put everything that "
            "later steps need into the state, and do not count steps elsewhere."
        )


def _batch(subject: CellSubject, layers: Recurrent) -> tuple[Tensor, Run]:
    x = subject.inputs(4, 7)
    return x, subject.run(layers, x, torch.tensor(_LENGTHS))


def _in_use(check: Callable[[CellSubject, Recurrent], None]) -> Callable[[CellSubject], None]:
    def run(subject: CellSubject) -> None:
        check(subject, subject.layers())

    run.__name__, run.__doc__ = check.__name__, check.__doc__
    return run


def _in_training(check: Callable[[CellSubject, Recurrent], None]) -> Callable[[CellSubject], None]:
    def run(subject: CellSubject) -> None:
        if subject.draws_in_training:
            raise Skip("it draws random numbers in training, and other ones for other batches")
        check(subject, subject.layers(training=True))

    run.__name__, run.__doc__ = f"{check.__name__}_in_training", f"In training too: {check.__doc__}"
    return run


def stacked_layers_run(subject: CellSubject) -> None:
    """It runs in two layers and in both directions, each like single layers that read one another."""
    x, lengths = subject.inputs(3, 4), torch.tensor([4, 1, 3])
    for settings in ({"num_layers": 2}, {"bidirectional": True}, {"num_layers": 2, "bidirectional": True}):
        try:
            subject.run(subject.layers(**settings), x, lengths)
        except Exception as error:
            said = ", ".join(f"{k}={v}" for k, v in settings.items())
            raise Failure(f"With {said} it fails: {type(error).__name__}: {error}") from error


def states_may_be_learned(subject: CellSubject) -> None:
    """It starts from a learned initial state, which gets a gradient."""
    layers = subject.layers(initial_state="learned")
    learned = list(layers.learned_states.parameters())
    if not learned:
        raise Skip("its state has no floating-point tensor")
    outputs, _ = layers(subject.inputs(2, 3))
    outputs.square().sum().backward()
    if all(p.grad is None or not p.grad.any() for p in learned):
        raise Failure("The initial state has no effect on the outputs: let step() read the state that it is given.")


_INVARIANTS = (
    rows_are_independent,
    order_of_rows_does_not_matter,
    padding_does_not_matter,
    later_steps_do_not_matter,
    chunks_equal_the_whole,
)
BATCHES = (
    *map(_in_use, _INVARIANTS),
    *map(_in_training, _INVARIANTS),
    stacked_layers_run,
    states_may_be_learned,
)
