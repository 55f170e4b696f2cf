"""One epoch over sequences of unequal length: seqpipe's batches against packed random batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from _claims import Options
from _measure import threads
from _rows import Row, timed_row
from _sides import engines_of, forced
from cells import log_normal_lengths
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_sequence

from seqpipe import Recurrent, Sequences
from seqpipe.training import Batches, Samples

__all__ = ["ragged_claim"]

_REQUIRED: dict[str, tuple[type[nn.GRU] | type[nn.LSTM], float]] = {"gru": (nn.GRU, 12.0), "lstm": (nn.LSTM, 10.0)}
_BATCH = 32


def ragged_claim(options: Options) -> Iterator[Row]:
    """Measure an epoch without optimizer: outputs at the last valid steps of each batch, and gradients."""
    lengths = log_normal_lengths(70, 9) if options.tiny else log_normal_lengths(2000)
    n_features, hidden = (3, 4) if options.tiny else (16, 64)
    rng = np.random.default_rng(1)
    arrays = [rng.normal(size=(n, n_features)).astype(np.float32) for n in lengths]
    for kind, (module, required) in _REQUIRED.items():
        torch.manual_seed(0)
        yield _row(kind, module(n_features, hidden, batch_first=True), arrays, required, options)


def _row(kind: str, module: nn.GRU | nn.LSTM, arrays: list[np.ndarray], required: float, options: Options) -> Row:
    recurrent, head = Recurrent.from_torch(module), nn.Linear(module.hidden_size, 1)

    def epochs(arrays: list[np.ndarray]) -> dict[str, Epoch]:
        return {
            "ours": _our_epoch(recurrent, head, arrays, options.engine),
            "theirs": _packed_epoch(module, head, arrays),
        }

    keys: dict[str, Any] = {
        "family": "ragged",
        "claim": f"{kind}, ragged epoch, against packed random batches",
        "where": "2000 sequences, 2 threads",
        "required": required,
    }
    with threads(2):
        # A single batch, so that the order does not matter.
        gradients = [_gradient(epoch, head) for epoch in epochs(arrays[:_BATCH]).values()]
        error = ((gradients[0] - gradients[1]).norm() / gradients[1].norm()).item()
        if not error <= 1e-4:
            return Row(**keys, note=f"not measured: the head's gradients differ by {error:.1e} of their norm")
        timing = options.time(epochs(arrays))
    return timed_row(timing, "ours", "theirs", **keys, note=f"engine {engines_of(recurrent, options.engine)}")


#: Function that processes all sequences once.
Epoch = Callable[[], None]


def _gradient(epoch: Epoch, head: nn.Linear) -> Tensor:
    head.zero_grad(set_to_none=True)
    epoch()
    assert head.weight.grad is not None
    return head.weight.grad.clone()


def _our_epoch(recurrent: Recurrent, head: nn.Linear, arrays: list[np.ndarray], engine: str) -> Epoch:
    samples = Samples(Sequences.from_arrays(arrays))

    def epoch() -> None:
        for inputs, _ in Batches(samples, _BATCH, torch.device("cpu"), np.random.default_rng(0)):
            with forced(engine):
                _, state = recurrent(inputs["x"], inputs.get("lengths"))
            _backward(state, head)

    return epoch


def _packed_epoch(module: nn.GRU | nn.LSTM, head: nn.Linear, arrays: list[np.ndarray]) -> Epoch:
    sequences = [torch.from_numpy(array) for array in arrays]
    lengths = torch.tensor([len(sequence) for sequence in sequences])

    def epoch() -> None:
        for indices in torch.randperm(len(sequences)).split(_BATCH):
            x = pad_sequence([sequences[i] for i in indices.tolist()], batch_first=True)
            packed = pack_padded_sequence(x, lengths[indices], batch_first=True, enforce_sorted=False)
            _backward(module(packed)[1], head)

    return epoch


def _backward(state: Tensor | tuple[Tensor, Tensor], head: nn.Linear) -> None:
    h = state[0] if isinstance(state, tuple) else state
    head(h[-1]).square().mean().backward()
