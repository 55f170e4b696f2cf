"""Checks of what a cell is and returns: shapes, sizes, types, tensors and settings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from seqpipe.cells import Cell
from seqpipe.exceptions import CellError
from seqpipe.recurrence import check_initial_state, check_step, state_tensors
from seqpipe.recurrence.wrappers import Wrapper
from seqpipe.testing._report import Failure, Skip
from seqpipe.testing.cells._parallel_form import check_coefficients
from seqpipe.testing.cells._subject import CellSubject

__all__ = ["PROTOCOL"]


def step_returns_output_and_state(subject: CellSubject) -> None:
    """A step returns an output of output_size features and a state built like the initial one, of the cell's type."""
    for dtype in (torch.float64, torch.float32):
        check_coefficients(subject, dtype)
        try:
            check_step(subject.cell(dtype))
        except CellError as error:
            raise Failure(f"In {dtype}: {error}") from error


def any_number_of_rows(subject: CellSubject) -> None:
    """Batches of 1, 2, 7 and 2,000 rows get a state and an output with as many rows."""
    for n in (1, 2, 7, 2000):
        cell = subject.cell()
        try:
            before = cell.initial_state(n)
            check_initial_state(cell, before, n)
            output, after = cell.step(cell.project(subject.inputs(n, 1))[:, 0], before)
        except Exception as error:
            raise Failure(f"A batch of {n} fails: {error}. Use the number of rows that you are given.") from error
        for what, tensor in (("output", output), *((f"state {i}", t) for i, t in enumerate(state_tensors(after)))):
            if not tensor.ndim or len(tensor) != n:
                raise Failure(
                    f"For a batch of {n} the {what} has shape {tuple(tensor.shape)}: return {n} rows. squeeze() without a "
                    "dimension drops the rows of a batch of 1."
                )
        for i, (old, new) in enumerate(zip(state_tensors(before), state_tensors(after))):
            if old.shape != new.shape:
                raise Failure(
                    f"For a batch of {n} tensor {i} of the state has shape {tuple(new.shape)} after a step and "
                    f"{tuple(old.shape)} before: return it as initial_state does."
                )


def sizes_are_used(subject: CellSubject) -> None:
    """Another hidden_size gives another number of parameters, or other shapes."""
    other = _other_size(subject)
    if _shapes(subject.cell()) == _shapes(subject.cell(hidden_size=other)):
        raise Failure(
            f"hidden_size={other} gives the shapes of hidden_size={subject.hidden_size}: build layers and states from hidden_size."
        )
    cell = subject.cell()
    if (cell.input_size, cell.hidden_size) != (subject.input_size, subject.hidden_size):
        raise Failure(
            f"Created with input_size={subject.input_size} and hidden_size={subject.hidden_size}, it has input_size="
            f"{cell.input_size} and hidden_size={cell.hidden_size}: pass them to super().__init__ in this order."
        )


def _other_size(subject: CellSubject) -> int:
    """Return another hidden size that the cell takes, which may have to be a multiple of its number of heads."""
    for size in (subject.hidden_size + 1, 2 * subject.hidden_size, 3 * subject.hidden_size):
        try:
            subject.cell(hidden_size=size)
        except Exception:  # an author may raise anything
            continue
        return size
    raise Skip(f"it takes no hidden_size but {subject.hidden_size}")


def _shapes(cell: Cell) -> list[tuple[int, ...]]:
    state = state_tensors(cell.initial_state(2))
    return [tuple(t.shape) for t in (*cell.parameters(), *cell.buffers(), *state)]


def siblings_keep_settings(subject: CellSubject) -> None:
    """The cells of further layers have the same class, hidden size and settings, and their own input size."""
    cell, wider = subject.cell(), subject.input_size + 2
    try:
        expected = subject.cell(input_size=wider)
    except Exception:  # its settings suit one size of input only
        expected, wider = cell, cell.input_size
    try:
        sibling = cell.sibling(wider)
    except Exception as error:
        raise Failure(
            f"sibling({wider}) fails: {type(error).__name__}: {error}. Take input_size and hidden_size as the first "
            "arguments of __init__, or override sibling."
        ) from error
    if type(sibling) is not type(expected):
        raise Failure(f"sibling() returns a {type(sibling).__name__}: return a {type(expected).__name__}.")
    for name in ("input_size", "hidden_size", "output_size"):
        if getattr(sibling, name) != getattr(expected, name):
            raise Failure(
                f"sibling({wider}) has {name}={getattr(sibling, name)}, a new cell {getattr(expected, name)}: take "
                "input_size as the first argument of __init__, or override sibling."
            )
    found, wanted = ({n: t.shape for n, t in c.state_dict().items()} for c in (sibling, expected))
    for name in sorted(found.keys() | wanted.keys()):
        if found.get(name) != wanted.get(name):
            raise Failure(f"sibling({wider}) has {name} of shape {found.get(name)}, a new cell {wanted.get(name)}.")


def tensors_are_registered(subject: CellSubject) -> None:
    """All tensors of a new cell are parameters or buffers, so that they are trained, saved and moved."""
    for name, module in subject.cell().named_modules():
        if isinstance(module, Wrapper):
            continue
        for key, value in vars(module).items():
            for tensor in _hidden_tensors(value) if key not in vars(nn.Module()) else ():
                kind = "nn.Parameter or nn.Module" if tensor.requires_grad else "tensor"
                where = f"{name}.{key}" if name else key
                raise Failure(
                    f"{where} holds a {kind} that is not registered: use self.{key} = nn.Parameter(…), "
                    f"register_buffer({key!r}, …), nn.ParameterList or nn.ModuleList."
                )


def _hidden_tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, nn.Module):
        yield from value.parameters()
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from _hidden_tensors(item)
    elif isinstance(value, dict):
        yield from _hidden_tensors(list(value.values()))


def parameters_exist_from_the_start(subject: CellSubject) -> None:
    """A forward pass adds no parameters: those that appear later are not trained or loaded."""
    layers = subject.layers()
    if any(isinstance(p, UninitializedParameter) for p in layers.parameters()):
        raise Failure("It has uninitialized (lazy) parameters: create them in __init__, where both sizes are known.")
    before = layers.state_dict().keys() | set()
    with torch.no_grad():
        layers(subject.inputs(2, 3))
    if added := sorted(layers.state_dict().keys() - before):
        raise Failure(
            f"A forward pass adds {added} to the parameters: initial_state or step assigns a parameter to an attribute, "
            "which torch registers as another parameter. Create it in __init__, or assign a function of it, such as "
            "weight * 1.0."
        )


def runs_on_other_devices(subject: CellSubject) -> None:
    """Tensors that a step creates are on the device of its input; on a GPU, where there is one, the results are the same."""
    if torch.cuda.is_available():
        _compare_on_gpu(subject)
    cell = subject.cell(torch.float32)
    like = cell.first_tensor()
    if like is None:
        raise Skip("it has no tensors")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            x = subject.inputs(2, 1, torch.float32).to("meta")
            cell = cell.to("meta")
            cell.step(cell.project(x)[:, 0], cell.initial_state(2))
    except Exception as error:
        said = str(error)
        if "same device" in said or "device meta" in said or "is on cpu" in said:
            raise Failure(
                f"On another device than the CPU a step fails: {said}. Create tensors with device=x.device, such as by "
                "torch.zeros_like(h), or register them as buffers."
            ) from error
        raise Skip(f"it reads values, which the test device does not have ({type(error).__name__})") from error


def _compare_on_gpu(subject: CellSubject) -> None:
    x = subject.inputs(7, 6, torch.float32)
    with torch.no_grad():
        expected, _ = subject.layers(torch.float32)(x)
        try:
            found, _ = subject.layers(torch.float32).cuda()(x.cuda())
        except Exception as error:
            raise Failure(
                f"On a GPU it fails: {type(error).__name__}: {error}. Create tensors with device=x.device, or register them as "
                "buffers."
            ) from error
    difference = float((found.cpu() - expected).abs().max())
    if not difference <= 1e-3 * max(1.0, float(expected.abs().max())):
        raise Failure(f"On a GPU the outputs differ from those on the CPU by {difference:.2g}.")


def computes_in_its_type(subject: CellSubject) -> None:
    """In float64 all digits are computed; nothing passes through float32."""
    cell, x = subject.cell(), subject.inputs(7, 4)
    state = cell.initial_state(7)
    with torch.no_grad():
        for t in range(4):
            output, state = cell.step(cell.project(x)[:, t], state)
    for what, tensor in (("output", output), *((f"state {i}", s) for i, s in enumerate(state_tensors(state)))):
        if tensor.dtype != torch.float64:
            continue
        short = (tensor * 2**12).frac() == 0  # such as 0, 1 and 0.5, which are the same in any type
        if bool((tensor.float().double() == tensor)[~short].all()) and not bool(short.all()):
            raise Failure(
                f"In a cell of float64 the {what} has the digits of float32: do not call .float() or create tensors without "
                "dtype=x.dtype."
            )


PROTOCOL = (
    step_returns_output_and_state,
    any_number_of_rows,
    sizes_are_used,
    siblings_keep_settings,
    tensors_are_registered,
    parameters_exist_from_the_start,
    runs_on_other_devices,
    computes_in_its_type,
)
