"""The reference manual of Python: half a megabyte of English."""

from __future__ import annotations

from pydoc_data.topics import topics

__all__ = ["load_manual"]


def load_manual() -> str:
    """Return the topics of Python's reference manual as one text, in the order of their names.

    About 460,000 characters; the text, not its layout, differs a little between versions of Python.

    Source: the documentation that ``help()`` of the running Python shows (``pydoc_data.topics``). Licence:
    PSF License Version 2, code examples also Zero-Clause BSD.

    Examples
    --------
    >>> from seqpipe.datasets import load_manual
    >>> len(load_manual()) > 300_000
    True
    """
    return "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"
