"""The atoms of a time step as lines of Triton: each is a tile of a block's rows and a power of two of columns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from seqpipe.recurrence.compiler.program import Atom, Const, Elementwise, Input, Matrix, Product, RowSum, Stage, Vector

__all__ = ["KNOWN", "TileAddress", "Tiles", "padded"]

_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_COMPARE = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}
_OWN = {"tanh", "log1p", "expm1", "pow"}
_CALLS = {
    "sigmoid": "tl.sigmoid({0})", "exp": "tl.exp({0})", "log": "tl.log({0})", "sin": "tl.sin({0})",
    "cos": "tl.cos({0})", "erf": "tl.erf({0})", "sqrt": "tl.sqrt({0})", "rsqrt": "1.0 / tl.sqrt({0})",
    "abs": "tl.abs({0})", "neg": "-{0}", "copy": "{0}", "max": "tl.where(({0} > {1}) | ({0} != {0}), {0}, {1})",
    "min": "tl.where(({0} < {1}) | ({0} != {0}), {0}, {1})", "sign": "({0} > 0).to({type}) - ({0} < 0).to({type})",
    "not": "({0} == 0).to({type})", "select": "tl.where({0} != 0, {1}, {2})",
}  # fmt: skip

#: Operations that kernels support.
KNOWN = frozenset({*_INFIX, *_COMPARE, *_OWN, *_CALLS})


def padded(width: int) -> int:
    """Return the columns of a tile: products need at least 16."""
    return 1 if width == 1 else max(16, 1 << (width - 1).bit_length())


@dataclass(frozen=True)
class TileAddress:
    """The address of an atom at one step: ``pointer + row * stride + start``."""

    pointer: str
    stride: int
    start: int = 0

    def at(self, start: int) -> TileAddress:
        """Return the address ``start`` columns further to the right."""
        return TileAddress(self.pointer, self.stride, self.start + start)

    @property
    def base(self) -> str:
        return f"{self.pointer} + {self.start}" if self.start else self.pointer


@dataclass
class Tiles:
    """Collects the lines of one kernel and its arguments.

    Attributes
    ----------
    real : str
        The dtype.
    arguments : list of str
        Pointers and strides.
    places : dict of Atom to TileAddress
        Addresses of atoms in memory; the key of a step's input is ``Input(source, index, 0, 0)``.
    pointers : dict of str to (str, str)
        Pointers to a step: the argument that each points into, and its expression.
    names : dict of Atom to str
        Variables that hold atoms.
    writes : dict of Atom to list of TileAddress
        Addresses to store atoms to once they are computed.
    before, lines : list of str
        Lines before the loop, and in it.
    functions : set of str
        Operations implemented by functions.
    shared : list of Atom
        Atoms that threads of a block read from each other.
    scratch_width : int
        Columns of the memory that each step reuses.
    """

    real: str
    arguments: list[str] = field(default_factory=lambda: ["lengths"])
    places: dict[Atom, TileAddress] = field(default_factory=dict)
    pointers: dict[str, tuple[str, str]] = field(default_factory=dict)
    names: dict[Atom, str] = field(default_factory=dict)
    writes: dict[Atom, list[TileAddress]] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    shared: list[Atom] = field(default_factory=list)
    scratch_width: int = 0

    def argument(self, name: str) -> str:
        """Add an argument and return its name."""
        if name not in self.arguments:
            self.arguments.append(name)
        return name

    def step(self, name: str, width: int, *, after: bool = False) -> TileAddress:
        """Return the address of an array with a row per sample and step, at this step or, for states, after it."""
        pointer = f"{name}_n" if after else f"{name}_t"
        self.pointers[pointer] = name, f"{name} + {'(at + B)' if after else 'at'} * {width}"
        return TileAddress(pointer, width)

    def pointer_lines(self) -> list[str]:
        """Return the lines that define the pointers in use."""
        text = "\n".join(self.lines)
        used = [name for name in self.pointers if re.search(rf"\b{name}\b", text)]
        return [f"{name} = {self.pointers[name][1]}" for name in used if self.argument(self.pointers[name][0])]

    def columns(self, width: int) -> str:
        """Return the name of a tile's column numbers."""
        name = f"c{padded(width)}"
        self.add_before(f"{name} = tl.arange(0, {padded(width)})")
        return name

    def add_before(self, line: str) -> None:
        """Add a line before the loop, once."""
        if line not in self.before:
            self.before.append(line)

    def emit(self, goals: Iterable[Atom], stages: list[Stage]) -> None:
        """Write the lines of a step.

        Parameters
        ----------
        goals : iterable of Atom
            The atoms to compute; inputs and constants among them are not in the stages.
        stages : list of Stage
        """
        self._share(stages)
        computed = {a for stage in stages for a in stage.atoms}
        given = [a for a in dict.fromkeys([*goals, *self.shared]) if a not in computed]
        for atom in given:
            self._write(atom)
        if any(atom in self.shared for atom in given):
            self.barrier()
        for stage in stages:
            self._products([a for a in stage.atoms if isinstance(a, Product)])
            for atom in stage.atoms:
                if not isinstance(atom, Product):
                    self._assign(atom, self._expression(atom))
            for atom in stage.atoms:
                self._write(atom)
            if any(atom in self.shared for atom in stage.atoms):
                self.barrier()

    def barrier(self) -> None:
        """Synchronize the threads of the block, so that all see what the others stored."""
        self.lines.append("tl.debug_barrier()")

    def tile(self, atom: Atom) -> str:
        """Return the variable that holds an atom."""
        if atom not in self.names:
            if isinstance(atom, Const):
                shape = f"[M, {padded(atom.width)}]"
                self.names[atom] = self._constant(f"tl.full({shape}, {_literal(atom.value)}, {self.real})")
            else:
                self._assign(atom, self.read(self.place(atom), atom.width))
        return self.names[atom]

    def read(self, place: TileAddress, width: int, rows: str = "here") -> str:
        """Return the expression that reads a tile from memory."""
        return f"read({place.base}, row, {place.stride}, {self.columns(width)}, {width}, {rows})"

    def place(self, atom: Atom) -> TileAddress:
        """Return the address of an atom."""
        if atom in self.places:
            return self.places[atom]
        assert isinstance(atom, Input), atom
        return self.places[Input(atom.source, atom.index, 0, 0)].at(atom.start)

    def write_line(self, place: TileAddress, atom: Atom, rows: str = "here") -> str:
        """Return the line that stores an atom, zero in rows past their end."""
        value = f"tl.where(running[:, None], {self.tile(atom)}, 0)"
        return f"write({place.base}, row, {place.stride}, {self.columns(atom.width)}, {atom.width}, {rows}, {value})"

    def _assign(self, atom: Atom, expression: str) -> None:
        name = f"v{len(self.names)}"
        self.lines.append(f"{name} = {expression}")
        self.names[atom] = name

    def _constant(self, expression: str) -> str:
        for line in self.before:
            name, _, known = line.partition(" = ")
            if known == expression:
                return name
        name = f"u{len(self.before)}"
        self.before.append(f"{name} = {expression}")
        return name

    def _write(self, atom: Atom) -> None:
        self.lines += [self.write_line(place, atom) for place in self.writes.get(atom, [])]

    def _share(self, stages: list[Stage]) -> None:
        """Assign an address readable by all threads to the atoms that products read across columns."""
        products = [a for stage in stages for a in stage.atoms if isinstance(a, Product) and a.width > 1]
        operands = dict.fromkeys(a for product in products for a, _ in product.terms)
        self.shared = [a for a in operands if a.width > 1 and not isinstance(a, Const) and not self._is_in_memory(a)]
        unwritten = [a for a in self.shared if not self.writes.get(a)]
        self.scratch_width = sum(a.width for a in unwritten)
        start = 0
        for atom in unwritten:
            self.writes[atom] = [TileAddress(self.argument("scratch"), self.scratch_width, start)]
            start += atom.width
        self.places |= {atom: self.writes[atom][0] for atom in self.shared}

    def _is_in_memory(self, atom: Atom) -> bool:
        return atom in self.places or (isinstance(atom, Input) and Input(atom.source, atom.index, 0, 0) in self.places)

    def _products(self, products: list[Product]) -> None:
        for atom in products:
            zeros = f"tl.zeros([M, {padded(atom.width)}], {self.real})"
            self._assign(atom, zeros)
        for operand, members in _by_operand(products).items():
            across = [
                (p, m) for p, m in members if p.width > 1 and operand.width > 1 and not isinstance(operand, Const)
            ]
            for found, place in members:
                if (found, place) not in across:
                    self._small_product(found, operand, place)
            if across:
                self._wide_products(operand, across)

    def _wide_products(self, operand: Atom, members: list[tuple[Product, Matrix]]) -> None:
        """Multiply K columns of the operand at a time: more would not fit into registers."""
        place, width = self.place(operand), operand.width
        self.add_before("k = tl.arange(0, K)")
        self.lines += [
            f"for k0 in range(0, {width}, K):",
            f"    a = read({place.base}, row, {place.stride}, k0 + k, {width}, here)",
        ]
        for found, matrix in members:
            z = self.names[found]
            corner, strides, columns = self._corner(matrix), self._strides(matrix.slot), self.columns(found.width)
            w = f"matrix({corner}, {strides}, k0 + k, {width}, {columns}, {found.width})"
            self.lines.append(f"    {z} = tl.dot(a, {w}, {z}, input_precision=PRECISION, out_dtype={self.real})")

    def _small_product(self, found: Product, operand: Atom, matrix: Matrix) -> None:
        """Multiply by a single row or column of a matrix."""
        z, p, c = self.names[found], self._corner(matrix), self.columns(operand.width)
        one = self.columns(1)
        if operand.width == 1:
            row = f"matrix({p}, {self._strides(matrix.slot)}, {one}, 1, {self.columns(found.width)}, {found.width})"
            self.lines.append(f"{z} += {self.tile(operand)} * {row}")
        elif found.width == 1:
            row_stride, column_stride = self._strides(matrix.slot).split(", ")
            turned = f"matrix({p}, {column_stride}, {row_stride}, {one}, 1, {c}, {operand.width})"
            self.lines.append(f"{z} += tl.sum({self._clean(operand)} * {turned}, axis=1)[:, None]")
        else:
            assert isinstance(operand, Const)
            strides, columns = self._strides(matrix.slot), self.columns(found.width)
            whole = f"matrix({p}, {strides}, {c}, {operand.width}, {columns}, {found.width})"
            self.lines.append(f"{z} += {_literal(operand.value)} * tl.sum({whole}, axis=0)[None, :]")

    def _corner(self, matrix: Matrix) -> str:
        rows, columns = self._strides(matrix.slot).split(", ")
        terms = [self.argument(f"p{matrix.slot}")]
        terms += [f"{matrix.row} * {rows}"] if matrix.row else []
        terms += [f"{matrix.column} * {columns}"] if matrix.column else []
        return " + ".join(terms)

    def _strides(self, slot: int) -> str:
        self.argument(f"p{slot}")
        return f"{self.argument(f'p{slot}_rows')}, {self.argument(f'p{slot}_columns')}"

    def _clean(self, atom: Atom) -> str:
        """Return a tile that is zero past its last column."""
        name = self.tile(atom)
        if padded(atom.width) == atom.width:
            return name
        return f"tl.where(({self.columns(atom.width)} < {atom.width})[None, :], {name}, 0)"

    def _expression(self, atom: Atom) -> str:
        if isinstance(atom, RowSum):
            return " + ".join(f"tl.sum({self._clean(term)}, axis=1)[:, None]" for term in atom.terms)
        assert isinstance(atom, Elementwise)
        if atom.op in _INFIX or atom.op in _COMPARE:
            a, b = (self._operand(argument, atom) for argument in atom.args)
            return (
                f"{a} {_INFIX[atom.op]} {b}" if atom.op in _INFIX else f"({a} {_COMPARE[atom.op]} {b}).to({self.real})"
            )
        args = [self._vector(a) if isinstance(a, Vector) else self.tile(a) for a in atom.args]
        if atom.op in _OWN:
            self.functions.add(atom.op)
            return f"{atom.op}({', '.join(args)})"
        return _CALLS[atom.op].format(*args, type=self.real)

    def _operand(self, argument: Atom | Vector, atom: Elementwise) -> str:
        """Return an operand of an operator: a number needs no tile if the other operand is one."""
        if isinstance(argument, Vector):
            return self._vector(argument)
        if isinstance(argument, Const) and any(a.width == atom.width and not isinstance(a, Const) for a in atom.args):
            return _literal(argument.value)
        return self.tile(argument)

    def _vector(self, vector: Vector) -> str:
        stride = self.argument(f"p{vector.slot}_columns")
        c = self.columns(vector.width)
        index = f"({vector.start} + {c})" if vector.start else c
        at = f"{self.argument(f'p{vector.slot}')} + {index} * {stride}"
        row = f"tl.load({at}, mask={c} < {vector.width}, other=0)[None, :]"
        return self._constant(f"tl.broadcast_to({row}, [M, {padded(vector.width)}])")


def _by_operand(products: list[Product]) -> dict[Atom, list[tuple[Product, Matrix]]]:
    groups: dict[Atom, list[tuple[Product, Matrix]]] = {}
    for found in products:
        for operand, matrix in found.terms:
            groups.setdefault(operand, []).append((found, matrix))
    return groups


def _literal(value: float) -> str:
    return f'float("{value}")' if value != value or value in (float("inf"), float("-inf")) else repr(float(value))
