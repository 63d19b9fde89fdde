"""`scan`: a loop over an axis, with states. Its body is one step, elaborated once.

`run_scan` takes the tensors to scan, and the starts of the states. It adds a call of the step's graph that is a loop, and returns its
results: the results of the steps, stacked, and in addition the last states. A state has the same type after a step. The stages of a step
belong to the body around the loop, as the stages of a group without a label do.

    >>> import netc
    >>> text = "x = input [T, 3]; start = input 3; x -> scan (h = start) axis=1 { h = h + in; out h }"
    >>> netc.compile(text).outputs
    {'output': TensorType([N, T, 3])}
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

from ...dims import Dim, format_dim, suggest_equality
from ...errors.argument_errors import ArgumentTwice, MissingArgument, UnknownArgument, WrongArgument, WrongTensors
from ...errors.operator_errors import BadAxis, ShapeMismatch, Unprovable
from ...errors.scan_errors import MayBeEmpty, StateMismatch, StateNotSet
from ...errors.shape import NoPlaceForAxis
from ...ir.graph import CallNode, Graph, Scan, SharedModule
from ...ir.graph_values import Value
from ...ops.kinds import AXIS, FLAG, ListKind
from ...types.tensor_types import TensorType
from ..elaboration_session import ElaborationSession
from ..resource_limits import check_tuple
from ..scopes.compile_time_values import UNKNOWN, Flow, TensorTuple, main_result, tensors_of
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import GraphFrame, Scope, check_distinct
from .body_graphs import BodySyntax, elaborate_body, warn_unused_input
from .calls import add_node, captured_values, emit_call
from .evaluator_protocol import EvaluatorPart, Interpreter
from .pipelines import Pipelines
from .stage_arguments import ArgumentBinder

_AXES = ListKind(AXIS, scalar=True)
_KINDS = {"axis": _AXES, "reverse": FLAG}
_ALIASES = {"dim": "axis"}


class _Steps(Record):
    """How the tensors are scanned: the axis of each, the axis that was written first, the number of steps, and their order."""

    axes: tuple[int, ...]
    written: int
    length: Dim
    reverse: bool


class Scans(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, pipelines: Pipelines, arguments: ArgumentBinder) -> None:
        super().__init__(interpreter)
        self._pipelines, self._arguments = pipelines, arguments

    def run_scan(self, node: ast.Scan, flow: Flow, scope: Scope, shared: SharedModule | None = None) -> Flow:
        if shared is not None:
            syntax = BodySyntax(node, lambda inner: self._run_loop(node, inner.names["in"].value, inner), shared.label)  # type: ignore[arg-type]
            entry = elaborate_body(syntax, flow, scope, self.session)
            return emit_call(entry, flow, scope, self.session, shared.label, node.span, shared)
        return self._run_loop(node, flow, scope)

    def _run_loop(self, node: ast.Scan, flow: Flow, scope: Scope) -> Flow:
        check_distinct([state.name for state in node.states])
        starts = [self.recover(scope, self._evaluate_start, state, scope) for state in node.states]
        values = tensors_of(flow)
        if values is None:
            return UNKNOWN
        steps = self._read_steps(node, values, scope)
        states = [v for v in starts if isinstance(v, Value)]
        if len(states) < len(starts):
            return UNKNOWN
        frame = self._elaborate_step(node, states, values, steps, scope)
        return UNKNOWN if frame is None else self._emit_loop(node, [*states, *values], steps, frame, scope)

    def _evaluate_start(self, state: ast.ScanState, scope: Scope) -> Value:
        """Evaluate the value of a state before the first step."""
        hint = f"a state starts with a tensor of its type: `zeros = table (n, i) [N, 8] float32 = 0`, then `{state.name.name} = zeros`"
        flow = main_result(self._pipelines.run_for_tensors(state.start, scope, hint=hint))
        values = tensors_of(flow)
        if values is None:
            raise AlreadyReported
        if len(values) != 1:
            raise Failure(WrongTensors(f"{state.name.name} = ...", "one tensor", len(values)), state.start.span)
        return values[0]

    # --- the axis --------------------------------------------------------------------------------------------------------

    def _read_steps(self, node: ast.Scan, values: Sequence[Value], scope: Scope) -> _Steps:
        keywords: dict[str, ast.Keyword] = {}
        for keyword in node.keywords:
            name = _ALIASES.get(keyword.name, keyword.name)
            if name not in _KINDS:
                raise Failure(UnknownArgument("scan", keyword.name, (), tuple(_KINDS)), keyword.name_span)
            if name in keywords:
                raise Failure(ArgumentTwice("scan", name), keyword.span, ((keywords[name].span, "first here"),))
            keywords[name] = keyword
            self.session.index.record_name(keyword.name_span, name, None, None, "argument")
        if "axis" not in keywords:
            raise Failure(
                MissingArgument("scan", "axis", "the axis to scan", f"{_head_span(node).text} axis=1 {{ ... }}"), _head_span(node)
            )
        reverse = "reverse" in keywords and self._arguments.convert_flag("scan", keywords["reverse"], scope)
        axis = keywords["axis"].value
        written = self._arguments.convert_argument("scan", "axis", _AXES, axis, scope)
        if len(written) not in (1, len(values)):
            wanted = f"an axis, or one for each of the {len(values)} tensors"
            raise Failure(WrongArgument("scan", "axis", wanted, f"{len(written)} of them"), axis.span)
        several = written if len(written) == len(values) else tuple(written) * len(values)
        axes = tuple(_normalize_axis(a, v, axis) for a, v in zip(several, values, strict=True))
        return _Steps(axes, written[0], self._step_count(node, values, axes), reverse)

    def _step_count(self, node: ast.Scan, values: Sequence[Value], axes: Sequence[int]) -> Dim:
        """The number of steps, which is the same for all tensors."""
        first, size = values[0], values[0].type.shape[axes[0]]
        for value, axis in zip(values, axes, strict=True):
            other = value.type.shape[axis]
            # `deciding`, so that the graph is used only where the lengths are equal.
            equal = self.session.deciding.are_equal(size, other)
            if equal:
                continue
            marks = ((first.span, f"{format_dim(size)} is from here"), (value.span, f"{format_dim(other)} is from here"))
            if equal is None:
                need = "the scanned tensors must have the same length"
                raise Failure(Unprovable("scan", size, other, need, suggest_equality(size, other) or "", (0, 0)), _head_span(node), marks)
            why = f"{format_dim(size)} steps for one, {format_dim(other)} for the other"
            raise Failure(ShapeMismatch("scan", first.type.shape, value.type.shape, why), _head_span(node), marks)
        # Without a step there is no last state, and no results to stack.
        if not self.session.deciding.is_at_least(size, 1):
            raise Failure(MayBeEmpty(size), _head_span(node), ((first.span, f"this is {first.type}"),))
        return size

    # --- the body ----------------------------------------------------------------------------------------------------------

    def _elaborate_step(self, node: ast.Scan, starts: list[Value], values: list[Value], steps: _Steps, scope: Scope) -> GraphFrame | None:
        """The graph of a step, its outputs the states after it and then its results; None if something in it is unknown."""
        outer = scope.frame
        assert outer is not None
        frame = GraphFrame(Graph("scan", "scan", node.span), outer, outer.labels, outer.trace)
        frame.graph.around = outer.graph
        inner = frame.home = Scope(scope, frame)
        for state, start in zip(node.states, starts, strict=True):
            before = frame.add_input(start, state.name.name, "")
            # The sizes have the symbols of the step's graph, the element type is the state's.
            before.type, before.weak = _state_type(start, self.session).with_shape(before.type.shape), False
            self.session.index.record_binding(state.name, inner.bind_name(state.name.name, before, state.name.span))
        parts = [self._add_step_input(value, axis, frame) for value, axis in zip(values, steps.axes, strict=True)]
        inner.bind_name("in", parts[0] if len(parts) == 1 else TensorTuple(tuple(parts)))
        body = Scope(inner, frame)
        with outer.inline_stages(), self.session.limit_nesting(node.span):
            result = self.interpreter.run_body(node.body, body, "the body of `scan`")
        results = tensors_of(warn_unused_input(inner, result, node.body.span, self.session))
        nexts = [self.recover(body, self._next_state, *state_and_start, body) for state_and_start in zip(node.states, starts, strict=True)]
        # The labels of a step are in the body around it, so its ties are resolved there.
        outer.ties += frame.ties
        if results is None or not all(isinstance(v, Value) for v in nexts):
            return None
        frame.graph.outputs = [*(v for v in nexts if isinstance(v, Value)), *results]
        return frame

    def _add_step_input(self, value: Value, axis: int, frame: GraphFrame) -> Value:
        """Add the input of a step for a scanned tensor."""
        shape = value.type.shape
        step_value = Value(value.type.with_shape((*shape[:axis], *shape[axis + 1 :])), value.span)
        named = value.name if value.name not in ("", "in") else "x"
        return frame.add_input(step_value, f"{named}_t", "", borrowed=True)

    def _next_state(self, state: ast.ScanState, start: Value, body: Scope) -> Value:
        """Return the value of a state after a step, which the body defines under the state's name."""
        name = state.name.name
        binding = body.names.get(name)
        if binding is None:
            raise Failure(StateNotSet(name), state.name.span)
        values = tensors_of(binding.value) if isinstance(binding.value, (Value, TensorTuple)) else None
        if values is None:
            raise AlreadyReported
        if len(values) != 1:
            raise Failure(WrongTensors(f"{name} = ...", "one tensor", len(values)), binding.span or state.name.span)
        after, before = values[0].type, _state_type(start, self.session)
        # A weak tensor is converted to the type of the state, so its own type does not count.
        if values[0].weak:
            after = after.with_dtype(before.dtype)
        same: bool | None = before.dtype == after.dtype and before.rank == after.rank
        for a, b in zip(before.shape, after.shape, strict=False):
            equal = self.session.deciding.are_equal(a, b)
            same = same and equal if equal is not False else False
        if not same:
            marks = ((start.span, f"it begins as {before}"),)
            raise Failure(StateMismatch(name, before, after, same is not None), values[0].span, marks)
        return values[0]

    # --- the loop ----------------------------------------------------------------------------------------------------------

    def _emit_loop(self, node: ast.Scan, inputs_of_loop: list[Value], steps: _Steps, frame: GraphFrame, scope: Scope) -> Flow:
        graph, count = frame.graph, len(node.states)
        outer = captured_values(tuple(frame.reads), scope)
        if outer is None:
            return UNKNOWN
        result_types = [v.type for v in graph.outputs]
        stacked = tuple(_result_axis(steps.written, type_, node) for type_ in result_types[count:])
        scan = Scan(count, steps.axes, stacked, steps.length, steps.reverse)
        types = [*(_state_type(v, self.session) for v in inputs_of_loop[:count]), *scan.output_types(result_types)[count:]]
        outputs = tuple([Value(type_, node.span) for type_ in types])
        inputs = (*inputs_of_loop, *outer.inputs)
        call = CallNode(graph, inputs, outputs, "", node.span, tuple(outer.modules), tuples=tuple(outer.tuples), scan=scan)
        add_node(call, scope, self.session)
        # A `Scan` has its states first, a text its results: `(y, h) = x -> scan (h = h0) ...`.
        ordered = check_tuple((*outputs[count:], *outputs[:count]), node.span)
        return TensorTuple(ordered, call, len(stacked))


def _state_type(start: Value, session: ElaborationSession) -> TensorType:
    """Return the type of a state. A weak start gets the element type of the model, because the next state is a result of a step."""
    return start.type.with_dtype(session.precision.dtype) if start.weak else start.type


def _head_span(node: ast.Scan) -> Span:
    """Return the span of the `scan` without its body."""
    span = node.span
    return Span(span.file, span.start, span.start + len(span.file.text[span.start : node.body.span.start].rstrip()))


def _normalize_axis(axis: int, value: Value, expr: ast.Expr) -> int:
    rank = value.type.rank
    if not -rank <= axis < rank:
        raise Failure(BadAxis("scan", axis, value.type), expr.span, ((value.span, f"this is {value.type}"),))
    return axis % rank


def _result_axis(axis: int, result_type: TensorType, node: ast.Scan) -> int:
    """Where the axis of the steps is in a result."""
    if not -result_type.rank - 1 <= axis <= result_type.rank:
        raise Failure(NoPlaceForAxis("scan", axis, result_type), next(k.value.span for k in node.keywords if k.name in ("axis", "dim")))
    return axis % (result_type.rank + 1)
