"""A program as C: the time loop forward, and the one back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from seqpipe.recurrence.compiler.c._kernel import CKernel
from seqpipe.recurrence.compiler.c._stages import Address, Emitter, Store
from seqpipe.recurrence.compiler.program import (
    Atom,
    Const,
    Input,
    Layout,
    Product,
    Stage,
    StepProgram,
    Target,
    copy,
    schedule,
)

__all__ = ["emit_backward", "emit_forward"]

#: Bytes of matrices that a step may read: more, and those that no step waits for are multiplied for many steps at once.
_CACHE_BYTES = 2**20
_BLOCKS = "  const L blocks = (b1 - b0 + R - 1) / R;\n  for (L block = 0; block < blocks; block++) {\n  const L b = b0 + (b1 - b0) * block / blocks, rows = b0 + (b1 - b0) * (block + 1) / blocks - b;\n"


def emit_forward(program: StepProgram, layout: Layout, target: Target, *, keep: bool) -> CKernel:
    """Return the C of the forward loop, which keeps what backward needs if asked to."""
    e = Emitter(target)
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
            e.stores.setdefault(atom, []).append(Store(Address("kept", str(layout.kept_width), start), whole=True))
            goals.append(atom)
    stages = schedule(goals, lambda a: isinstance(a, Input))
    e.hoisting = _outgrows_cache(stages, target)
    code = e.emit(stages)
    before = f"  if (t % H == 0) {{\n{''.join(e.before)}  }}\n" if e.before else ""
    final = "".join(
        f" memcpy({e.pointer('final', k)} + (b + m) * {w}, {e.pointer('state', k)} + ((at & {e.number('mask', k)}) * B + b + m) * {target.padded(w)}, {w} * sizeof(REAL));"
        for k, w in enumerate(layout.state_widths)
    )
    finish = f"while (m && len[b + m - 1] == at) {{ m--;{final}{_clear_padding(e, layout)} }}"
    body = (
        f"{_BLOCKS}{_initial_states(e, layout)}  L m = rows; const L steps = m ? len[b] : 0; {{ const L at = 0; {finish} }}\n"
        f"  for (L t = 0; t < steps; t++) {{\n  {' '.join(lines)}\n{before}{code}  {{ const L at = t + 1; {finish} }}\n  }} }}\n"
    )
    return CKernel(e.source(body), e.pointers, e.numbers)


def _initial_states(e: Emitter, layout: Layout) -> str:
    """Return the code that puts the states before the first step in their places; what follows a row's end might be slow to compute with."""
    code = ""
    for k, width in enumerate(layout.state_widths):
        padded = e.target.padded(width)
        place = f"{e.pointer('state', k)} + (b + r) * {padded}"
        code += f"  for (L r = 0; r < rows; r++) {{ memcpy({place}, {e.pointer('initial', k)} + (b + r) * {width}, {width} * sizeof(REAL)); memset({place} + {width}, 0, {padded - width} * sizeof(REAL)); }}\n"
    return code


def _clear_padding(e: Emitter, layout: Layout) -> str:
    """Return the code that sets the outputs of row b + m to zero from step ``at`` on."""
    k, width = layout.output_state, e.target.padded(layout.output_width)
    base = e.pointer("output") if k is None else f"{e.pointer('state', k)} + B * {width}"
    return f" for (L s = at; s < T; s++) memset({base} + (s * B + b + m) * {width}, 0, {width} * sizeof(REAL));"


def _step_inputs(e: Emitter, layout: Layout) -> list[str]:
    """Address x and the states before and after the step, and return the code that points to them."""
    xt, xb = e.number("x_step"), e.number("x_row")
    lines = [f"const REAL *x = {e.pointer('x')} + t * {xt} + b * {xb}; (void)x;"]
    e.places[Input("x", 0, 0, 0)] = Address("x", xb, edge=True)
    for k, width in enumerate(layout.state_widths):
        ld, mask, base = e.target.padded(width), e.number("mask", k), e.pointer("state", k)
        lines.append(
            f"REAL *before{k} = {base} + ((t & {mask}) * B + b) * {ld}, *after{k} = {base} + (((t + 1) & {mask}) * B + b) * {ld}; (void)before{k}; (void)after{k};"
        )
        e.places[Input("state", k, 0, 0)] = Address(f"before{k}", str(ld))
    return lines


def emit_backward(program: StepProgram, layout: Layout, target: Target) -> CKernel:
    """Return the C of the backward loop."""
    e = Emitter(target)
    lines = _step_inputs(e, layout)
    for k, (atoms, width) in enumerate(zip(program.new_states, layout.state_widths)):
        start = 0
        for atom in atoms:
            e.places.setdefault(atom, Address(f"after{k}", str(target.padded(width)), start)) if not isinstance(
                atom, (Input, Const)
            ) else None
            start += atom.width
    lines.append(f"const REAL *kept = {e.pointer('kept')} + (t * B + b) * {layout.kept_width}; (void)kept;")
    for atom, start in layout.kept.items():
        e.places[atom] = Address("kept", str(layout.kept_width), start)
    gt, gb = e.number("grad_step"), e.number("grad_row")
    lines.append(f"const REAL *grad = {e.pointer('output_grad')} + t * {gt} + b * {gb}; (void)grad;")
    e.places[Input("output_grad", 0, 0, 0)] = Address("grad", gb, edge=True)
    at_hand = set(e.places)
    goals, begin, swap, end = _carries(e, program, layout)
    sunk = _sunk(program, layout, target, lambda a: isinstance(a, Input) or a in at_hand)
    if program.x_grad is not None and not sunk:
        lines.append(
            f"REAL *to_x = {e.pointer('x_grad')} + t * {e.number('x_grad_step')} + b * {e.number('x_grad_row')};"
        )
        goals += e.put(program.x_grad, "to_x", e.number("x_grad_row"), padded=False)
    if program.x_grad is not None:
        begin += _clear_x_grad(e, sum(a.width for a in program.x_grad))
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
    return CKernel(e.source(body, sizes[-1] + target.lanes), e.pointers, e.numbers, sizes)


def _clear_x_grad(e: Emitter, width: int) -> str:
    """Return the code that sets the gradient of x to zero where a row has ended."""
    place = f"{e.pointer('x_grad')} + t * {e.number('x_grad_step')} + (b + r) * {e.number('x_grad_row')}"
    return f"  for (L r = 0; r < rows; r++) for (L t = len[b + r]; t < T; t++) memset({place}, 0, {width} * sizeof(REAL));\n"


def _carries(e: Emitter, program: StepProgram, layout: Layout) -> tuple[list[Atom], str, str, str]:
    """Give the gradient of each state two buffers that change places at every step."""
    goals: list[Atom] = []
    begin = swap = end = ""
    for k, (atoms, width) in enumerate(zip(program.state_grads, layout.state_widths)):
        ld = e.target.padded(width)
        one, two = e.buffer(f"R * {ld}"), e.buffer(f"R * {ld}")
        e.places[Input("state_grad", k, 0, 0)] = Address(f"carry{k}", str(ld))
        goals += e.put(atoms, f"next{k}", str(ld), padded=True)
        after = e.pointer("final_grad", k)
        given, found = (f"{place} + (b + r) * {width}" for place in (after, e.pointer("state_grad", k)))
        # What is left in memory could be denormal numbers beyond the last column, which are slow to compute with.
        begin += (
            f"  REAL *carry{k} = {one}, *next{k} = {two}; "
            f"memset({one}, 0, rows * {ld} * sizeof(REAL)); memset({two}, 0, rows * {ld} * sizeof(REAL)); if ({after}) for (L r = 0; r < rows; r++) {{ "
            f"memcpy({one} + r * {ld}, {given}, {width} * sizeof(REAL)); memcpy({two} + r * {ld}, {given}, {width} * sizeof(REAL)); }}\n"
        )
        swap += f"{{ REAL *s = carry{k}; carry{k} = next{k}; next{k} = s; }} "
        end += f"  for (L r = 0; r < rows; r++) memcpy({found}, carry{k} + r * {ld}, {width} * sizeof(REAL));\n"
    return goals, begin, swap, end


@dataclass
class _Chunks:
    """What the backward loop stores for a chunk of steps, the last step first."""

    emitter: Emitter
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
            e.stores.setdefault(computed, []).append(Store(Address(f"at_{name}", str(width)), whole=True))
            if computed is atom:
                e.places.setdefault(atom, Address(f"at_{name}", str(width)))
            self.goals.append(computed)
            self.found[atom] = name, width
        return self.found[atom]


def _sum_code(e: Emitter, layout: Layout, chunks: _Chunks) -> tuple[str, tuple[int, ...]]:
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


def _sunk(
    program: StepProgram, layout: Layout, target: Target, available: Callable[[Atom], bool]
) -> tuple[Product, ...]:
    """Return the products that make up the gradient of x, if no step waits for them and the matrices are many."""
    wanted = program.x_grad or ()
    sums = [a for found in layout.sums for a in (found.columns, found.rows) if a is not None]
    loop = schedule([*(a for atoms in program.state_grads for a in atoms), *sums], available)
    in_loop = {a for stage in loop for a in stage.atoms}
    found = tuple(a for a in wanted if isinstance(a, Product) and a not in in_loop)
    outgrows = _outgrows_cache([*loop, *schedule(wanted, available)], target)
    return found if outgrows and len(set(found)) == len(wanted) else ()


def _sunk_code(e: Emitter, sunk: tuple[Product, ...], chunks: _Chunks) -> str:
    """Return the code that multiplies the rows of all steps of a chunk, panel by panel."""
    if not sunk:
        return ""
    row, step = e.number("x_grad_row"), e.number("x_grad_step")
    inner = f"for (L s = 0; s < slot; s++) {{ const L m = ms[s]; REAL *to_x = {e.pointer('x_grad')} + (t + slot - 1 - s) * {step} + b * {row}; "
    e.put(sunk, "to_x", row, padded=False)
    operands = {a for found in sunk for a, _ in found.terms}
    stored = {a: chunks.of(copy(a) if isinstance(a, (Input, Const)) else a) for a in operands}
    places = dict(e.places)
    e.places |= {a: Address(f"({name} + s * R * {width})", str(width)) for a, (name, width) in stored.items()}
    code = "".join(
        e.product_stage(a.width, [a], [a], e.target.padded(a.width) // e.target.lanes, inner=inner) for a in sunk
    )
    e.places = places
    return code


def _outgrows_cache(stages: list[Stage], target: Target) -> bool:
    """Tell whether the matrices that a step multiplies with would push each other out of a core's cache."""
    products = [a for stage in stages for a in stage.atoms if isinstance(a, Product)]
    numbers = sum(a.width * product.width for product in products for a, _ in product.terms)
    return numbers * (8 if target.double else 4) > _CACHE_BYTES


def _row_operand(e: Emitter, atom: Atom, layout: Layout, chunks: _Chunks) -> tuple[str, str, str]:
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
