"""Progress of searches and fits: `SearchProgress`, and the events that it is made of."""

from seqpipe.progress._events import REFIT, FitCounter, FitEvent
from seqpipe.progress._search_progress import SearchProgress

__all__ = ["REFIT", "FitCounter", "FitEvent", "SearchProgress"]
