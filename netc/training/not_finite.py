"""Where a loss that is NaN or infinite comes from.

In: an objective, and a batch whose loss is not finite. Out: the first stage whose output is not finite, with its place in the spec. Always:
the graph is evaluated a level at a time, from the inputs on, with the parameters of the objective; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from netc.compiler.ir.graph import CallNode, Graph, Node, Program, Value
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
    whole = {f"model.{name}": tensor for name, tensor in weights.items()}
    with torch.no_grad():
        return _first(objective.means.totals, main, [part[v.name] for v in main.inputs], whole, objective.training, "")


def _first(program: Program, graph: Graph, inputs: list[Tensor], weights: dict[str, Tensor], mode: bool, path: str) -> Place | None:
    """The first node of a graph whose output is not finite although its inputs are, looked for inside of it if it is a block."""
    made = _evaluate(program, graph, inputs, weights, mode)
    for node in graph.nodes:
        for value in node.outputs:
            if id(value) in made and not _finite(made[id(value)]):
                return _inside(program, node, made, weights, mode, path, made[id(value)])
    return None


def _inside(
    program: Program, node: Node, made: dict[int, Tensor], weights: dict[str, Tensor], mode: bool, path: str, result: Tensor
) -> Place:
    where = f"{path}.{node.label}".strip(".") if node.label else path
    if isinstance(node, CallNode) and node.scan is None and all(id(v) in made for v in node.inputs):
        start = f"{node.label}." if node.label else ""
        own = {name.removeprefix(start): tensor for name, tensor in weights.items() if name.startswith(start)}
        try:
            found = _first(program, node.graph, [made[id(v)] for v in node.inputs], own, mode, where)
        except Exception:  # a body that depends on what is around it cannot be evaluated alone; its use is the place then
            found = None
        if found is not None:
            return found
    stage = where.removeprefix("model.") or "this"
    return Place(f"`{stage}` is the first stage whose output has {_kind(result)}", node.span)


def _evaluate(program: Program, graph: Graph, inputs: list[Tensor], weights: dict[str, Tensor], mode: bool) -> dict[int, Tensor]:
    """The tensors of a graph by the ids of its values: those of all its nodes that are floats."""
    values = [v for node in graph.nodes for v in node.outputs if v.type.dtype.is_float]
    module = Model(_with_outputs(program, graph, values)).module()
    module.load_state_dict({**module.state_dict(), **{k: v for k, v in weights.items() if k in module.state_dict()}})
    module.to(inputs[0].device).train(mode)
    found = module(*inputs)
    results = [found] if isinstance(found, Tensor) else list(found)
    known = dict(zip((id(v) for v in graph.inputs), inputs, strict=True))
    return known | dict(zip((id(v) for v in values), results, strict=True))


def _with_outputs(program: Program, graph: Graph, values: list[Value]) -> Program:
    whole = Graph("probe", "model", graph.span, graph.arguments)
    whole.inputs, whole.nodes, whole.outputs = graph.inputs, graph.nodes, values
    whole.modules, whole.declares, whole.sizes = graph.modules, graph.declares, graph.sizes
    whole.choices, whole.size = graph.choices, graph.size
    whole.output_names = [f"value{i}" for i in range(len(values))]
    return Program(whole, program.facts, program.symbols, program.conditions, program.dims)


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())


def _kind(tensor: Tensor) -> str:
    return "NaN" if bool(torch.isnan(tensor).any()) else "infinities"
