"""The nodes of a trace: the tensors of a step and the operations that create them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from seqpipe.recurrence.compiler.trace._recipes import Recipes

__all__ = ["Call", "Node", "Trace", "Unplannable", "map_nodes", "nodes_in"]

#: An operation and its arguments other than tensors: numbers, sizes, flags.
Call = tuple[Any, Any]


class Unplannable(Exception):
    """The compiler cannot plan the step; the message names the operation and the line."""


@dataclass(eq=False)
class Node:
    """One tensor of the trace: the operation that creates it, and its value in the traced step."""

    op: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    value: Any
    line: str


@dataclass
class Trace:
    """A traced step.

    Attributes
    ----------
    batch_size : int
        Batch size of the traced step; a dimension of this size is the batch dimension.
    recipes : Recipes
        Computation of the inputs of the step that torch derives from the cell's tensors.
    projected : bool
        Whether x is the result of `project`, which is then not part of the step.
    parameters, states, state_grads : list of Node
        Inputs: the cell's tensors and those computed by the recipes, the state before the step, and the gradient of
        the state after it.
    x, output_grad : Node
        Inputs: one step of x, and the gradient of the output.
    output, new_states : Node, list of Node
    grads : list of Node or None
        Gradients of the parameters, of x and of the states before the step, in this order.
    """

    batch_size: int
    recipes: Recipes
    projected: bool = False
    parameters: list[Node] = field(default_factory=list)
    states: list[Node] = field(default_factory=list)
    state_grads: list[Node] = field(default_factory=list)
    new_states: list[Node] = field(default_factory=list)
    grads: list[Node | None] = field(default_factory=list)
    x: Any = None
    output_grad: Any = None
    output: Any = None


def nodes_in(value: Any) -> list[Node]:
    """Return the nodes among arguments."""
    if isinstance(value, Node):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [n for item in value for n in nodes_in(item)]
    return []


def map_nodes(value: Any, function: Callable[[Node], Any]) -> Any:
    """Apply a function to each node in arguments."""
    if isinstance(value, Node):
        return function(value)
    if isinstance(value, dict):
        return {k: map_nodes(v, function) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        items = [map_nodes(v, function) for v in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value
