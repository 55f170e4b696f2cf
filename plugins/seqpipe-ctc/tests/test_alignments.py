"""The loss against the sum over all alignments, and decoding against enumeration and cases by hand."""

from itertools import product

import numpy as np
import pytest
import torch
from seqpipe_ctc import CTCStepLoss, best_path, prefix_beam_search
from seqpipe_ctc._decoding import collapsed
from seqpipe_ctc._loss import target_rows


def log_y(n_timesteps: int, n_outputs: int, seed: int = 0) -> np.ndarray:
    return torch.randn(n_timesteps, n_outputs, generator=torch.Generator().manual_seed(seed)).log_softmax(1).numpy()


def log_p(labels: tuple[int, ...], y: np.ndarray) -> float:
    """Return the log-probability of labels, summed over all paths."""
    paths = (np.array(path) for path in product(range(y.shape[1]), repeat=len(y)))
    return float(np.logaddexp.reduce([y[range(len(y)), p].sum() for p in paths if collapsed(p) == labels]))


def test_the_loss_is_the_sum_over_all_alignments() -> None:
    outputs = [log_y(4, 3, seed=0), log_y(5, 3, seed=1), log_y(3, 3, seed=2)]
    labels = [(1, 1), (2, 1, 2), ()]
    targets = np.concatenate([target_rows(codes, len(y), 3) for codes, y in zip(labels, outputs)])
    found = CTCStepLoss()(torch.tensor(np.concatenate(outputs)), torch.tensor(targets))
    expected = [-log_p(codes, y) / len(y) for codes, y in zip(labels, outputs)]
    np.testing.assert_allclose(found.numpy(), np.repeat(expected, [4, 5, 3]), rtol=1e-5)


def test_the_gradient_of_the_loss_is_that_of_the_sum_over_all_alignments() -> None:
    z = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor(target_rows((2, 1), 4, 3))
    assert torch.autograd.gradcheck(lambda z: CTCStepLoss()(z, targets), z)


def certain(path: list[int]) -> np.ndarray:
    return np.log(np.eye(3)[path] * 0.98 + 0.01)


@pytest.mark.parametrize(
    ("path", "labels"),
    [
        ([0, 1, 1, 0, 2], (1, 2)),
        ([1, 1, 1], (1,)),
        ([1, 0, 1], (1, 1)),
        ([2, 1, 2], (2, 1, 2)),
        ([0, 0], ()),
        ([1], (1,)),
    ],
)
def test_the_best_path_joins_repeated_labels_and_removes_blanks(path: list[int], labels: tuple[int, ...]) -> None:
    assert best_path(certain(path)) == labels
    assert prefix_beam_search(certain(path), beam_size=3) == labels


@pytest.mark.parametrize("seed", range(5))
def test_a_beam_of_all_prefixes_finds_the_most_probable_labels(seed: int) -> None:
    y = log_y(5, 3, seed)
    every = [codes for n in range(6) for codes in product((1, 2), repeat=n)]
    assert prefix_beam_search(y, beam_size=len(every)) == max(every, key=lambda codes: log_p(codes, y))


def test_the_beam_search_finds_labels_that_are_not_those_of_the_best_path() -> None:
    y = np.log([[0.6, 0.4], [0.6, 0.4]])  # the path of two blanks has 0.36, the paths of one label 0.64
    assert best_path(y) == ()
    assert prefix_beam_search(y, beam_size=2) == (1,)
