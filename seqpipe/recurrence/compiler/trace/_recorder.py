"""The recorder of the torch operations that a step calls."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from seqpipe.recurrence.compiler.trace._nodes import Call, Node, Unplannable, map_nodes, nodes_in

__all__ = ["IN_DERIVATIVE", "Recorder", "record"]

_FULL = torch.ops.aten.full.default
#: The line of operations that differentiate a step.
IN_DERIVATIVE = " in its derivative"
_LIBRARY = ("/torch/", "/seqpipe/recurrence/")
#: Operations on a tensor that torch has just created from numbers, without an operation that could be recorded.
_NEW = frozenset({torch.ops.aten.lift_fresh.default, torch.ops.aten.lift_fresh_copy.default})


class Recorder(TorchDispatchMode):
    """Record every operation; all tensors are kept alive, so that no ``id`` is reused.

    Parameters
    ----------
    line : str, optional
        Source line to record for all operations; by default that of the cell's code.
    """

    def __init__(self, line: str | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._nodes: dict[int, tuple[Tensor, Node]] = {}
        self._line = line
        self._sharing: dict[int, list[Tensor]] = {}
        self.backward = False
        self.calls: list[Call] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        line = self._line or (IN_DERIVATIVE if self.backward else _authors_line())
        if func is torch.ops.aten._local_scalar_dense.default:
            raise Unplannable(f"its step needs the value of a tensor{line}")
        if torch.Tag.nondeterministic_seeded in func.tags:
            raise Unplannable(f"its step draws random numbers ({func}){line}")
        kwargs = kwargs or {}
        if not self.backward:
            self.calls.append((func, _without_tensors((args, kwargs))))
        if func not in _NEW:
            self._refuse_unknown((args, kwargs), line)
        if func._schema.is_mutable:
            return self._in_place(func, args, kwargs, line)
        result = func(*args, **kwargs)
        make = {"op": func, "args": self._lookup(args), "kwargs": self._lookup(kwargs), "line": line}
        if isinstance(result, Tensor):
            self._keep(result, Node(value=result, **make))
        else:
            for i, item in enumerate(result or ()):
                if isinstance(item, Tensor):
                    self._keep(item, Node(value=item, **{**make, "kwargs": {**make["kwargs"], "__item__": i}}))
        return result

    def _in_place(self, func: Any, args: Any, kwargs: Any, line: str) -> Any:
        """Record a change in place as an operation that creates a new value of the same tensor object."""
        name = func._schema.name.split("::")[1].rstrip("_")
        same = getattr(getattr(torch.ops.aten, name, None), func._overloadname, None)
        changed = args[0] if args else None
        if same is None or not isinstance(changed, Tensor) or "out" in kwargs or self._is_given(changed):
            raise Unplannable(f"its step changes a tensor in place ({func}){line}")
        before = self.find(changed)
        given, given_by_name = self._lookup(args), self._lookup(kwargs)
        before.value = changed.detach().clone()
        others = [(t, self.find(t)) for t in self._sharing[_memory(changed)] if t is not changed]
        if any(t.dtype != changed.dtype for t, _ in others):
            raise Unplannable(f"its step changes memory of several types in place ({func}){line}")
        for other, node in others:
            node.value = other.detach().clone()
        result = func(*args, **kwargs)
        after = Node(same, given, given_by_name, changed.detach().clone(), line)
        if name == "zero" or (
            name == "fill" and func._overloadname == "Scalar"
        ):  # the old content is not read: it may be uninitialised
            value = given[1] if name == "fill" else 0
            after = Node(_FULL, (list(changed.shape), value), {"dtype": changed.dtype}, after.value, line)
        elif name == "copy" and args[1].shape == changed.shape and args[1].dtype == changed.dtype:
            after = Node(torch.ops.aten.clone.default, (given[1],), {}, after.value, line)
        self._nodes[id(changed)] = (changed, after)
        for other, node in others:
            self._overlay(other, node, changed, after, line)
        return result

    def _overlay(self, other: Tensor, node: Node, changed: Tensor, after: Node, line: str) -> None:
        """Record the new value of another view of the same memory after a change in place."""
        places = _places(other, changed)
        if bool((places >= 0).any()):
            value = other.detach().clone()
            self._nodes[id(other)] = (other, Node("overlaid", (node, after, places), {}, value, line))

    def _is_given(self, tensor: Tensor) -> bool:
        """Return whether a tensor shares memory with an input or a constant of the step."""
        sharing = self._sharing.get(_memory(tensor), [])
        return not sharing or any(self.find(t).op in ("input", "constant") for t in sharing)

    def add_input(self, tensor: Tensor) -> Node:
        return self._keep(tensor, Node("input", (), {}, tensor, ""))

    def add_node(self, node: Node) -> None:
        """Add a node of another trace."""
        self._keep(node.value, node)

    def find(self, tensor: Tensor) -> Node:
        if id(tensor) not in self._nodes:  # a tensor that the cell holds outside parameters and buffers
            return self._keep(tensor, Node("constant", (), {}, tensor, ""))
        return self._nodes[id(tensor)][1]

    def _refuse_unknown(self, given: Any, line: str) -> None:
        """Refuse tensors whose changes cannot be detected."""
        if isinstance(given, Tensor):
            if id(given) not in self._nodes and not self.backward:
                raise Unplannable(
                    f"its step reads a tensor of shape {tuple(given.shape)} that the cell does not hold{line}; "
                    "make it a buffer"
                )
        elif isinstance(given, (list, tuple)):
            for item in given:
                self._refuse_unknown(item, line)
        elif isinstance(given, dict):
            self._refuse_unknown((*given.values(),), line)

    def _keep(self, tensor: Tensor, node: Node) -> Node:
        if id(tensor) not in self._nodes:
            self._sharing.setdefault(_memory(tensor), []).append(tensor)
        self._nodes[id(tensor)] = (tensor, node)
        return node

    def _lookup(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self.find(value)
        if isinstance(value, (list, tuple)):
            return type(value)(self._lookup(item) for item in value)
        if isinstance(value, dict):
            return {key: self._lookup(item) for key, item in value.items()}
        return value


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr() or id(tensor)


def _places(tensor: Tensor, changed: Tensor) -> Tensor:
    """Return the position of each element of a view in another view of the same memory, -1 where it has none."""
    size = tensor.untyped_storage().nbytes() // tensor.itemsize
    whole = torch.full((size,), -1)
    shown = whole.as_strided(changed.shape, changed.stride(), changed.storage_offset())
    shown.copy_(torch.arange(changed.numel()).view(changed.shape))
    return whole.as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())


# torch wraps the method above so that its first call imports torch._dynamo, which takes 1.5 s and is not needed here.
_wrapped = getattr(Recorder.__torch_dispatch__, "__wrapped__", None)
if _wrapped is not None:
    setattr(_wrapped, "__dynamo_disable", _wrapped)


def record(function: Callable[..., Any], args: Any, kwargs: Any, line: str) -> list[Any]:
    """Record a torch function applied to the tensors of nodes; return the nodes of its results."""
    recorder = Recorder(line)
    for node in nodes_in((args, kwargs)):
        recorder.add_node(node)
    args, kwargs = (map_nodes(given, lambda node: node.value) for given in (args, kwargs))
    with torch.no_grad(), recorder:
        result = function(*args, **kwargs)
    results = result if isinstance(result, (tuple, list)) else [result]
    return [r if r is None else recorder.find(r) for r in results]


def _without_tensors(given: Any) -> Any:
    if isinstance(given, Tensor):
        return None
    if isinstance(given, (list, tuple)):
        return tuple([_without_tensors(item) for item in given])
    if isinstance(given, dict):
        return {key: _without_tensors(item) for key, item in given.items()}
    return given


def _authors_line() -> str:
    """Return " at file:line" of the innermost frame outside torch and the compiler."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if not any(part in name for part in _LIBRARY) and not name.startswith("<"):
            return f" at {name}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
