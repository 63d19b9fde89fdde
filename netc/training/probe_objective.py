"""Compute values inside of an objective, for messages about a batch.

In: an objective, a batch, and values of its graph or of a body inside of it. Out: their tensors for this batch, with given parameters.
Always: the objective is not changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

import torch
from torch import Tensor

from netc.compiler.ir.graph import CallNode, Graph, Node, Program
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import MODEL
from netc.compiler.types.traced_ints import strip_formulas
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..model import Model
from .objective import Objective


class StageLocation(Record):
    """A clause about a stage, an input or a parameter, and its span."""

    what: str
    span: Span


def probe_values(
    objective: Objective, path: list[CallNode], values: list[Value], inputs: list[Tensor], weights: Mapping[str, Tensor]
) -> list[Tensor]:
    """Compute the tensors of values in the body at the end of a path of calls. `weights` are the model's full, unsharded weights. Raises
    PyTorch's errors."""
    program = objective.means.totals
    main = _replace_outputs(program.main, path, values)
    module = Model(Program(main, program.facts, program.symbols, program.conditions, program.dims)).module()
    module.load_state_dict({f"{MODEL}.{name}": tensor for name, tensor in weights.items()}, strict=False)
    module.to(inputs[0].device).train(objective.training)
    with torch.no_grad():
        results = module(*inputs)
    return [results] if isinstance(results, Tensor) else list(results)


def find_graph(objective: Objective, path: list[CallNode]) -> Graph:
    """Return the body at the end of a path of calls."""
    return path[-1].graph if path else objective.means.totals.main


def find_label(path: list[CallNode], node: Node) -> str:
    """Return the name of a node of that body, as in the state dict."""
    labels = [call.label for call in path if call is not node] + [node.label]
    return ".".join(label for label in labels if label and label != MODEL)


def _replace_outputs(graph: Graph, path: list[CallNode], values: list[Value]) -> Graph:
    """Copy the graph with other outputs: values of the body at the end of the path."""
    result = copy(graph)
    result.tails = ()
    if path:
        call = copy(path[0])
        call.graph = _replace_outputs(call.graph, path[1:], values)
        # a formula of a size has parameters of the body, which have no value around it
        types = (value.type.with_shape(strip_formulas(value.type.shape)) for value in values)
        call.outputs = tuple(Value(type, value.span) for type, value in zip(types, values, strict=True))
        call.tails = ()
        values = list(call.outputs)
        # the values are inside of this call, so no node after it is needed
        result.nodes = [*graph.nodes[: graph.nodes.index(path[0])], call]
    result.outputs = values
    result.output_names = [f"value{i}" for i in range(len(values))]
    return result
