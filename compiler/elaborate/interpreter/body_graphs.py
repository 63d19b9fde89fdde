"""Bodies as graphs of their own: elaborated once for each different use.

`elaborate_body` takes the syntax of a body, its input and the scope around it, and returns a `MemoEntry`.

    >>> import netc
    >>> main = netc.compile("block layer(width) { dense width relu }; input 8 -> layer 8 -> layer 8 -> layer 4").program.main
    >>> graphs = [node.graph for node in main.nodes]
    >>> graphs[0] is graphs[1], graphs[1] is graphs[2]
    (True, False)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite
from netc.dsl.record import replace
from netc.dsl.source import Span

from ...analysis.dependent_parameters import find_nodes_without_source
from ...errors.binding_errors import UnusedFlow
from ...errors.label_errors import NO_LEVEL, BadLabel
from ...errors.parameter_errors import StartsAtRandom
from ...errors.structure_errors import NoResult
from ...ir.graph import Graph, Kind
from ...ir.graph_values import Parts, ReturnedTuple, find_list, flatten_parts, iterate_source_tuples
from ...types.traced_ints import origin_key
from ..elaboration_session import ElaborationSession
from ..memoized_bodies import BodyRecorder
from ..scopes.compile_time_values import (
    UNKNOWN,
    Flow,
    TensorTuple,
    count_leading,
    drop_empty_tuples,
    parts_of,
    require_same_in_modes,
    tensors_of,
)
from ..scopes.early_exits import Failure
from ..scopes.label_scope import LabelAllocator
from ..scopes.memo import MemoEntry
from ..scopes.pass_through import call_signature
from ..scopes.scope import GraphFrame, Scope, dependency_key
from .block_arguments import BoundParameters


class BodySyntax:
    """A body to elaborate.

    `run` elaborates its statements in a given scope. `name` and `kind` are the graph's. `use` is where a block is used, and
    `arguments` are its compile-time arguments. `items` are the values that a loop iterates over, which are evaluated outside the body;
    `count` is their number, if they are only counted.
    """

    __slots__ = ("arguments", "count", "items", "kind", "name", "node", "run", "use")

    def __init__(
        self,
        node: ast.Node,
        run: Callable[[Scope], Flow],
        name: str,
        kind: Kind = "sequence",
        use: CallSite | None = None,
        arguments: BoundParameters | None = None,
        items: Hashable = None,
        count: int | None = None,
    ) -> None:
        self.node = node
        self.run = run
        self.name = name
        self.kind: Kind = kind
        self.use = use
        self.arguments = arguments
        self.items = items
        self.count = count


def elaborate_body(syntax: BodySyntax, flow: Flow | None, scope: Scope, session: ElaborationSession) -> MemoEntry:
    """The graph of a body, from the memo or by running it in a frame of its own, with `in` bound to its input."""
    # The node by its identity: equal texts in two places have other scopes around them.
    key = (
        id(syntax.node),
        syntax.kind,
        None if flow is None else dependency_key(flow),
        syntax.items,
        origin_key(syntax.count),
        session.defaults_key,
    )
    if session.body_recorder is not None:
        return _elaborate_with_cache(key, syntax, flow, scope, session, session.body_recorder)
    entry = session.memo.find_entry(key, scope)
    if entry is not None:
        return entry
    entry, frame = _elaborate_in_frame(syntax, flow, scope, session)
    session.memo.add_entry(key, entry, tuple(frame.reads.values()))
    return entry


def _elaborate_with_cache(
    key: Hashable, syntax: BodySyntax, flow: Flow | None, scope: Scope, session: ElaborationSession, past: BodyRecorder
) -> MemoEntry:
    """Elaborate a body, or reuse it from an earlier elaboration."""
    lasting = past.key_of(syntax.node)
    entry = past.memo.find_entry((lasting, key), scope) if lasting is not None else None
    if entry is None:
        entry = session.memo.find_entry(key, scope)
    trace = (*(() if syntax.use is None else (syntax.use,)), *(() if scope.frame is None else scope.frame.trace))
    if entry is not None:
        past.reuse_body(entry, syntax.use, trace)
        if entry.failed:  # it is not called, but the body around it depends on the same
            for name in entry.reads:
                scope.use_binding(name)
        return entry
    with past.record_body(syntax.use, trace) as recording:
        entry, frame = _elaborate_in_frame(syntax, flow, scope, session)
    # The key has the identities of these objects, which must not pass to new ones.
    recording.holds = (syntax.node, *frame.captured.values())
    entry = replace(entry, recording=recording)
    if lasting is not None and recording.lasting:
        past.memo.add_entry((lasting, key), entry, tuple(frame.reads.values()))
    else:
        session.memo.add_entry(key, entry, tuple(frame.reads.values()))
    return entry


def _elaborate_in_frame(syntax: BodySyntax, flow: Flow | None, scope: Scope, session: ElaborationSession) -> tuple[MemoEntry, GraphFrame]:
    frame = _open_frame(syntax, scope, session)
    inner = frame.home = Scope(scope, frame)
    # A block's parameters are in the scope around its body, and may not be bound again in it.
    inner.sibling = scope if syntax.kind == "block" else None
    if flow is not None:
        inner.bind_name("in", _add_inputs(flow, frame))
    with session.limit_nesting(syntax.use.span if syntax.use else syntax.node.span), session.decisions.collect_into(frame.graph.decisions):
        result = require_same_in_modes(syntax.run(inner), syntax.node.span)
        if frame.graph.count not in (None, len(frame.graph.nodes)):  # there is more than the loop
            session.decisions.pin_value(frame.graph.count)
            frame.graph.count = None
    if not isinstance(syntax.node, (ast.Repeat, ast.Each, ast.Body)):
        result = drop_empty_tuples(result)
    if frame.graph.nodes and isinstance(result, TensorTuple) and not result.values:
        raise Failure(NoResult(f"`{syntax.name}`"), syntax.node.span)
    return close_frame(frame, result, session), frame


def _open_frame(syntax: BodySyntax, scope: Scope, session: ElaborationSession) -> GraphFrame:
    outer = scope.frame
    trace = outer.trace if outer is not None else ()
    bound = syntax.arguments
    graph = Graph(syntax.name, syntax.kind, syntax.node.span, None if bound is None else bound.values)
    graph.around = None if outer is None else outer.graph
    if bound is not None:
        graph.origins.update(bound.origins)
        graph.flags = bound.flags
    labels = LabelAllocator(numbered=syntax.kind != "block")
    owner = bound.owner if bound is not None else session.symbol_prefix(syntax.node, syntax.name)
    return GraphFrame(graph, outer, labels, (syntax.use, *trace) if syntax.use else trace, owner)


def _add_inputs(flow: Flow, frame: GraphFrame) -> Flow:
    values = tensors_of(flow)
    return UNKNOWN if values is None else frame.receive_input(flow, values)


def close_frame(frame: GraphFrame, result: Flow, session: ElaborationSession) -> MemoEntry:
    """Closes a frame: sets its outputs, resolves its ties, and simplifies its interface."""
    graph = frame.graph
    for pending in frame.ties:
        with session.catch_failures(frame.trace):
            pending.resolve_in(graph)
            session.index.record_name(pending.span, pending.path, None, frame.labels.used.get(pending.path), "label")
    for node in find_nodes_without_source(graph):
        session.report_problem(StartsAtRandom(node.op.name), node.span, ((node.inputs[0].span, "this is computed"),), frame.trace)
    parts = parts_of(result)
    lead = _count_leading_results(frame, parts or ())
    graph.outputs = list(flatten_parts(parts or ()))
    graph.tails = () if parts is None or lead is None else _returned_tuples(parts[lead:])
    inputs = tuple(graph.inputs)
    many = isinstance(result, TensorTuple) and result.extras is None
    if frame.alone is not None and (len(graph.nodes) != 1 or graph.kind != "block"):
        session.report_problem(BadLabel(NO_LEVEL, NO_LEVEL, operator=True), frame.alone, (), frame.trace)
    single = _is_single(frame)  # before `call_signature` removes inputs and outputs of the graph
    return MemoEntry(
        graph, many, parts is None, single, frame.alone is not None, tuple(frame.reads), frame.lead, call_signature(graph), inputs
    )


def _count_leading_results(frame: GraphFrame, parts: Parts) -> int | None:
    """The number of results before the tuple that they end with. What is put in front of the body's own tuple belongs to it, so that the
    results are as many as the inputs."""
    lead_count = count_leading(parts)
    if lead_count is None or frame.lead is None or lead_count <= frame.lead:
        return lead_count
    return frame.lead if any(of in frame.graph.tuples for of in iterate_source_tuples(parts[lead_count : lead_count + 1])) else lead_count


def _returned_tuples(parts: Parts) -> tuple[ReturnedTuple, ...]:
    """The tuples that parts are: lists at their end, and all before these together."""
    count = len(parts)
    # Lists come last, each a tuple of its own; everything before them is one tuple.
    while count and find_list(parts[count - 1 : count]) is not None:
        count -= 1
    first = (ReturnedTuple(parts[:count]),) if count else ()
    return (*first, *(ReturnedTuple((part,), listed=True) for part in parts[count:]))


def _is_single(frame: GraphFrame) -> bool:
    graph = frame.graph
    if len(graph.nodes) != 1 or graph.declares or frame.has_inlined:
        return False
    node = graph.nodes[0]
    same = len(graph.outputs) == len(node.outputs) and all(a is b for a, b in zip(graph.outputs, node.outputs, strict=True))
    return same and node.label not in frame.labels.explicit


def warn_unused_input(scope: Scope, result: Flow, span: Span, session: ElaborationSession) -> Flow:
    """The result of a body that ran in `scope`; a warning if it never read its input."""
    binding = scope.names.get("in")
    if binding is not None and not binding.used and result is not UNKNOWN and scope.frame is not None:
        session.report_problem(UnusedFlow(), span, (), scope.frame.trace)
    return result
