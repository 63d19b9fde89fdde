"""Finds stages that repeat, each applied to the result of the previous one.

In: the nodes of a graph, and each of them as a stage. Out: the nodes, with one `RepeatedNodes` in place of the nodes of a loop. Always:
the members of a loop have counted labels and differ only in literals, which the loop lists.

    >>> import netc
    >>> from .spec_source import write_program
    >>> text = "input 8 -> repeat i in 0..3 as layers.{i} { dense (4 * (i + 1)) relu as fc }"
    >>> print(write_program(netc.compile(text).program), end="")
    input 8 -> repeat units in [4, 8, 12] as layers { dense units relu as fc }
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from netc.dsl.record import replace
from netc.dsl.trees import Tree, find_literals, shape_key

from ...ir.graph import Node
from ...ir.graph_values import Value
from ...ops.operator import strict_key
from ...ops.stored_tables import TableArray
from .counted_labels import is_next_label, split_counted_label, strip_label
from .node_stages import get_label
from .spec_tree import Body, IfFirst, Item, ListOf, Literal, Loop, StoredPath
from .variadic import find_growing_run

_COUNTABLE = (int, float, str, TableArray, StoredPath)
MOST_LISTS = 4
"""The greatest number of values that a loop lists for each iteration."""


class RepeatedNodes:
    """Nodes that are one loop. `carried` is the position of the input that the previous iteration gives. It is None for a loop whose
    result is its inputs and the output of each iteration. `over`, `binders`, `stage`, `label` and `start` are as in a `Loop`. `around`
    are all nodes, among which others may have labels that begin the same. `stage` is a `Body` if the nodes are iterations over several
    lists."""

    def __init__(self, nodes: Sequence[Node], carried: int | None, stages: Sequence[Any], around: Sequence[Node]) -> None:
        self.nodes = nodes
        self.inputs: Sequence[Value] = nodes[0].inputs
        self.outputs = nodes[-1].outputs
        self.carried = carried
        prefix, first = split_counted_label(nodes[0])
        self.over, self.binders, self.stage = unify_stages(stages)
        if isinstance(self.stage, Body):  # the labels in the body have the number, so the loop needs no label
            self.start, self.label = first or None, ""
            return
        # A loop with a label has that level of the keys to itself.
        # Other stages with the prefix would be inside the loop's level of the keys, but not in the loop.
        whole = prefix.endswith(".") and sum((get_label(node) or "").startswith(prefix) for node in around) == len(nodes)
        self.start = first if first or not whole else None
        self.label = prefix.removesuffix(".") if self.start is None else prefix


def iterate_repeated(nodes: Sequence[Node], stage: Callable[[Node], Any], uses: Mapping[int, int]) -> Iterator[Node | RepeatedNodes]:
    """Iterate over the nodes in order, with a loop in place of its first member."""
    # Only a tensor that nothing else uses can be inside a loop, where it has no name.
    following = {id(value): node for node in nodes for value in node.inputs if uses.get(id(value)) == 1}
    users: dict[int, list[Node]] = {}
    for node in nodes:
        for value in node.inputs:
            users.setdefault(id(value), []).append(node)
    inside: set[int] = set()
    for node in nodes:
        if id(node) in inside:
            continue
        grown = find_growing_run(node, nodes, stage, users) if split_counted_label(node)[1] >= 0 else [node]
        # A tuple that grows takes all outputs, so none of them may also be used alone.
        if len(grown) > 1 and all(uses.get(id(m.outputs[0])) == len(users.get(id(m.outputs[0]), ())) for m in grown):
            inside.update(map(id, grown))
            yield RepeatedNodes(grown, None, [strip_label(stage(member)) for member in grown], nodes)
            continue
        run, carried, stages = _find_run(node, stage, following)
        if len(run) == 1:
            yield node
        else:
            inside.update(map(id, run))
            yield RepeatedNodes(run, carried, stages, nodes)


def _find_run(node: Node, stage: Callable[[Node], Any], following: Mapping[int, Node]) -> tuple[list[Node], int, list[Any]]:
    """Find the longest loop that begins with the node."""
    run: list[Node] = [node]
    stages: list[Any] = []
    carried = -1
    # A shared stage is one module in all iterations, whereas a loop makes one for each.
    if split_counted_label(node)[1] < 0 or node.shared is not None:
        return run, carried, stages
    while len(run[-1].outputs) == 1:
        other = following.get(id(run[-1].outputs[0]))
        if other is None or other.shared is not None or not is_next_label(run[-1], other):
            break
        positions = [index for index, value in enumerate(other.inputs) if value is run[-1].outputs[0]]
        # All other inputs must be the same tensors: a loop can name tensors around it, but not change them.
        if len(positions) != 1 or carried not in (-1, positions[0]) or not _are_same_except(run[-1].inputs, other.inputs, positions[0]):
            break
        stages = stages or [strip_label(stage(node))]
        stripped = strip_label(stage(other))
        if shape_key(stripped) != shape_key(stages[0]) or not _is_countable(stages[0], stripped):
            break
        carried = positions[0]
        run.append(other)
        stages.append(stripped)
    return (run, carried, stages) if is_worth_it(stages) else ([node], -1, [])


def is_worth_it(stages: Sequence[Any]) -> bool:
    """Whether a loop is easier to read than its members. Two members must be the same. Of several, only a few numbers may differ, and
    fewer numbers in the first member alone than there are members."""
    columns = zip(*map(find_literals, stages), strict=True)
    differing = {key for column in columns if len(set(key := tuple(strict_key(literal.value) for literal in column))) > 1}
    first = sum(len(set(key[1:])) == 1 for key in differing)
    return not differing or (len(stages) > 2 and len(differing) <= MOST_LISTS and first < len(stages))


def _are_same_except(inputs: Sequence[Value], others: Sequence[Value], carried: int) -> bool:
    return len(inputs) == len(others) and all(a is b for i, (a, b) in enumerate(zip(inputs, others, strict=True)) if i != carried)


def _is_countable(first: Any, other: Any) -> bool:
    """Whether the differences of two iterations can be in a list. Numbers can, activations cannot."""
    pairs = zip(find_literals(first), find_literals(other), strict=True)
    return all(isinstance(a.value, _COUNTABLE) or strict_key(a.value) == strict_key(b.value) for a, b in pairs)


def unify_stages(stages: Sequence[Any], *, first: bool = True) -> tuple[Any, tuple[str, ...], Any]:
    """Merge stages into a loop: the values to iterate over, the names of its items, and the one stage. If `first`, a literal that
    differs only in the first iteration becomes a condition instead of a list."""
    columns = [list(column) for column in zip(*map(find_literals, stages), strict=True)]
    lists: list[list[Literal]] = []
    literals: list[Any] = []
    for column in columns:
        keys = [strict_key(literal.value) for literal in column]
        if len(set(keys)) == 1:
            literals.append(column[0])
        # With two iterations, `if first` is no shorter than a list of two values.
        elif first and len(set(keys[1:])) == 1 and len(keys) > 2:
            literals.append(IfFirst(column[0], column[1]))
        else:
            # Literals that have the same values in every iteration share one list: `conv n n`.
            known = [[strict_key(literal.value) for literal in other] for other in lists]
            if keys not in known:
                lists.append(column)
                known.append(keys)
            literals.append(Item(known.index(keys)))
    stage = _fill_literals(stages[0], iter(literals), 0)
    if not lists:
        return Literal(len(stages), "depth"), (), stage
    binders = tuple(column[0].name or "item" for column in lists)
    if len(lists) == 1:
        return ListOf(tuple(lists[0])), binders, stage
    return ListOf(tuple(ListOf(tuple(row)) for row in zip(*lists, strict=True))), binders, stage


def _fill_literals(tree: Any, literals: Iterator[Any], up: int) -> Any:
    """Replace the literals of a tree, at a depth of `up` further loops."""
    match tree:
        case Literal():
            literal = next(literals)
            # Deeper loops have items of their own, so an item says how many loops are between.
            return replace(literal, up=up) if isinstance(literal, (Item, IfFirst)) else literal
        case Loop():
            over, body = _fill_literals(tree.over, literals, up), _fill_literals(tree.body, literals, up + 1)
            return Loop(over, tree.binders, body, tree.label, tree.start)
        case tuple():
            return tuple(_fill_literals(item, literals, up) for item in tree)
        case Tree():
            return type(tree)(*(_fill_literals(part, literals, up) for part in tree.child_values()))
    return tree
