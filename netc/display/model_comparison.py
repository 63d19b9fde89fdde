"""Compare two models: the stages that were added, removed or changed, and the totals.

In: two programs. Out: a `Comparison`, which the command line prints. Always: stages correspond if they have the same path, which is their
name in the state dict. Equal stages in a row are one stage with a number. The time grows with the distinct blocks, not with their uses.

    >>> import netc
    >>> before, after = (netc.compile(f"input 3 -> dense {width} as fc -> relu").program for width in (2, 4))
    >>> compare_programs(before, after).totals
    (('parameters', '8', '16'), ('FLOPs', '16', '32'), ('multiply-adds', '6', '12'), ('activations', '16 B', '32 B'))
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from netc.compiler.analysis.model_cost import NodeCosts, StageCost, summarize_with_nodes
from netc.compiler.ir.graph import CallNode, Graph, Node, OpNode, Program
from netc.compiler.ir.walk import join_labels
from netc.dsl.record import Record, replace

from ..drawing.box_text import format_operator
from ..drawing.drawn_units import fold_rows
from .figures import format_bytes, format_number

Difference = tuple[str, str, str]
"""A property that differs, with its values before and after."""


class Change(Record):
    """A stage, input or output that only one model has, with its description, or that both have, with its differences."""

    kind: Literal["added", "removed", "changed"]
    path: str
    description: str
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
    """A stage of a graph. `key` is unique in the graph: a label may occur several times. `inside` is None for an operator."""

    key: tuple[str, int]
    description: str
    times: int
    results: str
    cost: StageCost | None
    inside: Graph | None


def compare_programs(before: Program, after: Program) -> Comparison:
    """Return the differences between two programs, in the order of the stages."""
    (old_summary, old_costs), (new_summary, new_costs) = summarize_with_nodes(before), summarize_with_nodes(after)
    # keys are identities of graphs, so the costs of two programs never collide
    changes = _Comparer(old_costs | new_costs).compare_graphs(before.main, after.main)
    ends = [
        *_compare_ends("input", {v.name: str(v.type) for v in before.main.inputs}, {v.name: str(v.type) for v in after.main.inputs}),
        *_compare_ends("output", _list_output_types(before.main), _list_output_types(after.main)),
    ]
    totals = (
        ("parameters", format_number(old_summary.totals.parameters), format_number(new_summary.totals.parameters)),
        ("FLOPs", format_number(old_summary.totals.flops), format_number(new_summary.totals.flops)),
        ("multiply-adds", format_number(old_summary.totals.multiply_adds), format_number(new_summary.totals.multiply_adds)),
        ("activations", format_bytes(old_summary.totals.activation_bytes), format_bytes(new_summary.totals.activation_bytes)),
    )
    return Comparison(tuple(changes), tuple(ends), totals)


def _list_output_types(graph: Graph) -> dict[str, str]:
    return {name: str(value.type) for name, value in zip(graph.output_names, graph.outputs, strict=True)}


def _compare_ends(what: str, before: dict[str, str], after: dict[str, str]) -> list[Change]:
    changes: list[Change] = []
    is_input = what == "input"
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        if old is None:
            changes.append(Change("added", name, f"{what} {new}", is_input=is_input))
        elif new is None:
            changes.append(Change("removed", name, f"{what} {old}", is_input=is_input))
        elif old != new:
            changes.append(Change("changed", name, what, (("type", old, new),), is_input))
    return changes


class _Comparer:
    def __init__(self, costs: NodeCosts) -> None:
        self.costs = costs
        self.changes_of: dict[tuple[int, int], list[Change]] = {}
        """The changes between two graphs, by their identities, with paths relative to them: each pair of blocks is compared once."""

    def compare_graphs(self, before: Graph, after: Graph) -> list[Change]:
        """Return the changes between two graphs. The recursion is as deep as blocks are nested, which the language limits."""
        pair = (id(before), id(after))
        if pair not in self.changes_of:
            self.changes_of[pair] = self._compare_stages(before, after)
        return self.changes_of[pair]

    def _compare_stages(self, before: Graph, after: Graph) -> list[Change]:
        olds = {stage.key: stage for stage in self._list_stages(before)}
        news = {stage.key: stage for stage in self._list_stages(after)}
        position = {key: number for number, key in enumerate(olds)}
        removed = deque(key for key in olds if key not in news)
        changes: list[Change] = []
        for key, new in news.items():
            # a removed stage is listed before the stage that followed it
            while removed and position[removed[0]] < position.get(key, 0):
                changes.append(_make_one_sided_change("removed", olds[removed.popleft()]))
            changes += self._compare_stage(olds[key], new) if key in olds else [_make_one_sided_change("added", new)]
        return changes + [_make_one_sided_change("removed", olds[key]) for key in removed]

    def _list_stages(self, graph: Graph) -> list[_Stage]:
        seen: dict[str, int] = {}
        stages = []
        # rows, not nodes: a `repeat` with another number is one changed stage, not many added ones
        for unit in fold_rows(graph):
            node = unit.nodes[0]
            seen[node.label] = seen.get(node.label, 0) + 1
            results = ", ".join(str(value.type) for value in unit.nodes[-1].outputs)
            inside = node.graph if isinstance(node, CallNode) else None
            cost = self.costs[id(graph)].get(id(node))
            stages.append(_Stage((node.label, seen[node.label]), _describe_node(node), unit.times, results, cost, inside))
        return stages

    def _compare_stage(self, old: _Stage, new: _Stage) -> list[Change]:
        path = new.key[0]
        pairs = [("stage", old.description, new.description), ("number", str(old.times), str(new.times))]
        # the results and costs of two blocks follow from the stages inside, which are compared below
        if old.inside is None or new.inside is None:
            pairs += [("result", old.results, new.results), *_pair_costs(old.cost, new.cost)]
        differences = tuple(pair for pair in pairs if pair[1] != pair[2])
        local = [Change("changed", path, new.description, differences)] if differences else []
        if old.inside is None or new.inside is None:
            return local
        return local + [replace(change, path=join_labels(path, change.path)) for change in self.compare_graphs(old.inside, new.inside)]


def _pair_costs(old: StageCost | None, new: StageCost | None) -> list[Difference]:
    if old is None or new is None:
        return []
    return [
        ("parameters", format_number(old.parameters), format_number(new.parameters)),
        ("FLOPs", format_number(old.flops), format_number(new.flops)),
        ("activations", format_bytes(old.activation_bytes), format_bytes(new.activation_bytes)),
    ]


def _make_one_sided_change(kind: Literal["added", "removed"], stage: _Stage) -> Change:
    times = f" x {stage.times:,}" if stage.times > 1 else ""
    learned = stage.cost.parameters * stage.times if stage.cost is not None else 0
    about = [stage.description + times, stage.results, *([f"{learned:,} parameters"] if learned else [])]
    return Change(kind, stage.key[0], "  ".join(word for word in about if word))


def _describe_node(node: Node) -> str:
    if isinstance(node, OpNode):
        return format_operator(node.op)
    return node.graph.name if node.graph.kind == "block" else node.graph.kind
