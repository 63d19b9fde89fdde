"""The inputs of a section that are read from data. The others are sampled for each step, or are weights of classes.

>>> from netc.analysis import Choice, analyze_training
>>> from netc.dsl.source import SourceFile
>>> from netc.training.recipe import read_recipe
>>> section = "noise = input 1; loss = (y, noise) -> mse_loss; optimizer sgd; draw noise normal"
>>> training = analyze_training(SourceFile("<text>", f"x = input 3; y = x -> dense 1; train {{ {section} }}"), Choice()).training
>>> sorted(value.name for value in training.program.main.inputs)
['noise', 'x']
>>> [value.name for value in list_data_inputs(training, read_recipe(training)[0])]
['x']
"""

from __future__ import annotations

from netc.compiler.errors.data_errors import InputWithoutSamples
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import Training
from netc.dsl.diagnostics import Diagnostic

from ..files.file_problems import make_diagnostic
from .recipe import Recipe


def list_data_inputs(training: Training, recipe: Recipe) -> list[Value]:
    """List the inputs that are read from data."""
    return [value for value in training.program.main.inputs if value.name not in recipe.computed_inputs]


def find_inputs_without_samples(training: Training, recipe: Recipe) -> list[Diagnostic]:
    """Report the inputs without a batch axis that no setting computes: data has a row for each sample, so it cannot give them."""
    inputs = [value for value in list_data_inputs(training, recipe) if not value.type.is_batch]
    return [make_diagnostic(InputWithoutSamples(value.name, value.type.shape), value.span) for value in inputs]
