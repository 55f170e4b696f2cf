"""Mixed precision: bfloat16 in the forward pass of training, float32 everywhere else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from skorch.callbacks import Callback

from seqpipe.cells import GRUCell, LSTMCell, RNNCell
from seqpipe.recurrence import Recurrent
from seqpipe.sequences import Sequences
from seqpipe.training import Samples, check_precision


class Seen(Callback):
    """Keeps the types that a layer gives, and those of what the loss is made from."""

    def __init__(self) -> None:
        self.layer: set[tuple[bool, torch.dtype]] = set()
        self.loss: set[torch.dtype] = set()

    def on_train_begin(self, net: Any, **kwargs: Any) -> None:
        head = net.module_.head
        head.register_forward_hook(lambda module, _, output: self.layer.add((module.training, output.dtype)))

    def on_batch_end(self, net: Any, **kwargs: Any) -> None:
        self.loss |= {kwargs["y_pred"].dtype, kwargs["loss"].dtype}


def single(samples: Samples) -> Samples:
    assert isinstance(samples.X, Sequences)
    return Samples(samples.X.astype("float32"), samples.y.astype("float32"))  # type: ignore[union-attr]


@pytest.mark.parametrize("cell", [GRUCell, LSTMCell, RNNCell])
@pytest.mark.parametrize("engine", ["auto", "fused", "loop"])
def test_only_the_forward_pass_of_training_runs_in_bfloat16(
    make_net: Any, make_samples: Any, monkeypatch: pytest.MonkeyPatch, cell: Any, engine: str
) -> None:
    monkeypatch.setenv("SEQPIPE_ENGINE", engine)
    layers = {"module__recurrent": lambda n: Recurrent(cell(n, 4), num_layers=2), "module__dtype": torch.float32}
    seen, samples = Seen(), single(make_samples())
    net = make_net(mixed_precision=True, callbacks=[("seen", seen)], **layers)
    net.train(samples, single(make_samples(seed=1)), 20)
    assert seen.layer == {(True, torch.bfloat16), (False, torch.float32)}
    assert seen.loss == {torch.float32}
    assert {p.dtype for p in net.module_.parameters()} == {torch.float32}
    assert net.outputs(samples).dtype == "float32"
    losses = net.history[:, "train_loss"]
    assert losses[-1] < 0.7 * losses[0]


def test_a_net_without_it_casts_nothing(make_net: Any, make_samples: Any) -> None:
    seen = Seen()
    make_net(callbacks=[("seen", seen)]).train(make_samples(), None, 1)
    assert seen.layer == {(True, torch.float64)}


def test_float64_with_mixed_precision_is_refused() -> None:
    check_precision(False, "float64", "cpu")
    check_precision(True, "float32", "cpu")
    with pytest.raises(ValueError, match="bfloat16 and float32, but dtype='float64'"):
        check_precision(True, "float64", "cpu")
