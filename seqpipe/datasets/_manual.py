"""The Python reference manual: half a megabyte of English text."""

from __future__ import annotations

from pydoc_data.topics import topics

import numpy as np

from seqpipe.datasets._dataset import Dataset

__all__ = ["load_manual", "manual_by_topic"]


def load_manual() -> str:
    """Return the topics of the Python reference manual as one text, sorted by name.

    About 460,000 characters; the text, but not its layout, differs slightly between versions of Python.

    Source: the documentation that ``help()`` of the running Python shows (``pydoc_data.topics``). Licence:
    PSF License Version 2, code examples also Zero-Clause BSD.

    Examples
    --------
    >>> from seqpipe.datasets import load_manual
    >>> len(load_manual()) > 300_000
    True
    """
    return "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"


def manual_by_topic() -> Dataset:
    """Return the manual as texts without targets, one per topic: ``X`` is an object array of str, shape (n_topics,).

    Joined, they are the text of `load_manual`. Source and licence: see there.
    """
    texts = [topics[name].strip() + "\n\n" for name in sorted(topics)]
    return Dataset(
        name="manual",
        X=np.array([*texts[:-1], texts[-1][:-1]], dtype=object),
        description="The topics of Python's reference manual, as the running Python's help() shows them.",
        source="pydoc_data.topics of this Python",
        licence="PSF License Version 2, code examples also Zero-Clause BSD",
    )
