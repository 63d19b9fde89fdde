"""Find the statements of `compute_totals` between the two tensors of a gradient, and cut the stages of a section so that they can be found.

In: statements, or the nodes of a section. Always: no value is left out that depends on the second tensor and that the first one needs.
A missing one would make a part of the gradient 0, so it is refused. For `gradient(s, x2)`, the stages `x2 = x * 2` and `s = y * x2` are
two statements:

    x2 = compute_x2(x)
    s = compute_s(y, x2)
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from netc.compiler.ir.graph import CallNode, Graph, Node
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.walk import find_needed_nodes
from netc.dsl.record import Record


class Statement(Record):
    """Lines of `compute_totals`, and the values that they read and compute. `graph`: the model, or the part of it that they call. `inner`:
    the values that a function in the lines computes again."""

    lines: tuple[str, ...]
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    graph: Graph | None = None
    inner: tuple[Value, ...] = ()


def find_path(statements: Sequence[Statement], y: Value, x: Value) -> list[Statement]:
    """Find the statements that compute `y` from `x`, in order."""
    dependent, needed = {id(x)}, {id(y)}
    for statement in statements:
        if any(id(value) in dependent for value in statement.inputs):
            dependent.update(id(value) for value in statement.outputs)
    path = list[Statement]()
    for statement in reversed(statements):
        if any(id(value) in needed & dependent and value is not x for value in statement.outputs):
            path.append(statement)
            needed.update(id(value) for value in statement.inputs)
    return path[::-1]


def is_complete(path: Sequence[Statement], statements: Iterable[Statement], nodes: Sequence[Node], y: Value, dependent: set[int]) -> bool:
    """Whether the path computes each value that `y` needs and that depends on the second tensor."""
    needed = {id(y), *(id(value) for node in find_needed_nodes(nodes, [y]) for value in node.inputs)}
    computed = {id(value) for statement in path for value in (*statement.outputs, *statement.inner)}
    return not any(id(value) in dependent & needed - computed for statement in statements for value in statement.outputs)


def find_dependent(nodes: Iterable[Node], x: Value, others: Iterable[int] = ()) -> set[int]:
    """Find the values that nodes compute from `x`, or from others that depend on it, by identity. A block or a loop that computes `x` may
    compute its other results from it."""
    dependent = {id(x), *others}
    for node in nodes:
        is_sibling = isinstance(node, CallNode) and any(value is x for value in node.outputs)
        if is_sibling or any(id(value) in dependent for value in node.inputs):
            dependent.update(id(value) for value in node.outputs)
    return dependent - {id(x)}


def divide_stages(stages: Sequence[Node], tensors: Collection[int]) -> list[list[Node]]:
    """Divide stages so that the part that computes one of these tensors computes nothing from it."""
    parts, left = list[list[Node]](), list(stages)
    for stage in stages:
        if stage in left and any(id(value) in tensors for value in stage.outputs):
            part = find_needed_nodes(left, list(stage.outputs))
            parts.append(part)
            left = [node for node in left if node not in part]
    return [*parts, left] if left else parts
