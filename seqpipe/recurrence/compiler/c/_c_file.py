"""A complete C file: the code around a loop, with the arguments and buffers that the loop requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from seqpipe.recurrence.compiler.c._preamble import CALL, microkernel, preamble
from seqpipe.recurrence.compiler.c._writer import CWriter, declaration
from seqpipe.recurrence.compiler.program import Target

__all__ = ["Arguments", "CFile"]

#: Rows processed together through all time steps, rows times steps per gradient sum, and rows of x multiplied ahead of
#: their steps.
_BLOCK_ROWS = 48
_CHUNK_ROWS = 384
_AHEAD_ROWS = 96


@dataclass
class Arguments:
    """The arguments of a kernel: pointers and integers, under keys that the caller resolves.

    Attributes
    ----------
    pointers, numbers : list of tuple
        The keys in argument order, starting with those that every kernel has.
    """

    pointers: list[tuple[object, ...]] = field(default_factory=lambda: [("lengths",)])
    numbers: list[tuple[object, ...]] = field(
        default_factory=lambda: [("B",), ("b0",), ("b1",), ("R",), ("C",), ("T",)]
    )

    def pointer(self, *key: object) -> str:
        """Return the C expression of a pointer, adding it to the arguments."""
        if key not in self.pointers:
            self.pointers.append(key)
        return f"((REAL *)p[{self.pointers.index(key)}])"

    def number(self, *key: object) -> str:
        """Return the C expression of an integer, adding it to the arguments."""
        if key not in self.numbers:
            self.numbers.append(key)
        return f"n[{self.numbers.index(key)}]"


@dataclass
class CFile:
    """The C file around one loop.

    Attributes
    ----------
    target : Target
    arguments : Arguments
    setup : list of str
        Statements that fill buffers before the loop.
    functions : set of str
        Optional library functions that the loop calls.
    kernels : set of (int, int)
        (rows, vectors) of each product kernel that the loop calls.
    """

    target: Target
    arguments: Arguments = field(default_factory=Arguments)
    setup: list[str] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    kernels: set[tuple[int, int]] = field(default_factory=set)
    _buffers: list[tuple[str, str]] = field(default_factory=list)

    def buffer(self, size: str) -> str:
        """Allocate a buffer of ``size`` numbers and return its name."""
        name = f"w{len(self._buffers)}"
        self._buffers.append((name, size))
        return name

    def source(self, body: CWriter, sums_size: int = 0) -> str:
        """Return the source of the file for a body of ``run`` that writes ``sums_size`` sums per part of a batch."""
        head = preamble(
            double=self.target.double,
            vector_bytes=self.target.vector_bytes,
            registers=self.target.registers,
            functions=self.functions,
        )
        kernels = "".join(str(microkernel(rows, vectors)) for rows, vectors in sorted(self.kernels))
        return f"{head}{kernels}{self._run(body)}{self._call(sums_size)}"

    def _run(self, body: CWriter) -> CWriter:
        out = CWriter()
        sizes = " + ".join(f"(size_t)({size}) + VL" for _, size in self._buffers) or "1"
        with out.block("__attribute__((noinline)) int run(const L *n, void *const *p)"):
            out.declare(
                "const L", B="n[0]", b0="n[1]", b1="n[2]", R="n[3]", C="n[4]", T="n[5]", H=f"{_AHEAD_ROWS} / R + 1"
            )
            out.write("(void)C; (void)H; (void)T;")
            out.declare("const L *", len="p[0]")
            out.declare("REAL *", space=f"malloc(({sizes}) * sizeof(REAL) + 64)")
            out.write("if (!space) return 1;")
            out.declare("REAL *", w="(REAL *)(((uintptr_t)space + 63) & ~(uintptr_t)63)")
            for name, size in self._buffers:
                out.write(f"{declaration('REAL *restrict', **{name: 'w'})} w += ({size}) + VL;")
            out.write(*self.setup)
            out.add(body)
            out.write("free(space);", "return 0;")
        return out

    def _call(self, sums_size: int) -> str:
        pointers = self.arguments.pointers
        constants = {
            "NUMBERS": len(self.arguments.numbers), "POINTERS": len(pointers), "SUMS_SIZE": sums_size,
            "SUMS": pointers.index(("sums",)) if ("sums",) in pointers else 0,
            "BLOCK_ROWS": _BLOCK_ROWS, "CHUNK_ROWS": _CHUNK_ROWS,
        }  # fmt: skip
        code = CALL
        for name, value in constants.items():
            code = code.replace(name, str(value))
        return code
