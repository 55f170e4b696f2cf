"""What a cell is: everything that its step may read, by content, and the tensors among it."""

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
from seqpipe.recurrence.contents._tokens import Tokens, Unseen, class_view, token_of_plain

__all__ = ["Contents", "Signature", "contents_in_run", "contents_of", "first_difference", "one_run"]

Signature = tuple[Hashable, ...]
#: What torch keeps in every module, and seqpipe in every cell, and no step reads.
_INTERNAL = frozenset(vars(nn.Module())) - {"training"} | {"_arguments", "_computed_from"}
_PLAIN = frozenset({int, str, bool, type(None)})


@dataclass(frozen=True)
class Contents:
    """A cell at one moment.

    Attributes
    ----------
    signature : tuple
        Cells with the same one take the same step, but for the numbers in their tensors.
    tensors : dict of str to Tensor
        Parameters, buffers, and what is held otherwise: in attributes, containers, closures and globals.
    device : torch.device
        Where the tensors are.
    dtype : torch.dtype
        Of its real numbers.
    hooked : bool
        Whether a module has hooks, which would run at every call.
    unseen : str or None
        Why the signature may not tell all.
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
    """Let `contents_in_run` look once within: an engine is chosen and run, and nothing changes the cell in between."""
    outside = getattr(_RUN, "seen", None)
    _RUN.seen = {}
    try:
        yield
    finally:
        _RUN.seen = outside


def contents_in_run(cell: Cell, *, last: bool = False) -> Contents:
    """Return what a cell is, as it was first seen in this run of it.

    Parameters
    ----------
    cell : Cell
    last : bool, default=False
        Whether the cell's own code may run next, and change it.
    """
    seen: dict[Cell, Contents] | None = getattr(_RUN, "seen", None)
    if seen is None:
        return contents_of(cell)
    contents = seen.get(cell) or contents_of(cell)
    seen.clear()
    if not last:
        seen[cell] = contents
    return contents


def contents_of(cell: Cell) -> Contents:
    """Return what a cell is now: attributes by content, tensors by shape, type, device and whether they learn."""
    parts: list[Any] = [torch.get_default_dtype()]
    modules = cell_modules(cell)
    tensors = tensors_in(modules)
    hooked = bool([module for _, module in modules if _has_hooks(module)])
    tokens = _TokensOfCell(modules, tensors)
    try:
        for name, module in modules:
            _add_module(parts, tokens, name, module)
    except Unseen as error:
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
    Unseen
        If something that the class reads may change without being seen.
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
            except Unseen:
                if view is None or view.mentions(key):  # nothing reads the others
                    raise
    if view is not None and view.moving:
        parts.append(tokens.begin().of_class(kind, kind.__qualname__))


class _TokensOfCell:
    """The tokens of what a cell holds beside plain values and tensors, made where it holds any."""

    def __init__(self, modules: list[tuple[str, nn.Module]], tensors: dict[str, Tensor]) -> None:
        self._modules, self._tensors = modules, tensors
        self._made: Tokens | None = None

    def begin(self) -> Tokens:
        """Return the tokens, for another attribute."""
        if self._made is None:
            known = {id(module): f"module {name}" for name, module in self._modules}
            self._made = Tokens(known | {id(tensor): f"tensor {name}" for name, tensor in self._tensors.items()})
        self._made.begin()
        return self._made

    def with_held(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return tensors with those found on the way."""
        return {**tensors, **self._made.tensors} if self._made is not None and self._made.tensors else tensors


def first_difference(before: Signature, after: Signature) -> str:
    """Return the name of the first attribute that differs, nothing where none does."""
    if before == after:
        return ""
    i = next((i for i, (a, b) in enumerate(zip(before, after)) if a != b), min(len(before), len(after)))
    names = [part for part in (*before[:i], *after[i : i + 1]) if isinstance(part, str)]
    return names[-1] if names else ""
