"""The stages of a time step as C: products in register tiles, with the arithmetic that follows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from seqpipe.recurrence.compiler.c._moves import fold_code, literal, select_code
from seqpipe.recurrence.compiler.c._preamble import CALL, microkernel, preamble
from seqpipe.recurrence.compiler.program import (
    Atom,
    Const,
    Elementwise,
    Fold,
    Input,
    Matrix,
    Product,
    RowSum,
    Select,
    Stage,
    Target,
    Vector,
    arguments,
    copy,
    is_across,
)

__all__ = ["Emitter", "Address", "Store"]

_CALLS = {
    "sigmoid", "tanh", "exp", "log", "sin", "cos", "erf", "log1p", "expm1", "sqrt", "max", "min", "abs", "sign", "pow", "floor", "ceil", "trunc",
    "round", "exp2", "log2", "log10", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erfc", "atan2", "fmod",
    "remainder",
}  # fmt: skip
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_COMPARE = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}
#: Rows that go through all time steps together, rows times steps whose gradients are summed at once, and rows of x that are
#: multiplied ahead of their steps.
_BLOCK_ROWS = 48
_CHUNK_ROWS = 384
_AHEAD_ROWS = 96


@dataclass
class Address:
    """Where an atom is in memory: ``pointer + row * stride + start``; ``edge``: its last vector may not be read whole."""

    pointer: str
    stride: str
    start: int = 0
    edge: bool = False


@dataclass
class Store:
    place: Address
    whole: bool  # whether the last vector may be written whole


@dataclass
class Emitter:
    """Collects the C of one function, and what its arguments are: pointers and numbers, by keys that the runner resolves."""

    target: Target
    pointers: list[tuple[object, ...]] = field(default_factory=lambda: [("lengths",)])
    numbers: list[tuple[object, ...]] = field(
        default_factory=lambda: [("B",), ("b0",), ("b1",), ("R",), ("C",), ("T",)]
    )
    places: dict[Atom, Address] = field(default_factory=dict)
    stores: dict[Atom, list[Store]] = field(default_factory=dict)
    scratch: list[tuple[str, str]] = field(default_factory=list)
    setup: list[str] = field(default_factory=list)
    step: list[str] = field(default_factory=list)
    hoisting: bool = False
    before: list[str] = field(default_factory=list)
    kernels: set[tuple[int, int]] = field(default_factory=set)
    functions: set[str] = field(default_factory=set)
    vectors: dict[Vector, str] = field(default_factory=dict)

    def pointer(self, *key: object) -> str:
        if key not in self.pointers:
            self.pointers.append(key)
        return f"((REAL *)p[{self.pointers.index(key)}])"

    def number(self, *key: object) -> str:
        if key not in self.numbers:
            self.numbers.append(key)
        return f"n[{self.numbers.index(key)}]"

    def buffer(self, size: str) -> str:
        name = f"w{len(self.scratch)}"
        self.scratch.append((name, size))
        return name

    # Stages.

    def emit(self, stages: list[Stage]) -> str:
        """Give every atom that outlives its stage a place, and return the code of all stages."""
        at = {a: i for i, s in enumerate(stages) for a in s.atoms}
        for i, stage in enumerate(stages):
            for atom in stage.atoms:
                for argument in arguments(atom):
                    across = is_across(atom) or argument.width != atom.width
                    if argument in at and (at[argument] != i or across):
                        self._keep(argument)
        return "".join(self._stage(stage) for stage in stages)

    def _keep(self, atom: Atom) -> None:
        if atom not in self.places:
            width = self.target.padded(atom.width)
            place = Address(self.buffer(f"R * {width}"), str(width))
            self.places[atom] = place
            self.stores.setdefault(atom, []).append(Store(place, whole=True))

    def _stage(self, stage: Stage) -> str:
        moves = [a for a in stage.atoms if isinstance(a, (RowSum, Fold, Select))]
        rest: list[Atom] = [a for a in stage.atoms if not isinstance(a, (RowSum, Fold, Select))]
        code = "".join(self._row_sum(a) if isinstance(a, RowSum) else self._moved(a) for a in moves)
        if not rest:
            return code
        products = [a for a in rest if isinstance(a, Product)]
        lanes, n_vectors = self.target.lanes, self.target.padded(stage.width) // self.target.lanes
        if not products:
            body = self._columns(rest, {})
            return (
                code + f"  for (L r = 0; r < m; r++) for (L j = 0; j < {n_vectors * lanes}; j += VL) {{\n{body}  }}\n"
            )
        return code + self.product_stage(stage.width, rest, products, n_vectors)

    def product_stage(
        self, width: int, atoms: list[Atom], products: list[Product], n_vectors: int, *, inner: str = ""
    ) -> str:
        """Return the code of products, panel by panel of columns; ``inner`` opens a loop that reuses each panel."""
        nv = _panel_vectors(len(products), n_vectors, self.target.registers)
        panels, total = -(-n_vectors // nv), len(products) * nv
        operands = list(_shared_operands(products))
        heights = _tile_heights(max(len(part) for _, part in operands) * nv, self.target.registers)
        calls, ahead = dict.fromkeys(heights, ""), dict.fromkeys(heights, "")
        for atom, part in operands:
            hoisted = self.hoisting and isinstance(atom, Input) and atom.source == "x"
            self._group(atom, part, width, nv, panels, total, ahead if hoisted else calls)
        start = f"memset(z, 0, {heights[0] * total} * sizeof(V));"
        if ahead[1]:
            start = self._hoist(heights, ahead, panels, total)
        tiles = self._tiles(heights, calls)
        values: dict[Atom, str] = {a: f"z[i * {total} + {i * nv} + v]" for i, a in enumerate(products)}
        body = self._columns(atoms, values)
        return (
            f"  for (L q = 0; q < {panels}; q++) {{ {inner}for (L r0 = 0, k; r0 < m; r0 += k) {{ V z[{heights[0] * total}]; const L left = m - r0; {start}\n{tiles}"
            f"  for (L i = 0; i < k; i++) {{ L r = r0 + i; for (L v = 0; v < {nv} && q * {nv} + v < {n_vectors}; v++) {{ L j = (q * {nv} + v) * VL;\n{body}  }} }} }}{' }' if inner else ''} }}\n"
        )

    def _hoist(self, heights: list[int], calls: dict[int, str], panels: int, total: int) -> str:
        """Multiply x of the next H steps before they are taken; return the code that starts a tile from the result."""
        kept = self.buffer(f"{panels} * H * R * {total} * VL")
        at = f"{kept} + ((q * H + {{step}}) * R + r0) * {total} * VL"
        self.before.append(
            f"  for (L q = 0; q < {panels}; q++) for (L h = 0; h < H && t + h < steps; h++) {{ const REAL *const x0 = x, *x = x0 + h * {self.number('x_step')};\n"
            f"  for (L r0 = 0, k; r0 < m; r0 += k) {{ const L left = m - r0; V *z = (V *)({at.format(step='h')}); memset(z, 0, (left < {heights[0]} ? left : {heights[0]}) * {total} * sizeof(V));\n"
            f"{self._tiles(heights, calls)}  }} }}\n"
        )
        return (
            f"memcpy(z, {at.format(step='t % H')}, (left < {heights[0]} ? left : {heights[0]}) * {total} * sizeof(V));"
        )

    def _group(
        self,
        atom: Atom,
        members: list[tuple[int, Matrix]],
        width: int,
        nv: int,
        panels: int,
        total: int,
        calls: dict[int, str],
    ) -> None:
        """Pack the matrices that one atom is multiplied with, and add the calls."""
        vectors = len(members) * nv
        packed = self.buffer(f"{panels * atom.width * vectors} * VL")
        for a, (_, matrix) in enumerate(members):
            rs, cs = self.number("stride", matrix.slot, 0), self.number("stride", matrix.slot, 1)
            source = f"{self.pointer('free', matrix.slot)} + {matrix.row} * {rs} + {matrix.column} * {cs}"
            self.setup.append(
                f"pack({packed}, {source}, {rs}, {cs}, {atom.width}, {width}, {panels}, {vectors}, {nv}, {a});"
            )
        offsets = ", ".join(str(i * nv + v) for i, _ in members for v in range(nv))
        place = self.place(atom)
        for height in calls:
            self.kernels.add((height, vectors))
            calls[height] += (
                f" mk{height}_{vectors}({atom.width}, {place.pointer} + r0 * {place.stride} + {place.start}, {place.stride}, "
                f"{packed} + q * {atom.width * vectors} * VL, z, {total}, (const L[]){{{offsets}}});"
            )

    def _tiles(self, heights: list[int], calls: dict[int, str]) -> str:
        code = "  "
        for height in heights:
            test = f"left >= {height}" + (" && left != 8" if height == max(heights) == 6 else "")  # twice 4 then
            code += (
                (f"if ({test}) " if height != 1 else "")
                + f"{{ k = {height};{calls[height]} }}"
                + (" else " if height != 1 else "\n")
            )
        return code

    def _columns(self, atoms: list[Atom], values: dict[Atom, str]) -> str:
        """Return the code that computes one vector of each atom, and stores those that others need."""
        names: dict[Atom, str] = {}
        lines: list[str] = []
        for i, atom in enumerate(atoms):
            names[atom] = f"v{i}"
            expression = values[atom] if atom in values else self._expression(atom, names, lines)
            lines.append(f"V v{i} = {expression};")
            lines += [self._write(s, f"v{i}", atom.width) for s in self.stores.get(atom, [])]
        return "".join(f"    {line}\n" for line in lines)

    def _expression(self, atom: Atom, names: dict[Atom, str], lines: list[str]) -> str:
        assert isinstance(atom, Elementwise)
        args = [self._argument(a, atom.width, names, lines) for a in atom.args]
        if atom.op in _INFIX:
            return f"{args[0]} {_INFIX[atom.op]} {args[1]}"
        if atom.op in _COMPARE:
            return f"flag({args[0]} {_COMPARE[atom.op]} {args[1]})"
        if atom.op in _CALLS:
            self.functions.add(atom.op)
            return f"v{atom.op}({', '.join(args)})"
        return {
            "neg": "-{0}", "copy": "{0}", "not": "flag({0} == 0)", "select": "pick({0} != 0, {1}, {2})", "rsqrt": "1 / vsqrt({0})",
        }[atom.op].format(*args, *[""] * 3)  # fmt: skip

    def _argument(self, argument: Atom | Vector, width: int, names: dict[Atom, str], lines: list[str]) -> str:
        if isinstance(argument, Const):
            return f"splat({literal(argument.value)})"
        if isinstance(argument, Vector):
            return self._vector(argument, width)
        if argument in names and argument.width == width:
            return names[argument]
        place = self.place(argument)
        base = f"{place.pointer} + r * {place.stride} + {place.start}"
        if argument.width == 1 and width != 1:
            return f"splat(*({base}))"
        edge = argument.width % self.target.lanes
        if not place.edge or not edge:
            expression = f"load({base} + j)"
        else:
            name = f"e{len(lines)}"
            lines.append(
                f"V {name}; if (j + VL <= {argument.width}) {name} = load({base} + j); else {{ {name} = splat(0); memcpy(&{name}, {base} + j, {edge} * sizeof(REAL)); }}"
            )
            expression = name
        name = f"a{len(lines)}"
        lines.append(f"V {name} = {expression};")
        names[argument] = name
        return name

    def _vector(self, vector: Vector, width: int) -> str:
        stride = self.number("stride", vector.slot, -1)
        source = f"{self.pointer('free', vector.slot)} + {vector.start} * {stride}"
        if vector.width == 1 and width != 1:
            return f"splat(*({source}))"
        if vector not in self.vectors:
            padded = self.target.padded(vector.width)
            self.vectors[vector] = self.buffer(str(padded))
            self.setup.append(f"pack_vector({self.vectors[vector]}, {source}, {stride}, {vector.width}, {padded});")
        return f"load({self.vectors[vector]} + j)"

    def _write(self, store: Store, name: str, width: int) -> str:
        place, edge = store.place, width % self.target.lanes
        base = f"{place.pointer} + r * {place.stride} + {place.start} + j"
        if store.whole or not edge:
            return f"store({base}, {name});"
        return f"if (j + VL <= {width}) store({base}, {name}); else memcpy({base}, &{name}, {edge} * sizeof(REAL));"

    def _row_sum(self, atom: RowSum) -> str:
        self._keep(atom)
        code = "  for (L r = 0; r < m; r++) { REAL total = 0;\n"
        for term in atom.terms:
            if isinstance(term, Const):
                code += f"    total += {literal(term.value * term.width)};\n"
            else:
                place = self.place(term)
                code += f"    {{ const REAL *a = {place.pointer} + r * {place.stride} + {place.start}; V s = splat(0); L j = 0;\n"
                code += f"      for (; j + VL <= {term.width}; j += VL) s += load(a + j); EACH(total += s[l]) for (; j < {term.width}; j++) total += a[j]; }}\n"
        return (
            code
            + "".join(
                f"    {s.place.pointer}[r * {s.place.stride} + {s.place.start}] = total;\n" for s in self.stores[atom]
            )
            + "  }\n"
        )

    def _moved(self, atom: Fold | Select) -> str:
        """Return the code that puts columns of what is there into another order, or together, row by row."""
        self._keep(atom)
        place = self.places[atom]
        body = fold_code(atom, self._row_of) if isinstance(atom, Fold) else select_code(atom, self._row_of)
        self.functions |= {name for name in ("total", "spread") if f"{name}(" in body}
        copies = "".join(
            f"    memcpy({s.place.pointer} + r * {s.place.stride} + {s.place.start}, d, {atom.width} * sizeof(REAL));\n"
            for s in self.stores[atom]
            if s.place != place
        )
        return f"  for (L r = 0; r < m; r++) {{ REAL *const d = {place.pointer} + r * {place.stride} + {place.start};\n{body}{copies}  }}\n"

    def _row_of(self, atom: Atom) -> tuple[str, bool]:
        """Return where a row of an atom is, and whether whole vectors may be read there."""
        place = self.place(atom)
        return f"{place.pointer} + r * {place.stride} + {place.start}", not place.edge

    def place(self, atom: Atom) -> Address:
        """Return where an atom is."""
        if isinstance(atom, Const):
            return self._constant(atom)
        if atom in self.places:
            return self.places[atom]
        assert isinstance(atom, Input), atom
        whole = self.places[Input(atom.source, atom.index, 0, 0)]
        return Address(whole.pointer, whole.stride, whole.start + atom.start, whole.edge)

    def _constant(self, atom: Const) -> Address:
        width = self.target.padded(atom.width)
        name = self.buffer(str(width))
        self.setup.append(f"for (L c = 0; c < {width}; c++) {name}[c] = {literal(atom.value)};")
        self.places[atom] = Address(name, "0")
        return self.places[atom]

    def put(self, atoms: tuple[Atom, ...], pointer: str, stride: str, *, padded: bool) -> list[Atom]:
        """Let atoms be stored side by side, and return those that have to be computed for it."""
        goals: list[Atom] = []
        start = 0
        for i, atom in enumerate(atoms):
            if (
                isinstance(atom, (Input, Const))
                or atom in self.places  # it is at hand, so that no stage would compute it
                or any(a is atom for a in atoms[:i])
                or any(s.place.pointer == pointer for s in self.stores.get(atom, []))
            ):
                atom = copy(atom)
            place = Address(pointer, stride, start)
            self.stores.setdefault(atom, []).append(
                Store(place, whole=padded and i == len(atoms) - 1 and start % self.target.lanes == 0)
            )
            goals.append(atom)
            start += atom.width
        return goals

    def source(self, body: str, sums_size: int = 0) -> str:
        """Return the whole C file around the body of ``run``, which leaves so many sums for each part of a batch."""
        sizes = " + ".join(f"(size_t)({size}) + VL" for _, size in self.scratch) or "1"
        cuts = "".join(f"  REAL *restrict {name} = w; w += ({size}) + VL;\n" for name, size in self.scratch)
        kernels = "".join(microkernel(h, v) for h, v in sorted(self.kernels))
        head = preamble(
            double=self.target.double,
            vector_bytes=self.target.vector_bytes,
            registers=self.target.registers,
            functions=self.functions,
        )
        return (
            f"{head}{kernels}__attribute__((noinline)) int run(const L *n, void *const *p) {{\n"
            f"  const L B = n[0], b0 = n[1], b1 = n[2], R = n[3], C = n[4], T = n[5], H = {_AHEAD_ROWS} / R + 1; (void)C; (void)H; (void)T;\n"
            "  const L *len = p[0];\n"
            f"  REAL *space = malloc(({sizes}) * sizeof(REAL) + 64); if (!space) return 1;\n"
            f"  REAL *w = (REAL *)(((uintptr_t)space + 63) & ~(uintptr_t)63);\n{cuts}"
            f"  {' '.join(self.setup)}\n{body}  free(space);\n  return 0;\n}}\n{self._call(sums_size)}"
        )

    def _call(self, sums_size: int) -> str:
        sums = self.pointers.index(("sums",)) if ("sums",) in self.pointers else 0
        constants = {
            "NUMBERS": len(self.numbers), "POINTERS": len(self.pointers), "SUMS_SIZE": sums_size, "SUMS": sums,
            "BLOCK_ROWS": _BLOCK_ROWS, "CHUNK_ROWS": _CHUNK_ROWS,
        }  # fmt: skip
        code = CALL
        for name, value in constants.items():
            code = code.replace(name, str(value))
        return code


def _shared_operands(products: list[Product]) -> Iterator[tuple[Atom, list[tuple[int, Matrix]]]]:
    """Return each atom that products multiply, with the products' numbers and matrices: at most one a product."""
    groups: dict[Atom, list[tuple[int, Matrix]]] = {}
    for i, found in enumerate(products):
        for atom, matrix in found.terms:
            groups.setdefault(atom, []).append((i, matrix))
    for atom, members in groups.items():
        while members:  # a product may read one atom through several matrices
            part = list(dict(members).items())
            members = [m for m in members if m not in part]
            yield atom, part


def _panel_vectors(n_products: int, n_vectors: int, registers: int) -> int:
    """Return how many vectors of columns a tile has for each product: little padding, and wide tiles."""
    most = max(1, min((5 if registers >= 32 else 2) // n_products, n_vectors))

    def cost(nv: int) -> float:
        return -(-n_vectors // nv) * nv * (1 + 0.6 / (nv * n_products))

    return min(range(1, most + 1), key=cost)


def _tile_heights(vectors: int, registers: int) -> list[int]:
    """Return how many rows tiles have, the highest first: sums, a row's ``vectors`` and a factor stay in registers."""
    most = max(1, (registers - 3) // vectors - (1 if registers >= 32 else 0))
    return [h for h in (8, 6, 4, 2, 1) if h <= most]
