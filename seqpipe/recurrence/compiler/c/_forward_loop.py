"""The forward time loop as C."""

from __future__ import annotations

from seqpipe.recurrence.compiler.c._c_file import CFile
from seqpipe.recurrence.compiler.c._kernel import CKernel
from seqpipe.recurrence.compiler.c._loops import blocks_of_rows, outgrows_cache, step_inputs
from seqpipe.recurrence.compiler.c._stages import write_stages
from seqpipe.recurrence.compiler.c._storage import Address, Storage
from seqpipe.recurrence.compiler.c._writer import CWriter, clear, copy_numbers, for_each
from seqpipe.recurrence.compiler.program import Atom, Input, Layout, StepProgram, Target, schedule

__all__ = ["emit_forward"]


def emit_forward(program: StepProgram, layout: Layout, target: Target, *, keep: bool) -> CKernel:
    """Return the C of the forward loop; with ``keep``, it stores activations for the backward pass."""
    file = CFile(target)
    storage = Storage(file)
    inputs = step_inputs(storage, layout)
    stages = schedule(_goals(storage, inputs, program, layout, keep=keep), lambda a: isinstance(a, Input))
    ahead = CWriter() if outgrows_cache(stages, target) else None
    steps = write_stages(storage, stages, ahead=ahead)
    finish = _finish(file, layout)
    body = CWriter()
    with blocks_of_rows(body):
        body.add(_initial_states(file, layout))
        body.write("L m = rows;", "const L steps = m ? len[b] : 0;")
        _write_finish(body, finish, "0")
        with body.block(for_each("t", "steps")):
            body.add(inputs)
            if ahead is not None and ahead.lines:
                with body.block("if (t % H == 0)"):
                    body.add(ahead)
            body.add(steps)
            _write_finish(body, finish, "t + 1")
    return CKernel(file.source(body), file.arguments.pointers, file.arguments.numbers)


def _goals(storage: Storage, inputs: CWriter, program: StepProgram, layout: Layout, *, keep: bool) -> list[Atom]:
    """Store the new states, the output and the kept activations; return the atoms to compute for that."""
    arguments, target = storage.file.arguments, storage.file.target
    goals: list[Atom] = []
    for k, (atoms, width) in enumerate(zip(program.new_states, layout.state_widths)):
        goals += storage.put(atoms, f"after{k}", str(target.padded(width)), padded=True)
    if layout.output_state is None:
        padded = target.padded(layout.output_width)
        inputs.declare("REAL *", out=f"{arguments.pointer('output')} + (t * B + b) * {padded}")
        goals += storage.put(program.output, "out", str(padded), padded=True)
    if keep and layout.kept:
        inputs.declare("REAL *", kept=f"{arguments.pointer('kept')} + (t * B + b) * {layout.kept_width}")
        for atom, start in layout.kept.items():
            storage.store(atom, Address("kept", str(layout.kept_width), start))
            goals.append(atom)
    return goals


def _finish(file: CFile, layout: Layout) -> CWriter:
    """Return the code for rows that end at step ``at``: copy their final states and zero the padding."""
    out, arguments = CWriter(), file.arguments
    with out.block("while (m && len[b + m - 1] == at)"):
        out.write("m--;")
        for k, width in enumerate(layout.state_widths):
            final, state = arguments.pointer("final", k), arguments.pointer("state", k)
            row = f"((at & {arguments.number('mask', k)}) * B + b + m) * {file.target.padded(width)}"
            out.write(copy_numbers(f"{final} + (b + m) * {width}", f"{state} + {row}", width))
        same, padded = layout.output_state, file.target.padded(layout.output_width)
        output = arguments.pointer("output") if same is None else f"{arguments.pointer('state', same)} + B * {padded}"
        out.write(f"{for_each('s', 'T', start='at')} {clear(f'{output} + (s * B + b + m) * {padded}', padded)}")
    return out


def _write_finish(out: CWriter, finish: CWriter, at: str) -> None:
    with out.block():
        out.declare("const L", at=at)
        out.add(finish)


def _initial_states(file: CFile, layout: Layout) -> CWriter:
    """Return the code that copies the initial states into their buffers.

    The padding of each row is cleared: it might hold denormal numbers, which are slow to compute with.
    """
    out, arguments = CWriter(), file.arguments
    for k, width in enumerate(layout.state_widths):
        padded = file.target.padded(width)
        state = f"{arguments.pointer('state', k)} + (b + r) * {padded}"
        with out.block(for_each("r", "rows")):
            out.write(copy_numbers(state, f"{arguments.pointer('initial', k)} + (b + r) * {width}", width))
            out.write(clear(f"{state} + {width}", padded - width))
    return out
