"""Code shared by the forward and the backward loop: blocks of rows, and the inputs of a step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from seqpipe.recurrence.compiler.c._storage import Address, Storage
from seqpipe.recurrence.compiler.c._writer import CWriter, for_each
from seqpipe.recurrence.compiler.program import Input, Layout, Product, Stage, Target

__all__ = ["blocks_of_rows", "outgrows_cache", "step_inputs"]


@contextmanager
def blocks_of_rows(out: CWriter) -> Iterator[None]:
    """Open the loop over blocks of rows, each of ``rows`` rows starting at row ``b``."""
    out.declare("const L", blocks="(b1 - b0 + R - 1) / R")
    with out.block(for_each("block", "blocks")):
        out.declare("const L", b="b0 + (b1 - b0) * block / blocks", rows="b0 + (b1 - b0) * (block + 1) / blocks - b")
        yield


def step_inputs(storage: Storage, layout: Layout) -> CWriter:
    """Assign addresses to x and the states before and after the step; return the code that declares them."""
    out, arguments = CWriter(), storage.file.arguments
    step, row = arguments.number("x_step"), arguments.number("x_row")
    out.point("const REAL *", x=f"{arguments.pointer('x')} + t * {step} + b * {row}")
    storage.addresses[Input("x", 0, 0, 0)] = Address("x", row, edge=True)
    for k, width in enumerate(layout.state_widths):
        padded = storage.file.target.padded(width)
        mask, state = arguments.number("mask", k), arguments.pointer("state", k)
        pointers = {
            f"before{k}": f"{state} + ((t & {mask}) * B + b) * {padded}",
            f"after{k}": f"{state} + (((t + 1) & {mask}) * B + b) * {padded}",
        }
        out.point("REAL *", **pointers)
        storage.addresses[Input("state", k, 0, 0)] = Address(f"before{k}", str(padded))
    return out


def outgrows_cache(stages: list[Stage], target: Target) -> bool:
    """Return whether the matrices of a step exceed a core's cache."""
    products = [a for stage in stages for a in stage.atoms if isinstance(a, Product)]
    numbers = sum(a.width * product.width for product in products for a, _ in product.terms)
    return numbers * (8 if target.double else 4) > target.cache_bytes
