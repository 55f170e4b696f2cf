"""The order in which loops compute atoms, the atoms stored for the backward pass, and products that are merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from seqpipe.recurrence.compiler.program._atoms import (
    COSTLY,
    Atom,
    ColumnSum,
    Const,
    Elementwise,
    Fold,
    Input,
    OuterSum,
    Product,
    Reduction,
    RowSum,
    Select,
    Vector,
    arguments,
    elementwise,
    fold,
    is_across,
    product,
    row_sum,
    select,
)  # fmt: skip
from seqpipe.recurrence.compiler.program._step_program import StepProgram

__all__ = [
    "Stage", "LoopSum", "atoms_of", "depends_on_gradient", "atoms_in_order", "kept_atoms", "merge_products", "rebuild",
    "schedule", "with_arguments",
]  # fmt: skip


@dataclass
class Stage:
    """Atoms of one width that are computed together, block by block of columns, after all earlier stages."""

    level: int
    width: int
    atoms: list[Atom] = field(default_factory=list)


@dataclass(frozen=True)
class LoopSum:
    """A reduction in the loops: ``columns`` run along vectors, ``rows`` are broadcast (None for a column sum)."""

    columns: Atom
    rows: Atom | None
    turned: bool
    slot: int


def schedule(goals: Iterable[Atom], available: Callable[[Atom], bool]) -> list[Stage]:
    """Return the stages that compute the goals from the available atoms."""
    levels: dict[Atom, int] = {}
    for atom in atoms_in_order(goals, available):
        levels[atom] = _level(atom, levels)
    stages: dict[tuple[int, int], Stage] = {}
    for atom, level in levels.items():
        stages.setdefault((level, atom.width), Stage(level, atom.width)).atoms.append(atom)
    return [stages[key] for key in sorted(stages)]


def atoms_in_order(goals: Iterable[Atom], available: Callable[[Atom], bool]) -> list[Atom]:
    """Return the goals and their unavailable dependencies without constants, arguments first."""
    done: dict[Atom, None] = {}
    stack = list(goals)[::-1]
    while stack:
        atom = stack[-1]
        if atom in done or available(atom) or isinstance(atom, Const):
            stack.pop()
            continue
        missing = [a for a in arguments(atom) if a not in done and not available(a) and not isinstance(a, Const)]
        if missing:
            stack += missing
        else:
            done[stack.pop()] = None
    return list(done)


def _level(atom: Atom, levels: dict[Atom, int]) -> int:
    """Return the first level at which an atom's arguments are complete; those read across columns need an earlier one."""
    level = 0
    for argument in arguments(atom):
        if argument in levels:
            across = is_across(atom) or (argument.width == 1 != atom.width)
            level = max(level, levels[argument] + across)
    return level


def merge_products(program: StepProgram) -> StepProgram:
    """Merge products whose results are only added up, so that they share one accumulator."""
    goals = [a for group in _goals(program) for a in group]
    uses = Counter(goals)
    for atom in atoms_in_order(goals, lambda a: False):
        uses.update(arguments(atom))
    for reduction in program.reductions:
        uses.update([reduction.left, *([reduction.right] if isinstance(reduction, OuterSum) else [])])
    return rebuild(program, lambda atom, made: _merged(atom, uses, made))


def rebuild(program: StepProgram, make: Callable[[Atom, Callable[[Atom], Atom]], Atom]) -> StepProgram:
    """Rebuild a program's atoms, starting from their inputs.

    Parameters
    ----------
    program : StepProgram
    make : callable (atom, made) -> Atom
        Returns the replacement of an atom; ``made`` returns that of an earlier atom.
    """
    memo: dict[Atom, Atom] = {}

    def made(atom: Atom) -> Atom:
        return memo.get(atom, atom)

    for atom in atoms_of(program):
        memo[atom] = make(atom, made)

    def all_of(atoms: tuple[Atom, ...]) -> tuple[Atom, ...]:
        return tuple(made(a) for a in atoms)

    return replace(
        program,
        output=all_of(program.output),
        new_states=[all_of(s) for s in program.new_states],
        x_grad=None if program.x_grad is None else all_of(program.x_grad),
        state_grads=[all_of(s) for s in program.state_grads],
        reductions={_with_operands(r, made): slot for r, slot in program.reductions.items()},
    )


def atoms_of(program: StepProgram) -> list[Atom]:
    """Return all atoms of a program without constants, arguments first."""
    goals = [a for group in _goals(program) for a in group]
    return atoms_in_order([*goals, *_operands(program.reductions)], lambda a: False)


def _goals(program: StepProgram) -> list[tuple[Atom, ...]]:
    return [program.output, *program.new_states, program.x_grad or (), *program.state_grads]


def _operands(reductions: Iterable[Reduction]) -> list[Atom]:
    return [a for r in reductions for a in ([r.left, r.right] if isinstance(r, OuterSum) else [r.left])]


def _with_operands(reduction: Reduction, function: Callable[[Atom], Atom]) -> Reduction:
    if isinstance(reduction, OuterSum):
        return OuterSum(function(reduction.left), function(reduction.right))
    return ColumnSum(function(reduction.left))


def with_arguments(atom: Atom, made: Callable[[Atom], Atom]) -> Atom:
    """Return the same operation on replaced arguments."""
    if isinstance(atom, Product):
        return product(tuple((made(a), m) for a, m in atom.terms), atom.width)
    if isinstance(atom, RowSum):
        return row_sum(tuple(made(a) for a in atom.terms))
    if isinstance(atom, Fold):
        return fold(atom.op, made(atom.of), atom.size, atom.inner)
    if isinstance(atom, Select):
        return select(tuple(made(a) for a in atom.terms), atom.columns)
    if not isinstance(atom, Elementwise):
        return atom
    return elementwise(atom.op, tuple(a if isinstance(a, Vector) else made(a) for a in atom.args), atom.width)


def _merged(atom: Atom, uses: Counter[Atom], made: Callable[[Atom], Atom]) -> Atom:
    leaves = _summands(atom, uses) if isinstance(atom, Elementwise) and atom.op == "add" else []
    products = [a for a in leaves if isinstance(a, Product) and a.width == atom.width and uses[a] == 1]
    if len(products) < 2:
        return with_arguments(atom, made)
    total: Atom = product(tuple((made(a), m) for p in products for a, m in p.terms), atom.width)
    for leaf in leaves:
        if leaf not in products:
            total = elementwise("add", (total, leaf if isinstance(leaf, Vector) else made(leaf)), atom.width)
    return total


def _summands(atom: Elementwise, uses: Counter[Atom]) -> list[Atom | Vector]:
    leaves: list[Atom | Vector] = []
    for argument in atom.args:
        inner = isinstance(argument, Elementwise) and argument.op == "add" and argument.width == atom.width
        if inner and uses[argument] == 1:  # type: ignore[index]
            leaves += _summands(argument, uses)  # type: ignore[arg-type]
        else:
            leaves.append(argument)
    return leaves


def depends_on_gradient(atoms: Iterable[Atom]) -> set[Atom]:
    """Return those of the atoms and their dependencies that only the backward pass can compute."""
    found: set[Atom] = set()
    for atom in atoms_in_order(atoms, lambda a: False):
        if isinstance(atom, Input):
            if atom.source in ("output_grad", "state_grad"):
                found.add(atom)
        elif any(a in found for a in arguments(atom)):
            found.add(atom)
    return found


def kept_atoms(goals: Iterable[Atom], at_hand: Callable[[Atom], bool]) -> tuple[Atom, ...]:
    """Return the atoms that the forward pass must store for the goals of the backward pass.

    Results of products and of costly operations are stored; atoms that are cheap to compute from these, from inputs
    and from states (``at_hand``) are recomputed.
    """
    order = atoms_in_order(goals, at_hand)
    backward = depends_on_gradient(order)
    wanted = {a for atom in order if atom in backward for a in arguments(atom)} | set(goals)
    wanted = {a for a in wanted if a not in backward and not at_hand(a) and not isinstance(a, Const)}
    kept = {a for a in wanted if _is_costly(a)}
    recomputed: dict[Atom, bool] = {}

    def cheap(atom: Atom) -> bool:
        if atom in kept or at_hand(atom) or isinstance(atom, Const):
            return True
        if atom not in recomputed:
            recomputed[atom] = not _is_costly(atom) and all(cheap(a) for a in arguments(atom))
        return recomputed[atom]

    kept |= {a for a in wanted if not cheap(a)}
    return tuple(a for a in order if a in kept)


def _is_costly(atom: Atom) -> bool:
    return isinstance(atom, (Product, RowSum, Fold)) or (isinstance(atom, Elementwise) and atom.op in COSTLY)
