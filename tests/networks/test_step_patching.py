"""A network of patches with an output per time step: equal to a plain loop, and free of padding, batch and later patches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seqpipe.cells import GRUCell, LSTMCell
from seqpipe.networks import Patching, StepNetwork, join_members
from seqpipe.recurrence import Recurrent

patches = st.integers(2, 5).flatmap(lambda length: st.tuples(st.just(length), st.integers(1, length)))
ragged = st.lists(st.integers(1, 14), min_size=1, max_size=4)


def make(patch: tuple[int, int], *, cell: Any = GRUCell, seed: int = 0, **layers: Any) -> StepNetwork:
    torch.manual_seed(seed)
    network = StepNetwork(
        3,
        2,
        recurrent=lambda size: Recurrent(cell(size, 4).double(), **layers),
        patch_length=patch[0],
        patch_stride=patch[1],
        dtype=torch.float64,
    )
    network.input.set(torch.tensor([1.0, 0.0, -1.0]), torch.tensor([2.0, 1.0, 0.5]))
    return network


def padded(lengths: list[int], extra: int = 0) -> Tensor:
    """Return random steps of sequences, with NaN after their ends."""
    torch.manual_seed(sum(lengths))
    x = torch.randn(len(lengths), max(lengths) + extra, 3, dtype=torch.float64)
    for row, length in enumerate(lengths):
        x[row, length:] = torch.nan
    return x


def plain(network: StepNetwork, steps: Tensor, length: int, stride: int) -> Tensor:
    """Return the outputs (n_timesteps, n_outputs) of one sequence (n_timesteps, 3), patch by patch and entry by entry."""
    scaled = (steps - torch.tensor([1.0, 0.0, -1.0])) / torch.tensor([2.0, 1.0, 0.5])
    cell, found = network.recurrent.cells[0], []
    state = cell.initial_state(1)
    for end in range(stride, len(steps) + stride, stride):
        taken = [scaled[t] if 0 <= t < len(steps) else torch.zeros(3).double() for t in range(end - length, end)]
        patch = torch.stack([step[feature] for feature in range(3) for step in taken])
        output, state = cell.step(cell.project(patch[None, None])[:, 0], state)
        outputs = network.head.weight @ output[0] + network.head.bias
        found += [outputs[2 * k : 2 * k + 2] for k in range(stride) if end - stride + k < len(steps)]
    return torch.stack(found)


@given(patch=patches, lengths=ragged, extra=st.integers(0, 3), cell=st.sampled_from([GRUCell, LSTMCell]))
@settings(deadline=None, max_examples=30)
def test_the_outputs_are_those_of_a_plain_loop_over_patches_and_zero_after_the_end(
    patch: tuple[int, int], lengths: list[int], extra: int, cell: Any
) -> None:
    network, x = make(patch, cell=cell), padded(lengths, extra)
    outputs = network(x, torch.tensor(lengths))
    assert outputs.shape == (*x.shape[:2], 2)
    for row, length in enumerate(lengths):
        expected = plain(network, x[row, :length], *patch)
        torch.testing.assert_close(outputs[row, :length], expected, rtol=0, atol=1e-12)
        assert torch.equal(outputs[row, length:], torch.zeros_like(outputs[row, length:]))


@given(patch=patches, lengths=ragged, extra=st.integers(0, 3), num_layers=st.integers(1, 2))
@settings(deadline=None, max_examples=15)
def test_a_sequence_has_the_same_outputs_alone_and_in_a_batch_in_both_directions(
    patch: tuple[int, int], lengths: list[int], extra: int, num_layers: int
) -> None:
    network, x = make(patch, bidirectional=True, num_layers=num_layers), padded(lengths, extra)
    together = network(x, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        torch.testing.assert_close(network(x[row : row + 1, :length])[0], together[row, :length], rtol=0, atol=1e-12)


@given(patch=patches, lengths=ragged)
@settings(deadline=None, max_examples=15)
def test_padding_gets_no_gradient_and_gives_none(patch: tuple[int, int], lengths: list[int]) -> None:
    network, x = make(patch), padded(lengths, extra=1).requires_grad_()
    valid = torch.arange(x.shape[1]) < torch.tensor(lengths)[:, None]
    network(x, torch.tensor(lengths))[valid].sum().backward()
    assert torch.isfinite(x.grad[valid]).all()
    assert not x.grad[~valid].any()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


@given(patch=patches, n_timesteps=st.integers(1, 12), data=st.data())
@settings(deadline=None, max_examples=30)
def test_an_output_depends_on_all_steps_to_the_end_of_its_patch_and_on_none_later(
    patch: tuple[int, int], n_timesteps: int, data: Any
) -> None:
    t = data.draw(st.integers(0, n_timesteps - 1))
    x = padded([n_timesteps]).requires_grad_()
    make(patch)(x)[0, t].sum().backward()
    end = (t // patch[1] + 1) * patch[1]
    assert end - 1 - t <= patch[1] - 1
    assert (x.grad[0, :end] != 0).all()
    assert (x.grad[0, end:] == 0).all()


@given(patch=patches, whole=st.integers(1, 12), data=st.data())
@settings(deadline=None, max_examples=15)
def test_whole_patches_continue_from_the_state_before(patch: tuple[int, int], whole: int, data: Any) -> None:
    cut = data.draw(st.integers(1, whole)) * patch[1]
    network, x = make(patch), padded([whole * patch[1] + 2])
    first, state = network.advance(x[:, :cut], None, None)
    second, _ = network.advance(x[:, cut:], None, state)
    torch.testing.assert_close(torch.cat([first, second], dim=1), network(x), rtol=0, atol=1e-12)


def test_a_row_that_has_ended_keeps_its_state() -> None:
    network, x = make((4, 2)), padded([6, 2])
    _, state = network.advance(x[:, :2], torch.tensor([2, 2]), None)
    _, later = network.advance(x[:, 2:], torch.tensor([4, 0]), state)
    assert torch.equal(later.recurrent[:, 1], state.recurrent[:, 1])
    assert not torch.equal(later.recurrent[:, 0], state.recurrent[:, 0])


@pytest.mark.parametrize("patch", [(4, 2), (3, 3), (3, 1)])
def test_joined_networks_give_the_outputs_of_each(patch: tuple[int, int]) -> None:
    networks = [make(patch, seed=seed) for seed in range(3)]
    lengths = [5, 1, 9]
    x, rows = padded(lengths), torch.tensor(lengths)
    together = join_members(networks)(x.repeat(3, 1, 1), rows.repeat(3))
    alone = torch.cat([network(x, rows) for network in networks])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-12)


@given(patch=patches, n_timesteps=st.integers(1, 20))
@settings(deadline=None)
def test_the_first_and_last_patches_of_a_step_are_those_that_contain_it(
    patch: tuple[int, int], n_timesteps: int
) -> None:
    length, stride = patch
    patching = Patching(1, length, stride, lead=length - stride)
    steps = torch.arange(n_timesteps)
    containing = [
        [k for k in range(40) if (k + 1) * stride - length <= t < (k + 1) * stride] for t in range(n_timesteps)
    ]
    assert patching.patch_of(steps).tolist() == [found[0] for found in containing]
    assert patching.last_patch_of(steps).tolist() == [found[-1] for found in containing]
    assert int(patching.n_patches(torch.tensor(n_timesteps))) == -(-n_timesteps // stride)
