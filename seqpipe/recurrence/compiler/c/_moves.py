"""The C that reorders or reduces the columns of a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from seqpipe.recurrence.compiler.c._writer import CWriter, copy_numbers, for_each
from seqpipe.recurrence.compiler.program import Atom, Const, Fold, Select

__all__ = ["literal", "write_fold", "write_select"]

#: Returns the address of a row of an atom, and whether whole vectors may be read there.
_RowOf = Callable[[Atom], tuple[str, bool]]

#: Maximum nesting of loops that move columns; less regular moves use a table.
_MAX_LOOPS = 3
_TOGETHER = {
    "sum": "{0} + {1}", "prod": "{0} * {1}", "max": "{1} > {0} || {1} != {1} ? {1} : {0}",
    "min": "{1} < {0} || {1} != {1} ? {1} : {0}",
}  # fmt: skip
_TOGETHER_VECTORS = {"sum": "{0} + {1}", "prod": "{0} * {1}", "max": "vmax({1}, {0})", "min": "vmin({1}, {0})"}


def literal(value: float) -> str:
    """Return a number as a C literal."""
    if value != value:
        return "(REAL)NAN"
    if value in (float("inf"), float("-inf")):
        return "(REAL)INFINITY" if value > 0 else "-(REAL)INFINITY"
    return f"(REAL){value!r}"


def write_fold(out: CWriter, atom: Fold, row_of: _RowOf) -> set[str]:
    """Write the code that reduces columns into row ``d``; return the optional library functions that it calls."""
    source, whole = row_of(atom.of)
    outer, size, inner = atom.width // atom.inner, atom.size, atom.inner
    out.write(f"const REAL *const s = {source};")
    if inner == 1 and atom.op == "sum" and whole:
        out.write(f"{for_each('o', outer)} d[o] = total(s + o * {size}, {size});")
        return {"total"}
    by_vectors = inner != 1 and whole
    with out.block(for_each("o", outer), for_each("j", inner, step="VL" if by_vectors else 1)):
        out.declare("const REAL *", a=f"s + o * {size * inner} + j")
        if by_vectors:
            out.declare("V", z="load(a)")
            _write_terms(out, size, f"const V x = load(a + k * {inner});", _TOGETHER_VECTORS[atom.op])
            # Elements stored past a group are overwritten by the next one, or lie past the row.
            out.write(f"store(d + o * {inner} + j, z);")
        else:
            out.declare("REAL", z="a[0]")
            _write_terms(out, size, f"const REAL x = a[k * {inner}];", _TOGETHER[atom.op])
            out.write(f"d[o * {inner} + j] = z;")
    return set()


def _write_terms(out: CWriter, size: int, read: str, together: str) -> None:
    with out.block(for_each("k", size, start=1)):
        out.write(read, f"z = {together.format('z', 'x')};")


def write_select(out: CWriter, atom: Select, row_of: _RowOf) -> set[str]:
    """Write the code that gathers columns into row ``d``; return the optional library functions that it calls."""
    moves: dict[Atom | None, list[tuple[int, int]]] = {}
    bounds = _bounds(atom.terms)
    for to, column in enumerate(atom.columns):
        term, start = next(((t, s) for t, s, e in bounds if s <= column < e), (None, 0))
        moves.setdefault(term, []).append((to, column - start))
    functions: set[str] = set()
    for term, found in moves.items():
        functions |= _write_moves_of(out, term, found, row_of)
    return functions


def _bounds(terms: Sequence[Atom]) -> list[tuple[Atom, int, int]]:
    found, start = [], 0
    for term in terms:
        found.append((term, start, start + term.width))
        start += term.width
    return found


def _write_moves_of(out: CWriter, term: Atom | None, moves: list[tuple[int, int]], row_of: _RowOf) -> set[str]:
    """Write the moves of one atom's columns: loops if they are regular, else a table."""
    with out.block():
        if term is None or isinstance(term, Const):
            moves = [(to, 0) for to, _ in moves]
            out.write(f"const REAL s[1] = {{{literal(term.value if isinstance(term, Const) else 0.0)}}};")
        else:
            out.write(f"const REAL *const s = {row_of(term)[0]};")
        loops = _loops_of(moves)
        if loops is None:
            _write_table(out, moves)
            return set()
        return _write_nested(out, moves[0], loops)


def _loops_of(moves: Sequence[tuple[int, int]], max_loops: int = _MAX_LOOPS) -> list[tuple[int, int, int]] | None:
    """Return nested loops, outermost first, that perform the moves: count, target step and source step of each.

    Return None if the moves are not regular enough.
    """
    if len(moves) == 1:
        return []
    if max_loops == 0:
        return None
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(moves)]
    number = next((i for i, step in enumerate(steps) if step != steps[0]), len(steps)) + 1
    groups = [steps[i : i + number - 1] for i in range(0, len(moves), number)]
    if len(moves) % number or any(step != steps[0] for group in groups for step in group):
        return None
    outer = _loops_of(moves[::number], max_loops - 1)
    return None if outer is None else [*outer, (number, *steps[0])]


def _write_nested(out: CWriter, first: tuple[int, int], loops: list[tuple[int, int, int]]) -> set[str]:
    to, source = (
        " + ".join([str(start), *(f"i{k} * {loop[1 + side]}" for k, loop in enumerate(loops[:-1]))])
        for side, start in enumerate(first)
    )
    number, step_to, step_from = loops[-1] if loops else (1, 1, 1)
    heads = [for_each(f"i{k}", loop[0]) for k, loop in enumerate(loops[:-1])]
    if (step_to, step_from) == (1, 1):
        inner = copy_numbers(f"d + {to}", f"s + {source}", number)
    elif (step_to, step_from) == (1, 0):
        inner = f"spread(d + {to}, s[{source}], {number});"
    else:
        inner = f"{for_each('j', number)} d[{to} + j * {step_to}] = s[{source} + j * {step_from}];"
    out.write(" ".join([*heads, inner]))
    return {"spread"} if inner.startswith("spread") else set()


def _write_table(out: CWriter, moves: Sequence[tuple[int, int]]) -> None:
    to, source = (", ".join(str(move[side]) for move in moves) for side in (0, 1))
    out.write(f"static const int32_t to[] = {{{to}}}, from[] = {{{source}}};")
    out.write(f"{for_each('k', len(moves))} d[to[k]] = s[from[k]];")
