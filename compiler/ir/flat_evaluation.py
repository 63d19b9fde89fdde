"""Evaluate the operators of a graph in order, with values of any kind in place of the tensors: bounds, or real tensors.

In: a graph, and a value for each of its inputs. Out: a value for each output in evaluation mode. Always: calls are transparent, as in a
`FlatGraph`; operators that only training needs are not evaluated; the body of a loop is evaluated as often as the subclass asks. A value is
dropped after its last use, so that a large model needs no more memory than its widest part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from ..ops.mode import ByMode
from .flat_graph import FlatGraph, FlatItem, FlatNode, FlatScan, FlatScanEnd
from .frames import Frame
from .graph import Graph

T = TypeVar("T")
RunStep = Callable[[Sequence[T]], list[T]]
"""Evaluates one step of a loop: from its states and slices to its outputs."""


class FlatEvaluator(Generic[T]):
    """The base of evaluators. A subclass says what an operator and a loop compute."""

    def evaluate_operator(self, item: FlatNode, inputs: Sequence[T]) -> Sequence[T]:
        """Return the outputs of one operator, or more values than it has outputs in use."""
        raise NotImplementedError

    def evaluate_loop(self, item: FlatScan, inputs: Sequence[T], run_step: RunStep[T]) -> Sequence[T]:
        """Return the results of a loop. `inputs` has the initial states, then the scanned tensors."""
        raise NotImplementedError

    def evaluate_graph(self, graph: Graph, inputs: Sequence[T], path: str = "", frame: Frame | None = None) -> list[T]:
        """Evaluate a graph, and return a value for each output."""
        flat = FlatGraph(graph, path, frame)
        items = list(flat)
        outputs = flat.output_keys()
        run = _Run(self, _list_needed(items, outputs), set(outputs), dict(enumerate(inputs)))
        run.run_items(0, len(run.items), is_outermost=True)
        return [run.values[key] for key in outputs]


class _Run(Generic[T]):
    """The evaluation of one graph: its items, and the values by their keys."""

    def __init__(self, evaluator: FlatEvaluator[T], items: list[FlatItem], kept: set[int], values: dict[int, T]) -> None:
        self.evaluator, self.items, self.values = evaluator, items, values
        self.ends = _match_loops(items)
        last = {key: index for index, item in enumerate(items) for key in _list_sources(item)}
        self.dropped: dict[int, list[int]] = {}
        for key, index in last.items():
            if key not in kept:
                self.dropped.setdefault(index, []).append(key)

    def run_items(self, start: int, stop: int, is_outermost: bool) -> None:
        index = start
        while index < stop:
            end = self._run_item(index)
            # A body may be evaluated again, so its values and the values that it captures stay until the end of the outermost loop.
            for position in range(index, end) if is_outermost else ():
                for key in self.dropped.get(position, ()):
                    self.values.pop(key, None)
            index = end

    def _run_item(self, index: int) -> int:
        """Evaluate an operator or a loop. Return the index of the item after it."""
        item, values = self.items[index], self.values
        match item:
            case FlatNode(inputs=inputs, outputs=outputs) if isinstance(item.node.op, ByMode):
                values[outputs[0]] = values[inputs[1]]
            case FlatNode(inputs=inputs, outputs=outputs):
                results = self.evaluator.evaluate_operator(item, [values[key] for key in inputs])
                values.update(zip(outputs, results, strict=False))
            case FlatScan():
                end = self.ends[index]
                last = self.items[end]
                assert isinstance(last, FlatScanEnd)
                starts = [values[key] for key in item.inputs]
                results = self.evaluator.evaluate_loop(item, starts, lambda given: self._run_step(index, end, given))
                values.update(zip(last.outputs, results, strict=True))
                return end + 1
        return index + 1

    def _run_step(self, start: int, end: int, given: Sequence[T]) -> list[T]:
        begin, last = self.items[start], self.items[end]
        assert isinstance(begin, FlatScan)
        assert isinstance(last, FlatScanEnd)
        self.values.update(zip(begin.step_inputs, given, strict=True))
        self.run_items(start + 1, end, is_outermost=False)
        return [self.values[key] for key in last.step_outputs]


def _list_sources(item: FlatItem) -> tuple[int, ...]:
    """List the keys of the values that an item uses in evaluation."""
    match item:
        case FlatNode(inputs=inputs):
            return inputs[1:] if isinstance(item.node.op, ByMode) else inputs
        case FlatScan(inputs=inputs):
            return inputs
        case FlatScanEnd(step_outputs=outputs):
            return outputs


def _list_needed(items: list[FlatItem], outputs: Sequence[int]) -> list[FlatItem]:
    """List the items that the outputs need in evaluation. Loops are kept as they are."""
    needed, kept = set(outputs), list[FlatItem]()
    for item in reversed(items):
        if isinstance(item, FlatNode) and needed.isdisjoint(item.outputs):
            continue
        needed.update(_list_sources(item))
        kept.append(item)
    return kept[::-1]


def _match_loops(items: list[FlatItem]) -> dict[int, int]:
    """Return the index of the end of each loop, by the index of its beginning."""
    ends: dict[int, int] = {}
    open_loops: list[int] = []
    for index, item in enumerate(items):
        if isinstance(item, FlatScan):
            open_loops.append(index)
        elif isinstance(item, FlatScanEnd):
            ends[open_loops.pop()] = index
    return ends
