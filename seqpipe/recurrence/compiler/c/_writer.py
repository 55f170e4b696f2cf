"""A small writer of C: lines in blocks, declarations, loops, and calls with arguments by name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["CWriter", "call", "clear", "copy_numbers", "declaration", "for_each"]

_INDENT = "  "


class CWriter:
    """Collects lines of C, indented by the blocks that they are in."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 0

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    def write(self, *statements: str) -> None:
        """Write statements, each of one or several lines."""
        indent = _INDENT * self._depth
        self.lines += [indent + line for statement in statements for line in statement.splitlines()]

    def add(self, other: CWriter) -> None:
        """Write what another writer has collected."""
        self.write(*other.lines)

    def declare(self, kind: str, **values: str) -> None:
        """Write a declaration: see `declaration`."""
        self.write(declaration(kind, **values))

    def point(self, kind: str, **values: str) -> None:
        """Declare pointers that the rest of the block may or may not read."""
        self.write(declaration(kind, **values), *[f"(void){name};" for name in values])

    @contextmanager
    def block(self, *heads: str) -> Iterator[None]:
        """Open a block, with the heads of loops or conditions before it, and close it at the end of the context."""
        self.write(" ".join([*heads, "{"]))
        self._depth += 1
        yield
        self._depth -= 1
        self.write("}")


def declaration(kind: str, **values: str) -> str:
    """Return a declaration of variables of one type, with their values; of pointers where the type ends in a star."""
    stars = "*" if kind.endswith("*") else ""
    names = ", ".join(f"{stars}{name} = {value}" for name, value in values.items())
    return f"{kind.removesuffix('*').rstrip()} {names};"


def for_each(counter: str, end: str | int, *, start: str | int = 0, step: str | int = 1) -> str:
    """Return the head of a loop over numbers from ``start`` up to, not including, ``end``."""
    advance = f"{counter}++" if step == 1 else f"{counter} += {step}"
    return f"for (L {counter} = {start}; {counter} < {end}; {advance})"


def call(function: str, parameters: tuple[str, ...], **arguments: str | int) -> str:
    """Return a call as a statement, its arguments in the order of the function's parameters.

    Raises
    ------
    TypeError
        If an argument is missing, or one too many.
    """
    if set(arguments) != set(parameters):
        raise TypeError(f"{function} takes {list(parameters)}, got {list(arguments)}.")
    return f"{function}({', '.join(str(arguments[name]) for name in parameters)});"


def copy_numbers(to: str, of: str, number: str | int) -> str:
    """Return the statement that copies so many numbers from one place to another."""
    return f"memcpy({to}, {of}, {number} * sizeof(REAL));"


def clear(to: str, number: str | int) -> str:
    """Return the statement that sets so many numbers to zero."""
    return f"memset({to}, 0, {number} * sizeof(REAL));"
