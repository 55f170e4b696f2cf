"""Counters of requests, in the text format of Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import psutil

__all__ = ["Metrics"]

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """What a server has done; used in the thread of the event loop only."""

    def __init__(self) -> None:
        self.in_progress = 0
        self.n_predictions = 0
        self._requests: Counter[tuple[str, int]] = Counter()
        self._within: Counter[float] = Counter()
        self._seconds = 0.0
        self._process = psutil.Process()

    def add(self, path: str, status: int, seconds: float) -> None:
        """Count one request; ``path`` is one of the server's own, for each becomes a series of its own."""
        self._requests[path, status] += 1
        self._seconds += seconds
        self._within.update(bound for bound in _BUCKETS if seconds <= bound)

    def text(self) -> str:
        """Return all metrics."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        yield from _head("seqpipe_requests_total", "counter", "Requests by path and status.")
        for (path, status), n in sorted(self._requests.items()):
            yield f'seqpipe_requests_total{{path="{path}",status="{status}"}} {n}'
        total = self._requests.total()
        yield from _head("seqpipe_request_seconds", "histogram", "Seconds from the head of a request to its answer.")
        for bound in _BUCKETS:
            yield f'seqpipe_request_seconds_bucket{{le="{bound}"}} {self._within[bound]}'
        yield f'seqpipe_request_seconds_bucket{{le="+Inf"}} {total}'
        yield f"seqpipe_request_seconds_sum {self._seconds}"
        yield f"seqpipe_request_seconds_count {total}"
        yield from _head("seqpipe_predictions_total", "counter", "Samples that were predicted for.")
        yield f"seqpipe_predictions_total {self.n_predictions}"
        yield from _head("seqpipe_requests_in_progress", "gauge", "Requests that are not answered yet.")
        yield f"seqpipe_requests_in_progress {self.in_progress}"
        yield from _head("process_resident_memory_bytes", "gauge", "Resident memory of the server.")
        yield f"process_resident_memory_bytes {self._process.memory_info().rss}"


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP {name} {meaning}"
    yield f"# TYPE {name} {kind}"
