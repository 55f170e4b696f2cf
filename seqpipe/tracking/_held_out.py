"""How scores on held-out data are recorded, so that models can be compared by them."""

from __future__ import annotations

__all__ = ["GREATER", "HELD_OUT", "PRIMARY", "WINNER", "primary_tags"]

#: Prefix of the names of metrics on held-out data.
HELD_OUT = "held_out."
#: Tags of runs and logged models: the metric that decides between models, and whether greater is better.
PRIMARY, GREATER = "seqpipe.held_out.primary", "seqpipe.held_out.greater_is_better"
#: Tag of a logged model: the best parameters of the search that it is from.
WINNER = "seqpipe.best_params"


def primary_tags(name: str, greater_is_better: bool) -> dict[str, str]:
    """Return the tags that name the score that decides between models."""
    return {PRIMARY: f"{HELD_OUT}{name}", GREATER: str(greater_is_better).lower()}
