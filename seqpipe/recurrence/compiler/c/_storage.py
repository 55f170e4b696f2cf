"""The addresses from which the atoms of a loop are read, and to which they are stored once computed."""

from __future__ import annotations

from dataclasses import dataclass, field

from seqpipe.recurrence.compiler.c._c_file import CFile
from seqpipe.recurrence.compiler.c._moves import literal
from seqpipe.recurrence.compiler.c._preamble import PARAMETERS
from seqpipe.recurrence.compiler.c._writer import call, for_each
from seqpipe.recurrence.compiler.program import Atom, Const, Input, Vector, copy

__all__ = ["Address", "Storage", "Store"]


@dataclass
class Address:
    """``pointer + row * stride + start``; with ``edge``, the last vector of a row must not be read whole."""

    pointer: str
    stride: str
    start: int = 0
    edge: bool = False

    def of_row(self, row: str = "r") -> str:
        """Return the C for the address of a row."""
        return f"{self.pointer} + {row} * {self.stride} + {self.start}"


@dataclass
class Store:
    """A store of an atom; with ``whole``, its last vector may be written whole."""

    address: Address
    whole: bool


@dataclass
class Storage:
    """Addresses of atoms.

    Attributes
    ----------
    file : CFile
        Allocates the buffers.
    addresses : dict of Atom to Address
        Addresses to read atoms from; the key of a step's input is ``Input(source, index, 0, 0)``.
    stores : dict of Atom to list of Store
        Stores of atoms once they are computed.
    """

    file: CFile
    addresses: dict[Atom, Address] = field(default_factory=dict)
    stores: dict[Atom, list[Store]] = field(default_factory=dict)
    _vectors: dict[Vector, str] = field(default_factory=dict)

    def address_of(self, atom: Atom) -> Address:
        """Return the address of an atom."""
        if isinstance(atom, Const):
            return self._constant(atom)
        if atom in self.addresses:
            return self.addresses[atom]
        assert isinstance(atom, Input), atom
        whole = self.addresses[Input(atom.source, atom.index, 0, 0)]
        return Address(whole.pointer, whole.stride, whole.start + atom.start, whole.edge)

    def store(self, atom: Atom, address: Address, *, whole: bool = True) -> None:
        """Store an atom at an address once it is computed."""
        self.stores.setdefault(atom, []).append(Store(address, whole))

    def keep(self, atom: Atom) -> None:
        """Allocate a buffer for an atom that is read after its stage."""
        if atom not in self.addresses:
            width = self.file.target.padded(atom.width)
            self.addresses[atom] = Address(self.file.buffer(f"R * {width}"), str(width))
            self.store(atom, self.addresses[atom])

    def put(self, atoms: tuple[Atom, ...], pointer: str, stride: str, *, padded: bool) -> list[Atom]:
        """Store atoms side by side; return the atoms to compute for that."""
        goals: list[Atom] = []
        start = 0
        for i, atom in enumerate(atoms):
            if (
                isinstance(atom, (Input, Const))
                or atom in self.addresses  # already available: no stage would compute it
                or any(a is atom for a in atoms[:i])
                or any(s.address.pointer == pointer for s in self.stores.get(atom, []))
            ):
                atom = copy(atom)
            whole = padded and i == len(atoms) - 1 and start % self.file.target.lanes == 0
            self.store(atom, Address(pointer, stride, start), whole=whole)
            goals.append(atom)
            start += atom.width
        return goals

    def vector(self, vector: Vector, width: int) -> str:
        """Return the C for the part of a row-free vector at column ``j``, or for its only element broadcast."""
        arguments, target = self.file.arguments, self.file.target
        stride = arguments.number("stride", vector.slot, -1)
        source = f"{arguments.pointer('free', vector.slot)} + {vector.start} * {stride}"
        if vector.width == 1 and width != 1:
            return f"splat(*({source}))"
        if vector not in self._vectors:
            padded = target.padded(vector.width)
            packed = self._vectors[vector] = self.file.buffer(str(padded))
            self.file.setup.append(
                call(
                    "pack_vector",
                    PARAMETERS["pack_vector"],
                    dst=packed,
                    w=source,
                    cs=stride,
                    n=vector.width,
                    padded=padded,
                )
            )
        return f"load({self._vectors[vector]} + j)"

    def _constant(self, atom: Const) -> Address:
        width = self.file.target.padded(atom.width)
        name = self.file.buffer(str(width))
        self.file.setup.append(f"{for_each('c', width)} {name}[c] = {literal(atom.value)};")
        self.addresses[atom] = Address(name, "0")
        return self.addresses[atom]
