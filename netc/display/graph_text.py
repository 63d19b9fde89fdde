"""Format the typed graph as text: a section for each graph, the model first, and a line for each node.

model mlp(x: [N, 3]) -> [N, 1]
  %0: [N, 2] = dense(x) units=2 bias=True as dense1
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from netc.compiler.ir.graph import CallNode, Graph, Node, OpNode, Program
from netc.compiler.ir.graph_values import Parts, TupleSlice, Value, ValueTuple, flatten_parts
from netc.compiler.ir.walk import collect_graphs


def format_program(program: Program) -> str:
    """Return the text of all graphs that the program reaches, callers before callees."""
    # blocks of different files may share a name, which then gets a number
    order = list(reversed(collect_graphs(program.main)))
    uses = Counter(g.name for g in order)
    names = {id(g): g.name if uses[g.name] == 1 else f"{g.name}.{i}" for i, g in enumerate(order)}
    return "\n".join("".join(_format_graph(g, names)) for g in order)


def _format_graph(graph: Graph, graph_names: dict[int, str]) -> Iterator[str]:
    names = _name_values(graph)
    inputs = ", ".join(_format_typed(graph_input, names) for graph_input in graph.grouped_inputs)
    # `single_outputs` ends before the tuples, whose types are added next: hence `strict=False`
    outputs = [f"{n}: {v.type}" if n else str(v.type) for n, v in zip(_list_output_names(graph), graph.single_outputs, strict=False)]
    outputs += [_format_tuple_type(flatten_parts(tail.parts)) for tail in graph.tails]
    yield f"{graph.kind} {graph_names[id(graph)]}({inputs}) -> {', '.join(outputs)}\n"
    for node in graph.nodes:
        yield f"  {_format_node(node, names, graph_names)}\n"
    yield f"  out {_format_parts((*graph.single_outputs, *(part for tail in graph.tails for part in tail.parts)), names)}\n"


def _list_output_names(graph: Graph) -> list[str]:
    return graph.output_names or [""] * len(graph.outputs)


def _format_typed(value: Value | ValueTuple, names: dict[int, str]) -> str:
    return f"{names[id(value)]}: {value.type if isinstance(value, Value) else _format_tuple_type(value.values)}"


def _format_tuple_type(values: Sequence[Value]) -> str:
    return f"a tuple of {len(values)}"


def _format_parts(parts: Parts, names: dict[int, str]) -> str:
    """Return the names of tensors and of slices of tuples: `x`, `kept...`, `kept[:-2]...`."""
    return ", ".join(names[id(part)] if isinstance(part, Value) else _format_slice(part, names) for part in parts)


def _format_slice(part: TupleSlice, names: dict[int, str]) -> str:
    if id(part.of) not in names:
        return f"({', '.join(names[id(v)] for v in part.values)})"
    cut = "" if part.is_whole else f"[{part.front or ''}:{-part.back or ''}]"
    return f"{names[id(part.of)]}{cut}..."


def _format_node(node: Node, names: dict[int, str], graph_names: dict[int, str]) -> str:
    if isinstance(node, CallNode):
        results, what = node.grouped_outputs, graph_names[id(node.graph)]
        inputs = ", ".join(names[id(p)] if isinstance(p, Value) else f"({_format_parts(p, names)})" for p in node.grouped_inputs)
    else:
        results, what, inputs = list(node.outputs), node.op.name, _format_parts(node.parts or node.inputs, names)
    words = [f"{', '.join(_format_typed(result, names) for result in results)} = {what}({inputs})"]
    if isinstance(node, OpNode):
        words += [f"{name}={value}" for name, value in node.op.args.items() if not (value is None and node.op.signature[name].last)]
    elif node.scan is not None:
        words += [f"axis={list(node.scan.axes)}", f"reverse={node.scan.reverse}"]
    if node.label:
        words.append(f"as {node.label}")
    if node.shared is not None:
        words.append(f"shared {node.shared.label}")
    return " ".join(words)


def _name_values(graph: Graph) -> dict[int, str]:
    """Return names for the tensors and tuples of a graph by identity. A tensor of a tuple is `kept[2]`, an unnamed one `%3`."""
    results = [value for node in graph.nodes for value in (node.grouped_outputs if isinstance(node, CallNode) else node.outputs)]
    names: dict[int, str] = {}
    used: set[str] = set()
    for number, value in enumerate((*graph.grouped_inputs, *results)):
        # a spec may use a name again for a later value, and each value needs a name of its own here
        name = value.name if value.name and value.name not in used else f"%{number}"
        used.add(name)
        names[id(value)] = name
        if isinstance(value, ValueTuple):
            names.update((id(v), f"{name}[{i}]") for i, v in enumerate(value.values))
    return names
