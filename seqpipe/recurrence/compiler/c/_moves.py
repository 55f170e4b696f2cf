"""The C that moves the columns of a row, or puts some of them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from seqpipe.recurrence.compiler.program import Atom, Const, Fold, Select

__all__ = ["fold_code", "literal", "select_code"]

#: Where a row of an atom is, and whether whole vectors may be read there.
_RowOf = Callable[[Atom], tuple[str, bool]]

#: How deep loops that move columns are nested; what is less regular is a table.
_MOST_LOOPS = 3
_TOGETHER = {
    "sum": "{0} + {1}", "prod": "{0} * {1}", "max": "{1} > {0} || {1} != {1} ? {1} : {0}", "min": "{1} < {0} || {1} != {1} ? {1} : {0}",
}  # fmt: skip
_TOGETHER_VECTORS = {"sum": "{0} + {1}", "prod": "{0} * {1}", "max": "vmax({1}, {0})", "min": "vmin({1}, {0})"}


def literal(value: float) -> str:
    """Return a number as C."""
    if value != value:
        return "(REAL)NAN"
    if value in (float("inf"), float("-inf")):
        return "(REAL)INFINITY" if value > 0 else "-(REAL)INFINITY"
    return f"(REAL){value!r}"


def fold_code(atom: Fold, row_of: _RowOf) -> str:
    """Return the code that puts columns together into row ``d``."""
    source, whole = row_of(atom.of)
    outer, size, inner = atom.width // atom.inner, atom.size, atom.inner
    head = f"    const REAL *const s = {source};\n"
    if inner == 1 and atom.op == "sum" and whole:
        return head + f"    for (L o = 0; o < {outer}; o++) d[o] = total(s + o * {size}, {size});\n"
    if inner == 1 or not whole:
        step = _TOGETHER[atom.op].format("z", "x")
        return head + (
            f"    for (L o = 0; o < {outer}; o++) for (L j = 0; j < {inner}; j++) {{ const REAL *a = s + o * {size * inner} + j; REAL z = a[0];\n"
            f"      for (L k = 1; k < {size}; k++) {{ const REAL x = a[k * {inner}]; z = {step}; }} d[o * {inner} + j] = z; }}\n"
        )
    step = _TOGETHER_VECTORS[atom.op].format("z", "x")
    return head + (  # what is stored beyond a group is overwritten by the next one, or lies beyond the row
        f"    for (L o = 0; o < {outer}; o++) for (L j = 0; j < {inner}; j += VL) {{ const REAL *a = s + o * {size * inner} + j; V z = load(a);\n"
        f"      for (L k = 1; k < {size}; k++) {{ const V x = load(a + k * {inner}); z = {step}; }} store(d + o * {inner} + j, z); }}\n"
    )


def select_code(atom: Select, row_of: _RowOf) -> str:
    """Return the code that puts chosen columns into row ``d``."""
    moves: dict[Atom | None, list[tuple[int, int]]] = {}
    bounds = _bounds(atom.terms)
    for to, column in enumerate(atom.columns):
        term, start = next(((t, s) for t, s, e in bounds if s <= column < e), (None, 0))
        moves.setdefault(term, []).append((to, column - start))
    return "".join(_moves_of(term, found, row_of) for term, found in moves.items())


def _bounds(terms: Sequence[Atom]) -> list[tuple[Atom, int, int]]:
    found, start = [], 0
    for term in terms:
        found.append((term, start, start + term.width))
        start += term.width
    return found


def _moves_of(term: Atom | None, moves: list[tuple[int, int]], row_of: _RowOf) -> str:
    """Return the code of the moves from one atom's columns: loops, where they are regular, or a table."""
    if term is None or isinstance(term, Const):
        moves = [(to, 0) for to, _ in moves]
        head = f"    {{ const REAL s[1] = {{{literal(term.value if isinstance(term, Const) else 0.0)}}};\n"
    else:
        head = f"    {{ const REAL *const s = {row_of(term)[0]};\n"
    loops = _loops_of(moves)
    return head + (_table(moves) if loops is None else _nested(moves[0], loops)) + "    }\n"


def _loops_of(moves: Sequence[tuple[int, int]], most: int = _MOST_LOOPS) -> list[tuple[int, int, int]] | None:
    """Return the nested loops, the outermost first, that make moves one after the other: how many, and the steps to and from.

    None if they are not that regular.
    """
    if len(moves) == 1:
        return []
    if most == 0:
        return None
    steps = [(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(moves)]
    number = next((i for i, step in enumerate(steps) if step != steps[0]), len(steps)) + 1
    groups = [steps[i : i + number - 1] for i in range(0, len(moves), number)]
    if len(moves) % number or any(step != steps[0] for group in groups for step in group):
        return None
    outer = _loops_of(moves[::number], most - 1)
    return None if outer is None else [*outer, (number, *steps[0])]


def _nested(first: tuple[int, int], loops: list[tuple[int, int, int]]) -> str:
    to, source = (
        " + ".join([str(start), *(f"i{k} * {loop[1 + side]}" for k, loop in enumerate(loops[:-1]))])
        for side, start in enumerate(first)
    )
    number, step_to, step_from = loops[-1] if loops else (1, 1, 1)
    code = "".join(f"for (L i{k} = 0; i{k} < {loop[0]}; i{k}++) " for k, loop in enumerate(loops[:-1]))
    if (step_to, step_from) == (1, 1):
        inner = f"memcpy(d + {to}, s + {source}, {number} * sizeof(REAL));"
    elif (step_to, step_from) == (1, 0):
        inner = f"spread(d + {to}, s[{source}], {number});"
    else:
        inner = f"for (L j = 0; j < {number}; j++) d[{to} + j * {step_to}] = s[{source} + j * {step_from}];"
    return f"      {code}{inner}\n"


def _table(moves: Sequence[tuple[int, int]]) -> str:
    to, source = (", ".join(str(move[side]) for move in moves) for side in (0, 1))
    return (
        f"      static const int32_t to[] = {{{to}}}, from[] = {{{source}}};\n"
        f"      for (L k = 0; k < {len(moves)}; k++) d[to[k]] = s[from[k]];\n"
    )
