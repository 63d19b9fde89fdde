"""Makes names for tensors and blocks.

In: the graph's names of tensors, and the stages that make them. Out: names of the language. Always: each name is used once in a body, and
is no keyword, and no operator that a branch begins with.

>>> to_snake_case("BasicBlock"), make_free_name("h", {"h", "h2"}), to_identifier("Linear1", "x")
('basic_block', 'h3', 'linear1')
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator

from netc.dsl.grammar import load_tables

from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ir.graph_values import Value
from ...ops.kinds import NOT_FINITE
from .node_stages import get_label

_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_WORDS = {
    "table": "values",
    "param": "values",
    "add": "h",
    "sub": "h",
    "mul": "scaled",
    "div": "scaled",
    "conv": "h",
    "dense": "h",
    "concat": "joined",
}


def to_snake_case(name: str) -> str:
    """Write `BasicBlock` as `basic_block`, and `Conv1D` as `conv1d`."""
    words = re.sub(r"([a-z])([A-Z])|([A-Z0-9])([A-Z][a-z])", lambda m: f"{m[1] or m[3]}_{m[2] or m[4]}", name)
    snake_case = re.sub(r"\W+", "_", words).strip("_").lower() or "block"
    snake_case = f"block_{snake_case}" if snake_case[0].isdecimal() else snake_case
    return f"{snake_case}1" if snake_case in load_tables().keywords else snake_case


def to_identifier(wanted: str, otherwise: str) -> str:
    """Return the name in small letters, or `otherwise` if it cannot be a name."""
    name = wanted if _NAME.fullmatch(wanted) else wanted.lower()
    return name if _NAME.fullmatch(name) and name not in load_tables().keywords and name.strip("_") else otherwise


def make_free_name(wanted: str, used_names: Collection[str], number: int = 2) -> str:
    """Return the name, with the first free number from `number` on if it is taken. After a digit, a `_` precedes it: `e1_2`, not `e12`."""
    name = wanted
    while name in used_names:
        name, number = f"{wanted}_{number}" if wanted[-1].isdecimal() else f"{wanted}{number}", number + 1
    return name


class BodyNames:
    """The names of one body. `taken` are names that are bound already."""

    def __init__(self, used_names: Iterable[str]) -> None:
        # `in` is the input of each body. `inf` and `nan` are numbers wherever no tensor has these names.
        self.taken = {"in", *NOT_FINITE, *used_names}
        self._makers: dict[int, dict[int, Node]] = {}
        """For each graph, by id, the node that makes each of its tensors. Searching all nodes for each name took quadratic time."""
        self._numbers: dict[str, int] = {}
        """For each wanted name, the number at which the search for a free one starts."""

    def bind_exact(self, name: str) -> str:
        """Bind the name of an output, if it can be a name."""
        return self._bind_name(to_identifier(name, to_snake_case(name)))

    def bind_input(self, value: Value, otherwise: str) -> str:
        """Bind the name of an input."""
        return self._bind_name(to_identifier(value.name, otherwise))

    def bind_tensor(self, value: Value, graph: Graph, hint: str = "") -> str:
        """Bind the name of a tensor that a node makes: its own, the stage's, the hint, or a general word."""
        if id(graph) not in self._makers:
            self._makers[id(graph)] = {id(output): node for node in _iterate_nodes(graph) for output in node.outputs}
        node = self._makers[id(graph)].get(id(value))
        if node is None:
            return self.bind_input(value, to_identifier(hint, "x"))
        word = node.op.name if isinstance(node, OpNode) else "h"
        several = isinstance(node, CallNode) and len(node.outputs) > 1
        label = "" if several else (get_label(node) or "").rpartition(".")[2]
        general = "h" if word in self.taken else _WORDS.get(word, word)
        return self.bind_input(value, to_identifier(label, to_identifier(hint, to_identifier(general, "h"))))

    def _bind_name(self, wanted: str) -> str:
        name = make_free_name(wanted, self.taken, self._numbers.get(wanted, 2))
        if name != wanted:
            self._numbers[wanted] = int(name.removeprefix(wanted).lstrip("_")) + 1
        self.taken.add(name)
        return name


def _iterate_nodes(graph: Graph) -> Iterator[Node]:
    """Iterate over the nodes of a graph, of the steps of its scans and of its iterations."""
    for node in graph.nodes:
        yield node
        if isinstance(node, CallNode) and (node.scan is not None or node.graph.iteration is not None):
            yield from _iterate_nodes(node.graph)
