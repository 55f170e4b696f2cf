"""The progress bar."""

from __future__ import annotations

from typing import Any

import pytest
from skorch.callbacks import Callback

from seqpipe.training import ProgressBar


def test_the_bar_counts_epochs_and_shows_the_losses(make_net: Any, make_samples: Any, capsys: Any) -> None:
    make_net(callbacks=[("bar", ProgressBar(3))]).train(make_samples(), make_samples(seed=1), 3)
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "train_loss=" in shown
    assert "valid_loss=" in shown


def test_the_bar_is_closed_when_the_fit_fails(make_net: Any, make_samples: Any, capsys: Any) -> None:
    class Failing(Callback):
        def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:
            raise RuntimeError("no more")

    bar = ProgressBar(3)
    with pytest.raises(RuntimeError, match="no more"):
        make_net(callbacks=[("bar", bar), ("failing", Failing())]).train(make_samples(), None, 3)
    assert bar.bar_.disable
