"""The C shared by all cells: vectors, their mathematics, small matrix products and sums over rows."""

from __future__ import annotations

import re

from seqpipe.recurrence.compiler.c._writer import CWriter

__all__ = ["CALL", "KERNEL_PARAMETERS", "PARAMETERS", "microkernel", "preamble"]

_COMMON = r"""
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
typedef int64_t L;
typedef REAL V __attribute__((vector_size(VL * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
typedef INT I __attribute__((vector_size(VL * sizeof(REAL)), aligned(sizeof(REAL)), may_alias));
#define FN static inline __attribute__((always_inline))
#define EACH(e) for (int l = 0; l < VL; l++) { e; }
FN V splat(REAL x) { return (V){0} + x; }
FN V load(const REAL *p) { return *(const V *)p; }
FN void store(REAL *p, V v) { *(V *)p = v; }
FN V pick(I m, V a, V b) { return (V)((m & (I)a) | (~m & (I)b)); }
FN V flag(I m) { return (V)(m & (I)splat(1)); }
FN V vmax(V a, V b) { return pick((a > b) | (a != a), a, b); }
FN V vmin(V a, V b) { return pick((a < b) | (a != a), a, b); }
FN V vabs(V a) { return pick(a < 0, -a, a); }
FN V vsign(V a) { return flag(a > 0) - flag(a < 0); }
FN V vexp(V x) {
  V y = vmin(vmax(x, splat(EXP_LOW)), splat(EXP_HIGH));
  V n = y * (REAL)1.4426950408889634 + EXP_MAGIC;
  I k = (I)n; n = n - EXP_MAGIC;
  V r = y - n * EXP_LN2_HIGH; r = r - n * EXP_LN2_LOW;
  V s = EXP_POLYNOMIAL;
  s = s * (V)((k + EXP_BIAS) << EXP_SHIFT);
  return pick(x > EXP_HIGH, splat((REAL)INFINITY), pick(x < EXP_LOW, splat(0), s));
}
FN V vsigmoid(V x) { return 1 / (1 + vexp(-x)); }
FN V vsqrt(V a) { EACH(a[l] = SQRT(a[l])) return a; }
/* Gradients that fade over many steps end as denormal numbers, which are a hundred times slower to compute
   with than 0. */
#if defined(__x86_64__)
static L flush_denormals(void) {
  const unsigned mode = __builtin_ia32_stmxcsr();
  __builtin_ia32_ldmxcsr(mode | 0x8040);
  return mode;
}
static void reset_mode(L mode) { __builtin_ia32_ldmxcsr((unsigned)mode); }
#elif defined(__aarch64__)
static L flush_denormals(void) {
  L mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  __asm__ volatile("msr fpcr, %0" : : "r"(mode | (1 << 24)));
  return mode;
}
static void reset_mode(L mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#else
static L flush_denormals(void) { return 0; }
static void reset_mode(L mode) { (void)mode; }
#endif
"""

#: A call: splits the batch into parts and calls ``run`` for each, either one by one or in an OpenMP team, whose functions
#: the caller passes and which may be smaller than requested. The rows of a batch belong to ``members`` cells in equal
#: blocks, each with pointers of its own. As many whole members as can be distributed evenly over the threads are one
#: part each; the others are cut into one part per thread, of about equal numbers of steps.
CALL = r"""
typedef struct {
  const L *n; void *const *p; L members, threads; int (*number)(void), (*size)(void); int failed;
} Call;
static L whole(const Call *c) { return c->members - c->members % c->threads; }
static L cut(const L *len, L rows, L part, L parts) {
  L total = 0, sum = 0, b = 0;
  if (part == parts || len[0] == len[rows - 1]) return rows * part / parts;
  for (L r = 0; r < rows; r++) total += len[r];
  for (total = total * part / parts; part && b < rows && (sum += len[b]) < total; b++);
  return b;
}
static int run_part(const Call *c, L part) {
  const L after = part - whole(c), cuts = after < 0 ? 1 : c->threads, place = after < 0 ? 0 : after % cuts;
  const L member = after < 0 ? part : whole(c) + after / cuts, size = c->n[0] / c->members, start = member * size;
  const L *len = (const L *)c->p[0] + start;
  const L first = cut(len, size, place, cuts), rows = cut(len, size, place + 1, cuts) - first;
  const L blocks = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
  L n[NUMBERS]; void *p[POINTERS]; memcpy(n, c->n, sizeof n); memcpy(p, c->p + member * POINTERS, sizeof p);
  if (SUMS) memset(p[SUMS] = (REAL *)p[SUMS] + part * SUMS_SIZE, 0, SUMS_SIZE * sizeof(REAL));
  if (!rows) return 0;
  n[1] = start + first; n[2] = n[1] + rows; n[3] = (rows + blocks - 1) / blocks; n[4] = CHUNK_ROWS / n[3];
  n[4] = n[4] < 1 ? 1 : n[4] > n[5] ? n[5] : n[4];
  const L mode = flush_denormals();
  const int failed = run(n, p);
  reset_mode(mode);
  return failed;
}
static void team(void *data) {
  Call *c = data;
  const L parts = whole(c) + c->members % c->threads * c->threads;
  for (L i = c->number(); i < parts; i += c->size()) if (run_part(c, i)) c->failed = 1;
}
int run_one(const L *n, void *const *p, L members, L threads, L part) {
  const Call c = {n, p, members, threads, 0, 0, 0};
  return run_part(&c, part);
}
int run_team(const L *n, void *const *p, L members, L threads,
             void (*parallel)(void (*)(void *), void *, unsigned, unsigned), int (*number)(void), int (*size)(void)) {
  Call c = {n, p, members, threads, number, size, 0};
  parallel(team, &c, (unsigned)threads, 0);
  return c.failed;
}
void gather(REAL *to, const int32_t *index, L n, const REAL *sums, L parts) {
  for (L i = 0; i < n; i++) {
    REAL s = sums[index[i]];
    for (L k = 1; k < parts; k++) s += sums[k * SUMS_SIZE + index[i]];
    to[i] = s;
  }
}
"""

_NAMES = (
    "log", "sin", "cos", "erf", "log1p", "expm1", "floor", "ceil", "trunc", "round", "exp2", "log2", "log10", "tan",
    "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "erfc",
)  # fmt: skip
#: Name of a function in the C library, where it differs: ``round`` is torch's, which rounds half to even.
_IN_C = {"round": "rint"}
_LIBRARY = {
    name: f"static V v{name}(V a) {{ EACH(a[l] = CALL({_IN_C.get(name, name)})(a[l])) return a; }}\n" for name in _NAMES
}
_LIBRARY |= {
    name: f"static V v{name}(V a, V b) {{ EACH(a[l] = CALL({name})(a[l], b[l])) return a; }}\n"
    for name in ("pow", "atan2", "fmod")
}
_LIBRARY["remainder"] = r"""
static V vremainder(V a, V b) {
  EACH(REAL x = CALL(fmod)(a[l], b[l]); a[l] = x != 0 && (b[l] < 0) != (x < 0) ? x + b[l] : x)
  return a;
}
"""
_LIBRARY["total"] = r"""
FN REAL total(const REAL *s, L n) {
  V z = splat(0); REAL sum = 0; L j = 0;
  for (; j + VL <= n; j += VL) z += load(s + j);
  if (j) EACH(sum += z[l])
  for (; j < n; j++) sum += s[j];
  return sum;
}
"""
_LIBRARY["spread"] = r"""
FN void spread(REAL *d, REAL x, L n) {
  L j = 0;
  for (; j + VL <= n; j += VL) store(d + j, splat(x));
  for (; j < n; j++) d[j] = x;
}
"""

_SINGLE = r"""
#define REAL float
#define INT int32_t
#define EXP_LOW (-87.0f)
#define EXP_HIGH 88.7228390f
#define EXP_MAGIC 12582912.0f
#define EXP_LN2_HIGH 0.693359375f
#define EXP_LN2_LOW (-2.12194440e-4f)
#define EXP_BIAS (127 - 0x4B400000)
#define EXP_SHIFT 23
#define EXP_POLYNOMIAL (((((((1.9841270e-4f * r + 1.3888889e-3f) * r + 8.3333333e-3f) * r + 4.1666667e-2f) * r \
  + 1.6666667e-1f) * r + 0.5f) * r + 1) * r + 1)
#define SQRT sqrtf
#define CALL(name) name##f
"""

_SINGLE_TANH = r"""
FN V vtanh(V x) {  /* rational minimax approximation of degree 13/6, right to a few units in the last place */
  V y = vmin(vmax(x, splat(-7.90531110763549805f)), splat(7.90531110763549805f)), z = y * y;
  V p = ((((((-2.76076847742355e-16f * z + 2.00018790482477e-13f) * z - 8.60467152213735e-11f) * z
    + 5.12229709037114e-08f) * z + 1.48572235717979e-05f) * z + 6.37261928875436e-04f) * z + 4.89352455891786e-03f) * y;
  V q = ((1.19825839466702e-06f * z + 1.18534705686654e-04f) * z + 2.26843463243900e-03f) * z + 4.89352518554385e-03f;
  return p / q;
}
"""

_DOUBLE = r"""
#define REAL double
#define INT int64_t
#define EXP_LOW (-708.0)
#define EXP_HIGH 709.782712893384
#define EXP_MAGIC 6755399441055744.0
#define EXP_LN2_HIGH 6.93145751953125e-1
#define EXP_LN2_LOW 1.42860682030941723212e-6
#define EXP_BIAS (1023 - 0x4338000000000000LL)
#define EXP_SHIFT 52
#define EXP_POLYNOMIAL (((((((((((((1.6059043836821613e-10 * r + 2.0876756987868099e-9) * r \
  + 2.5052108385441719e-8) * r + 2.7557319223985891e-7) * r + 2.7557319223985893e-6) * r + 2.4801587301587302e-5) * r \
  + 1.9841269841269841e-4) * r + 1.3888888888888889e-3) * r + 8.3333333333333333e-3) * r \
  + 4.1666666666666667e-2) * r + 1.6666666666666667e-1) * r + 0.5) * r + 1) * r + 1)
#define SQRT sqrt
#define CALL(name) name
"""

_DOUBLE_TANH = r"""
FN V vtanh(V x) {  /* Cephes: a rational function near 0, the exponential elsewhere */
  V z = x * x, a = vabs(x);
  V p = (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3;
  V q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z + 4.84406305325125486048e3;
  V low = x + x * z * (p / q), high = 1 - 2 / (vexp(2 * a) + 1);
  return pick(a < 0.625, low, pick(x < 0, -high, high));
}
"""

_SUMS = r"""
static void pack(REAL *dst, const REAL *w, L rs, L cs, L K, L n, L panels, L vectors, L nv, L a) {
  for (L p = 0; p < panels; p++) for (L k = 0; k < K; k++) {
    REAL *d = dst + ((p * K + k) * vectors + a * nv) * VL;
    const REAL *s = w + k * rs + p * nv * VL * cs;
    L left = n - p * nv * VL;
    for (L c = 0; c < nv * VL; c++) d[c] = c < left ? s[c * cs] : 0;
  }
}
static void pack_vector(REAL *dst, const REAL *w, L cs, L n, L padded) {
  for (L c = 0; c < padded; c++) dst[c] = c < n ? w[c * cs] : 0;
}
/* dst (K, nv vectors) += sum over s of nt steps, r of rows[s] rows, of b[s][r][k] * a[s][r][:] */
#define OUTER(KB, NB) static void outer##KB##_##NB(V *dst, L ld, const REAL *a, L at, L ar, \
    const REAL *b, L bt, L br, L nt, const L *rows) { \
  V z[KB][NB]; for (int k = 0; k < KB; k++) for (int v = 0; v < NB; v++) z[k][v] = dst[k * ld + v]; \
  for (L s = 0; s < nt; s++) for (L r = 0; r < rows[s]; r++) { \
    const V *p = (const V *)(a + s * at + r * ar); const REAL *q = b + s * bt + r * br; \
    V w[NB]; UNROLL for (int v = 0; v < NB; v++) w[v] = p[v]; \
    UNROLL for (int k = 0; k < KB; k++) { REAL c = q[k]; UNROLL for (int v = 0; v < NB; v++) z[k][v] += c * w[v]; } } \
  for (int k = 0; k < KB; k++) for (int v = 0; v < NB; v++) dst[k * ld + v] = z[k][v]; }
OUTER(OUTER_ROWS, OUTER_VECTORS) OUTER(1, OUTER_VECTORS) OUTER(OUTER_ROWS, 1) OUTER(1, 1)
static void outer_sum(V *dst, L nv, const REAL *a, L at, L ar, const REAL *b, L bt, L br, L K, L nt, const L *rows) {
  L v = 0;
  for (; v + OUTER_VECTORS <= nv; v += OUTER_VECTORS) { L k = 0;
    for (; k + OUTER_ROWS <= K; k += OUTER_ROWS)
      JOIN(OUTER_ROWS, OUTER_VECTORS)(dst + k * nv + v, nv, a + v * VL, at, ar, b + k, bt, br, nt, rows);
    for (; k < K; k++) JOIN(1, OUTER_VECTORS)(dst + k * nv + v, nv, a + v * VL, at, ar, b + k, bt, br, nt, rows); }
  for (; v < nv; v++) { L k = 0;
    for (; k + OUTER_ROWS <= K; k += OUTER_ROWS)
      JOIN(OUTER_ROWS, 1)(dst + k * nv + v, nv, a + v * VL, at, ar, b + k, bt, br, nt, rows);
    for (; k < K; k++) JOIN(1, 1)(dst + k * nv + v, nv, a + v * VL, at, ar, b + k, bt, br, nt, rows); }
}
static void column_sum(V *dst, L nv, const REAL *a, L at, L ar, L nt, const L *rows) {
  for (L v = 0; v < nv; v++) {
    V z = dst[v];
    for (L s = 0; s < nt; s++) for (L r = 0; r < rows[s]; r++) z += load(a + s * at + r * ar + v * VL);
    dst[v] = z;
  }
}
"""


def preamble(*, double: bool, vector_bytes: int, registers: int, functions: set[str]) -> str:
    """Return the C at the start of every program.

    Parameters
    ----------
    double : bool
        Whether numbers are float64 instead of float32.
    vector_bytes, registers : int
        Width in bytes, and number, of the machine's vector registers.
    functions : set of str
        Optional library functions that the program calls.
    """
    lanes = vector_bytes // (8 if double else 4)
    rows, vectors = (6, 4) if registers >= 32 else (4, 2)
    head = f"#define VL {lanes}\n#define OUTER_ROWS {rows}\n#define OUTER_VECTORS {vectors}\n"
    head += "#define JOIN_(a, b) outer##a##_##b\n#define JOIN(a, b) JOIN_(a, b)\n"
    sums = _SUMS.replace("OUTER(OUTER_ROWS, OUTER_VECTORS)", f"OUTER({rows}, {vectors})").replace(
        "OUTER(1, OUTER_VECTORS)", f"OUTER(1, {vectors})"
    )
    sums = sums.replace("OUTER(OUTER_ROWS, 1)", f"OUTER({rows}, 1)").replace("UNROLL", '_Pragma("GCC unroll 8")')
    library = "".join(_LIBRARY[name] for name in sorted(functions & set(_LIBRARY)))
    return (
        head + (_DOUBLE if double else _SINGLE) + _COMMON + (_DOUBLE_TANH if double else _SINGLE_TANH) + library + sums
    )


#: Parameters of the functions that emitted code calls by keyword, and of every `microkernel`.
PARAMETERS = {
    name: tuple(parameter.split()[-1].lstrip("*") for parameter in parameters.split(","))
    for name, parameters in re.findall(r"^static void (\w+)\(([^)]*)\) {", _SUMS, flags=re.MULTILINE)
}
KERNEL_PARAMETERS = ("K", "a", "lda", "b", "z", "zs", "o")


def microkernel(rows: int, vectors: int) -> CWriter:
    """Return the C that adds the product of ``rows`` rows with a panel of ``vectors`` vectors to sums in registers."""
    out = CWriter()
    cells = [(i, v) for i in range(rows) for v in range(vectors)]
    head = f"static void mk{rows}_{vectors}"
    with out.block(f"{head}(L K, const REAL *restrict a, L lda, const REAL *restrict b, V *z, L zs, const L *o)"):
        out.write(*[f"V c{i}_{v} = z[{i} * zs + o[{v}]];" for i, v in cells])
        with out.block(f"for (L k = 0; k < K; k++, b += {vectors} * VL)"):
            out.write("REAL s;", *[f"V b{v} = load(b + {v} * VL);" for v in range(vectors)])
            for i in range(rows):
                out.write(f"s = a[{i} * lda + k];", *[f"c{i}_{v} += s * b{v};" for v in range(vectors)])
        out.write(*[f"z[{i} * zs + o[{v}]] = c{i}_{v};" for i, v in cells])
    return out
