"""Divides the flat graph of an ONNX file into a graph for each module, by the paths of its nodes.

Nodes at `layer1.0.conv1` and `layer1.0.bn1` become a call `layer1.0` of a graph with the stages `conv1` and `bn1`.

In: a graph without calls, the path of the module of each node, and the classes of modules. Out: the same computation, with a call for each
module whose nodes follow each other. Always: keys stay. A division that would change them is not made. A list of modules gets no graph,
only a level of labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netc.dsl.source import Span

from ...ir.graph import CallNode, Graph, Node, OpNode, SharedModule, Tie
from ...ir.graph_values import Value
from .module_paths import ModulePath
from .runtime_loops import collect_operators

SEQUENTIAL = "Sequential"


class PlacedNode:
    """A node and the levels of its path that are not used yet. The last level is the node's own."""

    __slots__ = ("node", "path")

    def __init__(self, node: Node, path: ModulePath) -> None:
        self.node = node
        self.path = path


def nest_modules(main: Graph, scopes: Mapping[int, ModulePath], classes: Mapping[ModulePath, str]) -> Graph | None:
    """Return the main graph with calls. None if the paths have no levels, or the division would change keys."""
    paths = _find_paths(main, scopes)
    if not any(len(path) > 1 for path in paths):
        return None
    # The flat graph is used if a division would change keys, so the division works on copies.
    copies = _copy_nodes(main.nodes)
    nodes = [PlacedNode(node, path) for node, path in zip(copies, paths, strict=True)]
    nested = Graph(main.name, "model", main.span)
    nested.inputs, nested.outputs, nested.output_names = list(main.inputs), list(main.outputs), list(main.output_names)
    ends = {id(v) for v in main.outputs}
    nested.nodes = _ModuleDivision(main.span, copies, classes, ends).divide_nodes(_move_beside_users(nodes), ())
    nested.declares = _collect_shared(nested.nodes)
    nested.size = main.size
    return nested if _is_sound(nested) else None


def _copy_nodes(nodes: Sequence[Node]) -> list[Node]:
    """Copy the nodes, including the nodes of loops. The flat graph stays as it is."""
    modules = {id(n.shared): n.shared for n in nodes if n.shared is not None}
    shared = {key: SharedModule(module.label, module.span) for key, module in modules.items()}
    return [_copy_node(node, shared.get(id(node.shared))) for node in nodes]


def _copy_node(n: Node, shared: SharedModule | None) -> Node:
    if isinstance(n, OpNode):
        return OpNode(n.op, n.inputs, n.outputs, n.label, n.span, n.specs, n.tie, shared, n.parts, n.frozen)
    graph = Graph(n.graph.name, n.graph.kind, n.graph.span)
    graph.inputs, graph.outputs, graph.captures = list(n.graph.inputs), list(n.graph.outputs), n.graph.captures
    graph.nodes, graph.size = _copy_nodes(n.graph.nodes), n.graph.size
    graph.declares = _collect_shared(graph.nodes)
    return CallNode(graph, n.inputs, n.outputs, n.label, n.span, shared=shared, scan=n.scan)


def _find_paths(main: Graph, scopes: Mapping[int, ModulePath]) -> list[ModulePath]:
    """Find the path of each node: the levels of its label, or the path of its module and an empty last level."""
    paths: list[ModulePath] = []
    label_paths = {tuple(node.label.split(".")) for node in main.nodes if node.label}
    inside = {path[:n] for path in label_paths for n in range(1, len(path))} | {
        scope[:n] for scope in scopes.values() for n in range(1, len(scope))
    }
    counts: dict[ModulePath, int] = {}
    for node in main.nodes:
        scope = scopes.get(id(node), ())
        counts[scope] = counts.get(scope, 0) + 1
    for node in main.nodes:
        scope = scopes.get(id(node), ())
        if isinstance(node, CallNode):
            paths.append((*_find_loop_module(node, scope), ""))
        # A graph cannot refer to a parameter outside of it, so a tied stage is placed where it sees the owner.
        elif node.tie is not None:
            paths.append(_find_common_path(tuple(node.label.split(".")), tuple(node.tie.path.split("."))))
        elif node.label:
            paths.append(tuple(node.label.split(".")))
        # A module of one operator without parameters, such as a ReLU, needs no level of its own.
        elif scope and (scope in label_paths or (counts[scope] == 1 and scope not in inside)):
            paths.append((*scope[:-1], ""))
        else:
            paths.append((*scope, ""))
    return _fill_unknown_paths(paths)


def _find_loop_module(loop: CallNode, scope: ModulePath) -> ModulePath:
    """Return the path of the module that contains all stages of a loop, or of the loop's name if it has no stages."""
    labels = [tuple(node.label.split("."))[:-1] for node in collect_operators(loop.graph) if node.label and node.specs]
    if not labels:
        return scope
    first, last = min(labels), max(labels)
    return first[: next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))]


def _fill_unknown_paths(paths: list[ModulePath]) -> list[ModulePath]:
    """Put nodes without a known module where the nodes before and after them are."""
    after: list[ModulePath] = []
    following: ModulePath = ()
    for path in reversed(paths):
        following = path if path != ("",) else following
        after.append(following)
    after.reverse()
    before: ModulePath = ()
    result: list[ModulePath] = []
    for path, following in zip(paths, after, strict=True):
        if path == ("",):
            size = next((n for n, (a, b) in enumerate(zip(before[:-1], following[:-1], strict=False)) if a != b), None)
            result.append((*before[: min(len(before), len(following)) - 1 if size is None else size], "") if before and following else path)
        else:
            before = path
            result.append(path)
    return result


def _find_common_path(label: ModulePath, target: ModulePath) -> ModulePath:
    """Return the path of a node that is tied to another: in the smallest module that has both."""
    size = next((n for n, (a, b) in enumerate(zip(label[:-1], target[:-1], strict=False)) if a != b), min(len(label), len(target)) - 1)
    return (*label[:size], ".".join(label[size:]))


def _move_beside_users(nodes: list[PlacedNode]) -> list[PlacedNode]:
    """Move nodes without inputs, such as parameters, right before their first reader, if it is in their module.

    Elsewhere they would split the run of another module.
    """
    first: dict[int, PlacedNode] = {}
    for placed in nodes:
        for value in placed.node.inputs:
            first.setdefault(id(value), placed)
    moved: dict[int, list[PlacedNode]] = {}
    stay: list[PlacedNode] = []
    for placed in nodes:
        user = None if placed.node.inputs else first.get(id(placed.node.outputs[0]))
        if user is None:
            stay.append(placed)
            continue
        if not placed.node.label:
            placed.path = (*user.path[:-1], "")
        moved.setdefault(id(user), []).append(placed)
    result: list[PlacedNode] = []
    for placed in stay:
        for early in moved.get(id(placed), []):
            home = early.path[:-1]
            # A parameter of the model itself would split the run of a module before whose nodes it stands.
            if not home and len(placed.path) > 1:
                result.insert(0, early)
                continue
            within = placed.path[: len(home)] == home
            position = (
                len(result)
                if within
                else next((n for n in range(len(result), 0, -1) if result[n - 1].path[: len(home)] == home), len(result))
            )
            result.insert(position, early)
        result.append(placed)
    return result


class _ModuleDivision:
    """One division. `ends` are the ids of the model's outputs."""

    def __init__(self, span: Span, nodes: Sequence[Node], classes: Mapping[ModulePath, str], ends: set[int]) -> None:
        self.span = span
        self.classes = classes
        self.ends = ends
        self.takers: dict[int, list[int]] = {}
        for node in nodes:
            for value in node.inputs:
                self.takers.setdefault(id(value), []).append(id(node))

    def divide_nodes(self, nodes: Sequence[PlacedNode], prefix: ModulePath) -> list[Node]:
        """Divide the nodes of the module at `prefix`. Returns the nodes of its graph."""
        nodes = self._join_levels(nodes, prefix)
        result: list[Node] = []
        for run in _split_runs(nodes):
            head = run[0].path[0]
            if len(run[0].path) == 1 or _is_bare(run):
                result += [_set_relative_label(placed, prefix) for placed in run]
                continue
            inner = [PlacedNode(p.node, p.path[1:]) for p in run]
            result.append(self._make_call(inner, (*prefix, *head.split(".")), head))
        return result

    def _join_levels(self, nodes: Sequence[PlacedNode], prefix: ModulePath) -> list[PlacedNode]:
        """Join the levels of lists of modules, and of modules whose nodes do not follow each other."""
        nodes = [PlacedNode(p.node, p.path) for p in nodes]
        # Joining two levels may make another module run in two pieces, so this repeats until nothing changes.
        while True:
            heads = _find_split_levels(nodes) | self._find_lists(nodes, prefix)
            if not heads:
                return nodes
            for placed in nodes:
                if len(placed.path) > 1 and placed.path[0] in heads:
                    joined = ".".join(level for level in placed.path[:2] if level)
                    placed.path = (joined if len(placed.path) > 2 or placed.path[1] else "", *placed.path[2:])

    def _find_lists(self, nodes: Sequence[PlacedNode], prefix: ModulePath) -> set[str]:
        """Find the levels that are lists: all their members are numbers. A Sequential is a module of its own."""
        are_lists: dict[str, bool] = {}
        for placed in nodes:
            if len(placed.path) > 1:
                head = placed.path[0]
                are_lists[head] = are_lists.get(head, True) and placed.path[1].isdigit()
        called = {head for head in are_lists if self.classes.get((*prefix, *head.split("."))) == SEQUENTIAL}
        return {head for head, is_list in are_lists.items() if is_list} - called

    def _make_call(self, inner: list[PlacedNode], path: ModulePath, label: str) -> CallNode:
        """Make a graph of a run of nodes, and return its call."""
        cls = self.classes.get(path, "")
        name = cls if cls and cls != SEQUENTIAL else next((level for level in reversed(path) if not level.isdigit()), "block")
        graph = Graph(name, "sequence" if cls == SEQUENTIAL else "block", self.span)
        inside = {id(p.node) for p in inner}
        local_ids = {id(v) for p in inner for v in p.node.outputs}
        outer_values: dict[int, Value] = {}
        for placed in inner:
            outer_values.update({id(v): v for v in placed.node.inputs if id(v) not in local_ids})
        read_outside = [
            v for p in inner for v in p.node.outputs if id(v) in self.ends or any(t not in inside for t in self.takers.get(id(v), []))
        ]
        input_values = {key: Value(v.type, v.span, v.name) for key, v in outer_values.items()}
        results = {id(v): Value(v.type, v.span, v.name) for v in read_outside}
        for placed in inner:
            placed.node.inputs = tuple(input_values.get(id(v)) or results.get(id(v), v) for v in placed.node.inputs)
            placed.node.outputs = tuple(results.get(id(v), v) for v in placed.node.outputs)
        # Values inside of the new graph are new objects, so their readers must be recorded before the next division.
        self._record_users(input_values, results, inside)
        graph.inputs = list(input_values.values())
        graph.nodes = self.divide_nodes(inner, path)
        graph.declares = _collect_shared(graph.nodes)
        graph.outputs = [results[id(v)] for v in read_outside]
        graph.size = sum(1 if isinstance(p.node, OpNode) else p.node.graph.size for p in inner)
        return CallNode(graph, tuple(outer_values.values()), tuple(read_outside), label, self.span)

    def _record_users(self, input_values: Mapping[int, Value], results: Mapping[int, Value], inside: set[int]) -> None:
        """Record the readers of the values that are new in a graph, and its results as values that are read outside."""
        for key, value in (*input_values.items(), *results.items()):
            self.takers[id(value)] = [t for t in self.takers.get(key, []) if t in inside]
        self.ends.update(id(value) for value in results.values())


def _is_bare(run: Sequence[PlacedNode]) -> bool:
    """Return whether a run is one operator without parameters and label, which needs no graph around it."""
    node = run[0].node
    bare = len(run) == 1 and isinstance(node, OpNode) and not node.specs and not run[0].path[-1]
    if bare:
        run[0].path = ("",)
    return bare


def _set_relative_label(placed: PlacedNode, prefix: ModulePath) -> Node:
    """Set the label of a node relative to its graph, and return the node."""
    node = placed.node
    node.label = placed.path[0]
    if node.shared is not None:
        node.shared.label = node.label
    for operator in collect_operators(node.graph) if isinstance(node, CallNode) else (node,):
        # Only the label of an operator with parameters is a key, and relative to the graph.
        if operator is not node:
            operator.label = ".".join(operator.label.split(".")[len(prefix) :]) if operator.specs else operator.label
        if operator.tie is not None:
            path = operator.tie.path.split(".")[len(prefix) :]
            operator.tie = Tie(operator.tie.name, ".".join(path), operator.tie.target_name, operator.tie.span)
    return node


def _collect_shared(nodes: Sequence[Node]) -> list[SharedModule]:
    """Collect the shared stages that the nodes of a graph use."""
    modules = {id(node.shared): node.shared for node in nodes if node.shared is not None}
    return list(modules.values())


def _split_runs(nodes: Sequence[PlacedNode]) -> list[list[PlacedNode]]:
    """Split the nodes into runs of neighbors with the same first level. Nodes of the body itself form runs too."""
    result: list[list[PlacedNode]] = []
    before: str | None = ""
    for placed in nodes:
        head = placed.path[0] if len(placed.path) > 1 else None
        if result and head == before:
            result[-1].append(placed)
        else:
            result.append([placed])
        before = head
    return result


def _find_split_levels(nodes: Sequence[PlacedNode]) -> set[str]:
    """Find the first levels whose nodes are in more than one run."""
    seen: set[str] = set()
    result: set[str] = set()
    for run in _split_runs(nodes):
        head = run[0].path[0]
        if len(run[0].path) == 1:
            continue
        if head in seen:
            result.add(head)
        seen.add(head)
    return result


def _is_sound(main: Graph) -> bool:
    """Return whether no label occurs twice in a graph, and none is the beginning of another."""
    stack, seen = [main], set[int]()
    while stack:
        graph = stack.pop()
        if id(graph) in seen:
            continue
        seen.add(id(graph))
        nodes: list[Node] = [*(node for node in graph.nodes if isinstance(node, CallNode)), *collect_operators(graph)]
        labels = [node.label for node in nodes if node.label and node.shared is None]
        levels = {".".join(label.split(".")[:n]) for label in labels for n in range(1, label.count(".") + 1)}
        if len(set(labels)) != len(labels) or levels & set(labels):
            return False
        stack += [node.graph for node in graph.nodes if isinstance(node, CallNode) and node.scan is None]
    return True
