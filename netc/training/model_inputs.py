"""The inputs of a section that are inputs of its model."""

from __future__ import annotations

from netc.compiler.ir.training_program import Training


def list_model_inputs(training: Training) -> frozenset[str]:
    """List the inputs of the model, without the targets and other inputs that only the section has."""
    section_inputs = {id(value): value.name for value in training.program.main.inputs}
    return frozenset(section_inputs[id(value)] for value in training.model_call.inputs if id(value) in section_inputs)
