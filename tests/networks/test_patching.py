"""Patches contain the steps that they should, zeros after the end, and nothing of the padding."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from seqpipe.builtins import seqpipe_poolings
from seqpipe.cells import GRUCell
from seqpipe.networks import Patching, SequenceNetwork
from seqpipe.recurrence import Recurrent

sizes = st.integers(1, 6).flatmap(lambda length: st.tuples(st.just(length), st.integers(1, length)))


@given(patch=sizes, lengths=st.lists(st.integers(1, 20), min_size=1, max_size=4), extra=st.integers(0, 3))
@settings(deadline=None)
def test_a_patch_joins_the_steps_from_its_start_and_zeros_after_the_end(
    patch: tuple[int, int], lengths: list[int], extra: int
) -> None:
    length, stride = patch
    n_timesteps = max(lengths) + extra
    x = torch.randn(len(lengths), n_timesteps, 2)
    patches, n_patches = Patching(2, length, stride)(x, torch.tensor(lengths))
    assert n_patches is not None
    for row, n_steps, count in zip(range(len(lengths)), lengths, n_patches.tolist()):
        assert count == math.ceil(max(n_steps - length, 0) / stride) + 1
        for k in range(count):
            expected = torch.zeros(length, 2)
            known = x[row, k * stride : min(k * stride + length, n_steps)]
            expected[: len(known)] = known
            assert torch.equal(patches[row, k].view(2, length).T, expected)


@given(patch=sizes, n_timesteps=st.integers(1, 20))
@settings(deadline=None)
def test_every_step_is_known_after_the_first_patch_that_contains_it(patch: tuple[int, int], n_timesteps: int) -> None:
    length, stride = patch
    patching = Patching(1, length, stride)
    known = patching.patch_of(torch.arange(n_timesteps)).tolist()
    assert known == [next(k for k in range(n_timesteps) if k * stride + length > t) for t in range(n_timesteps)]
    assert known[-1] == int(patching.n_patches(torch.tensor(n_timesteps))) - 1


@pytest.mark.parametrize("pooling", [spec.name for spec in seqpipe_poolings()])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("patch", [(4, 2), (3, 3), (16, 8)])
def test_a_network_of_patches_gives_a_sequence_the_same_outputs_alone_and_in_a_batch(
    pooling: str, bidirectional: bool, patch: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    network = SequenceNetwork(
        3,
        2,
        recurrent=lambda size: Recurrent(GRUCell(size, 5).double(), bidirectional=bidirectional),
        patch_length=patch[0],
        patch_stride=patch[1],
        pooling=pooling,
        dtype=torch.float64,
    ).eval()
    lengths = torch.tensor([1, 4, 7, 20])
    x = torch.randn(4, 23, 3).double()
    network.input.set(torch.ones(3), torch.full((3,), 2.0))
    x[0, 1:] = torch.nan
    together = network(x, lengths)
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(network(x[row : row + 1, :length])[0], together[row], rtol=0, atol=1e-14)
