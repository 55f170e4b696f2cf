"""The engine ``graph``: the calls that the engine ``torch`` makes, recorded as CUDA graphs.

``_masked`` makes lengths numbers in a recording instead of sizes. ``_recording`` records calls of torch on a GPU,
``_captured`` those of a batch's forward and backward pass. ``_cuda_graph_program`` keeps the recordings and replays
them where sizes come again, and ``_cuda_graph_engine`` offers it to `Recurrent`.
"""

from seqpipe.recurrence.compiler.cudagraph._cuda_graph_engine import GraphEngine

__all__ = [
    "GraphEngine",
]
