"""Cross-validation that Optuna may prune after each epoch."""

from seqpipe.tuning._prunable import prunable_cross_val_score

__all__ = ["prunable_cross_val_score"]
