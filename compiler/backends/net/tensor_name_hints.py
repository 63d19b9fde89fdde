"""Suggests names for tensors, from their uses and their origins.

In: bodies, and graphs with their calls. Out: words for the numbers of a body's tensors, and words that no tensor may have. Always: a word
is a hint. `BodyNames` decides whether it can be a name, and whether it is free.

    >>> import netc
    >>> from .spec_source import write_program
    >>> text = "x = input 3; a = x -> dense 4 as to_k -> relu; a * a"
    >>> print(write_program(netc.compile(text).program), end="")
    x = input 3
    a = x -> dense 4 relu as to_k
    a * a
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netc.dsl.trees import subtrees_of

from ...ir.graph import CallNode, Graph, OpNode
from ...ir.graph_values import Value
from ...ir.walk import collect_graphs
from ...ops.arithmetic import Mul
from ...ops.shape import Cast, Expand, Permute, Unsqueeze
from .block_families import BlockFamily
from .node_stages import get_label
from .spec_tree import (
    Activation,
    Assign,
    Body,
    Chain,
    Choice,
    Given,
    Group,
    IfGiven,
    InTraining,
    Literal,
    Loop,
    OptionalInput,
    Ref,
    Stage,
    Steps,
    TupleOf,
)

_TELLING = ("cos", "sin")
"""Operators whose results have no better names."""
_THROUGH = (Mul, Cast, Expand, Permute, Unsqueeze)


def find_hints(body: Body) -> dict[int, str]:
    """Find the names of operands, of inputs of blocks, and of stages that the tensors belong to."""
    hints: dict[int, str] = {}
    for number, word in _iterate_hints(body):
        if word and not word.isdecimal() and word != "_":
            hints.setdefault(number, word)
    # `x = if given(y) { y } else { ... }`: the optional input is named after what replaces it.
    for statement in body.statements:
        match statement:
            case Assign((int() as number,), IfGiven(Ref(optional), Steps((), Ref(again)), Steps(_, Chain(_, stages)))) if optional == again:
                word = hints.get(number) or next(filter(None, map(_get_last_label, reversed(stages))), "")
                hints.setdefault(optional, word)
            case Assign((int() as number,), IfGiven(Ref(optional), Steps((), Ref(again)), Steps(_, Ref()))) if optional == again:
                hints[number] = "source"
    return hints


def iterate_bare_operators(tree: Any) -> Iterator[str]:
    """The operators at places where the name of a tensor would mean that tensor, so that no tensor may have their names.

    These are the beginning of a branch, a group or an iteration, and an argument: `block 8 relu`.
    """
    firsts: tuple[Any, ...] = ()
    parts = subtrees_of(tree)
    match tree:
        case Chain(Given(), (first, *_)) | Loop(body=first) | InTraining(first):
            firsts = (first,)
        case Group(stages):
            firsts = stages[:1]
        case Choice(_, stages, others):
            firsts = stages[:1] + others[:1]
        case Stage():  # its operator and its activation are no tensors, whatever their names
            parts = tuple(part for part in parts if not isinstance(part, Literal))
        case Literal(Activation(name)):
            yield name
    for first in firsts:
        match first:
            case Stage(str() as name) | Stage(Literal(Activation(name))):
                yield name
    for part in parts:
        yield from iterate_bare_operators(part)


def _iterate_hints(tree: Any) -> Iterator[tuple[int, str]]:
    match tree:
        case Stage():
            yield from ((operand.number, _get_operand_word(name)) for name, operand in tree.tensors if isinstance(operand, Ref))
        case Assign((int() as number,), Chain(_, stages)):
            yield from ((number, word) for stage in reversed(stages) if (word := _get_last_label(stage)))
        case Assign(numbers, Chain(_, (*_, Stage(BlockFamily() as family)))) if len(numbers) > 1:
            yield from ((number, word) for number, word in zip(numbers, family.results, strict=True) if number is not None)
        case Chain(head, (Stage(BlockFamily() as family), *_)):
            items = head.items if isinstance(head, TupleOf) else (head,)
            words = zip(items, family.words, strict=False)
            yield from ((item.number, word) for item, word in words if isinstance(item, Ref))
    for part in subtrees_of(tree):
        yield from _iterate_hints(part)


def _get_operand_word(name: str | OptionalInput) -> str:
    """Return the name of an operand. For an optional input, its name if that is a word of the source."""
    return name if isinstance(name, str) else name.of.words[-1] if name.of.words else ""


def _get_last_label(stage: Any) -> str:
    return (stage.label or "").rpartition(".")[2] if isinstance(stage, (Stage, Group)) else ""


def _get_node_word(node: OpNode | CallNode | None) -> str:
    """Return the last part of the label of a node with one result, if that is a word."""
    word = "" if node is None or len(node.outputs) > 1 else (get_label(node) or "").rpartition(".")[2]
    return "" if word.isdecimal() or word == "_" else word


class CallerNames:
    """Finds words for tensors of blocks where the blocks are called."""

    def __init__(self, main: Graph) -> None:
        self._calls: dict[int, tuple[Graph, CallNode]] = {}
        self._makers: dict[int, tuple[Graph, OpNode | CallNode]] = {}
        for graph in collect_graphs(main):
            for node in graph.nodes:
                self._makers.update((id(value), (graph, node)) for value in node.outputs)
                if isinstance(node, CallNode):
                    self._calls.setdefault(id(node.graph), (graph, node))

    def find_word(self, value: Value, graph: Graph) -> str:
        """Find a word for a tensor of a graph. Empty if there is none."""
        for _ in range(100):  # more than the depth of a network's blocks and the operators between them
            maker = self._makers.get(id(value))
            if value.name or (maker is not None and _get_node_word(maker[1])):
                return value.name or _get_node_word(maker[1] if maker is not None else None)
            if maker is None:
                position = next((k for k, candidate in enumerate(graph.inputs) if candidate is value), None)
                if position is None or id(graph) not in self._calls:
                    return ""
                graph, call = self._calls[id(graph)]
                value = call.inputs[position]
            elif isinstance(maker[1], CallNode):
                if maker[1].scan is not None:
                    return ""
                value, graph = next(
                    (r, maker[1].graph) for o, r in zip(maker[1].outputs, maker[1].graph.outputs, strict=True) if o is value
                )
            elif isinstance(maker[1].op, _THROUGH) and len(maker[1].inputs) == 1:
                value = maker[1].inputs[0]
            else:
                return maker[1].op.name if maker[1].op.name in _TELLING else ""
        return ""
