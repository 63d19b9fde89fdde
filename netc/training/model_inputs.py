"""The inputs of a section that are inputs of its model.

>>> from netc.analysis import Choice, analyze_training
>>> from netc.dsl.source import SourceFile
>>> text = "x = input 3; y = x -> dense 1; train { t = input 1; loss = (y, t) -> mse_loss; optimizer sgd }"
>>> list_model_inputs(analyze_training(SourceFile("<text>", text), Choice()).training)
frozenset({'x'})
"""

from __future__ import annotations

from netc.compiler.ir.training_program import Training


def list_model_inputs(training: Training) -> frozenset[str]:
    """List the inputs of the model, without the targets and other inputs that only the section has."""
    section_inputs = {id(value): value.name for value in training.program.main.inputs}
    return frozenset(section_inputs[id(value)] for value, _ in training.model_inputs if id(value) in section_inputs)
