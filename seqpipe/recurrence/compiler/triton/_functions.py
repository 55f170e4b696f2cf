"""Triton functions that generated kernels call: memory access, and mathematics missing from the language."""

from __future__ import annotations

__all__ = ["functions"]

_HEAD = "import triton\nimport triton.language as tl\n"
_MEMORY = """
@triton.jit
def read(p, row, ld, column, width, here):
    return tl.load(p + row[:, None] * ld + column[None, :], mask=here[:, None] & (column < width)[None, :], other=0)


@triton.jit
def write(p, row, ld, column, width, here, value):
    tl.store(p + row[:, None] * ld + column[None, :], value, mask=here[:, None] & (column < width)[None, :])


@triton.jit
def matrix(p, row_stride, column_stride, row, rows, column, columns):
    at = p + row[:, None] * row_stride + column[None, :] * column_stride
    return tl.load(at, mask=(row < rows)[:, None] & (column < columns)[None, :], other=0)
"""
#: Functions by operation. Near 0 they use series, since 1 ± x loses its digits there.
_MATHEMATICS = {
    # Cephes (Moshier, 1989): a rational function near 0, the exponential elsewhere.
    "tanh": """
@triton.jit
def tanh(x):
    a = tl.abs(x)
    z = x * x
    p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3
    q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125484048e3
    e = tl.exp(-2.0 * a)
    far = (1.0 - e) / (1.0 + e)
    return tl.where(a < 0.625, x + x * (z * (p / q)), tl.where(x < 0, -far, far))
""",
    # 2 artanh(x / (2 + x)).
    "log1p": """
@triton.jit
def log1p(x):
    near = (x > -0.3) & (x < 0.4)
    s = tl.where(near, x, 0.0) / (2.0 + tl.where(near, x, 0.0))
    z = s * s
    total = z * 0 + 1.0 / 27.0
    for i in tl.static_range(1, 14):
        total = total * z + 1.0 / (27.0 - 2.0 * i)
    return tl.where(near, 2.0 * s * total, tl.log(1.0 + x))
""",
    "expm1": """
@triton.jit
def expm1(x):
    near = tl.abs(x) < 0.4
    y = tl.where(near, x, 0.0)
    total = y * 0 + 1.0
    for i in tl.static_range(1, 14):
        total = 1.0 + total * y / (15.0 - i)
    return tl.where(near, y * total, tl.exp(x) - 1.0)
""",
    "pow": """
@triton.jit
def pow(a, b):
    size = tl.where(b == 0, 1.0, tl.exp(b * tl.log(tl.abs(a))))
    whole = tl.floor(b) == b
    odd = whole & (tl.floor(b * 0.5) * 2.0 != b)
    negative = tl.where(whole, tl.where(odd, -size, size), size * float("nan"))
    return tl.where(a < 0, negative, size)
""",
}


def functions(used: set[str]) -> str:
    """Return the source at the start of every file of kernels, with the functions for the operations used."""
    return _HEAD + "\n" + _MEMORY + "".join("\n" + _MATHEMATICS[name] for name in sorted(used & set(_MATHEMATICS)))
