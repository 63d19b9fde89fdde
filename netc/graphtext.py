"""The typed graph as text: a section for each graph, the model first, and a line for each node. For example

    model mlp(x: [N, 3]) -> [N, 1]
      %0: [N, 2] = dense(x) units=2 bias=True as dense1

In: a program. Out: its text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from netc.compiler.ir.graph import CallNode, Graph, Node, OpNode, Program, Value, graphs


def show_program(program: Program) -> str:
    """All graphs that the program reaches, callers before callees."""
    order = list(reversed(graphs(program.main)))
    uses = Counter(g.name for g in order)
    names = {id(g): g.name if uses[g.name] == 1 else f"{g.name}.{i}" for i, g in enumerate(order)}
    return "\n".join("".join(_graph(g, names)) for g in order)


def _graph(graph: Graph, graph_names: dict[int, str]) -> Iterator[str]:
    names = _value_names(graph)
    inputs = ", ".join(f"{names[id(v)]}: {v.type}" for v in graph.inputs)
    outputs = ", ".join(f"{n}: {v.type}" if n else str(v.type) for n, v in zip(_labels(graph), graph.outputs, strict=True))
    yield f"{graph.kind} {graph_names[id(graph)]}({inputs}) -> {outputs}\n"
    for node in graph.nodes:
        yield f"  {_node(node, names, graph_names)}\n"
    yield f"  out {', '.join(names[id(v)] for v in graph.outputs)}\n"


def _labels(graph: Graph) -> list[str]:
    return graph.output_names or [""] * len(graph.outputs)


def _node(node: Node, names: dict[int, str], graph_names: dict[int, str]) -> str:
    results = ", ".join(f"{names[id(v)]}: {v.type}" for v in node.outputs)
    inputs = ", ".join(names[id(v)] for v in node.inputs)
    what = graph_names[id(node.graph)] if isinstance(node, CallNode) else node.op.name
    words = [f"{results} = {what}({inputs})"]
    if isinstance(node, OpNode):
        words += [f"{name}={value}" for name, value in node.op.args.items()]
    if node.label:
        words.append(f"as {node.label}")
    if node.shared is not None:
        words.append(f"shared {node.shared.label}")
    return " ".join(words)


def _value_names(graph: Graph) -> dict[int, str]:
    values: list[Value] = [*graph.inputs, *(v for node in graph.nodes for v in node.outputs)]
    names: dict[int, str] = {}
    taken: set[str] = set()
    for number, value in enumerate(values):
        name = value.name if value.name and value.name not in taken else f"%{number}"
        taken.add(name)
        names[id(value)] = name
    return names
