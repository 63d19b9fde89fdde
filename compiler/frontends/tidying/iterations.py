"""Finds the iterations of loops over lists of modules if no module is an iteration: its labels then tell which iteration a node is in.

The members of the list may be lists themselves, or `forward` may call the parts of a member:

    for attention, mlp in self.layers:           layers.0.0, layers.0.1, then layers.1.0, layers.1.1
        x = attention(x) + x
        x = mlp(x) + x

A loop may go through several lists, or do more than call a member:

    for conv, norm in zip(convs, norms):         convs.0, norms.0, then convs.1, norms.1
        x = norm(conv(x)) + x

In: a graph whose nodes have such labels. Out: the graph with a call for each iteration, which the text has as a `repeat`. The call is
labeled `layers.0` and so on if all labels begin with that; otherwise it has no label, and its graph has an `iteration`. Always: keys stay
as they are; all iterations have the same operators on corresponding tensors, and each gets one tensor of the iteration before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netc.dsl.record import Record

from ...ir.graph import CallNode, Graph, Iteration, Node, OpNode
from ...ir.graph_values import Value
from ...ir.walk import collect_graphs
from ...ops.parameter_of import ParameterOf

LEAST = 3
"""The least number of iterations. Two written out are as short as a loop."""
Place = tuple[int, int]
"""The place of a tensor in an iteration: the number of its node, and of the node's result."""


def extract_iterations(main: Graph) -> None:
    """Move the iterations of all graphs into graphs of their own."""
    waiting = list(collect_graphs(main))
    names = {graph.name.lower() for graph in waiting}
    while waiting:
        graph = waiting.pop()
        # Outer lists first: `layers.` before `layers.0.blocks.`, whose loop is then found within an iteration of the outer one.
        for prefix in sorted({prefix for node in graph.nodes for prefix, _ in _list_numbered_prefixes(node.label)}, key=len):
            run = _find_run(graph, prefix)
            if run is not None:
                waiting += _insert_calls(graph, run, _choose_block_name(run.prefixes[0], names))


class _Run(Record):
    """Iterations of `length` nodes each from `start` on. `carried` is the place of the tensor that the next iteration gets, `before` is the
    tensor that the first one gets, and `outer` are the tensors that all of them read. `prefixes` are the beginnings of labels up to the
    number of the iteration; `is_level`: there is one, and a level of names below the number."""

    prefixes: tuple[str, ...]
    is_level: bool
    start: int
    length: int
    count: int
    carried: Place
    before: Value
    outer: tuple[Value, ...]


def _list_numbered_prefixes(label: str) -> Iterator[tuple[str, int]]:
    """Yield the beginnings of a label up to a number, and the number.

    >>> list(_list_numbered_prefixes("layers.0.norm"))
    [('layers.', 0)]
    """
    length = 0
    for part in label.split("."):
        if part.isdecimal() and str(int(part)) == part:
            yield label[:length], int(part)
        length += len(part) + 1


def _find_run(graph: Graph, prefix: str) -> _Run | None:
    """Return the iterations whose labels begin with the prefix and a number, or None if their nodes are not alike."""
    firsts: dict[int, int] = {}
    for index, node in enumerate(graph.nodes):
        for before, number in _list_numbered_prefixes(node.label):
            if before == prefix:
                firsts.setdefault(number, index)
    count = len(firsts)
    # The numbers count from 0 without gaps, and in the order of computation.
    if count < LEAST or list(firsts) != list(range(count)):
        return None
    length = firsts[1] - firsts[0]
    if length < 1 or any(firsts[i] - firsts[0] != i * length for i in range(count)):
        return None
    # Nodes without a label, such as an activation, may belong to the iteration whose first labeled node follows them.
    runs = (_match_run(graph, firsts[0] - shift, length, count) for shift in range(min(length, firsts[0] + 1)))
    return next((run for run in runs if run is not None), None)


def _match_run(graph: Graph, start: int, length: int, count: int) -> _Run | None:
    """Return the iterations from a node on, if they are alike and each gets one tensor of the iteration before."""
    parts = [graph.nodes[start + i * length : start + (i + 1) * length] for i in range(count)]
    prefixes = _find_prefixes(parts) if len(parts[-1]) == length else None
    if not prefixes:
        return None
    is_level = len(prefixes) == 1 and not any(_get_path(node) == f"{prefixes[0]}0" for node in parts[0])
    if not is_level and (length == 1 or graph.kind == "sequence"):
        return None  # the calls are a loop as they are, and the members of a sequence have their numbers
    if any(_make_node_key(node) != _make_node_key(other) for part in parts[1:] for node, other in zip(parts[0], part, strict=True)):
        return None
    places = [{id(value): (number, k) for number, node in enumerate(part) for k, value in enumerate(node.outputs)} for part in parts]
    # An input of a node is one of three: a tensor of its own iteration, the carried tensor of the iteration before, or a tensor from
    # outside that all iterations read. The second iteration decides which, because the first one gets its start value from outside.
    carried: set[Place] = set()
    before: dict[int, Value] = {}
    outer: dict[int, Value] = {}
    for i, part in enumerate(parts):
        for node, first, second in zip(part, parts[0], parts[1], strict=True):
            for value, in_first, in_second in zip(node.inputs, first.inputs, second.inputs, strict=True):
                place = places[0].get(id(in_second))
                if place is not None:
                    expected = places[i - 1].get(id(value)) if i else place
                    if i == 0:
                        before[id(in_first)] = in_first
                    carried.add(place)
                else:
                    place = places[1].get(id(in_second))
                    expected = places[i].get(id(value))
                    if place is None:
                        outer[id(value)] = value
                if expected != place:
                    return None
    # A `repeat` carries one tensor. What is carried or read must not come from within an iteration either.
    if len(carried) != 1 or len(before) != 1 or any(key in places[i] for i in range(count) for key in (*before, *outer)):
        return None
    run = _Run(prefixes, is_level, start, length, count, carried.pop(), next(iter(before.values())), tuple(outer.values()))
    return run if _is_closed(graph, run, places) else None


def _is_closed(graph: Graph, run: _Run, places: Sequence[Mapping[int, Place]]) -> bool:
    """Return whether nothing outside reads a tensor of an iteration, except the carried tensor of the last one."""
    inside = {id(node) for node in graph.nodes[run.start : run.start + run.length * run.count]}
    read = [*graph.outputs, *(graph.training_outputs or ()), *(v for node in graph.nodes if id(node) not in inside for v in node.inputs)]
    read_places = {(i, place[id(value)]) for value in read for i, place in enumerate(places) if id(value) in place}
    return read_places <= {(run.count - 1, run.carried)}


def _find_prefixes(parts: Sequence[Sequence[Node]]) -> tuple[str, ...]:
    """Return the beginnings of labels up to the number of the iteration, for all nodes with keys.

    Empty if a node has no such label, or shares its parameters with others.
    """
    result: dict[str, None] = {}
    for nodes in zip(*parts, strict=True):
        # A `repeat` cannot share parameters with stages outside of it.
        if any(node.shared is not None or _has_parts_elsewhere(node) for node in nodes):
            return ()
        if _has_keys(nodes[0]):
            paths = [_get_path(node) for node in nodes]
            alike = (before for before, number in _list_numbered_prefixes(paths[0]) if number == 0 and _is_counted(paths, before))
            prefix = next(alike, None)
            if prefix is None:
                return ()
            result[prefix] = None
    return tuple(result)


def _is_counted(paths: Sequence[str], prefix: str) -> bool:
    """Return whether the paths differ only in the number after the prefix, which must be the number of the iteration."""
    rest = paths[0][len(prefix) + 1 :]
    return (not rest or rest[0] == ".") and all(path == f"{prefix}{i}{rest}" for i, path in enumerate(paths))


def _has_parts_elsewhere(node: Node) -> bool:
    return bool(node.modules or node.scan is not None) if isinstance(node, CallNode) else node.tie is not None


def _get_path(node: Node) -> str:
    """Return the label of the node, or of the stage whose parameter it reads."""
    return node.op.path if isinstance(node, OpNode) and isinstance(node.op, ParameterOf) else node.label


def _has_keys(node: Node) -> bool:
    return bool(node.label) or (isinstance(node, OpNode) and (isinstance(node.op, ParameterOf) or any(s.persistent for s in node.specs)))


def _make_node_key(node: Node) -> object:
    """Return a key that is equal for nodes that may correspond in two iterations. Sizes and arguments may differ: they become values of the
    loop."""
    kind = type(node.op) if isinstance(node, OpNode) else node.graph.name
    return kind, len(node.inputs), tuple((value.type.rank, value.type.dtype) for value in node.outputs)


def _choose_block_name(prefix: str, used_names: set[str]) -> str:
    """Choose the name of an iteration's block: `layer` for `layers`."""
    name = prefix.rstrip(".").rpartition(".")[2] or "step"
    if len(name) > 2:
        name = name.removesuffix("s")
    if not name[0].isalpha():  # the list has a number, as an item of a Sequential
        name = f"step_{name}"
    elif name.lower() in used_names:
        name = f"{name}_step"
    used_names.add(name.lower())
    return name


def _insert_calls(graph: Graph, run: _Run, name: str) -> list[Graph]:
    """Replace the nodes of the iterations by calls. Returns the graphs of the iterations."""
    calls: list[CallNode] = []
    # The tensor that goes into an iteration, as its nodes and as its call have it.
    carried, received = _separate_start(graph, run), run.before
    for i in range(run.count):
        nodes = graph.nodes[run.start + i * run.length : run.start + (i + 1) * run.length]
        label = f"{run.prefixes[0]}{i}" if run.is_level else ""
        body = _fill_body(nodes, Graph(name, "block", graph.span), f"{label}.", carried, run)
        body.iteration = None if run.is_level else Iteration(i, run.prefixes)
        carried = body.outputs[0]
        result = Value(carried.type, carried.span, carried.name)
        calls.append(CallNode(body, (received, *run.outer), (result,), label, graph.span))
        received = result
    last, new = carried, received
    graph.nodes[run.start : run.start + run.length * run.count] = calls
    for node in graph.nodes:
        node.inputs = tuple(new if value is last else value for value in node.inputs)
    graph.outputs = [new if value is last else value for value in graph.outputs]
    if graph.training_outputs is not None:
        graph.training_outputs = [new if value is last else value for value in graph.training_outputs]
    return [call.graph for call in calls]


def _separate_start(graph: Graph, run: _Run) -> Value:
    """Make a tensor for what the first iteration gets, and let its nodes read it. What they get may be a tensor that all iterations read:
    the second iteration tells the two apart."""
    start = Value(run.before.type, run.before.span, run.before.name)
    first, second = (graph.nodes[begin : begin + run.length] for begin in (run.start, run.start + run.length))
    carried = first[run.carried[0]].outputs[run.carried[1]]
    for node, following in zip(first, second, strict=True):
        node.inputs = tuple(start if other is carried else value for value, other in zip(node.inputs, following.inputs, strict=True))
    return start


def _fill_body(nodes: Sequence[Node], body: Graph, label: str, carried: Value, run: _Run) -> Graph:
    """Move the nodes into a graph of their own. Their labels lose the label of the iteration."""
    inputs = {id(value): Value(value.type, value.span, value.name) for value in (carried, *run.outer)}
    body.inputs = list(inputs.values())
    for node in nodes:
        node.inputs = tuple(inputs.get(id(value), value) for value in node.inputs)
        node.label = node.label.removeprefix(label)
        if isinstance(node, OpNode) and isinstance(node.op, ParameterOf):
            node.op = ParameterOf(**{**node.op.args, "path": node.op.path.removeprefix(label)})
    position, number = run.carried
    body.nodes, body.outputs = list(nodes), [nodes[position].outputs[number]]
    return body
