"""A small C code writer: indented blocks, declarations, loops, and calls with keyword arguments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["CWriter", "call", "clear", "copy_numbers", "declaration", "for_each"]

_INDENT = "  "


class CWriter:
    """Collects lines of C, indented by block depth."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 0

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    def write(self, *statements: str) -> None:
        """Write statements, each of one or more lines."""
        indent = _INDENT * self._depth
        self.lines += [indent + line for statement in statements for line in statement.splitlines()]

    def add(self, other: CWriter) -> None:
        """Write the lines of another writer."""
        self.write(*other.lines)

    def declare(self, kind: str, **values: str) -> None:
        """Write a declaration: see `declaration`."""
        self.write(declaration(kind, **values))

    def point(self, kind: str, **values: str) -> None:
        """Declare pointers that the rest of the block may leave unused."""
        self.write(declaration(kind, **values), *[f"(void){name};" for name in values])

    @contextmanager
    def block(self, *heads: str) -> Iterator[None]:
        """Open a block after loop or condition headers, and close it when the context exits."""
        self.write(" ".join([*heads, "{"]))
        self._depth += 1
        yield
        self._depth -= 1
        self.write("}")


def declaration(kind: str, **values: str) -> str:
    """Return a declaration of initialized variables of one type; a type that ends in a star declares pointers."""
    stars = "*" if kind.endswith("*") else ""
    names = ", ".join(f"{stars}{name} = {value}" for name, value in values.items())
    return f"{kind.removesuffix('*').rstrip()} {names};"


def for_each(counter: str, end: str | int, *, start: str | int = 0, step: str | int = 1) -> str:
    """Return the header of a loop over ``range(start, end, step)``."""
    advance = f"{counter}++" if step == 1 else f"{counter} += {step}"
    return f"for (L {counter} = {start}; {counter} < {end}; {advance})"


def call(function: str, parameters: tuple[str, ...], **arguments: str | int) -> str:
    """Return a call statement with its arguments in the order of the function's parameters.

    Raises
    ------
    TypeError
        If an argument is missing or unexpected.
    """
    if set(arguments) != set(parameters):
        raise TypeError(f"{function} takes {list(parameters)}, got {list(arguments)}.")
    return f"{function}({', '.join(str(arguments[name]) for name in parameters)});"


def copy_numbers(to: str, source: str, count: str | int) -> str:
    """Return the statement that copies ``count`` numbers."""
    return f"memcpy({to}, {source}, {count} * sizeof(REAL));"


def clear(to: str, count: str | int) -> str:
    """Return the statement that sets ``count`` numbers to zero."""
    return f"memset({to}, 0, {count} * sizeof(REAL));"
