"""Find things in graphs: the graphs that are called, the nodes that compute a value, the stage at a path.

In: a graph. Out: its graphs, nodes or names. Always: nothing is changed.

>>> join_labels("encoder.0", "attn")
'encoder.0.attn'
"""

from __future__ import annotations

from collections.abc import Iterable

from .graph import CallNode, Graph, Node
from .graph_values import Value, flatten_parts


def list_output_names(graph: Graph) -> list[str]:
    """The names of what a model returns: a list as one."""
    names = graph.output_names[: len(graph.single_outputs)]
    position = len(names)
    for tail in graph.tails:
        several = graph.output_names[position : position + len(flatten_parts(tail.parts))]
        names += [several[0].rpartition(".")[0] or several[0]] if tail.listed and several else several
        position += len(several)
    return names


def collect_graphs(main: Graph) -> list[Graph]:
    """Every distinct graph that is reachable, called ones before their callers."""
    done: dict[int, Graph] = {}
    order: list[Graph] = []
    stack: list[tuple[Graph, bool]] = [(main, False)]
    while stack:
        graph, ready = stack.pop()
        if ready:
            order.append(graph)
            continue
        if id(graph) in done:
            continue
        done[id(graph)] = graph
        stack.append((graph, True))
        # A body may call one graph many times: the stack gets it once.
        seen: set[int] = set()
        for node in reversed(graph.nodes):
            if isinstance(node, CallNode) and id(node.graph) not in done and id(node.graph) not in seen:
                seen.add(id(node.graph))
                stack.append((node.graph, False))
    return order


def find_needed_nodes(nodes: Iterable[Node], values: list[Value]) -> list[Node]:
    """The nodes that compute these values, in their order."""
    wanted_ids = {id(v) for v in values}
    kept: list[Node] = []
    for node in reversed(list(nodes)):
        if any(id(v) in wanted_ids for v in node.outputs):
            kept.append(node)
            wanted_ids.update(id(v) for v in node.inputs)
    kept.reverse()
    return kept


def find_enclosing_block(graph: Graph) -> Graph:
    """The block or model that the graph is part of."""
    while graph.kind not in ("block", "model") and graph.around is not None:
        graph = graph.around
    return graph


def collect_symbol_values(graph: Graph) -> dict[str, int]:
    """The value of each symbol of a graph, and of the graphs around it."""
    values: dict[str, int] = {}
    current: Graph | None = graph
    while current is not None:
        values = {name: origin.value for name, origin in current.origins.items()} | values
        current = current.around
    return values


def join_labels(prefix: str, label: str) -> str:
    return f"{prefix}.{label}" if prefix and label else prefix or label


def find_route(graph: Graph, path: str) -> list[Node]:
    """The nodes on the way to the stage at `path`, that stage last; none if there is no such stage. A label may have several levels."""
    parts = path.split(".")
    for length in range(1, len(parts) + 1):
        label = ".".join(parts[:length])
        node = next((n for n in graph.nodes if (n.label if n.shared is None else n.shared.label) == label), None)
        if node is None:
            continue
        if length == len(parts):
            return [node]
        rest = find_route(node.graph, ".".join(parts[length:])) if isinstance(node, CallNode) else []
        return [node, *rest] if rest else []
    inside = (find_route(node.graph, path) for node in graph.nodes if isinstance(node, CallNode) and node.scan is not None)
    return next((found for found in inside if found), [])
