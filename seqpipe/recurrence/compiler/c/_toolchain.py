"""Finds and runs the C compiler of this machine."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from seqpipe.exceptions import CompilerError

__all__ = ["Compiler", "compile_source", "find_compiler", "object_flags"]

# Not -ffast-math: NaN must stay NaN. zig enables the sanitizer by default.
_COMMON = (
    *("-std=c11", "-fPIC", "-shared", "-fno-sanitize=undefined"),
    *("-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math"),
)
_WIDE = "-mprefer-vector-width=512"
#: When tuned for AMD processors, gcc fuses multiply and add in some copies of a loop only, so that the result of a row
#: would depend on the number of rows.
_FUSED = "--param=avoid-fma-max-bits=0"
_VERSION_SECONDS = 30.0
_COMPILE_SECONDS = 120.0
_LAST_LINES = 12


@dataclass(frozen=True)
class Compiler:
    """A working C compiler.

    Attributes
    ----------
    command : tuple of str
        The program and its leading arguments.
    version : str
        The first line of its ``--version`` output.
    """

    command: tuple[str, ...]
    version: str


def find_compiler() -> Compiler:
    """Return the C compiler to use: ``SEQPIPE_CC``, else cc, gcc or clang on ``PATH``, else ziglang.

    The search runs once per process for each value of ``SEQPIPE_CC`` and ``PATH``.

    Raises
    ------
    CompilerError
        If no compiler is found, or the one in ``SEQPIPE_CC`` does not run.
    """
    return _find(os.environ.get("SEQPIPE_CC", "").strip(), os.environ.get("PATH", ""))


def object_flags(compiler: Compiler, optimization: str) -> tuple[tuple[str, ...], ...]:
    """Return the sets of flags to try in turn, from machine-specific to generic."""
    arm = platform.machine().lower() in ("arm64", "aarch64")
    native = "-mcpu=native" if arm or _is_zig(compiler.command) else "-march=native"
    machines = ((native, _WIDE, _FUSED), (native, _WIDE), (native,), ()) if not arm else ((native,), ())
    return tuple((optimization, *_COMMON, *machine) for machine in machines)


def compile_source(
    compiler: Compiler, source: str, target: Path, flags: tuple[tuple[str, ...], ...], scratch: Path
) -> None:
    """Compile C ``source`` into the shared object ``target`` with the first of ``flags`` that works.

    The source is left beside the target; ``scratch`` is a folder for the compiler's own cache.

    Raises
    ------
    CompilerError
        If compilation fails, or does not finish within 120 seconds.
    """
    # Relative names keep the folder, which differs between runs, out of the object.
    code = target.with_suffix(".c")
    code.write_text(source, encoding="utf-8")
    for attempt in flags:
        errors = _run(compiler, [*attempt, "-o", target.name, code.name, "-lm"], target.parent, scratch)
        if errors is None:
            return
    raise CompilerError(
        f"The C compiler {shlex.join(compiler.command)!r} ({compiler.version}) failed. Its last output:\n{errors}\n"
        f"Set SEQPIPE_CC to use another compiler."
    )


@cache
def _find(chosen: str, path: str) -> Compiler:
    """Search for a compiler; the arguments are the cache key."""
    if chosen:
        return _chosen(chosen, path)
    for name in ("cc", "gcc", "clang"):
        found = _resolve((name,), path)
        if found is not None and (compiler := _try(found)) is not None:
            return compiler
    if find_spec("ziglang") is not None:
        compiler = _try((sys.executable, "-m", "ziglang", "cc"))
        if compiler is not None:
            return compiler
    raise CompilerError(
        "No working C compiler found: neither cc, gcc nor clang on PATH, nor the package ziglang. Install one with "
        '"apt install gcc" or "pip install \'seqpipe[compiler]\'", or set SEQPIPE_CC to one.'
    )


def _chosen(chosen: str, path: str) -> Compiler:
    try:
        words = tuple(shlex.split(chosen, posix=os.name == "posix"))
    except ValueError as error:
        raise CompilerError(f"SEQPIPE_CC={chosen!r} is not a valid command line: {error}.") from error
    found = _resolve(words, path)
    compiler = _try(found) if found is not None else None
    if compiler is None:
        raise CompilerError(
            f"SEQPIPE_CC={chosen!r} is not a working C compiler: running it with --version failed. Correct it, or "
            f"unset it to let seqpipe find one."
        )
    return compiler


def _resolve(words: tuple[str, ...], path: str) -> tuple[str, ...] | None:
    """Return the command with the absolute path of its program, since it is run in another folder."""
    program = shutil.which(words[0], path=path) if words else None
    return None if program is None else (os.path.abspath(program), *words[1:])


def _try(command: tuple[str, ...]) -> Compiler | None:
    """Return the compiler if it prints its version."""
    try:
        with tempfile.TemporaryDirectory(prefix="seqpipe-", ignore_cleanup_errors=True) as scratch:
            ran = _call(command, ["--version"], _VERSION_SECONDS, scratch=scratch)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = ran.stdout.strip().splitlines()
    return Compiler(command, lines[0]) if ran.returncode == 0 and lines else None


def _call(
    command: tuple[str, ...], arguments: list[str], seconds: float, *, scratch: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    # zig hangs if its default cache, in the home folder, is not writable.
    zig = {"ZIG_GLOBAL_CACHE_DIR": scratch, "ZIG_LOCAL_CACHE_DIR": scratch}
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**os.environ, **zig} if _is_zig(command) else None,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        timeout=seconds,
    )


def _is_zig(command: tuple[str, ...]) -> bool:
    return "ziglang" in command or Path(command[0]).stem == "zig"


def _run(compiler: Compiler, arguments: list[str], folder: Path, scratch: Path) -> str | None:
    """Run the compiler in ``folder``; return None on success, else the last lines of its errors."""
    try:
        ran = _call(compiler.command, arguments, _COMPILE_SECONDS, scratch=str(scratch), folder=folder)
    except subprocess.TimeoutExpired as error:
        raise CompilerError(
            f"The C compiler {shlex.join(compiler.command)!r} did not finish within {_COMPILE_SECONDS:.0f} seconds. "
            f"Set SEQPIPE_CC to use another compiler."
        ) from error
    except OSError as error:
        raise CompilerError(
            f"The C compiler {shlex.join(compiler.command)!r} cannot be run any more: {error}."
        ) from error
    if ran.returncode == 0:
        return None
    return "\n".join(ran.stderr.strip().splitlines()[-_LAST_LINES:]) or f"(nothing; exit status {ran.returncode})"
