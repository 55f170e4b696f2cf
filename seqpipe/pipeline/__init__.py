"""Recipes: files that specify the data, the model, and its evaluation."""

from seqpipe.pipeline._compare import COLUMNS_EXPLAINED, Comparison, compare_experiment
from seqpipe.pipeline._generate import generate_text
from seqpipe.pipeline._plugged_task import checked_task
from seqpipe.pipeline._predict import predict_table, write_table
from seqpipe.pipeline._report import local_path, print_table
from seqpipe.pipeline._result import Record, RunResult
from seqpipe.pipeline._runner import run_recipe
from seqpipe.pipeline._served_model import load_model_to_serve
from seqpipe.pipeline._shipped import shipped_recipes

__all__ = [
    "COLUMNS_EXPLAINED",
    "Comparison",
    "Record",
    "RunResult",
    "checked_task",
    "compare_experiment",
    "generate_text",
    "load_model_to_serve",
    "local_path",
    "predict_table",
    "print_table",
    "run_recipe",
    "shipped_recipes",
    "write_table",
]
