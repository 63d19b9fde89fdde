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
    """List the names of a model's results. A list of tensors has one name."""
    names = graph.output_names[: len(graph.single_outputs)]
    position = len(names)
    for tail in graph.tails:
        several = graph.output_names[position : position + len(flatten_parts(tail.parts))]
        # The items of a list `features` are named `features.0`, `features.1`.
        names += [several[0].rpartition(".")[0] or several[0]] if tail.listed and several else several
        position += len(several)
    return names


def collect_graphs(main: Graph) -> list[Graph]:
    """Collect every graph that is reachable, each once, called graphs before their callers."""
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
    """Find the nodes that compute these values, in the order of the graph."""
    wanted_ids = {id(v) for v in values}
    kept: list[Node] = []
    for node in reversed(list(nodes)):
        if any(id(v) in wanted_ids for v in node.outputs):
            kept.append(node)
            wanted_ids.update(id(v) for v in node.inputs)
    kept.reverse()
    return kept


def find_enclosing_block(graph: Graph) -> Graph:
    """Find the block or model that contains the graph."""
    while graph.kind not in ("block", "model") and graph.around is not None:
        graph = graph.around
    return graph


def collect_symbol_values(graph: Graph) -> dict[str, int]:
    """Collect the values of the symbols of a graph and of the graphs around it."""
    values: dict[str, int] = {}
    current: Graph | None = graph
    while current is not None:
        # The innermost graph wins.
        values = {name: origin.value for name, origin in current.origins.items()} | values
        current = current.around
    return values


def join_labels(prefix: str, label: str) -> str:
    return f"{prefix}.{label}" if prefix and label else prefix or label


def find_route(graph: Graph, path: str) -> list[Node]:
    """Find the nodes on the way to the stage at `path`, with that stage last. Empty if there is no such stage."""
    parts = path.split(".")
    # A label may contain dots itself, so the path does not say where the first label ends.
    for length in range(1, len(parts) + 1):
        label = ".".join(parts[:length])
        node = next((n for n in graph.nodes if (n.label if n.shared is None else n.shared.label) == label), None)
        if node is None:
            continue
        if length == len(parts):
            return [node]
        rest = find_route(node.graph, ".".join(parts[length:])) if isinstance(node, CallNode) else []
        return [node, *rest] if rest else []
    # The step of a `scan` has no label of its own: its stages have the paths of the graph around it.
    inside = (find_route(node.graph, path) for node in graph.nodes if isinstance(node, CallNode) and node.scan is not None)
    return next((route for route in inside if route), [])
