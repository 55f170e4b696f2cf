"""The C that computes one vector of columns of several atoms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seqpipe.recurrence.compiler.c._moves import literal
from seqpipe.recurrence.compiler.c._storage import Storage, Store
from seqpipe.recurrence.compiler.c._writer import declaration
from seqpipe.recurrence.compiler.program import Atom, Const, Elementwise, Vector

__all__ = ["vector_statements"]

_CALLS = {
    "sigmoid", "tanh", "exp", "log", "sin", "cos", "erf", "log1p", "expm1", "sqrt", "max", "min", "abs", "sign", "pow",
    "floor", "ceil", "trunc", "round", "exp2", "log2", "log10", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh",
    "acosh", "atanh", "erfc", "atan2", "fmod", "remainder",
}  # fmt: skip
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_COMPARE = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}
_OTHERS = {
    "neg": "-{0}", "copy": "{0}", "not": "flag({0} == 0)", "select": "pick({0} != 0, {1}, {2})",
    "rsqrt": "1 / vsqrt({0})",
}  # fmt: skip


def vector_statements(storage: Storage, atoms: Sequence[Atom], values: Mapping[Atom, str]) -> list[str]:
    """Return the statements that compute and store the vector at column ``j`` of row ``r`` of each atom.

    Parameters
    ----------
    storage : Storage
    atoms : sequence of Atom
        All of one width, in topological order.
    values : mapping of Atom to str
        The C for atoms that are already computed, in registers.
    """
    return _Statements(storage, values).of(atoms)


class _Statements:
    def __init__(self, storage: Storage, values: Mapping[Atom, str]) -> None:
        self.storage, self.values = storage, values
        self.lanes = storage.file.target.lanes
        self.names: dict[Atom, str] = {}
        self.statements: list[str] = []

    def of(self, atoms: Sequence[Atom]) -> list[str]:
        for i, atom in enumerate(atoms):
            self.names[atom] = f"v{i}"
            expression = self.values[atom] if atom in self.values else self._expression(atom)
            self.statements.append(declaration("V", **{f"v{i}": expression}))
            self.statements += [self._write(s, f"v{i}", atom.width) for s in self.storage.stores.get(atom, [])]
        return self.statements

    def _expression(self, atom: Atom) -> str:
        assert isinstance(atom, Elementwise)
        arguments = [self._argument(a, atom.width) for a in atom.args]
        if atom.op in _INFIX:
            return f"{arguments[0]} {_INFIX[atom.op]} {arguments[1]}"
        if atom.op in _COMPARE:
            return f"flag({arguments[0]} {_COMPARE[atom.op]} {arguments[1]})"
        if atom.op in _CALLS:
            self.storage.file.functions.add(atom.op)
            return f"v{atom.op}({', '.join(arguments)})"
        return _OTHERS[atom.op].format(*arguments)

    def _argument(self, argument: Atom | Vector, width: int) -> str:
        if isinstance(argument, Const):
            return f"splat({literal(argument.value)})"
        if isinstance(argument, Vector):
            return self.storage.vector(argument, width)
        if argument in self.names and argument.width == width:
            return self.names[argument]
        address = self.storage.address_of(argument)
        if argument.width == 1 and width != 1:
            return f"splat(*({address.of_row()}))"
        edge = argument.width % self.lanes if address.edge else 0
        loaded = self._load_edge(address.of_row(), argument.width, edge) if edge else f"load({address.of_row()} + j)"
        name = self.names[argument] = f"a{len(self.statements)}"
        self.statements.append(declaration("V", **{name: loaded}))
        return name

    def _load_edge(self, row: str, width: int, edge: int) -> str:
        """Load a vector of a row without reading past its last column."""
        name = f"e{len(self.statements)}"
        self.statements.append(
            f"V {name};\n"
            f"if (j + VL <= {width}) {name} = load({row} + j);\n"
            f"else {{ {name} = splat(0); memcpy(&{name}, {row} + j, {edge} * sizeof(REAL)); }}"
        )
        return name

    def _write(self, store: Store, name: str, width: int) -> str:
        to, edge = f"{store.address.of_row()} + j", width % self.lanes
        if store.whole or not edge:
            return f"store({to}, {name});"
        return f"if (j + VL <= {width}) store({to}, {name});\nelse memcpy({to}, &{name}, {edge} * sizeof(REAL));"
