"""A program as two Triton kernels, the forward and the backward time loop, each for a block of samples."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from seqpipe.recurrence.compiler.program import Atom, Input, atoms_in_order, schedule
from seqpipe.recurrence.compiler.triton._division import Division
from seqpipe.recurrence.compiler.triton._functions import functions
from seqpipe.recurrence.compiler.triton._tiles import TileAddress, Tiles, padded

__all__ = ["TritonKernel", "backward_kernel", "file_of", "forward_kernel"]

_BLOCK = (
    "B = B.to(tl.int64)",
    "row = (tl.program_id(0) * M + tl.arange(0, M)).to(tl.int64)",
    "here = row < B",
    "length = tl.load(lengths + row, mask=here, other=0)",
)
#: In one stage: with pipelining, loads for later steps would miss what earlier ones store.
_STEPS = "tl.range(steps, num_stages=1)"


@dataclass(frozen=True)
class TritonKernel:
    """The source of a kernel.

    Attributes
    ----------
    name : str
    text : str
        Its definition.
    arguments : tuple of str
        The names of its pointers and strides: ``p3``, ``p3_rows`` and ``p3_columns`` are the row-free value in slot 3.
    functions : frozenset of str
        Operations implemented by functions of the file.
    scratch_width : int
        Scratch elements per sample for values passed between stages of a step.
    """

    name: str
    text: str
    arguments: tuple[str, ...]
    functions: frozenset[str]
    scratch_width: int

    @cached_property
    def file(self) -> str:
        """The source of a file with this kernel."""
        return file_of(self)


def file_of(*kernels: TritonKernel) -> str:
    """Return the source of a file with some kernels and the functions that they call."""
    head = functions({name for kernel in kernels for name in kernel.functions})
    return "\n\n".join([head, *(kernel.text for kernel in kernels)])


def forward_kernel(division: Division, real: str, *, input_width: int, keep: bool) -> TritonKernel:
    """Write the forward loop; with ``keep``, it stores activations for the backward pass."""
    tiles, program, layout = Tiles(real), division.program, division.layout
    _place_inputs(tiles, division, input_width)
    goals: list[Atom] = []
    for k, (atoms, width) in enumerate(zip(program.new_states, layout.state_widths)):
        if len(atoms) == 1:  # in registers; other states are read from memory
            tiles.names[Input("state", k, 0, width)] = f"h{k}"
        goals += _put(tiles, atoms, tiles.step(f"state{k}", width, after=True))
    if layout.output_state is None and not division.output_late:
        goals += _put(tiles, program.output, tiles.step("output", layout.output_width))
    kept = division.kept(keep=keep)
    goals += _put(tiles, kept, tiles.step("kept", _width(kept)))
    tiles.emit(goals, schedule(goals, lambda a: isinstance(a, Input)))
    if tiles.shared or re.search(r"read\(state\d+_t", "\n".join(tiles.lines)):
        tiles.barrier()
    _carry_states(tiles, division)
    body = ["running = t < length", "at = t * B", *tiles.pointer_lines(), *tiles.lines]
    lines = ["steps = tl.max(length, axis=0)", *tiles.before, f"for t in {_STEPS}:", *_indented(body)]
    return _kernel("forward", tiles, lines)


def backward_kernel(division: Division, real: str, *, input_width: int) -> TritonKernel:
    """Write the backward loop through time."""
    tiles, program, layout = Tiles(real), division.program, division.layout
    _place_inputs(tiles, division, input_width)
    tiles.places[Input("output_grad", 0, 0, 0)] = tiles.step("grad", layout.output_width)
    _place_results(tiles, division)
    goals = _put(tiles, division.left, tiles.step("left", _width(division.left)))
    goals += [a for atoms in program.state_grads for a in atoms]
    inputs = [a for a in atoms_in_order(goals, division.is_kept) if isinstance(a, Input) and a.source == "state_grad"]
    after = []
    for k, (atoms, width) in enumerate(zip(program.state_grads, layout.state_widths)):
        after.append(_carry_gradient(tiles, k, atoms, [a for a in inputs if a.index == k], width))
    tiles.emit(goals, schedule(goals, division.is_available))
    in_registers = [k for k in range(len(after)) if f"carry{k}" not in tiles.arguments]
    tiles.lines += [f"n{k} = {tiles.tile(program.state_grads[k][0])}" for k in in_registers]
    if tiles.shared or len(in_registers) < len(after):
        tiles.barrier()
    first = ["t = steps - 1 - i", "running = t < length", "last = t == length - 1", "at = t * B"]
    body = _indented([*first, *tiles.pointer_lines(), *tiles.lines])
    lines = ["steps = tl.max(length, axis=0)", *tiles.before, f"for i in {_STEPS}:", *body, *after]
    return _kernel("backward", tiles, lines)


def _place_inputs(tiles: Tiles, division: Division, input_width: int) -> None:
    tiles.places[Input("x", 0, 0, 0)] = tiles.step("x", input_width)
    for k, found in enumerate(division.ahead):
        tiles.places[Input("ahead", k, 0, 0)] = tiles.step(f"ahead{k}", found.end - found.start)
    for k, width in enumerate(division.layout.state_widths):
        tiles.places[Input("state", k, 0, 0)] = tiles.step(f"state{k}", width)


def _place_results(tiles: Tiles, division: Division) -> None:
    """Set the addresses of the atoms that the forward loop stores."""
    for atom, k, start in division.after:
        if not isinstance(atom, Input):
            place = tiles.step(f"state{k}", division.layout.state_widths[k], after=True)
            tiles.places.setdefault(atom, place.at(start))
    kept = division.kept(keep=True)
    place = tiles.step("kept", _width(kept))
    tiles.places |= {a: place.at(start) for a, start in _starts(kept) if a in division.layout.kept}


def _put(tiles: Tiles, atoms: Iterable[Atom], place: TileAddress) -> list[Atom]:
    """Store atoms side by side and return them."""
    found = []
    for atom, start in _starts(atoms):
        tiles.writes.setdefault(atom, []).append(place.at(start))
        found.append(atom)
    return found


def _width(atoms: Iterable[Atom]) -> int:
    return sum(a.width for a in atoms)


def _starts(atoms: Iterable[Atom]) -> list[tuple[Atom, int]]:
    found, start = [], 0
    for atom in atoms:
        found.append((atom, start))
        start += atom.width
    return found


def _carry_states(tiles: Tiles, division: Division) -> None:
    """Pass states in registers to the next step."""
    new = {k: tiles.tile(atoms[0]) for k, atoms in enumerate(division.program.new_states) if len(atoms) == 1}
    text = "\n".join(tiles.lines)
    new = {k: name for k, name in new.items() if re.search(rf"\bh{k}\b", text) or f"h{k}" in new.values()}
    for k in new:
        width = division.layout.state_widths[k]
        tiles.add_before(f"h{k} = {tiles.read(TileAddress(tiles.argument(f'state{k}'), width), width)}")
    if len(new) > 1:  # one may be another's old value
        tiles.lines += [f"n{k} = {name}" for k, name in new.items()]
        new = {k: f"n{k}" for k in new}
    tiles.lines += [f"h{k} = {name}" for k, name in new.items()]


def _carry_gradient(tiles: Tiles, k: int, atoms: tuple[Atom, ...], inputs: list[Input], width: int) -> str:
    """Take the gradient of a state from the following step or, at a row's last step, from outside.

    Return the line after the loop that stores the gradient of the initial state.
    """
    outside = TileAddress(tiles.argument(f"last{k}"), width)
    in_registers = len(atoms) == 1 and all(a.width == width for a in inputs)
    before, final = f"n{k}", f"n{k}"
    if in_registers:
        tiles.add_before(f"n{k} = tl.zeros([M, {padded(width)}], {tiles.real})")
    else:  # two buffers, swapped at every step
        carry = tiles.argument(f"carry{k}")
        tiles.pointers[f"{carry}_t"] = carry, f"{carry} + (i % 2) * B * {width}"
        tiles.pointers[f"{carry}_n"] = carry, f"{carry} + ((i + 1) % 2) * B * {width}"
        _put(tiles, atoms, TileAddress(f"{carry}_n", width))
        final = tiles.read(TileAddress(f"{carry} + (steps % 2) * B * {width}", width), width)
    for i, atom in enumerate(inputs):
        name = tiles.names[atom] = f"g{k}" if in_registers else f"g{k}_{i}"
        if not in_registers:
            before = tiles.read(TileAddress(f"carry{k}_t", width, atom.start), atom.width)
        last = tiles.read(outside.at(atom.start), atom.width, "last")
        tiles.lines.append(f"{name} = tl.where(last[:, None], {last}, {before})")
    first, columns = tiles.argument(f"first{k}"), tiles.columns(width)
    return f"write({first}, row, {width}, {columns}, {width}, here & (length > 0), {final})"


def _kernel(name: str, tiles: Tiles, lines: list[str]) -> TritonKernel:
    head = f'@triton.jit(do_not_specialize=["B"])\ndef {name}('
    constants = ", M: tl.constexpr, K: tl.constexpr, PRECISION: tl.constexpr):\n"
    text = head + ", ".join([*tiles.arguments, "B"]) + constants + "\n".join(_indented([*_BLOCK, *lines])) + "\n"
    return TritonKernel(name, text, tuple(tiles.arguments), frozenset(tiles.functions), tiles.scratch_width)


def _indented(lines: Iterable[str]) -> list[str]:
    return ["    " + line for line in lines]
