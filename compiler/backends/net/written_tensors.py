"""Keeps the tensors of a body under construction: decides which of them get names, and which are written where they are used.

In: the values of a graph, and the trees that compute them. Out: `Assign` statements for tensors with names, and the trees of the others,
each at its only use: in `x -> conv 8 -> relu`, the result of `conv` has no name. Always: a tensor that is used more than once has a name,
and every tensor with a name has a number, in the order of computation.

    >>> import netc
    >>> main = netc.compile("x = input 3; y = x -> relu; y * y").program.main
    >>> [count_uses(main)[id(value)] for value in (main.inputs[0], main.nodes[0].outputs[0])]
    [1, 2]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netc.dsl.trees import has_part

from ...ir.graph import Graph
from ...ir.graph_values import Value
from .spec_tree import Assign, Given, Param, Ref, Table
from .tree_queries import LONGEST, begins_with_tuple, count_stages, has_keys, has_main_result, is_arithmetic, is_short


class WrittenTensors:
    """The tensors of a body. `values` has the value of each number."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.statements: list[Any] = []
        self.values: list[Value] = []
        self.pending: dict[int, Any] = {}
        """By the value's id, the trees that are written where their tensor is used."""
        self.numbers: dict[int, int] = {}
        self.uses = count_uses(graph)

    def number_tensor(self, value: Value) -> int:
        self.numbers[id(value)] = len(self.values)
        self.values.append(value)
        return self.numbers[id(value)]

    def _define_outputs(self, outputs: Sequence[Value | None], tree: Any) -> None:
        """Assign the results of a tree to their uses. None is a result without a value."""
        used = [v for v in outputs if v is not None and self.uses.get(id(v))]
        if not used and has_part(tree, has_keys):
            self.statements.append(Assign((None,) * len(outputs), tree))  # unused, but its keys must stay in the state dict
            return
        # Of several results, names are given to those that are used; the others are `_`.
        if len(outputs) > 1 and not (used and used[0] is outputs[0] and len(used) == 1 and has_main_result(tree)):
            numbers = tuple(self.number_tensor(v) if v in used and v is not None else None for v in outputs)
            self.statements.append(Assign(numbers, tree))
        # A parameter or table always has a statement of its own, which declares it.
        elif used and self.uses.get(id(used[0])) == 1 and not isinstance(tree, (Param, Table)):
            self.pending[id(used[0])] = tree
        elif used:
            self.statements.append(Assign((self.number_tensor(used[0]),), tree))

    def take_tensor(self, value: Value) -> Any:
        """Return the tensor as the beginning of a pipeline."""
        tree = self.pending.pop(id(value), None)
        return Ref(self.numbers[id(value)]) if tree is None else tree

    def take_operand(self, value: Value) -> Any:
        """Return the tensor as an operand of arithmetic or an item of a tuple. A long tree gets a name first."""
        tree = self.pending.get(id(value))
        if tree is not None and not is_short(tree):
            del self.pending[id(value)]
            self.statements.append(Assign((self.number_tensor(value),), tree))
        return self.take_tensor(value)

    def _take_argument(self, value: Value) -> Any:
        """Return the tensor as a keyword argument: a name, or arithmetic of names."""
        return self.take_tensor(value) if is_arithmetic(self.pending.get(id(value), Given())) else self.name_tensor(value)

    def _take_tuple(self, inputs: Sequence[Value]) -> tuple[Any, ...]:
        """Return the tensors as a tuple. If they are long together, the computed ones get names. So does a pipeline that begins with a
        tuple, because nested tuples are hard to read: the decoder of a U-Net would be one expression."""
        for value in inputs:
            if begins_with_tuple(self.pending.get(id(value))):
                self.name_tensor(value)
        pending = [self.pending[id(value)] for value in inputs if id(value) in self.pending]
        if len(pending) > 1 and sum(map(count_stages, pending)) > LONGEST:
            return tuple(
                self.name_tensor(value) if count_stages(self.pending.get(id(value))) > 1 else self.take_tensor(value) for value in inputs
            )
        return tuple(self.take_operand(value) for value in inputs)

    def name_tensor(self, value: Value) -> Ref:
        """Return the tensor by its name, which it gets now if it has none."""
        tree = self.pending.pop(id(value), None)
        if tree is not None:
            self.statements.append(Assign((self.number_tensor(value),), tree))
        return Ref(self.numbers[id(value)])


def count_uses(graph: Graph) -> dict[int, int]:
    """Count the uses of each value."""
    counts: dict[int, int] = {}
    for value in (*(v for node in graph.nodes for v in node.inputs), *graph.outputs, *(graph.training_outputs or ())):
        counts[id(value)] = counts.get(id(value), 0) + 1
    return counts
