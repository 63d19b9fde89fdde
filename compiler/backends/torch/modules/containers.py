"""Graphs that need no class: sequences as `nn.Sequential`, repeats with several tensors as `nn.ModuleList`, branches likewise.

In: a graph of kind `sequence` or `branches` whose callees have their constructions. Out: its `Construction`, or None if it must be a class.
Always: linear in the number of nodes; the members' names in the state dict are the labels of the nodes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Literal

from netc.dsl.record import Record

from ....ir.graph import CallNode, Graph, Node, OpNode, Parts, TupleSlice, Value
from ....ops.regularization import Identity
from ...python.classes import choices
from ...python.code.expressions import CallCode, Code, Lit, Ref, TupleCode
from ...python.code.tree import ListCode, NameCode, RepeatStar, SharedModuleArg, localised
from ...python.naming import CONTAINER_ATTRIBUTES, MODULE_ATTRIBUTES, numbered, unique
from ..construction import OperatorForms
from ..tensors import TensorCodes

ELEMENT = "_"
"""The name of the element in `Construction.element_call`, until `forward` chooses a variable."""


class Construction(Record):
    """How the module of a graph is constructed and called.

    `code` is the constructor's expression. A class or a sequential is called; of a list, `element_call` is the call of one, in terms of
    the graph's inputs (`Ref`) and modules (`SharedModuleArg`). `passed` are the further numbers that a call takes. `depth` and `size` are
    those of the expression: its nesting, and the number of constructors in it. `counted`: a loop's number of iterations may vary.
    """

    kind: Literal["class", "sequential", "list"]
    code: Code
    keyed: bool = False
    listed: bool = False
    element_call: Code | None = None
    passed: tuple[Code, ...] = ()
    depth: int = 0
    size: int = 1
    counted: bool = False


DEEPEST = 3
"""Sequences nested deeper get classes of their own."""
LARGEST = 40
"""And so do those with more members that are used several times."""
Constructions = dict[int, Construction]
"""By the id of the graph, or of an operator's node that has a class of its own."""


def container(graph: Graph, constructions: Constructions, operators: OperatorForms) -> Construction | None:
    """The construction of a graph that needs no class."""
    if graph.declares or any(n.shared is not None for n in graph.nodes):
        return None
    if graph.kind == "block":
        return _sequential(graph, constructions, operators) if graph.nodes and fits(graph.nodes) else None
    if graph.kind == "sequence":
        return _sequential(graph, constructions, operators) or _list(graph, constructions, operators, _chained_inputs)
    if graph.kind == "branches":
        return _list(graph, constructions, operators, _parallel_inputs)
    return None


# --- chains ----------------------------------------------------------------------------------------------------------------


def is_chain(graph: Graph) -> bool:
    """Whether each node takes the result of the previous one, and nothing else."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1 or graph.modules or graph.declares or graph.tuples or graph.rest is not None:
        return False
    current = graph.inputs[0]
    for node in graph.nodes:
        if len(node.inputs) != 1 or node.inputs[0] is not current or len(node.outputs) != 1 or _has_tuples(node):
            return False
        current = node.outputs[0]
    return graph.outputs[0] is current


def _sequential(graph: Graph, constructions: Constructions, operators: OperatorForms) -> Construction | None:
    if not is_chain(graph):
        return None
    made: list[Code] = []
    for node in graph.nodes:
        code = _standalone(node, constructions, operators)
        if code is None:
            return None
        made.append(code)
    nodes = _written(graph.nodes)
    if graph.choices and fits(nodes):
        depth, size = _extent(graph, constructions)
        code = CallCode("nn.Sequential", choices.items(graph, made[: len(nodes)]))
        return Construction("sequential", code, depth=depth, size=size)
    return _named(made[: len(nodes)], nodes, *_extent(graph, constructions), graph.count)


def _written(nodes: list[Node]) -> list[Node]:
    """The members without those at the end that do nothing."""
    count = len(nodes)
    while count > 1 and isinstance(last := nodes[count - 1], OpNode) and type(last.op) is Identity:
        count -= 1
    return nodes[:count]


def _standalone(node: Node, constructions: Constructions, operators: OperatorForms) -> Code | None:
    """The module of a node that only needs to be called with one tensor."""
    if isinstance(node, OpNode):
        if id(node) in constructions:
            return constructions[id(node)].code
        return operators.standalone(node) if node.tie is None else None
    construction = constructions[id(node.graph)]
    if construction.kind == "list" or construction.passed or node.modules:
        return None
    return localised(construction.code, node.arguments)


def _extent(graph: Graph, constructions: Constructions) -> tuple[int, int]:
    """The depth and the size of the expression for all of the graph's members."""
    depth, size = 1, 0
    before: Graph | None = None
    for node in graph.nodes:
        if isinstance(node, CallNode):
            if node.graph is not before:
                construction = constructions[id(node.graph)]
                depth, size = max(depth, construction.depth + 1), size + construction.size
            before = node.graph
        else:
            size += 1
    return depth, size


def _named(made: list[Code], nodes: list[Node], depth: int, size: int, count: int | None) -> Construction | None:
    if fits(nodes):
        return Construction("sequential", CallCode("nn.Sequential", runs(made, nodes, count)), depth=depth, size=size, counted=True)
    labels = _keys(nodes)
    if any(label in MODULE_ATTRIBUTES or label in CONTAINER_ATTRIBUTES or "." in label for label in labels):
        return None
    pairs = tuple(TupleCode((Lit(label), code)) for label, code in zip(labels, made, strict=True))
    code = CallCode("nn.Sequential", (CallCode("OrderedDict", (ListCode(pairs),)),))
    return Construction("sequential", code, depth=depth, size=size)


def fits(nodes: list[Node]) -> bool:
    """Whether members without keys of their own have the right ones: what has parameters is labelled with its position."""
    fitting = all(n.label == str(i) or _is_free(n) for i, n in enumerate(nodes))
    return fitting and (not nodes or any(n.label.isdigit() for n in nodes))


def _is_free(node: Node) -> bool:
    """Whether the member may have any key: nothing of it is in the state dict."""
    return isinstance(node, OpNode) and not node.specs


def _keys(nodes: list[Node]) -> list[str]:
    """The labels; a member that has only a number, and no parameters, is named after its operator and the number of the previous one."""
    taken = {n.label for n in nodes}
    keys: list[str] = []
    for node in nodes:
        label = node.label
        if isinstance(node, OpNode) and _is_free(node) and label.isdigit():
            before = re.search(r"(?<=\D)\d*$", keys[-1]) if keys else None
            label = unique(node.op.name + (before.group() if before else ""), taken)
            taken.add(label)
        keys.append(label)
    return keys


def runs(made: list[Code], nodes: list[Node], count: int | None = None) -> tuple[Code, ...]:
    """Equal members in a row as one `RepeatStar`. The first is written on its own, and a single one is followed by an empty repeat, so that
    stages of the same block differ in fewer ways. With a `count`, the members are those of a loop of which all but the first are equal."""
    if not made:
        return ()
    items = [made[0]]
    if count is not None:
        return (made[0], RepeatStar(made[-1], Lit(count - 1)))
    if len(made) == 1 and isinstance(nodes[0], CallNode):
        items.append(RepeatStar(made[0], Lit(0)))
    at = 1
    while at < len(made):
        end = at + 1
        while end < len(made) and (made[end] is made[at] or made[end] == made[at]):
            end += 1
        many = end - at > 1 or isinstance(nodes[at], CallNode)
        items.append(RepeatStar(made[at], Lit(end - at)) if many else made[at])
        at = end
    return tuple(items)


# --- lists -----------------------------------------------------------------------------------------------------------------


CarriedInputs = Callable[[Graph], "int | None"]
"""The number of a node's first inputs that are results of the previous node, or None if the nodes are not connected like that."""


def _list(graph: Graph, constructions: Constructions, operators: OperatorForms, carried_inputs: CarriedInputs) -> Construction | None:
    if not graph.nodes or not numbered(n.label for n in graph.nodes) or carried_inputs(graph) is None:
        return None
    made: list[Code] = []
    for node in graph.nodes:
        if isinstance(node, OpNode):
            code = operators.standalone(node) if node.tie is None else None
        else:
            construction = constructions[id(node.graph)]
            code = localised(construction.code, node.arguments) if construction.kind != "list" else None
        if code is None:
            return None
        made.append(code)
    calls = {_element_call(node, graph, constructions) for node in _distinct(graph.nodes)}
    if len(calls) != 1:
        return None
    depth, size = _extent(graph, constructions)
    code = CallCode("nn.ModuleList", (ListCode(runs(made, graph.nodes, graph.count)),))
    if depth > DEEPEST:
        return None
    return Construction("list", code, element_call=calls.pop(), depth=depth, size=size, counted=True)


def _distinct(nodes: list[Node]) -> list[Node]:
    """One node for each graph that is called, and all operators."""
    seen: dict[int, Node] = {}
    for node in nodes:
        seen.setdefault(id(node.graph) if isinstance(node, CallNode) else id(node), node)
    return list(seen.values())


def _element_call(node: Node, graph: Graph, constructions: Constructions) -> Code:
    """The call of one element, with the inputs of the first in place of the results of the previous one."""
    first = graph.nodes[0]
    tensors = TensorCodes(Ref)
    for taken in graph.takes:
        tensors.add(taken)
    args = list(tensors.passed(first)) if isinstance(first, CallNode) else [tensors.one(v) for v in first.inputs]
    if isinstance(node, CallNode):
        order = {id(m): i for i, m in enumerate(graph.modules)}
        args += [SharedModuleArg(order[id(m)]) for m in node.modules]
        args += [localised(code, node.arguments) for code in constructions[id(node.graph)].passed]
    return CallCode(NameCode(ELEMENT), tuple(args))


def _has_tuples(node: Node) -> bool:
    return isinstance(node, CallNode) and bool(node.tuples or node.rest is not None)


def _passes(node: Node) -> list[Value | Parts]:
    return node.passes if isinstance(node, CallNode) else list(node.inputs)


def _makes(node: Node) -> list[Value | Parts]:
    """The results, a tuple as it is passed on."""
    return [one if isinstance(one, Value) else (TupleSlice(one),) for one in (node.makes if isinstance(node, CallNode) else node.outputs)]


def _ends(graph: Graph) -> list[Value | Parts]:
    """The same of the graph's outputs."""
    return [*graph.leading, *([] if graph.rest is None else [graph.rest])]


def _same(a: Sequence[Value | Parts], b: Sequence[Value | Parts]) -> bool:
    return len(a) == len(b) and all(x is y or (isinstance(x, tuple) and x == y) for x, y in zip(a, b, strict=True))


def _chained_inputs(graph: Graph) -> int | None:
    """A chain in which every node takes the results of the previous one and, after them, the same tensors from outside."""
    given = {id(v) for v in graph.inputs}
    first = graph.nodes[0]
    carried, count = _passes(first), len(_makes(first))
    constant = carried[count:]
    if not all(id(v) in given for v in first.inputs) or len(carried) < count:
        return None
    carried = carried[:count]
    modules = first.modules if isinstance(first, CallNode) else ()
    for node in graph.nodes:
        passes = _passes(node)
        if len(_makes(node)) != count or not _same(passes[:count], carried) or not _same(passes[count:], constant):
            return None
        if isinstance(node, CallNode) and node.modules != modules:
            return None
        carried = _makes(node)
    return count if _same(_ends(graph), carried) else None


def _parallel_inputs(graph: Graph) -> int | None:
    """Nodes that take the same tensors and have one result each."""
    given = {id(v) for v in graph.inputs}
    first = graph.nodes[0]
    if not all(id(v) in given for v in first.inputs):
        return None
    modules = first.modules if isinstance(first, CallNode) else ()
    for node in graph.nodes:
        if len(node.outputs) != 1 or not _same(_passes(node), _passes(first)):
            return None
        if isinstance(node, CallNode) and (node.modules != modules or node.rest is not None):
            return None
    return 0 if _same(graph.outputs, [v for n in graph.nodes for v in n.outputs]) else None
