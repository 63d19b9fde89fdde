"""Find where a loss that is NaN or infinite comes from.

In: an objective, one of its losses, and a batch for which this loss is not finite. Out: the first stage whose output is not finite, of
those that the loss needs, with its span in the spec. Always: the graph is evaluated one level at a time, from the inputs on, with the
parameters of the objective; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from netc.compiler.ir.graph import CallNode, Graph, Node
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.walk import find_needed_nodes

from .batches import MicroBatch
from .objective import Objective
from .probe_objective import StageLocation, find_graph, find_label, probe_values
from .source.loss_needs import find_total_positions


def find_nonfinite(objective: Objective, loss: str, weights: Mapping[str, Tensor], micro_batch: MicroBatch) -> StageLocation | None:
    """Find the first input, parameter or output of a stage that is not finite and that this loss needs; None if all are finite. `weights`
    are the model's full, unsharded weights. Random numbers follow from the state of the generator."""
    main = objective.means.totals.main
    for value in main.inputs:
        if not _is_finite(micro_batch[value.name]):
            return StageLocation(f"the data of `{value.name}` have {_describe_values(micro_batch[value.name])}", value.span)
    for name, tensor in weights.items():
        if not _is_finite(tensor):
            return StageLocation(
                f"`{name}` has {_describe_values(tensor)}, since the gradient of an earlier step was not finite", main.span
            )
    inputs = [micro_batch[value.name] for value in main.inputs]
    state = torch.default_generator.get_state()
    path: list[CallNode] = []
    wanted = [main.outputs[i] for i in sorted(find_total_positions(objective.means, loss))]
    last_node: Node | None = None
    while True:
        # Each level draws the numbers of the step again: another dropout mask could give finite numbers.
        torch.default_generator.set_state(state)
        try:
            node = _find_first_nonfinite(objective, path, wanted, inputs, weights)
        except Exception:  # some bodies cannot return their inner values; then the stage around them is the result
            node = None
        if node is None:
            break
        last_node = node
        if not isinstance(node, CallNode) or node.scan is not None:
            break
        wanted = _find_wanted(node, find_graph(objective, path), wanted)
        path.append(node)
    if last_node is None:
        return None
    # the model itself has no label, and its stages may all be finite one by one
    label = find_label(path, last_node)
    return StageLocation(f"{f'`{label}`' if label else 'the model'} is the first stage whose output is not finite", last_node.span)


def _find_wanted(call: CallNode, graph: Graph, wanted: list[Value]) -> list[Value]:
    """Find the outputs of a call's body that are needed for these values of the graph around it."""
    outputs = call.graph.outputs
    if call.tails or len(outputs) != len(call.outputs):
        return outputs
    used = _find_used(find_needed_nodes(graph.nodes, wanted), wanted)
    return [inner for inner, outer in zip(outputs, call.outputs, strict=True) if id(outer) in used]


def _find_used(nodes: list[Node], wanted: list[Value]) -> set[int]:
    return {id(v) for node in nodes for v in node.inputs} | {id(v) for v in wanted}


def _find_first_nonfinite(
    objective: Objective, path: list[CallNode], wanted: list[Value], inputs: list[Tensor], weights: Mapping[str, Tensor]
) -> Node | None:
    """Find the first node whose output is not finite, in the body at the end of a path of calls, of those that compute these values."""
    nodes = find_needed_nodes(find_graph(objective, path).nodes, wanted)
    used = _find_used(nodes, wanted)
    makers = [(node, value) for node in nodes for value in node.outputs if value.type.dtype.is_float and id(value) in used]
    results = probe_values(objective, path, [value for _, value in makers], inputs, weights)
    return next((node for (node, _), result in zip(makers, results, strict=True) if not _is_finite(result)), None)


def _is_finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _describe_values(tensor: Tensor) -> str:
    return "NaN" if bool(torch.isnan(tensor).any()) else "infinities"
