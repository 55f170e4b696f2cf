"""A program of atoms as C: the time loop with its stages, forward and backward."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from seqpipe.recurrence.compiler._atoms import (
    Atom,
    Const,
    Elementwise,
    Input,
    Matrix,
    OuterSum,
    Product,
    RowSum,
    Vector,
    arguments,
    copy,
)
from seqpipe.recurrence.compiler._plan import Program
from seqpipe.recurrence.compiler._preamble import TEAM, microkernel, preamble
from seqpipe.recurrence.compiler._schedule import Stage, Sums, depends_on_gradient, kept_atoms, schedule

__all__ = ["Kernel", "Layout", "Target", "emit_backward", "emit_forward", "layout_of"]

_CALLS = {
    "sigmoid",
    "tanh",
    "exp",
    "log",
    "sin",
    "cos",
    "erf",
    "log1p",
    "expm1",
    "sqrt",
    "max",
    "min",
    "abs",
    "sign",
    "pow",
}
_INFIX = {"add": "+", "sub": "-", "mul": "*", "div": "/"}
_COMPARE = {"gt": ">", "ge": ">=", "lt": "<", "le": "<=", "eq": "==", "ne": "!="}


@dataclass(frozen=True)
class Target:
    """What the code is for: the type of its numbers and the machine's vectors."""

    double: bool
    vector_bytes: int
    registers: int

    @property
    def lanes(self) -> int:
        return self.vector_bytes // (8 if self.double else 4)

    def padded(self, width: int) -> int:
        """Return the columns of a row in memory: whole vectors."""
        return -(-width // self.lanes) * self.lanes


@dataclass(frozen=True)
class Layout:
    """How forward and backward lay out what they share.

    Attributes
    ----------
    state_widths : tuple of int
    output_state : int or None
        The state that is the output, if one is: they are then stored once.
    kept : dict of Atom to int
        Where each kept atom starts in a row.
    kept_width : int
    sums : tuple of Sums
    """

    state_widths: tuple[int, ...]
    output_state: int | None
    output_width: int
    kept: dict[Atom, int]
    kept_width: int
    sums: tuple[Sums, ...]


@dataclass
class Kernel:
    """C source, and what its arguments are, in order: keys that the runner resolves."""

    source: str
    pointers: list[tuple[object, ...]]
    numbers: list[tuple[object, ...]]
    sum_sizes: tuple[int, ...] = ()


def layout_of(program: Program, target: Target) -> Layout:
    """Decide what is stored where."""
    widths = tuple(sum(a.width for a in s) for s in program.new_states)
    output_state = next((k for k, s in enumerate(program.new_states) if s == program.output), None)
    sums = tuple(_sums(program))
    at_hand = _at_hand(program)
    kept: dict[Atom, int] = {}
    start = 0
    for atom in kept_atoms(_backward_goals(program, sums), at_hand):
        kept[atom] = start
        start += target.padded(atom.width)
    return Layout(widths, output_state, sum(a.width for a in program.output), kept, start, sums)


def _sums(program: Program) -> list[Sums]:
    operands = [a for r in program.reductions for a in ([r.left, r.right] if isinstance(r, OuterSum) else [r.left])]
    backward = depends_on_gradient(operands)
    found = []
    for reduction, slot in program.reductions.items():
        if not isinstance(reduction, OuterSum):
            found.append(Sums(_stored(reduction.left), None, False, slot))
        elif reduction.left in backward:
            found.append(Sums(_stored(reduction.left), _stored(reduction.right, x_too=False), False, slot))
        else:
            found.append(Sums(_stored(reduction.right), _stored(reduction.left, x_too=False), True, slot))
    return found


def _stored(atom: Atom, *, x_too: bool = True) -> Atom:
    """Return an atom that the backward loop puts into a buffer of its own."""
    forward = isinstance(atom, Input) and atom.source in ("x", "state")
    if isinstance(atom, Const) or (isinstance(atom, Input) and (x_too or not forward)):
        return copy(atom)
    return atom


def _at_hand(program: Program) -> Callable[[Atom], bool]:
    after = {a for s in program.new_states for a in s}
    return lambda atom: isinstance(atom, Input) or atom in after


def _backward_goals(program: Program, sums: tuple[Sums, ...]) -> list[Atom]:
    goals = [a for s in program.state_grads for a in s] + list(program.x_grad or ())
    return goals + [a for s in sums for a in (s.columns, s.rows) if a is not None]


@dataclass
class _Place:
    """Where an atom is in memory: ``pointer + row * stride + start``; ``edge``: its last vector may not be read whole."""

    pointer: str
    stride: str
    start: int = 0
    edge: bool = False


@dataclass
class _Store:
    place: _Place
    whole: bool  # whether the last vector may be written whole


@dataclass
class _Emitter:
    target: Target
    pointers: list[tuple[object, ...]] = field(default_factory=list)
    numbers: list[tuple[object, ...]] = field(default_factory=list)
    places: dict[Atom, _Place] = field(default_factory=dict)
    stores: dict[Atom, list[_Store]] = field(default_factory=dict)
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
                    across = isinstance(atom, (Product, RowSum)) or argument.width != atom.width
                    if argument in at and (at[argument] != i or across):
                        self._keep(argument)
        return "".join(self._stage(stage) for stage in stages)

    def _keep(self, atom: Atom) -> None:
        if atom not in self.places:
            width = self.target.padded(atom.width)
            place = _Place(self.buffer(f"R * {width}"), str(width))
            self.places[atom] = place
            self.stores.setdefault(atom, []).append(_Store(place, whole=True))

    def _stage(self, stage: Stage) -> str:
        sums = [a for a in stage.atoms if isinstance(a, RowSum)]
        rest: list[Atom] = [a for a in stage.atoms if not isinstance(a, RowSum)]
        code = "".join(self._row_sum(a) for a in sums)
        if not rest:
            return code
        products = [a for a in rest if isinstance(a, Product)]
        lanes, n_vectors = self.target.lanes, self.target.padded(stage.width) // self.target.lanes
        if not products:
            body = self._columns(rest, {})
            return (
                code + f"  for (L r = 0; r < m; r++) for (L j = 0; j < {n_vectors * lanes}; j += VL) {{\n{body}  }}\n"
            )
        return code + self._product_stage(stage.width, rest, products, n_vectors)

    def _product_stage(
        self, width: int, atoms: list[Atom], products: list[Product], n_vectors: int, *, inner: str = ""
    ) -> str:
        """Return the code of products, panel by panel of columns; ``inner`` opens a loop that reuses each panel."""
        nv = _panel_vectors(len(products), n_vectors, self.target.registers)
        panels, total = -(-n_vectors // nv), len(products) * nv
        heights = _tile_heights(total, self.target.registers)
        calls, ahead = dict.fromkeys(heights, ""), dict.fromkeys(heights, "")
        for atom, part in _shared_operands(products):
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
            test = f"left >= {height}" + (" && left != 8" if height == 6 else "")
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
            return f"splat({_literal(argument.value)})"
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

    def _write(self, store: _Store, name: str, width: int) -> str:
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
                code += f"    total += {_literal(term.value * term.width)};\n"
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

    def place(self, atom: Atom) -> _Place:
        """Return where an atom is."""
        if isinstance(atom, Const):
            return self._constant(atom)
        if atom in self.places:
            return self.places[atom]
        assert isinstance(atom, Input), atom
        whole = self.places[Input(atom.source, atom.index, 0, 0)]
        return _Place(whole.pointer, whole.stride, whole.start + atom.start, whole.edge)

    def _constant(self, atom: Const) -> _Place:
        width = self.target.padded(atom.width)
        name = self.buffer(str(width))
        self.setup.append(f"for (L c = 0; c < {width}; c++) {name}[c] = {_literal(atom.value)};")
        self.places[atom] = _Place(name, "0")
        return self.places[atom]

    def put(self, atoms: tuple[Atom, ...], pointer: str, stride: str, *, padded: bool) -> list[Atom]:
        """Let atoms be stored side by side, and return those that have to be computed for it."""
        goals: list[Atom] = []
        start = 0
        for i, atom in enumerate(atoms):
            if (
                isinstance(atom, (Input, Const))
                or any(a is atom for a in atoms[:i])
                or any(s.place.pointer == pointer for s in self.stores.get(atom, []))
            ):
                atom = copy(atom)
            place = _Place(pointer, stride, start)
            self.stores.setdefault(atom, []).append(
                _Store(place, whole=padded and i == len(atoms) - 1 and start % self.target.lanes == 0)
            )
            goals.append(atom)
            start += atom.width
        return goals

    def source(self, body: str) -> str:
        """Return the whole C file around the body of ``run``."""
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
            f"{head}{kernels}int run(const L *n, void *const *p) {{\n"
            f"  const L B = n[0], b0 = n[1], b1 = n[2], R = n[3], C = n[4], H = {_AHEAD_ROWS} / R + 1; (void)C; (void)H;\n"
            "  const L *len = p[0];\n"
            f"  REAL *space = malloc(({sizes}) * sizeof(REAL) + 64); if (!space) return 1;\n"
            f"  REAL *w = (REAL *)(((uintptr_t)space + 63) & ~(uintptr_t)63);\n{cuts}"
            f"  {' '.join(self.setup)}\n{body}  free(space);\n  return 0;\n}}\n{TEAM}"
        )


#: Bytes of matrices that a step may read: more, and those that no step waits for are multiplied for many steps at once.
_CACHE_BYTES = 2**20
#: Rows of x that are multiplied ahead of their steps.
_AHEAD_ROWS = 96
_FIXED = [("B",), ("b0",), ("b1",), ("R",), ("C",)]
_BLOCKS = "  const L blocks = (b1 - b0 + R - 1) / R;\n  for (L block = 0; block < blocks; block++) {\n  const L b = b0 + (b1 - b0) * block / blocks, rows = b0 + (b1 - b0) * (block + 1) / blocks - b;\n"


def emit_forward(program: Program, layout: Layout, target: Target, *, keep: bool) -> Kernel:
    """Return the C of the forward loop, which keeps what backward needs if asked to."""
    e = _Emitter(target, pointers=[("lengths",)], numbers=list(_FIXED))
    lines = _step_inputs(e, layout)
    goals: list[Atom] = []
    for k, (atoms, width) in enumerate(zip(program.new_states, layout.state_widths)):
        goals += e.put(atoms, f"after{k}", str(target.padded(width)), padded=True)
    if layout.output_state is None:
        width = target.padded(layout.output_width)
        lines.append(f"REAL *out = {e.pointer('output')} + (t * B + b) * {width};")
        goals += e.put(program.output, "out", str(width), padded=True)
    if keep and layout.kept:
        lines.append(f"REAL *kept = {e.pointer('kept')} + (t * B + b) * {layout.kept_width};")
        for atom, start in layout.kept.items():
            e.stores.setdefault(atom, []).append(_Store(_Place("kept", str(layout.kept_width), start), whole=True))
            goals.append(atom)
    stages = schedule(goals, lambda a: isinstance(a, Input))
    e.hoisting = _outgrows_cache(stages, target)
    code = e.emit(stages)
    before = f"  if (t % H == 0) {{\n{''.join(e.before)}  }}\n" if e.before else ""
    final = "".join(
        f" memcpy({e.pointer('final', k)} + (b + m) * {w}, {e.pointer('state', k)} + ((at & {e.number('mask', k)}) * B + b + m) * {target.padded(w)}, {w} * sizeof(REAL));"
        for k, w in enumerate(layout.state_widths)
    )
    finish = f"while (m && len[b + m - 1] == at) {{ m--;{final} }}"
    body = (
        f"{_BLOCKS}  L m = rows; const L steps = m ? len[b] : 0; {{ const L at = 0; {finish} }}\n"
        f"  for (L t = 0; t < steps; t++) {{\n  {' '.join(lines)}\n{before}{code}  {{ const L at = t + 1; {finish} }}\n  }} }}\n"
    )
    return Kernel(e.source(body), e.pointers, e.numbers)


def _step_inputs(e: _Emitter, layout: Layout) -> list[str]:
    """Place x and the states before and after the step, and return the code that points to them."""
    xt, xb = e.number("x_step"), e.number("x_row")
    lines = [f"const REAL *x = {e.pointer('x')} + t * {xt} + b * {xb}; (void)x;"]
    e.places[Input("x", 0, 0, 0)] = _Place("x", xb, edge=True)
    for k, width in enumerate(layout.state_widths):
        ld, mask, base = e.target.padded(width), e.number("mask", k), e.pointer("state", k)
        lines.append(
            f"REAL *before{k} = {base} + ((t & {mask}) * B + b) * {ld}, *after{k} = {base} + (((t + 1) & {mask}) * B + b) * {ld}; (void)before{k}; (void)after{k};"
        )
        e.places[Input("state", k, 0, 0)] = _Place(f"before{k}", str(ld))
    return lines


def emit_backward(program: Program, layout: Layout, target: Target) -> Kernel:
    """Return the C of the backward loop."""
    e = _Emitter(target, pointers=[("lengths",)], numbers=list(_FIXED))
    lines = _step_inputs(e, layout)
    for k, (atoms, width) in enumerate(zip(program.new_states, layout.state_widths)):
        start = 0
        for atom in atoms:
            e.places.setdefault(atom, _Place(f"after{k}", str(target.padded(width)), start)) if not isinstance(
                atom, (Input, Const)
            ) else None
            start += atom.width
    lines.append(f"const REAL *kept = {e.pointer('kept')} + (t * B + b) * {layout.kept_width}; (void)kept;")
    for atom, start in layout.kept.items():
        e.places[atom] = _Place("kept", str(layout.kept_width), start)
    gt, gb = e.number("grad_step"), e.number("grad_row")
    lines.append(f"const REAL *grad = {e.pointer('output_grad')} + t * {gt} + b * {gb}; (void)grad;")
    e.places[Input("output_grad", 0, 0, 0)] = _Place("grad", gb, edge=True)
    at_hand = set(e.places)
    goals, begin, swap, end = _carries(e, program, layout)
    sunk = _sunk(program, layout, target, lambda a: isinstance(a, Input) or a in at_hand)
    if program.x_grad is not None and not sunk:
        lines.append(
            f"REAL *to_x = {e.pointer('x_grad')} + t * {e.number('x_grad_step')} + b * {e.number('x_grad_row')};"
        )
        goals += e.put(program.x_grad, "to_x", e.number("x_grad_row"), padded=False)
    chunks = _Chunks(e, goals, lines, at_hand)
    sums, sizes = _sum_code(e, layout, chunks)
    after = _sunk_code(e, sunk, chunks)
    stages = schedule(goals, lambda a: isinstance(a, Input) or a in at_hand)
    code = e.emit(stages)
    chunk = e.buffer("C * sizeof(L) / sizeof(REAL) + 8")
    body = (
        f"  L *ms = (L *)(((uintptr_t){chunk} + 7) & ~(uintptr_t)7);\n{_BLOCKS}  L m = 0, slot = 0; const L steps = rows ? len[b] : 0;\n{begin}"
        f"  for (L t = steps - 1; t >= 0; t--) {{\n  while (m < rows && len[b + m] > t) m++;\n  {' '.join(lines)}\n{code}  {swap}\n"
        f"  ms[slot++] = m;\n  if (slot == C || t == 0) {{\n{sums}{after}  slot = 0; }}\n  }}\n{end}  }}\n"
    )
    return Kernel(e.source(body), e.pointers, e.numbers, sizes)


def _carries(e: _Emitter, program: Program, layout: Layout) -> tuple[list[Atom], str, str, str]:
    """Give the gradient of each state two buffers that change places at every step."""
    goals: list[Atom] = []
    begin = swap = end = ""
    for k, (atoms, width) in enumerate(zip(program.state_grads, layout.state_widths)):
        ld = e.target.padded(width)
        one, two = e.buffer(f"R * {ld}"), e.buffer(f"R * {ld}")
        e.places[Input("state_grad", k, 0, 0)] = _Place(f"carry{k}", str(ld))
        goals += e.put(atoms, f"next{k}", str(ld), padded=True)
        outside = f"{e.pointer('state_grad', k)} + (b + r) * {width}"
        # What is left in memory could be denormal numbers beyond the last column, which are slow to compute with.
        begin += (
            f"  REAL *carry{k} = {one}, *next{k} = {two}; "
            f"memset({one}, 0, rows * {ld} * sizeof(REAL)); memset({two}, 0, rows * {ld} * sizeof(REAL)); for (L r = 0; r < rows; r++) {{ "
            f"memcpy({one} + r * {ld}, {outside}, {width} * sizeof(REAL)); memcpy({two} + r * {ld}, {outside}, {width} * sizeof(REAL)); }}\n"
        )
        swap += f"{{ REAL *s = carry{k}; carry{k} = next{k}; next{k} = s; }} "
        end += f"  for (L r = 0; r < rows; r++) memcpy({outside}, carry{k} + r * {ld}, {width} * sizeof(REAL));\n"
    return goals, begin, swap, end


@dataclass
class _Chunks:
    """What the backward loop stores for a chunk of steps, the last step first."""

    emitter: _Emitter
    goals: list[Atom]
    lines: list[str]
    at_hand: set[Atom]
    found: dict[Atom, tuple[str, int]] = field(default_factory=dict)

    def of(self, atom: Atom) -> tuple[str, int]:
        """Return where an atom's chunk starts, and how wide its rows are."""
        if atom not in self.found:
            e, width = self.emitter, self.emitter.target.padded(atom.width)
            name = e.buffer(f"C * R * {width}")
            self.lines.append(f"REAL *at_{name} = {name} + slot * R * {width};")
            computed = atom if atom not in self.at_hand else copy(atom)
            e.stores.setdefault(computed, []).append(_Store(_Place(f"at_{name}", str(width)), whole=True))
            if computed is atom:
                e.places.setdefault(atom, _Place(f"at_{name}", str(width)))
            self.goals.append(computed)
            self.found[atom] = name, width
        return self.found[atom]


def _sum_code(e: _Emitter, layout: Layout, chunks: _Chunks) -> tuple[str, tuple[int, ...]]:
    """Return the code that sums over the rows and steps of a chunk, and where each sum starts."""
    code, sizes, start = "", [], 0
    for found in layout.sums:
        name, width = chunks.of(found.columns)
        vectors = width // e.target.lanes
        into = f"(V *)({e.pointer('sums')} + {start})"
        if found.rows is None:
            code += f"  column_sum({into}, {vectors}, {name}, R * {width}, {width}, slot, ms);\n"
            size = width
        else:
            pointer, step, row = _row_operand(e, found.rows, layout, chunks)
            code += f"  outer_sum({into}, {vectors}, {name}, R * {width}, {width}, {pointer}, {step}, {row}, {found.rows.width}, slot, ms);\n"
            size = width * found.rows.width
        sizes.append(start)
        start += size
    return code, (*sizes, start)


def _sunk(program: Program, layout: Layout, target: Target, available: Callable[[Atom], bool]) -> tuple[Product, ...]:
    """Return the products that make up the gradient of x, if no step waits for them and the matrices are many."""
    wanted = program.x_grad or ()
    sums = [a for found in layout.sums for a in (found.columns, found.rows) if a is not None]
    loop = schedule([*(a for atoms in program.state_grads for a in atoms), *sums], available)
    in_loop = {a for stage in loop for a in stage.atoms}
    found = tuple(a for a in wanted if isinstance(a, Product) and a not in in_loop)
    outgrows = _outgrows_cache([*loop, *schedule(wanted, available)], target)
    return found if outgrows and len(set(found)) == len(wanted) else ()


def _sunk_code(e: _Emitter, sunk: tuple[Product, ...], chunks: _Chunks) -> str:
    """Return the code that multiplies the rows of all steps of a chunk, panel by panel."""
    if not sunk:
        return ""
    row, step = e.number("x_grad_row"), e.number("x_grad_step")
    inner = f"for (L s = 0; s < slot; s++) {{ const L m = ms[s]; REAL *to_x = {e.pointer('x_grad')} + (t + slot - 1 - s) * {step} + b * {row}; "
    e.put(sunk, "to_x", row, padded=False)
    operands = {a for found in sunk for a, _ in found.terms}
    stored = {a: chunks.of(copy(a) if isinstance(a, (Input, Const)) else a) for a in operands}
    places = dict(e.places)
    e.places |= {a: _Place(f"({name} + s * R * {width})", str(width)) for a, (name, width) in stored.items()}
    code = "".join(
        e._product_stage(a.width, [a], [a], e.target.padded(a.width) // e.target.lanes, inner=inner) for a in sunk
    )
    e.places = places
    return code


def _outgrows_cache(stages: list[Stage], target: Target) -> bool:
    """Tell whether the matrices that a step multiplies with would push each other out of a core's cache."""
    products = [a for stage in stages for a in stage.atoms if isinstance(a, Product)]
    numbers = sum(a.width * product.width for product in products for a, _ in product.terms)
    return numbers * (8 if target.double else 4) > _CACHE_BYTES


def _row_operand(e: _Emitter, atom: Atom, layout: Layout, chunks: _Chunks) -> tuple[str, str, str]:
    """Return pointer at the chunk's first step, and strides from step to step and from row to row."""
    if isinstance(atom, Input) and atom.source == "x":
        xt, xb = e.number("x_step"), e.number("x_row")
        return f"{e.pointer('x')} + (t + slot - 1) * {xt} + b * {xb} + {atom.start}", f"-{xt}", xb
    if isinstance(atom, Input) and atom.source == "state":
        ld = e.target.padded(layout.state_widths[atom.index])
        return (
            f"{e.pointer('state', atom.index)} + ((t + slot - 1) * B + b) * {ld} + {atom.start}",
            f"-B * {ld}",
            str(ld),
        )
    if atom in layout.kept:
        ld = layout.kept_width
        return f"{e.pointer('kept')} + ((t + slot - 1) * B + b) * {ld} + {layout.kept[atom]}", f"-B * {ld}", str(ld)
    name, width = chunks.of(atom)
    return name, f"R * {width}", str(width)


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


def _literal(value: float) -> str:
    if value != value:
        return "(REAL)NAN"
    if value in (float("inf"), float("-inf")):
        return "(REAL)INFINITY" if value > 0 else "-(REAL)INFINITY"
    return f"(REAL){value!r}"


def _panel_vectors(n_products: int, n_vectors: int, registers: int) -> int:
    """Return how many vectors of columns a tile has for each product: little padding, and wide tiles."""
    most = max(1, min((5 if registers >= 32 else 2) // n_products, n_vectors))

    def cost(nv: int) -> float:
        return -(-n_vectors // nv) * nv * (1 + 0.6 / (nv * n_products))

    return min(range(1, most + 1), key=cost)


def _tile_heights(vectors: int, registers: int) -> list[int]:
    most = max(1, (registers - 3) // vectors - (1 if registers >= 32 else 0))
    return [h for h in (6, 4, 2, 1) if h <= most]
