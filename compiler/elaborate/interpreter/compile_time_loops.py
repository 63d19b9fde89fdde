"""`repeat` and `each`: loops whose iterations are elaborated at compile time, equal ones once.

`repeat 12 as layers { ... }` passes each result on to the next iteration; `each r in [1, 2] { ... }` gives all iterations the same input,
and its result is the tuple of theirs. A thousand equal iterations are one graph that is called a thousand times.

    >>> import netc
    >>> list(netc.compile("input 8 -> repeat 2 as layers { dense 8 bias=false as fc }").parameters)
    ['layers.0.fc.weight', 'layers.1.fc.weight']
    >>> netc.compile("input 8 -> each n in [1, 2] { dense n } -> concat axis=1").outputs
    {'output': TensorType([N, 3])}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite
from netc.dsl.tree_walk import walk_nodes

from ...dims import SymDim
from ...errors.limit_errors import TooManyNodes
from ...errors.structure_errors import EmptyEach
from ...errors.value_errors import NotANumber
from ...ir.graph import Graph, Kind, SharedModule
from ...ir.graph_values import Value
from ...types.traced_ints import is_integer, origin_key
from ..resource_limits import CHECKS, MAX_NODES, check_tuple
from ..scopes.compile_time_values import UNKNOWN, Flow, TensorTuple, main_result, tensors_of
from ..scopes.early_exits import Failure
from ..scopes.memo import MemoEntry
from ..scopes.scope import Scope, check_distinct, dependency_key
from ..scopes.value_text import format_value
from .body_graphs import BodySyntax, elaborate_body, warn_unused_input
from .calls import emit_call, emit_inline, forward_inputs
from .evaluator_protocol import EvaluatorPart, Interpreter
from .loop_lists import ListCollector, LoopItems, items_key
from .stage_labels import StageLabels, is_indexed
from .unpacking import unpack_pattern

Loop = ast.Repeat | ast.Each


class Loops(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, labels: StageLabels) -> None:
        super().__init__(interpreter)
        self._labels = labels
        self._evaluated = LoopItems(interpreter)

    def run_loop(self, node: Loop, flow: Flow, scope: Scope, shared: SharedModule | None) -> Flow:
        """Runs a loop. With a plain label, and in a body, it is a graph of its own; otherwise, and with `as _`, its iterations are
        inlined."""
        assert scope.frame is not None
        check_distinct(node.binders.names)
        items, count = self._loop_items(node, scope)
        if isinstance(node, ast.Each) and not items:
            raise Failure(EmptyEach(), node.over.span)
        inline = scope.frame.labels.numbered if node.label is None else self._labels.is_inline(node.label, scope, node.binders.names)
        indexed = is_indexed(node.label) and not inline
        if shared is None and (indexed or inline):
            before = len(scope.frame.graph.nodes)
            with scope.frame.inline_stages():
                iterations = self._run_iterations(node, items, flow, scope, inline=not indexed)
            # a single stage may be put into the graph around
            alone = not before and not indexed and len(scope.frame.graph.nodes) > 1
            self._note_count(count, scope.frame.graph, iterations.steady and alone)
            return iterations.result
        label = shared.label if shared is not None else self._labels.name_stage(node.label, _loop_keyword(node), node.span, scope)
        # A loop without iterations has no graph to call.
        if not items:
            self.session.decisions.pin_value(count)
            return self._run_iterations(node, items, flow, scope, inline=False).result

        def body(inner: Scope) -> Flow:
            inner_items = self._loop_items(node, inner)[0] if isinstance(items, tuple) else items  # tensors as this graph knows them
            iterations = self._run_iterations(node, inner_items, inner.names["in"].value, inner, inline=False)  # type: ignore[arg-type]
            assert inner.frame is not None
            self._note_count(count, inner.frame.graph, iterations.steady)
            return iterations.result

        kind: Kind = "sequence" if isinstance(node, ast.Repeat) else "branches"
        key = (items_key(items) if isinstance(items, tuple) else items, node.collected if isinstance(node, ast.Repeat) else None)
        entry = elaborate_body(BodySyntax(node, body, label, kind, items=key, count=count), flow, scope, self.session)
        return emit_call(entry, flow, scope, self.session, label, node.span, shared)

    def _note_count(self, count: int | None, graph: Graph, steady: bool) -> None:
        """The count of a loop that is all of the graph so far. It may vary if one more iteration would be like those after the first."""
        if steady and graph.count is None:
            graph.count = count
        else:
            self.session.decisions.pin_value(count)

    def _run_iterations(self, node: Loop, items: Sequence[Any], flow: Flow, scope: Scope, inline: bool) -> _Iterations:
        """All iterations, which go into the scope's graph."""
        iterations = _Iterations(self.interpreter, self._labels, node, scope, inline)
        if isinstance(node, ast.Each):
            iterations.result = iterations.run_branches(items, flow)
            return iterations
        collector = None if node.collected is None else ListCollector(node.collected)
        last = iterations.run_chain(items, main_result(flow), collector)  # a loop without iterations returns its input
        iterations.result = last if collector is None else collector.finish_lists(last)
        return iterations

    def _loop_items(self, node: Loop, scope: Scope) -> tuple[range | tuple[Any, ...], int | None]:
        """The values that a loop iterates over; and their number, if they are counted from 0."""
        match node.over:
            case ast.Range(start=ast.NumberLiteral(value=0), stop=stop):
                count = self.interpreter.evaluate(stop, scope)
                if is_integer(count) and 0 <= count <= MAX_NODES:
                    return range(count), count
        value = self._evaluated.evaluate(node.over, scope)
        if isinstance(value, tuple):
            _check_count(len(value), node)
            return value, None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            unknown = ", which is known only at run time" if isinstance(value, SymDim) else ""
            needed = "an integer of at least 0, a range or a list"
            problem = NotANumber(f"what `{_loop_keyword(node)}` iterates over", needed, format_value(value) + unknown)
            raise Failure(problem, node.over.span)
        _check_count(value, node)
        return range(value), value


def _check_count(count: int, node: Loop) -> None:
    """A loop that alone exceeds the limit is rejected before its first iteration."""
    if count > MAX_NODES:
        raise Failure(TooManyNodes(count, MAX_NODES, "network", "iterations"), node.over.span)


def _asks_for_first(node: Loop) -> bool | None:
    """Whether the body of a loop asks if an iteration is the first; None if it asks more of what the loop binds."""
    names = {name.name for name in node.binders.names}
    inside = list(walk_nodes(node.body))
    uses = sum(isinstance(node_inside, (ast.Name, ast.Apply)) and node_inside.name in names for node_inside in inside)
    firsts = sum(_is_first(node_inside, names) for node_inside in inside)
    return None if firsts != uses else firsts > 0


def _is_first(node: ast.Node, names: set[str]) -> bool:
    match node:
        case ast.Binary(op="==" | "!=" | ">", left=ast.Name(name=name), right=ast.NumberLiteral(value=0)):
            return name in names
    return False


def _loop_keyword(node: Loop) -> str:
    return "repeat" if isinstance(node, ast.Repeat) else "each"


def _type_and_formulas(flow: Flow) -> tuple[object, object]:
    """Equal for tensors of one type, whose sizes have the same formulas."""
    return dependency_key(flow), tuple(origin_key(v.type.shape) for v in tensors_of(flow) or ())


class _Iterations(EvaluatorPart):
    """The iterations of one loop, each with its own names and labels.

    An iteration is a graph, or the one stage it consists of; with `inline`, its stages are added to the graph of the loop.
    """

    def __init__(self, interpreter: Interpreter, labels: StageLabels, node: Loop, scope: Scope, inline: bool) -> None:
        super().__init__(interpreter)
        assert scope.frame is not None
        self._labels, self._node, self._scope, self._frame, self._inline = labels, node, scope, scope.frame, inline
        self._label = node.label if is_indexed(node.label) else None
        name = "".join(p for p in node.label.parts if isinstance(p, str)) if node.label else self._frame.graph.name
        self._body = BodySyntax(node.body, self._run_body, name)
        self._last: tuple[object, MemoEntry] | None = None
        self.result: Flow = UNKNOWN
        self.steady = False
        """Whether any further iteration is like the last one: it gets what that got, and does not ask which one it is."""
        self._reported = len(self.session.diagnostics)
        self._given_tensors = False
        """Whether each iteration of an `each` gets a tensor of a list, so that it may leave its input unused."""

    def run_chain(self, items: Sequence[Any], flow: Flow, collector: ListCollector | None) -> Flow:
        """Each iteration on what the one before passes on: all of its results that are not collected."""
        passed = [_type_and_formulas(flow)]
        is_foreseen = bool(self._node.binders.parts)
        for index, item in enumerate(items):
            size = self._frame.graph.size
            flow = self._run_iteration(item, flow)
            if self._has_failed():
                return UNKNOWN
            flow = flow if collector is None else collector.collect_iteration(flow)
            passed.append(_type_and_formulas(flow))
            if not is_foreseen and passed[-1][0] == passed[-2][0]:
                # All others are as large as this one: an excessive number is rejected at once
                total = size + (self._frame.graph.size - size) * (len(items) - index)
                self.session.check_size(total, self._node.over.span, self._frame.trace)
                is_foreseen = True
        alone = int(len(items) > 1 or _asks_for_first(self._node) is True)  # the first, which may differ
        self.steady = _asks_for_first(self._node) is not None and len(set(passed[alone:])) == 1 and len(items) > alone
        return flow

    def run_branches(self, items: Sequence[Any], flow: Flow) -> Flow:
        """All iterations on the same input."""
        results: list[Value] = []
        for item in items:
            values = tensors_of(self._run_iteration(item, flow))
            if values is None or self._has_failed():
                return UNKNOWN
            results += values
        return TensorTuple(check_tuple(tuple(results), self._node.span))

    def _has_failed(self) -> bool:
        """Whether an error has been reported since the last call: further iterations would only repeat it."""
        diagnostics = self.session.diagnostics[self._reported :]
        self._reported += len(diagnostics)
        return any(d.severity == "error" for d in diagnostics)

    def _run_iteration(self, item: Any, flow: Flow) -> Flow:
        """One iteration on its input. Its problems say which one it was. It is counted only if it adds no operator or is checked again;
        the number of operators limits all others."""
        outer, graph, spent = self._frame.trace, self._frame.graph, self.session.budget.spent
        size, checks = graph.size, spent[CHECKS]
        self._frame.trace = (*self._iteration_trace(item), *outer)
        try:
            result = self._add_iteration(item, flow)
        finally:
            self._frame.trace = outer
        if graph.size == size or spent[CHECKS] != checks:
            self.session.count_iteration(self._node.over.span, outer)
        return result

    def _iteration_trace(self, item: Any) -> tuple[CallSite, ...]:
        binders = self._node.binders
        values = [(name.name, value) for name, value in self._item_bindings(item) if not isinstance(value, Value)]
        bound = " and ".join(f"`{name}` is {format_value(value)}" for name, value in values)
        return (CallSite(binders.span, f"in this `{_loop_keyword(self._node)}`, where {bound}"),) if bound else ()

    def _add_iteration(self, item: Any, flow: Flow) -> Flow:
        scope = Scope(self._scope, self._frame) if self._node.binders.parts else self._scope
        for name, value in self._item_bindings(item):
            self._given_tensors |= isinstance(value, (Value, TensorTuple)) and isinstance(self._node, ast.Each)
            self.session.index.record_binding(name, scope.bind_name(name.name, value, name.span))
        if self._inline:
            inner = Scope(scope, self._frame)
            inner.bind_name("in", main_result(flow))
            return self._run_body(inner)
        entry = self._elaborate_iteration(flow, scope)
        self.session.check_size(self._frame.graph.size + entry.graph.size, self._node.span, self._frame.trace)
        # An iteration that only swaps or repeats its inputs adds no node, but is not the identity.
        if not entry.graph.nodes and not entry.graph.declares:
            return forward_inputs(entry, flow, scope)
        label = self._next_label(scope)
        if entry.single:
            return emit_inline(entry, flow, scope, self.session, label)
        return emit_call(entry, flow, scope, self.session, label, self._node.body.span)

    def _item_bindings(self, item: Any) -> Iterator[tuple[ast.Name, Any]]:
        return unpack_pattern(self._node.binders, item) if self._node.binders.parts else iter(())

    def _run_body(self, inner: Scope) -> Flow:
        body = self._node.body
        result = self.interpreter.run_body(body, inner, "the repeated body")
        return result if self._given_tensors else warn_unused_input(inner, result, body.span, self.session)

    def _elaborate_iteration(self, flow: Flow, scope: Scope) -> MemoEntry:
        """The body's graph; without binders it depends on its input alone, so that the last one can usually be used again."""
        key = dependency_key(flow)
        # A lookup in the memo compares what the body reads, which takes longer than comparing the input.
        if self._last is not None and not self._node.binders.parts and self._last[0] == key:
            return self._last[1]
        entry = elaborate_body(self._body, flow, scope, self.session)
        self._last = (key, entry)
        return entry

    def _next_label(self, scope: Scope) -> str:
        if self._label is None:
            return self._frame.labels.allocate_label("", self._node.span)
        return self._labels.claim_label(self._label, scope, self._frame)
