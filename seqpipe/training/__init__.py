"""The skorch net trained on whole batches: losses, optimizers, schedules, early stopping and callbacks."""

from seqpipe.training._batches import Batches
from seqpipe.training._budget import auto_batch_size, auto_epochs
from seqpipe.training._callbacks import EpochListener, ProgressBar
from seqpipe.training._checkpoint import Checkpoint, as_checkpoint
from seqpipe.training._checkpoint_folder import CheckpointFolder, finished_fits, last_checkpoint
from seqpipe.training._early_stopping import EarlyStopping
from seqpipe.training._guard import GradientGuard
from seqpipe.training._keeper import Keeper
from seqpipe.training._kept_value import kept_value
from seqpipe.training._net import SequenceNet
from seqpipe.training._objective import Criterion, Objective, SampleLoss, StepObjective
from seqpipe.training._optimizer import OPTIMIZERS, check_optimizer_params, find_optimizer, optimizer_settings
from seqpipe.training._precision import check_precision
from seqpipe.training._resources import device_or_cpu, peak_memory_mib, reset_peak_memory, resolve_device
from seqpipe.training._samples import Samples
from seqpipe.training._schedule import (
    BY_FUNCTION,
    SCHEDULES,
    Schedule,
    check_schedule,
    check_schedule_params,
    depends_on_epochs,
)
from seqpipe.training._step_loss import StepLoss, StepRule, chosen_steps
from seqpipe.training._stopping import Diverged, StopTraining
from seqpipe.training._target_loss import TargetLoss
from seqpipe.training._together import Job, train_together
from seqpipe.training._truncation import Truncation, check_tbptt

__all__ = [
    "BY_FUNCTION",
    "Batches",
    "Checkpoint",
    "CheckpointFolder",
    "Criterion",
    "Diverged",
    "EarlyStopping",
    "EpochListener",
    "GradientGuard",
    "Job",
    "Keeper",
    "OPTIMIZERS",
    "Objective",
    "ProgressBar",
    "SCHEDULES",
    "SampleLoss",
    "Samples",
    "Schedule",
    "SequenceNet",
    "StepLoss",
    "StepObjective",
    "StepRule",
    "StopTraining",
    "TargetLoss",
    "Truncation",
    "as_checkpoint",
    "auto_batch_size",
    "auto_epochs",
    "check_precision",
    "check_optimizer_params",
    "check_schedule",
    "check_schedule_params",
    "check_tbptt",
    "chosen_steps",
    "depends_on_epochs",
    "device_or_cpu",
    "find_optimizer",
    "finished_fits",
    "kept_value",
    "last_checkpoint",
    "optimizer_settings",
    "peak_memory_mib",
    "reset_peak_memory",
    "resolve_device",
    "train_together",
]
