"""Derive the types and the costs of an operator from its definition.

In: an operator with a definition, and the types of its inputs. Out: the types of its results, or the number of its operations. Always: if a
stage of the definition refuses the inputs, the operator refuses them too.
"""

from __future__ import annotations

from ..analysis.model_cost import summarize_costs
from ..dims import Dim
from ..errors.operator_errors import DefinitionRefuses
from ..errors.problem import STAGE
from ..ir.graph import Program
from ..ops.operator import Derivation, Operator, OperatorError, OpInputs
from ..types.tensor_types import TensorType
from ..types.traced_ints import strip_formulas
from .definition_graphs import MissingDefinition, WrongDefinition, elaborate_definition


class _FromDefinition:
    """Implements `Derivation`."""

    def infer_types(self, op: Operator, inputs: OpInputs) -> tuple[TensorType, ...]:
        """Infer the types of the results. Raises `OperatorError` if the definition does not take these inputs."""
        shapes = tuple((name, type_.shape) for name, type_ in zip(inputs.names, inputs.types, strict=True))
        try:
            graph = elaborate_definition(op, inputs.types, None, inputs.facts)
        except WrongDefinition as error:
            # The author of the model sees one error at the stage, not the definition's text, which is in another file.
            raise OperatorError(DefinitionRefuses(op.name, error.cause, shapes), STAGE) from None
        except MissingDefinition:
            raise OperatorError(DefinitionRefuses(op.name, "`define` gives no text", shapes), STAGE) from None
        # The formulas in the shapes are over symbols of the definition's graph, which the caller's graph does not have.
        return tuple(value.type.with_shape(strip_formulas(value.type.shape)) for value in graph.outputs)

    def count_operations(self, op: Operator, inputs: OpInputs, results: tuple[TensorType, ...]) -> tuple[Dim, Dim]:
        """Count the operations of one use, and the multiply-adds among them."""
        totals = summarize_costs(Program(elaborate_definition(op, inputs.types, results, inputs.facts), inputs.facts, ())).totals
        return totals.flops, totals.multiply_adds


DERIVATION: Derivation = _FromDefinition()
