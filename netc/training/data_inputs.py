"""The inputs of a section that are read from data. The others are sampled for each step, or are weights of classes."""

from __future__ import annotations

from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Training

from .recipe import Recipe


def list_data_inputs(training: Training, recipe: Recipe) -> list[Value]:
    """List the inputs that are read from data."""
    return [value for value in training.program.main.inputs if value.name not in recipe.computed_inputs]
