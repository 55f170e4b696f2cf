"""The skorch net, fed whole batches, and what watches over it."""

from seqpipe.training._batches import Batches
from seqpipe.training._budget import auto_batch_size, auto_epochs
from seqpipe.training._callbacks import EpochListener, OneCycle, ProgressBar
from seqpipe.training._guard import Diverged, GradientGuard
from seqpipe.training._net import SequenceNet
from seqpipe.training._objective import Criterion, Objective, SampleLoss, StepObjective
from seqpipe.training._optimizer import fused_settings
from seqpipe.training._resources import device_or_cpu, peak_memory_mib, reset_peak_memory, resolve_device
from seqpipe.training._samples import Samples
from seqpipe.training._step_loss import StepLoss, StepRule, chosen_steps

__all__ = [
    "Batches",
    "Criterion",
    "Diverged",
    "EpochListener",
    "GradientGuard",
    "Objective",
    "OneCycle",
    "ProgressBar",
    "SampleLoss",
    "Samples",
    "SequenceNet",
    "StepLoss",
    "StepRule",
    "StepObjective",
    "auto_batch_size",
    "auto_epochs",
    "chosen_steps",
    "device_or_cpu",
    "fused_settings",
    "peak_memory_mib",
    "reset_peak_memory",
    "resolve_device",
]
