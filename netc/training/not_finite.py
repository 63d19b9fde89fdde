"""Where a loss that is NaN or infinite comes from.

In: an objective, and a batch whose loss is not finite. Out: the first stage whose output is not finite, with its place in the spec. Always:
the graph is evaluated a level at a time, from the inputs on, with the parameters of the objective; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

import torch
from torch import Tensor

from netc.compiler.ir.graph import CallNode, Graph, Node, Program
from netc.compiler.ir.training import MODEL
from netc.compiler.ir.values import Value
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..model import Model
from .batches import Part
from .objective import Objective


class Place(Record):
    """A clause that says what is not finite, and where that is."""

    what: str
    span: Span


def find(objective: Objective, weights: Mapping[str, Tensor], part: Part) -> Place | None:
    """The first thing that is not finite: an input, a parameter, or the output of a stage; None if all are finite. `weights` are those of
    the model, whole; what is drawn at random follows from the state of the generator."""
    main = objective.means.totals.main
    for value in main.inputs:
        if not _finite(part[value.name]):
            return Place(f"the data of `{value.name}` have {_kind(part[value.name])}", value.span)
    for name, tensor in weights.items():
        if not _finite(tensor):
            return Place(f"`{name}` has {_kind(tensor)}, since the gradient of an earlier step was not finite", main.span)
    whole = {f"{MODEL}.{name}": tensor for name, tensor in weights.items()}
    inputs = [part[value.name] for value in main.inputs]
    state = torch.default_generator.get_state()
    path: list[CallNode] = []
    found: Node | None = None
    while True:
        torch.default_generator.set_state(state)
        try:
            node = _first(objective, path, inputs, whole)
        except Exception:  # some bodies cannot return what is inside of them; the stage around it is the place then
            node = None
        if node is None:
            break
        found = node
        if not isinstance(node, CallNode) or node.scan is not None:
            break
        path.append(node)
    if found is None:
        return None
    labels = [node.label for node in path if node is not found] + [found.label]
    name = ".".join(label for label in labels if label and label != MODEL)
    return Place(f"`{name}` is the first stage whose output is not finite", found.span)


def _first(objective: Objective, path: list[CallNode], inputs: list[Tensor], weights: dict[str, Tensor]) -> Node | None:
    """The first node, in the body that the path of calls leads to, whose output is not finite."""
    program = objective.means.totals
    graph = path[-1].graph if path else program.main
    makers = [(node, value) for node in graph.nodes for value in node.outputs if value.type.dtype.is_float]
    main = _probed(program.main, path, [value for _, value in makers])
    module = Model(Program(main, program.facts, program.symbols, program.conditions, program.dims)).module()
    module.load_state_dict(weights, strict=False)
    module.to(inputs[0].device).train(objective.training)
    with torch.no_grad():
        found = module(*inputs)
    results = [found] if isinstance(found, Tensor) else list(found)
    return next((node for (node, _), result in zip(makers, results, strict=True) if not _finite(result)), None)


def _probed(graph: Graph, path: list[CallNode], values: list[Value]) -> Graph:
    """The graph with other outputs: these values, of the body that the path leads to."""
    made = copy(graph)
    made.tails = ()
    if path:
        call = copy(path[0])
        call.graph = _probed(call.graph, path[1:], values)
        call.outputs = tuple(Value(value.type, value.span) for value in values)
        call.tails = ()
        values = list(call.outputs)
        made.nodes = [*graph.nodes[: graph.nodes.index(path[0])], call]
    made.outputs = values
    made.output_names = [f"value{i}" for i in range(len(values))]
    return made


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _kind(tensor: Tensor) -> str:
    return "NaN" if bool(torch.isnan(tensor).any()) else "infinities"
