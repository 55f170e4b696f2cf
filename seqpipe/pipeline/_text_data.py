"""Loading of data from text files."""

from __future__ import annotations

from pathlib import Path

from seqpipe.pipeline._load import LoadedRecipe
from seqpipe.pipeline._text_files import read_lines, read_passages
from seqpipe.tables import count
from seqpipe.tasks import Roles, Task, TaskData
from seqpipe.transformers import is_blank

__all__ = ["from_text_file"]

#: Name of the only column of a text file, unless the recipe names it.
_COLUMN = "text"


def from_text_file(loaded: LoadedRecipe, task: Task, path: Path) -> tuple[TaskData, list[str]]:
    """Return the texts of a .txt file, and notes on how it was read.

    Each line is a text, and blank lines are skipped; with the task parameter ``continuous``, the texts are passages of
    one text.

    Raises
    ------
    RecipeError
        If the recipe names other columns, or the task requires targets.
    InvalidSequencesError
        If the file cannot be read; the message names the line.
    """
    section = loaded.recipe.data
    for role in ("id", "time", "features", "target"):
        if getattr(section, role) is not None:
            raise loaded.error(("data", role), f"{path} holds texts and no other columns: remove this field.")
    if task.needs_target:
        raise loaded.error(
            ("data", "path"),
            f"{path} holds texts only, and the task {loaded.recipe.task.name!r} needs a target for each: give a CSV or "
            "Parquet file.",
        )
    column = section.sequence or _COLUMN
    if loaded.recipe.task.params.get("continuous") is True:
        frame, note = read_passages(path, column), "one long text, read in passages"
    else:
        lines = read_lines(path, column)
        frame = lines[[not is_blank(text) for text in lines[column]]]
        note = f"one text per line, {count(len(lines) - len(frame), 'blank line')} left out"
    return task.from_table(frame, Roles(sequence=column), name=path.stem), [note]
