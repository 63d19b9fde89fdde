"""Find the stage that a converter refuses, by converting each stage alone.

In: a program whose conversion has failed, and the exception. Out: the first stage that fails in the same way, or None if no stage alone
does. Always: equal stages are tried once. Converters name nodes of their own graphs in messages, and each in another way, so a message
does not lead to the text.

    >>> import netc
    >>> node = netc.compile("block half(n) { dense n relu }; x = input 8; x -> half 4").program.main.nodes[0].graph.nodes[0]
    >>> stage = isolate_stage(node, netc.compile("x = input 8; x -> relu").program)
    >>> [value.name for value in stage.main.inputs], stage.main.output_names, stage.main.nodes[0].op.name
    (['x0'], ['y0'], 'dense')
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from netc.dsl.record import replace

from ...ir.graph import Graph, OpNode, Program
from ...ir.graph_values import Value
from ...ir.walk import collect_graphs
from ...streaming.loop_body import strip_operator, strip_type
from ...types.traced_ints import strip_formulas
from ..backend import BackendInput
from .export_module import ExportedModule

_MOST_STAGES = 64
"""The most stages that are tried: each takes about a second."""


def find_failing_stage(program: Program, title: str, convert: Callable[[ExportedModule], object], failure: Exception) -> OpNode | None:
    """Return the first stage whose conversion raises an exception of the same class as `failure`."""
    for node in _iterate_different_stages(program):
        try:
            exported = ExportedModule.make(BackendInput(isolate_stage(node, program), "stage"), title)
        # a stage that cannot even be exported alone says nothing about the converter
        except Exception:
            continue
        try:
            convert(exported)
        except Exception as error:
            if type(error) is type(failure):
                return node
    return None


def isolate_stage(node: OpNode, program: Program) -> Program:
    """Return a program that has a stage alone, with an input for each of its tensors."""
    graph = Graph("stage", "model", node.span)
    # Formulas of numbers name parameters of the stage's own block, which have no value here.
    inputs = {id(value): Value(strip_type(value.type), value.span, f"x{i}") for i, value in enumerate(dict.fromkeys(node.inputs))}
    graph.inputs = list(inputs.values())
    graph.outputs = [Value(strip_type(value.type), value.span) for value in node.outputs]
    graph.output_names = [f"y{i}" for i in range(len(graph.outputs))]
    specs = tuple(replace(spec, shape=strip_formulas(spec.shape)) for spec in node.specs)
    arguments = tuple(inputs[id(value)] for value in node.inputs)
    graph.nodes = [OpNode(strip_operator(node.op), arguments, tuple(graph.outputs), "stage", node.span, specs)]
    return Program(graph, program.facts, program.symbols, program.conditions, program.dims)


def _iterate_different_stages(program: Program) -> Iterator[OpNode]:
    """Yield the operators of a program in order, at most `_MOST_STAGES`, without those that differ in nothing that a converter sees."""
    seen: set[tuple[str, ...]] = set()
    for graph in reversed(collect_graphs(program.main)):
        for node in graph.nodes:
            if isinstance(node, OpNode) and len(seen) < _MOST_STAGES:
                key = (repr(node.op), *(str(value.type) for value in node.inputs))
                if key not in seen:
                    seen.add(key)
                    yield node
