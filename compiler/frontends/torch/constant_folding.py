"""Folds the constants of an exported graph: computes all nodes that depend on no input.

In: the nodes of an exported graph, and its input tensors that are no parameters. Out: the values of all nodes that depend on these alone,
and which of them become tables of the spec. Always: if no formula is found for a value, the graph computes it from other constants.

    torch.arange(8).view(2, 4) + 1     becomes one table, `1 + 4 * i + j`
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import getitem
from typing import Any

import torch
from torch.fx import Node

from ...ops.constants import TableOperator
from ...types.numpy_types import to_array
from ..constants import is_exact, make_formula_table, make_stored_table
from ..graph_builder import ImportRefused
from .node_targets import is_empty
from .views import is_in_place

_LARGEST = 2**26
"""The largest number of elements that are computed here. The graph computes larger tensors."""


class ConstantFolder:
    """`values` has the constants by their nodes."""

    def __init__(self, nodes: Iterable[Node], stored: Mapping[Node, torch.Tensor], names: Mapping[Node, str]) -> None:
        # Cloned, because an in-place operator below would change the module's own buffer.
        self.values: dict[Node, Any] = {node: tensor.detach().clone() for node, tensor in stored.items()}
        self.tables: dict[Node, TableOperator] = {}
        self.names = names
        """The names that modules give to some of them."""
        self.reasons: dict[Node, str] = {}
        """The reasons why some have no formula."""
        self.inexact_shapes: list[list[int]] = []
        """The shapes of the constants whose formulas differ in the last bits."""
        nodes = list(nodes)
        for node in nodes:
            self._fold_node(node)
        self.computed: set[Node] = set()
        """The constants that the graph computes."""
        # In reverse, because a constant needs a table only if a user of it is computed by the graph.
        for node in reversed([*stored, *nodes]):
            self._choose_table(node)

    def is_folded(self, node: Node) -> bool:
        """Return whether the node is a constant that the graph does not compute."""
        return node in self.values and node not in self.computed

    def get_number(self, node: Node) -> float | int | bool | None:
        """Return the only element of a constant, or None. The element of a constant with axes must be finite."""
        value = self.values.get(node)
        if not isinstance(value, torch.Tensor) or value.numel() != 1 or (value.dim() and not bool(value.isfinite().all())):
            return None
        return value.item()

    def get_table(self, node: Node) -> TableOperator:
        """Return the table with the values of a constant."""
        if node not in self.tables:
            raise ImportRefused(self.reasons.get(node, "no formula gives its values"))
        return self.tables[node]

    def describe_inexact(self) -> tuple[str, ...]:
        """Describe the constants whose formula differs from them in the last bits."""
        shapes = ", ".join(dict.fromkeys(map(str, self.inexact_shapes)))
        return (f"Constants of the shapes {shapes} are formulas whose last bits may differ.",) if self.inexact_shapes else ()

    def _fold_node(self, node: Node) -> None:
        if node.op != "call_function" or not self._is_constant(node):
            return
        args: Any
        kwargs: Any
        args, kwargs = torch.fx.node.map_arg((node.args, dict(node.kwargs)), self._get_operand)
        if is_in_place(node):
            # Readers before the change still read the old values.
            args = (args[0].clone(), *args[1:])
        with torch.no_grad():
            self.values[node] = node.target(*args, **kwargs)  # type: ignore[operator]

    def _get_operand(self, node: Node) -> Any:
        """Return the value of an operand, or an empty tensor of its type if only the type matters."""
        return self.values[node] if node in self.values else torch.empty((), dtype=node.meta["val"].dtype)

    def _is_constant(self, node: Node) -> bool:
        if any(inner not in self.values for inner in node.all_input_nodes[_says_type_alone(node) :]):
            return False
        if node.target is getitem:
            return True
        # Random numbers are drawn anew in each run, so they are no constants.
        if not isinstance(node.target, torch._ops.OpOverload) or torch.Tag.nondeterministic_seeded in node.target.tags:
            return False
        fake = node.meta.get("val")
        sizes = [size for tensor in (fake if isinstance(fake, list | tuple) else [fake]) for size in getattr(tensor, "shape", [None])]
        if any(not isinstance(size, int) for size in sizes):
            return False
        total = 1
        for size in sizes:
            total *= size
        return total <= _LARGEST

    def _choose_table(self, node: Node) -> None:
        """Find the table of a constant that a node of the graph reads."""
        if node not in self.values or is_empty(node) or all(self.is_folded(user) or is_empty(user) for user in node.users):
            return
        value = self.values[node]
        if not isinstance(value, torch.Tensor):
            self.computed.add(node)
            return
        # A complex buffer is a table of pairs. What code computes of real numbers has a better text as the code's own formula.
        if value.is_complex() and node.op != "call_function":
            value = torch.view_as_real(value.resolve_conj())
        try:
            array = to_array(value)
            self.tables[node] = make_formula_table(array)
            if not is_exact(self.tables[node], array):
                self.inexact_shapes.append(list(array.shape))
        except (ImportRefused, ValueError) as refused:
            # A constant that code computes can be computed by the graph too. The values of a buffer exist only as numbers.
            if node.op == "call_function":
                self.reasons[node] = str(refused)
                self.computed.add(node)
            else:
                self._store_table(node, value)

    def _store_table(self, node: Node, value: torch.Tensor) -> None:
        """Keep the numbers of a constant in a file."""
        try:
            self.tables[node] = make_stored_table(to_array(value))
        except (ImportRefused, ValueError) as refused:
            self.reasons[node] = str(refused)


def _says_type_alone(node: Node) -> bool:
    """Return whether only the element type of the first argument matters."""
    return str(node.target).startswith(("aten.new_zeros.", "aten.new_ones.", "aten.new_full."))
