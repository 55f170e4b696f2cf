"""The engine ``graph``: records the calls of the engine ``torch`` as CUDA graphs.

``_masked`` turns lengths from sizes into data of a recording. ``_recording`` records torch calls on a GPU, and
``_captured`` those of a batch's forward and backward pass. ``_cuda_graph_program`` caches the recordings and replays
them for batches of the same sizes, and ``_cuda_graph_engine`` offers it to `Recurrent`.
"""

from seqpipe.recurrence.compiler.cudagraph._cuda_graph_engine import GraphEngine

__all__ = [
    "GraphEngine",
]
