"""`PredictingNet`: a skorch net that predicts whole batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import numpy as np
import skorch
import torch
from numpy.typing import NDArray
from torch import Tensor

from seqpipe.cells import Cell
from seqpipe.recurrence import Recurrent
from seqpipe.sequences import Windows
from seqpipe.training._batches import Batches
from seqpipe.training._micro_batches import results_in_parts
from seqpipe.training._samples import Samples
from seqpipe.training._threads import threads_for

__all__ = ["PredictingNet"]

T = TypeVar("T")

#: Maximum number of samples per batch in prediction, where no activations are stored for a backward pass.
_PREDICTION_BATCH = 2048
#: Maximum number of outputs of one layer per batch in prediction: 64 MiB in float32.
_PREDICTION_VALUES = 2**24


class PredictingNet(skorch.NeuralNet):
    """A skorch net over `Samples`: its outputs, in batches of the size that prediction allows."""

    def outputs(self, samples: Samples) -> NDArray[Any]:
        """Return the network's outputs, shape (n_samples, n_outputs), in the samples' order."""
        result: NDArray[Any] | None = None
        for indices, _, outputs in self._infer_batches(samples):
            if result is None:
                result = np.empty((len(samples), *outputs.shape[1:]), dtype=outputs.dtype)
            result[indices] = outputs
        assert result is not None  # there is at least one sample
        return result

    def step_outputs(self, samples: Samples) -> NDArray[Any]:
        """Return the outputs of a network with one per step, for all sequences concatenated: (total_steps, n_outputs)."""
        offsets = samples.step_offsets
        result: NDArray[Any] | None = None
        for indices, lengths, outputs in self._infer_batches(samples):
            if result is None:
                result = np.empty((offsets[-1], outputs.shape[2]), dtype=outputs.dtype)
            steps = np.arange(outputs.shape[1])
            valid = np.broadcast_to(True if lengths is None else steps < lengths[:, None], outputs.shape[:2])
            result[(offsets[indices][:, None] + steps)[valid]] = outputs[valid]
        assert result is not None  # there is at least one sample
        return result

    def _infer_batches(
        self, samples: Samples
    ) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64] | None, NDArray[Any]]]:
        """Yield indices, lengths if they differ, and outputs per batch."""

        def infer(inputs: dict[str, Any], _: Tensor) -> tuple[NDArray[np.int64] | None, NDArray[Any]]:
            return inputs["lengths"].numpy() if "lengths" in inputs else None, self.infer(inputs).cpu().numpy()

        for indices, (lengths, outputs) in self.each_batch(samples, infer):
            yield indices, lengths, outputs

    def each_batch(
        self, samples: Samples, function: Callable[[dict[str, Any], Tensor], T], *, rows: int = 1
    ) -> Iterator[tuple[NDArray[np.int64], T]]:
        """Yield each batch's indices and the result of a function of its inputs and targets, in evaluation mode.

        Parameters
        ----------
        samples : Samples
        function : callable (inputs, y) -> object
            Takes the items of `Batches`, and runs without gradients.
        rows : int
            Number of rows that the network runs per sample.
        """
        self._set_training(False)
        batch_size = max(1, self._prediction_batch(samples) // rows)
        for batch in Batches(samples, batch_size, torch.device(self.device)):
            with torch.no_grad(), self._threads(batch_size * rows):
                results = list(results_in_parts(batch, function))
            del batch  # else two batches are in memory at a time
            yield from results

    @contextmanager
    def mode_kept(self) -> Iterator[None]:
        """Restore the mode, of training or of evaluation, which predictions in this context change."""
        training = self.module_.training
        try:
            yield
        finally:
            self._set_training(training)

    def _prediction_batch(self, samples: Samples) -> int:
        longest = samples.X.window if isinstance(samples.X, Windows) else int(samples.X.lengths.max())
        widest = max(layers.output_size for layers in self.recurrents)
        bounded = _PREDICTION_VALUES // (max(1, longest) * widest)
        return max(1, min(len(samples), _PREDICTION_BATCH, bounded))

    def _threads(self, batch_size: int) -> AbstractContextManager[None]:
        widths = [cell.hidden_size for layers in self.recurrents for cell in layers.cells if isinstance(cell, Cell)]
        return threads_for(batch_size, max(widths))

    @property
    def recurrents(self) -> list[Recurrent]:
        """The recurrent layers of the module, in the order of the data flow."""
        return [module for module in self.module_.modules() if isinstance(module, Recurrent)]

    def infer(self, x: dict[str, Any], *, y: Tensor | None = None, **kwargs: Any) -> Tensor:
        """Return the module's outputs for a batch or a part; a module with ``takes_targets`` also gets the targets."""
        if "window" in x:
            outputs: Tensor = x["window"].outputs(self.module_)
            return outputs
        targets = (y,) if getattr(self.module_, "takes_targets", False) else ()
        return self.module_(x["x"], x.get("lengths"), *targets)
