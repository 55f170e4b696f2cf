"""Linear recurrences, in chunks and step by step, compared with their closed-form sum."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqpipe.recurrence.engines import _linear
from seqpipe.recurrence.engines._linear import linear_recurrence

few = settings(max_examples=25, deadline=None)
steps = st.one_of(st.integers(1, 5), st.integers(30, 90))


def draw(batch: int, n_timesteps: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Coefficients of either sign, some of them 0, and a state."""
    generator = torch.Generator().manual_seed(seed)
    a = torch.rand(batch, n_timesteps, width, generator=generator, dtype=torch.float64) * 2.2 - 1.1
    a = a.masked_fill(torch.rand(a.shape, generator=generator) < 0.05, 0)
    b = torch.randn(batch, n_timesteps, width, generator=generator, dtype=torch.float64)
    return a, b, torch.randn(batch, width, generator=generator, dtype=torch.float64)


def as_a_sum(a: Tensor, b: Tensor, h: Tensor) -> Tensor:
    """h_t = Σ_s (Π_{s < r ≤ t} a_r) b_s, with h as b_0: no state is carried."""
    terms = torch.cat([h[:, None], b], dim=1)
    return torch.stack(
        [
            sum((a[:, s:t].prod(dim=1) * terms[:, s] for s in range(t + 1)), torch.zeros_like(h))
            for t in range(1, a.shape[1] + 1)
        ],
        dim=1,
    )


@few
@given(batch=st.integers(1, 3), n_timesteps=steps, width=st.integers(1, 4), seed=st.integers(0, 99))
def test_every_step_is_the_sum_that_it_stands_for(batch: int, n_timesteps: int, width: int, seed: int) -> None:
    a, b, h = draw(batch, n_timesteps, width, seed)
    torch.testing.assert_close(linear_recurrence(a, b, h), as_a_sum(a, b, h), rtol=1e-12, atol=1e-12)


@few
@given(n_timesteps=st.integers(2, 90), width=st.integers(1, 4), backwards=st.booleans())
def test_chunks_give_what_single_steps_give_in_either_direction(n_timesteps: int, width: int, backwards: bool) -> None:
    a, b, h = draw(2, n_timesteps, width)
    expected = _linear._sequential(a, b, h, backwards)
    torch.testing.assert_close(_linear._chunked(a, b, h, backwards), expected, rtol=1e-12, atol=1e-12)
    flipped = _linear._sequential(a.flip(1), b.flip(1), h, not backwards).flip(1)
    assert torch.equal(flipped, expected)


def test_few_long_sequences_run_in_chunks_and_wide_or_short_ones_do_not() -> None:
    assert _linear._use_chunks(torch.empty(1, 16384, 64))
    assert not _linear._use_chunks(torch.empty(1, 10, 64))
    assert not _linear._use_chunks(torch.empty(4096, 100, 1024))


@pytest.mark.parametrize("n_timesteps", [1, 4, 40])
def test_the_gradients_are_those_of_the_outputs_twice_over(n_timesteps: int) -> None:
    inputs = [t.requires_grad_() for t in draw(1, n_timesteps, 2)]
    torch.autograd.gradcheck(linear_recurrence, inputs)
    torch.autograd.gradgradcheck(linear_recurrence, inputs)


def test_the_gradients_are_those_of_plain_steps() -> None:
    inputs = [t.requires_grad_() for t in draw(3, 75, 4)]
    a, b, h = inputs
    outputs = []
    for a_t, b_t in zip(a.unbind(1), b.unbind(1)):
        h = a_t * h + b_t
        outputs.append(h)
    weights = torch.randn_like(b)
    expected = torch.autograd.grad((torch.stack(outputs, dim=1) * weights).sum(), inputs)
    found = torch.autograd.grad((linear_recurrence(*inputs) * weights).sum(), inputs)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_a_chunk_whose_factor_overflows_leaves_a_small_state_as_it_is() -> None:
    a, b = torch.full((1, 200, 1), 1e30), torch.zeros(1, 200, 1)
    assert not linear_recurrence(a, b, torch.zeros(1, 1)).any()


def test_float32_loses_no_digits_over_many_steps() -> None:
    a, b, h = draw(1, 20_000, 3)
    a = a.abs().clamp(max=0.9999)
    found = linear_recurrence(a.float(), b.float(), h.float())
    expected = linear_recurrence(a.float().double(), b.float().double(), h.float().double())
    assert ((found - expected).norm() / expected.norm()).item() < 1e-6


def test_non_contiguous_coefficients_are_read_where_they_stand() -> None:
    a, b, h = draw(5, 40, 3)
    by_time = [t.transpose(0, 1).contiguous().transpose(0, 1) for t in (a, b)]
    constant = a[:, :1].expand(-1, 40, -1)
    assert torch.equal(linear_recurrence(*by_time, h), linear_recurrence(a, b, h))
    assert torch.equal(linear_recurrence(constant, b, h), linear_recurrence(constant.contiguous(), b, h))


@pytest.mark.parametrize("n_timesteps", [3, 40])
def test_complex_states_of_any_shape_are_those_of_plain_steps(n_timesteps: int) -> None:
    generator = torch.Generator().manual_seed(0)
    shape = (2, n_timesteps, 3, 2)
    a, b = (torch.randn(s, generator=generator, dtype=torch.complex128) for s in ((1, 1, 3, 1), shape))
    h = torch.randn(2, 3, 2, generator=generator, dtype=torch.complex128)
    a = a / a.abs()
    found, expected = linear_recurrence(a, b, h), []
    for b_t in b.unbind(1):
        h = a[:, 0] * h + b_t
        expected.append(h)
    torch.testing.assert_close(found, torch.stack(expected, dim=1), rtol=1e-12, atol=1e-12)


def test_the_gradients_of_complex_states_are_those_of_the_outputs_twice_over() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b, h = (
        torch.randn(s, generator=generator, dtype=torch.complex128).requires_grad_()
        for s in ((1, 1, 2), (1, 34, 2), (1, 2))
    )
    torch.autograd.gradcheck(lambda a, b, h: linear_recurrence(a / a.abs(), b, h), (a, b, h))
    torch.autograd.gradgradcheck(lambda a, b, h: linear_recurrence(a / a.abs(), b[:, :3], h), (a, b, h))


def test_real_factors_of_a_complex_state_are_converted_to_its_type() -> None:
    a, b, h = draw(2, 5, 3)
    found = linear_recurrence(a, b, torch.complex(h, h))
    torch.testing.assert_close(found.real, linear_recurrence(a, b, h))


def test_a_batch_of_no_rows_stays_empty() -> None:
    assert linear_recurrence(torch.empty(0, 50, 3), torch.empty(0, 50, 3), torch.empty(0, 3)).shape == (0, 50, 3)
