"""Invariants of every cell run over time."""

from __future__ import annotations

import torch
from torch import Tensor

from seqpipe.cells import State
from seqpipe.recurrence import Recurrent

__all__ = [
    "check_alone_equals_batched",
    "check_causality",
    "check_chunks",
    "check_nan_in_padding",
    "check_padding",
    "check_permutation",
]

#: Tolerance for sums of the same numbers in a different order, relative to values near 1.
TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-14}


def check_padding(recurrent: Recurrent, x: Tensor, lengths: Tensor, extra: int) -> None:
    """Check that ``extra`` additional steps of padding leave outputs and state bitwise unchanged.

    Parameters
    ----------
    recurrent : Recurrent
        In evaluation mode.
    x : tensor of shape (batch, n_timesteps, input_size)
    lengths : tensor of int, shape (batch,)
    extra : int
        Number of steps to add.

    Raises
    ------
    AssertionError
        If outputs or state change, or outputs in the padding are not zero.
    """
    longer = torch.cat([x, torch.ones_like(x[:, :1]).expand(-1, extra, -1)], dim=1)
    outputs, state = _run(recurrent, x, lengths)
    padded, padded_state = _run(recurrent, longer, lengths)
    assert torch.equal(padded[:, : x.shape[1]], outputs), "additional padding changes the outputs"
    past_the_end = torch.arange(longer.shape[1]) >= lengths[:, None]
    assert not padded[past_the_end].any(), "outputs after a sequence's end are not zero"
    for a, b in zip(_tensors(padded_state), _tensors(state)):
        assert torch.equal(a, b), "additional padding changes the state"


def check_nan_in_padding(recurrent: Recurrent, x: Tensor, lengths: Tensor) -> None:
    """Check that NaN in the padding leaves outputs and state bitwise unchanged, and gradients finite."""
    padding = torch.arange(x.shape[1]) >= lengths[:, None]
    spoilt = x.masked_fill(padding[:, :, None], torch.nan)
    outputs, state = _run(recurrent, x.masked_fill(padding[:, :, None], 0), lengths)
    with_nan, with_nan_state = _run(recurrent, spoilt, lengths)
    assert torch.equal(with_nan, outputs), "NaN in the padding changes the outputs"
    for a, b in zip(_tensors(with_nan_state), _tensors(state)):
        assert torch.equal(a, b), "NaN in the padding changes the state"
    recurrent.zero_grad()
    recurrent(spoilt, lengths)[0].sum().backward()
    for name, parameter in recurrent.named_parameters():
        finite = parameter.grad is None or bool(torch.isfinite(parameter.grad).all())
        assert finite, f"NaN in the padding reaches the gradient of {name}"
    recurrent.zero_grad()


def check_permutation(recurrent: Recurrent, x: Tensor, lengths: Tensor, order: Tensor) -> None:
    """Check that permuting a batch permutes the outputs and the state."""
    outputs, state = _run(recurrent, x, lengths)
    permuted, permuted_state = _run(recurrent, x[order], lengths[order])
    _assert_close("outputs of the permuted batch", permuted, outputs[order])
    for a, b in zip(_tensors(permuted_state), _tensors(state)):
        _assert_close("the state of the permuted batch", a, b[:, order])


def check_causality(recurrent: Recurrent, x: Tensor, t: int) -> None:
    """Check that outputs up to step ``t`` of a unidirectional network are bitwise independent of later steps."""
    changed = x.clone()
    changed[:, t + 1 :] = 1 - 2 * changed[:, t + 1 :]
    before, after = _run(recurrent, x)[0], _run(recurrent, changed)[0]
    assert torch.equal(before[:, : t + 1], after[:, : t + 1]), f"outputs up to step {t} depend on later steps"


def check_chunks(recurrent: Recurrent, x: Tensor, t: int) -> None:
    """Check that running the first ``t`` steps, then the others from the resulting state, equals a single run."""
    outputs, state = _run(recurrent, x)
    first, between = _run(recurrent, x[:, :t])
    second, last = _run(recurrent, x[:, t:], state=between)
    _assert_close("outputs in two chunks", torch.cat([first, second], dim=1), outputs)
    _assert_states_close("the state after two chunks", last, state)


def check_alone_equals_batched(recurrent: Recurrent, x: Tensor, lengths: Tensor) -> None:
    """Check that each sequence gives the same result alone as in the batch."""
    outputs, state = _run(recurrent, x, lengths)
    for i, length in enumerate(lengths.tolist()):
        alone, alone_state = _run(recurrent, x[i : i + 1, :length])
        _assert_close(f"outputs of sequence {i} alone", alone[0], outputs[i, :length])
        for a, b in zip(_tensors(alone_state), _tensors(state)):
            _assert_close(f"the state of sequence {i} alone", a[:, 0], b[:, i])


def _run(
    recurrent: Recurrent, x: Tensor, lengths: Tensor | None = None, state: State | None = None
) -> tuple[Tensor, State]:
    with torch.no_grad():
        return recurrent(x, lengths, state)


def _tensors(state: State) -> tuple[Tensor, ...]:
    return state if isinstance(state, tuple) else (state,)


def _assert_states_close(what: str, found: State, expected: State) -> None:
    for a, b in zip(_tensors(found), _tensors(expected)):
        _assert_close(what, a, b)


def _assert_close(what: str, found: Tensor, expected: Tensor) -> None:
    difference = float((found - expected).abs().max()) if found.numel() else 0.0
    scale = max(1.0, float(expected.abs().max())) if found.numel() else 1.0
    assert difference <= TOLERANCE[found.dtype] * scale, f"{what} differ by {difference:.2g}"
