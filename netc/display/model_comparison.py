"""What differs between two models: stages that were added, removed or changed, and the totals.

In: two programs. Out: records; printing them is left to the command line. Always: stages are the same if they have the same path, which is
what the state dict calls them; equal stages in a row are one, with their number; time grows with the distinct blocks.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from netc.compiler.analysis.model_cost import NodeCosts, StageCost, summarize_with_nodes
from netc.compiler.dims import Dim, format_dim
from netc.compiler.ir.graph import CallNode, Graph, Node, OpNode, Program
from netc.compiler.ir.walk import join_labels
from netc.dsl.record import Record, replace

from ..drawing.box_text import operator_words
from ..drawing.drawn_units import in_rows
from .figures import size

Difference = tuple[str, str, str]
"""What differs, before and after."""


class Change(Record):
    """A stage that only one model has, with what it is; or one that both have, with what differs. So for inputs and outputs."""

    kind: Literal["added", "removed", "changed"]
    path: str
    words: str
    differences: tuple[Difference, ...] = ()
    is_input: bool = False


class Comparison(Record):
    """`ends` are differences between inputs and outputs, `totals` all totals before and after."""

    changes: tuple[Change, ...]
    ends: tuple[Change, ...]
    totals: tuple[Difference, ...]

    @property
    def is_same(self) -> bool:
        return not self.changes and not self.ends


class _Stage(Record):
    """A stage of a graph; `key` is unique among them. `inside` is None for an operator."""

    key: tuple[str, int]
    words: str
    times: int
    results: str
    cost: StageCost | None
    inside: Graph | None


def compare(before: Program, after: Program) -> Comparison:
    """The differences, in the order of the stages."""
    (one, old), (other, new) = summarize_with_nodes(before), summarize_with_nodes(after)
    changes = _Comparer(old | new).graphs(before.main, after.main)
    ends = [
        *_ends("input", {v.name: str(v.type) for v in before.main.inputs}, {v.name: str(v.type) for v in after.main.inputs}),
        *_ends("output", _outputs(before.main), _outputs(after.main)),
    ]
    totals = (
        ("parameters", _number(one.totals.parameters), _number(other.totals.parameters)),
        ("FLOPs", _number(one.totals.flops), _number(other.totals.flops)),
        ("multiply-adds", _number(one.totals.multiply_adds), _number(other.totals.multiply_adds)),
        ("activations", size(one.totals.activation_bytes), size(other.totals.activation_bytes)),
    )
    return Comparison(tuple(changes), tuple(ends), totals)


def _outputs(graph: Graph) -> dict[str, str]:
    return {name: str(value.type) for name, value in zip(graph.output_names, graph.outputs, strict=True)}


def _ends(what: str, before: dict[str, str], after: dict[str, str]) -> list[Change]:
    found: list[Change] = []
    is_input = what == "input"
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name), after.get(name)
        if one is None:
            found.append(Change("added", name, f"{what} {other}", is_input=is_input))
        elif other is None:
            found.append(Change("removed", name, f"{what} {one}", is_input=is_input))
        elif one != other:
            found.append(Change("changed", name, what, (("type", one, other),), is_input))
    return found


class _Comparer:
    def __init__(self, costs: NodeCosts) -> None:
        self.costs = costs
        self.known: dict[tuple[int, int], list[Change]] = {}
        """The changes of two graphs, with paths from there."""

    def graphs(self, before: Graph, after: Graph) -> list[Change]:
        """Nests as deep as blocks do, which is bounded."""
        pair = (id(before), id(after))
        if pair not in self.known:
            self.known[pair] = self._graphs(before, after)
        return self.known[pair]

    def _graphs(self, before: Graph, after: Graph) -> list[Change]:
        olds = {stage.key: stage for stage in self._stages(before)}
        news = {stage.key: stage for stage in self._stages(after)}
        position = {key: number for number, key in enumerate(olds)}
        removed = deque(key for key in olds if key not in news)
        found: list[Change] = []
        for key, new in news.items():
            while removed and position[removed[0]] < position.get(key, 0):
                found.append(_alone("removed", olds[removed.popleft()]))
            found += self._stage(olds[key], new) if key in olds else [_alone("added", new)]
        return found + [_alone("removed", olds[key]) for key in removed]

    def _stages(self, graph: Graph) -> list[_Stage]:
        seen: dict[str, int] = {}
        found = []
        for unit in in_rows(graph):
            node = unit.nodes[0]
            seen[node.label] = seen.get(node.label, 0) + 1
            results = ", ".join(str(value.type) for value in unit.nodes[-1].outputs)
            inside = node.graph if isinstance(node, CallNode) else None
            cost = self.costs[id(graph)].get(id(node))
            found.append(_Stage((node.label, seen[node.label]), _words(node), unit.times, results, cost, inside))
        return found

    def _stage(self, old: _Stage, new: _Stage) -> list[Change]:
        path = new.key[0]
        pairs = [("stage", old.words, new.words), ("number", str(old.times), str(new.times))]
        if old.inside is None or new.inside is None:
            pairs += [("result", old.results, new.results), *_cost_pairs(old.cost, new.cost)]
        differences = tuple(pair for pair in pairs if pair[1] != pair[2])
        own = [Change("changed", path, new.words, differences)] if differences else []
        if old.inside is None or new.inside is None:
            return own
        return own + [replace(change, path=join_labels(path, change.path)) for change in self.graphs(old.inside, new.inside)]


def _cost_pairs(old: StageCost | None, new: StageCost | None) -> list[Difference]:
    if old is None or new is None:
        return []
    return [
        ("parameters", _number(old.parameters), _number(new.parameters)),
        ("FLOPs", _number(old.flops), _number(new.flops)),
        ("activations", size(old.activation_bytes), size(new.activation_bytes)),
    ]


def _alone(kind: Literal["added", "removed"], stage: _Stage) -> Change:
    times = f" x {stage.times:,}" if stage.times > 1 else ""
    learned = stage.cost.parameters * stage.times if stage.cost is not None else 0
    about = [stage.words + times, stage.results, *([f"{learned:,} parameters"] if learned else [])]
    return Change(kind, stage.key[0], "  ".join(word for word in about if word))


def _words(node: Node) -> str:
    if isinstance(node, OpNode):
        return operator_words(node.op)
    return node.graph.name if node.graph.kind == "block" else node.graph.kind


def _number(value: Dim) -> str:
    return f"{value:,}" if isinstance(value, int) else format_dim(value)
