"""The contents of a cell: a signature of everything that its step may read, and the tensors in it."""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from seqpipe.cells import Cell
from seqpipe.recurrence.contents._modules import cell_modules, device_and_type, tensors_in
from seqpipe.recurrence.contents._tokens import Tokens, Untracked, class_view, token_of_plain

__all__ = ["Contents", "Signature", "contents_in_run", "contents_of", "first_difference", "one_run"]

Signature = tuple[Hashable, ...]
#: Internal attributes of torch's modules and seqpipe's cells, which no step reads.
_INTERNAL = frozenset(vars(nn.Module())) - {"training"} | {"_arguments", "_computed_from"}
_PLAIN = frozenset({int, str, bool, type(None)})


@dataclass(frozen=True)
class Contents:
    """The contents of a cell at one moment.

    Attributes
    ----------
    signature : tuple
        Cells with equal signatures take the same step up to the values of their tensors.
    tensors : dict of str to Tensor
        Parameters, buffers, and tensors in attributes, containers, closures and globals.
    device : torch.device
        Device of the tensors.
    dtype : torch.dtype
        Type of the floating-point tensors.
    hooked : bool
        Whether a module has hooks, which would run at every call.
    unseen : str or None
        Why changes of the cell may remain undetected.
    """

    signature: Signature
    tensors: dict[str, Tensor]
    device: torch.device
    dtype: torch.dtype
    hooked: bool
    unseen: str | None = None


_RUN = threading.local()


@contextmanager
def one_run() -> Iterator[None]:
    """Let `contents_in_run` reuse its result: nothing changes the cell between choosing and running an engine."""
    outer = getattr(_RUN, "cached", None)
    _RUN.cached = {}
    try:
        yield
    finally:
        _RUN.cached = outer


def contents_in_run(cell: Cell, *, last: bool = False) -> Contents:
    """Return the contents of a cell, computed once per run.

    Parameters
    ----------
    cell : Cell
    last : bool, default=False
        Whether to drop the cached result, because the cell's own code may run next and change the cell.
    """
    cached: dict[Cell, Contents] | None = getattr(_RUN, "cached", None)
    if cached is None:
        return contents_of(cell)
    contents = cached.get(cell) or contents_of(cell)
    cached.clear()
    if not last:
        cached[cell] = contents
    return contents


def contents_of(cell: Cell) -> Contents:
    """Return a cell's contents: attributes by content, tensors by shape, dtype, device and ``requires_grad``."""
    parts: list[Any] = [torch.get_default_dtype()]
    modules = cell_modules(cell)
    tensors = tensors_in(modules)
    hooked = bool([module for _, module in modules if _has_hooks(module)])
    tokens = _TokensOfCell(modules, tensors)
    try:
        for name, module in modules:
            _add_module(parts, tokens, name, module)
    except Untracked as error:
        return Contents((), tensors, *device_and_type(tensors), hooked, str(error))
    tensors = tokens.with_held(tensors)
    for name, tensor in tensors.items():
        parts += (name, tensor.shape, tensor.dtype, tensor.device, tensor.requires_grad)
    return Contents(tuple(parts), tensors, *device_and_type(tensors), hooked)


def _has_hooks(module: nn.Module) -> bool:
    held = module.__dict__
    forward = held["_forward_hooks"] or held["_forward_pre_hooks"]
    return bool(forward or held["_backward_hooks"] or held["_backward_pre_hooks"])


def _add_module(parts: list[Any], tokens: _TokensOfCell, name: str, module: nn.Module) -> None:
    """Add a module's class and attributes to the parts of a signature.

    Raises
    ------
    Untracked
        If the class reads something whose changes cannot be detected.
    """
    kind = type(module)
    view = class_view(kind)
    parts += (name, kind) if view is None else (name, kind, view.stable)
    for key, value in module.__dict__.items():
        if key in _INTERNAL:
            continue
        parts.append(key)
        plain = type(value)
        if plain in _PLAIN:
            parts += (plain, value)
        elif plain is float:
            parts.append(token_of_plain(value))
        else:
            try:
                parts.append(tokens.begin().of(value, f"{name}.{key}" if name else key))
            except Untracked:
                if view is None or view.mentions(key):  # no code reads the others
                    raise
    if view is not None and view.mutable:
        parts.append(tokens.begin().of_class(kind, kind.__qualname__))


class _TokensOfCell:
    """The tokens of a cell's other values than plain ones and tensors, created on first use."""

    def __init__(self, modules: list[tuple[str, nn.Module]], tensors: dict[str, Tensor]) -> None:
        self._modules, self._tensors = modules, tensors
        self._tokens: Tokens | None = None

    def begin(self) -> Tokens:
        """Return the tokens, ready for another attribute."""
        if self._tokens is None:
            known = {id(module): f"module {name}" for name, module in self._modules}
            self._tokens = Tokens(known | {id(tensor): f"tensor {name}" for name, tensor in self._tensors.items()})
        self._tokens.begin()
        return self._tokens

    def with_held(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors together with those found in other values."""
        return {**tensors, **self._tokens.tensors} if self._tokens is not None and self._tokens.tensors else tensors


def first_difference(before: Signature, after: Signature) -> str:
    """Return the name of the first attribute that differs, or an empty string."""
    if before == after:
        return ""
    i = next((i for i, (a, b) in enumerate(zip(before, after)) if a != b), min(len(before), len(after)))
    names = [part for part in (*before[:i], *after[i : i + 1]) if isinstance(part, str)]
    return names[-1] if names else ""
