"""Finds blocks that take any number of tensors, and loops that give them one more each time, as the layers of a DenseNet.

In: the bodies of graphs that have one name, and the nodes of a graph. Out: bodies whose first input is all of them, and runs of nodes that
are a loop. Always: a body uses its inputs only as one tuple. A tensor of a loop is used only by later members, and by nodes that take all.

    >>> from .spec_tree import Stage
    >>> merged = merge_inputs(Body(2, (), (Chain(TupleOf((Ref(0), Ref(1))), (Stage("concat"),)),)))
    >>> merged.inputs, merged.results[0].head
    (1, Ref(number=0))
    >>> print(merge_inputs(Body(2, (), (Chain(Ref(1), (Stage("relu"),)),))))  # only one of the inputs is used
    None
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netc.dsl.trees import rewrite_downward, rewrite_upward, shape_key, walk_tree

from ...ir.graph import Node
from .counted_labels import is_next_label, strip_label
from .spec_tree import Assign, Body, Chain, Ref, TupleOf


def merge_inputs(body: Body) -> Body | None:
    """Return the body in which `Ref(0)` is the tuple of all inputs. None if the inputs are used in another way."""
    count = body.inputs
    sequence = TupleOf(tuple(map(Ref, range(count)))) if count > 1 else Ref(0)
    if _count_input_uses(body, count) != count or _count_heads(body, sequence) != 1:
        return None

    def shifted(part: Any) -> Any:
        match part:
            case Chain(head, stages) if head == sequence or head == _shift_tuple(sequence, count):
                return Chain(Ref(0), stages)
            case Ref(number):
                # Negative numbers mark inputs that were visited, so that they are not taken for tensors with new numbers.
                return Ref(number - count + 1) if number >= count else Ref(number - count)
        return None

    merged: Body = rewrite_upward(body, shifted)
    return Body(1, _shift_statements(merged.statements, count), merged.results)


def _shift_tuple(sequence: Any, count: int) -> Any:
    """Return the tuple of inputs with the negative numbers that mark them as visited."""
    return rewrite_downward(sequence, lambda part: Ref(part.number - count) if isinstance(part, Ref) else None)


def _shift_statements(statements: tuple[Any, ...], count: int) -> tuple[Any, ...]:
    return tuple(
        Assign(tuple(None if n is None else n - count + 1 for n in s.numbers), s.value) if isinstance(s, Assign) else s for s in statements
    )


def _count_input_uses(tree: Any, count: int) -> int:
    """Count the uses of inputs."""
    return sum(isinstance(part, Ref) and part.number < count for part in walk_tree(tree))


def _count_heads(tree: Any, sequence: Any) -> int:
    """Count the pipelines that begin with all inputs."""
    return sum(isinstance(part, Chain) and part.head == sequence for part in walk_tree(tree))


def find_growing_run(node: Node, nodes: Sequence[Node], stage: Callable[[Node], Any], users: Mapping[int, Sequence[Node]]) -> list[Node]:
    """Find the longest loop from the node on. Each member takes the inputs and the output of the previous one. One node means no loop."""
    run = [node]
    if node.shared is not None or len(node.outputs) != 1 or not node.inputs:
        return run
    wanted = shape_key(strip_label(stage(node)))
    for other in nodes[nodes.index(node) + 1 :]:
        if other.inputs != (*run[-1].inputs, *run[-1].outputs) or len(other.outputs) != 1 or not is_next_label(run[-1], other):
            continue
        if other.shared is not None or shape_key(strip_label(stage(other))) != wanted:
            break
        run.append(other)
    tensors = (*run[-1].inputs, *run[-1].outputs)
    inside = set(map(id, run))
    alone = all(
        id(user) in inside or user.inputs == tensors for member in run for value in member.outputs for user in users.get(id(value), ())
    )
    # Two members are shorter to read than a loop, and a tensor that others read needs its own name.
    return run if len(run) > 2 and alone else [node]
