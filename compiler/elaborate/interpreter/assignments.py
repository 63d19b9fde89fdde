"""Binds names to the results of pipelines, and returns the results of a body.

`x = input 3` binds one name, `(a, rest...) = parts` the tensors of a tuple, and `(h, keys[]) = x -> repeat 3 { ... }` what a loop passes on
and the lists that it collects.

    >>> import netc
    >>> netc.compile("(a, rest...) = input 6 -> chunk 3 axis=1; b = concat(rest, axis=1); out a, b").outputs
    {'a': TensorType([N, 2]), 'b': TensorType([N, 4])}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.record import replace

from ...errors.binding_errors import BoundTwice, ReservedName, TwoRests, WrongUnpacking
from ...ir.graph import CallNode, OpNode
from ...ir.graph_values import TupleSlice, Value, find_list, flatten_parts
from ...types.tensor_types import BATCH
from ..index import Recorder
from ..resource_limits import check_tuple
from ..scopes.body_tensors import name_tensor, name_tuple
from ..scopes.compile_time_values import (
    UNKNOWN,
    Flow,
    TensorTuple,
    Unknown,
    differs_in_training,
    flow_of,
    keep_results,
    main_result,
    parts_of,
    require_same_in_modes,
    split_parts,
    tensors_of,
)
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import UNNEEDED, Binding, Entity, Scope
from .evaluator_protocol import EvaluatorPart, Interpreter
from .pipelines import Pipelines


class BodyResult:
    """The result of a body, and its names where it has some."""

    __slots__ = ("flow", "names")

    def __init__(self, flow: Flow, names: tuple[str, ...]) -> None:
        self.flow = flow
        self.names = names


class Assignments(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, pipelines: Pipelines) -> None:
        super().__init__(interpreter)
        self._pipelines = pipelines

    def run_assign(self, node: ast.Assign, scope: Scope) -> BodyResult:
        """`name = pipeline`, or `(a, b) = pipeline`."""
        first = node.targets[0].name
        if node.rests and scope.frame is not None:
            # Only the unpacking says how many tensors precede the tuple, and the `if` is elaborated before it.
            scope.frame.leads.update((id(choice), node.rests[0]) for choice in _result_choices(node.value))
        # `n = 3`: only a bare number becomes a `let` by an edit.
        let = () if node.unpack or node.value.stages else (Edit(node.span.shrink_to_start(), "let "),)
        flow = self._pipelines.run_for_tensors(node.value, scope, "" if node.unpack else first, edits=let)
        flow = self.recover(scope, require_same_in_modes, flow, node.value.span)
        names = tuple(t.name for t in node.targets)
        if not node.unpack:
            kept = _unwrap_single(main_result(flow))
            _name_value(first, kept, node)
            self._bind_all(node, (kept,), scope)
            return BodyResult(kept, names)
        if node.lists:
            return self._assign_lists(node, flow, scope)
        flow = _make_input_tuple(node, flow, scope)
        parts = self.recover(scope, _unpack_tuple, node, flow)
        if not isinstance(parts, TensorTuple):
            self._bind_all(node, (UNKNOWN,) * len(names), scope)
            return BodyResult(parts, names)
        values = _distribute_to_targets(node, parts)
        for value, name in zip(values, names, strict=True):
            _name_value(name, value, node)
        self._bind_all(node, values, scope)
        return BodyResult(parts, tuple(n for n, v in zip(names, values, strict=True) for _ in tensors_of(v) or ()))

    def _assign_lists(self, node: ast.Assign, flow: Flow, scope: Scope) -> BodyResult:
        """`(h, keys[]) = ... -> repeat`: what the loop passes on, and its lists, each at the position of its name."""
        values = self.recover(scope, _values_with_lists, node, flow)
        if isinstance(values, Unknown):
            self._bind_all(node, (UNKNOWN,) * len(node.targets), scope)
            return BodyResult(UNKNOWN, ())
        for target, value in zip(node.targets, values, strict=True):
            _name_value(target.name, value, node)
        self._bind_all(node, values, scope)
        parts = tuple(part for value in values for part in parts_of(value) or ())
        return BodyResult(
            TensorTuple(parts), tuple(name for t, v in zip(node.targets, values, strict=True) for name in _tensor_names(t.name, v))
        )

    def run_out(self, node: ast.Out, scope: Scope) -> BodyResult:
        """`out a, b`."""
        results = [self._pipelines.run_for_tensors(p, scope) for p in node.results]
        # The result of a model may differ between the modes; anything that is computed with may not.
        if len(results) == 1 and differs_in_training(results[0]):
            return BodyResult(results[0], ())
        results = [self.recover(scope, require_same_in_modes, result, p.span) for result, p in zip(results, node.results, strict=True)]
        flows = [parts_of(result) for result in results]
        if any(parts is None for parts in flows):
            return BodyResult(UNKNOWN, ())
        values = [flatten_parts(parts or ()) for parts in flows]
        names = [name for p, result in zip(node.results, results, strict=True) for name in _tensor_names(bare_name(p), result)]
        checked = self.recover(scope, check_tuple, tuple(chain.from_iterable(values)), node.span)
        if isinstance(checked, Unknown):
            return BodyResult(UNKNOWN, ())
        return BodyResult(flow_of(tuple(part for parts in flows if parts is not None for part in parts)), tuple(names))

    def run_flow(self, node: ast.Flow, scope: Scope) -> BodyResult:
        """A pipeline by itself. A body returns only the main result of an operator with secondary ones, even if it is inlined: the names
        below remove the others from the node."""
        flow = main_result(self._pipelines.run_for_tensors(node.pipeline, scope))
        if differs_in_training(flow):
            return BodyResult(flow, ())
        return BodyResult(flow, _tensor_names(bare_name(node.pipeline), flow))

    def _bind_all(self, node: ast.Assign, values: tuple[Flow, ...], scope: Scope) -> None:
        for target, value in zip(node.targets, values, strict=True):
            self.recover(scope, self._bind_target, target, value, scope)

    def _bind_target(self, name: ast.Name, value: Flow, scope: Scope) -> None:
        if name.name in self.session.dims and name.name != BATCH:
            scope.names.setdefault(name.name, Binding(UNKNOWN, name.span))
            declared = self.session.declared.get(name.name)
            marks = ((declared, "declared here"),) if declared is not None else ()
            raise Failure(ReservedName(name.name, "it is a dimension"), name.span, marks)
        bind_name(name, value, scope, self.session.index)


def _result_choices(pipeline: ast.Pipeline) -> Iterator[ast.If]:
    """Yield the `if`s whose result is the result of the pipeline."""
    last = pipeline.stages[-1] if pipeline.stages else pipeline.head
    # A branch may end with an `if` of its own, whose result is then the pipeline's too.
    if isinstance(last, ast.If):
        yield last
        for body in (last.then, last.otherwise):
            for end in body.statements[-1:] if body is not None else ():
                yield from _result_choices(end.pipeline) if isinstance(end, ast.Flow) else ()


def _unwrap_single(flow: Flow) -> Flow:
    if not isinstance(flow, TensorTuple) or len(flow.values) != 1 or find_list(flow.parts) is not None:
        return flow
    return flow.values[0]


def _tensor_names(name: str, flow: Flow) -> tuple[str, ...]:
    """The names of the tensors of what is bound to a name, or has none: the items of a list are numbered."""
    values = tensors_of(flow) or ()
    if isinstance(flow, TensorTuple) and find_list(flow.parts) is not None:
        return tuple(f"{name}.{i}" if name else "" for i in range(len(values)))
    return (name,) if len(values) == 1 else ("",) * len(values)


def _values_with_lists(node: ast.Assign, flow: Flow) -> tuple[Flow, ...] | Unknown:
    """The value of each target of a loop that collects."""
    parts = parts_of(flow)
    if parts is None or not isinstance(flow, TensorTuple):
        return UNKNOWN
    count = len(node.lists)
    passed, lists = parts[:-count], [TensorTuple((part,)) for part in parts[-count:]]
    others = tuple(t for i, t in enumerate(node.targets) if i not in node.lists)
    rests = tuple(others.index(node.targets[i]) for i in node.rests)
    inner = replace(node, targets=others, rests=rests, lists=())
    unpacked = _unpack_tuple(inner, flow_of(passed))
    if not isinstance(unpacked, TensorTuple):
        return UNKNOWN
    values, collected = iter(_distribute_to_targets(inner, unpacked)), iter(lists)
    return tuple(next(collected) if i in node.lists else next(values) for i in range(len(node.targets)))


def _make_input_tuple(node: ast.Assign, flow: Flow, scope: Scope) -> Flow:
    """The input of a group or loop is a tuple where `(x, kept...) = in` says so."""
    frame, binding_and_scope = scope.frame, scope.find_binding("in")
    if not node.rests or frame is None or frame.graph.kind != "sequence" or frame.body_input is not flow or binding_and_scope is None:
        return flow
    binding, home = binding_and_scope
    alone = isinstance(flow, Value)
    if frame.lead is not None or (alone and home is not frame.home) or len(tensors_of(flow) or ()) < node.rests[0]:
        return flow
    name = node.targets[node.rests[0]].name
    input_tuple = frame.make_tuple("" if name == "_" else name, node.rests[0])
    if alone:
        binding.value = input_tuple
    return input_tuple


def _name_value(name: str, value: Flow, node: ast.Assign) -> None:
    """Names a tensor. The input of a body is called what `name = in` says, not what `skip = in -> if downsample { ... }` leaves of it."""
    if name == "_":
        return
    if isinstance(value, TensorTuple):
        name_tuple(name, value)
    elif isinstance(value, Value) and not (node.value.stages and value.name):
        name_tensor(name, value)


def bind_name(name: ast.Name, value: Entity, scope: Scope, index: Recorder) -> None:
    """Binds a name in the innermost scope; a second time is an error, but for `_`."""
    if name.name == BATCH:
        scope.names.setdefault(BATCH, Binding(UNKNOWN, name.span))
        raise Failure(ReservedName(BATCH, "it is the batch dimension"), name.span)
    earlier = scope.find_conflict(name.name)
    if earlier is not None and earlier.value is UNKNOWN and earlier.span is not None and earlier.span.start > name.span.start:
        raise AlreadyReported  # a statement below did not parse
    if earlier is not None and name.name != UNNEEDED:
        # Which of the two was meant is unknown, so uses of the name report nothing further.
        scope.names[name.name] = Binding(UNKNOWN, earlier.span)
        raise Failure(BoundTwice(name.name), name.span, ((earlier.declared, "defined here"),) if earlier.declared else ())
    index.record_binding(name, scope.bind_name(name.name, value, name.span))


def bare_name(pipeline: ast.Pipeline) -> str:
    """The name that a pipeline consists of; empty for any other pipeline."""
    head = pipeline.head
    plain = not pipeline.stages and isinstance(head, ast.Apply) and not head.positional and not head.keywords and head.name != "in"
    return head.name if plain and isinstance(head, ast.Apply) else ""


def _distribute_to_targets(node: ast.Assign, value: TensorTuple) -> tuple[Flow, ...]:
    """The value of each target: a tensor, or for `name...` a tuple of those that the others leave."""
    if not node.rests:
        return value.values
    before = node.rests[0]
    first, rest, last = split_parts(value.parts, before, len(node.targets) - before - 1)
    # The tensors after `rest...` are counted from the end, so the tuple must keep its order there.
    if last and rest and isinstance(rest[-1], TupleSlice):
        rest[-1].of.from_end = max(rest[-1].of.from_end, rest[-1].back)
    return (*first, flow_of(rest), *last)


def _unpack_tuple(node: ast.Assign, flow: Flow) -> Flow:
    if node.rests:
        return _unpack_rest(node, flow)
    if isinstance(flow, TensorTuple):
        wanted = len(node.targets)
        several = isinstance(flow.extras, OpNode) or wanted in (flow.main, len(flow.values))  # of the last states of a `scan`, all or none
        if flow.extras is not None and flow.main < wanted <= len(flow.values) and several:
            keep_results(flow.extras, wanted)
            return TensorTuple(flow.values[:wanted])
        if len(flow.values) == wanted:
            return TensorTuple(flow.values)
    values = tensors_of(flow)
    if values is None:
        return UNKNOWN
    if len(values) == len(node.targets):
        return TensorTuple(tuple(values))
    # A `scan` can be unpacked with its states, so the message counts them.
    every = flow.values if isinstance(flow, TensorTuple) and isinstance(flow.extras, CallNode) else values
    raise _wrong_unpacking(node, every)


def _unpack_rest(node: ast.Assign, flow: Flow) -> Flow:
    if len(node.rests) > 1:
        first, second = (node.targets[i] for i in node.rests[:2])
        raise Failure(TwoRests(first.name, second.name), second.span, ((first.span, "the first one"),))
    parts = flow.parts if isinstance(flow, TensorTuple) else parts_of(flow)
    if parts is None:
        return UNKNOWN
    if len(flatten_parts(parts)) < len(node.targets) - 1:
        raise _wrong_unpacking(node, flatten_parts(parts))
    return TensorTuple(parts)


def _wrong_unpacking(node: ast.Assign, values: Sequence[Value]) -> Failure:
    span = node.targets[0].span.to(node.targets[-1].span)
    problem = WrongUnpacking(len(node.targets) - len(node.rests), len(values), bool(node.rests))
    return Failure(problem, span, tuple((v.span, f"this is {v.type}") for v in values[:1]))
