"""Operators as stages: `x -> dense 64 relu`.

The arguments are bound, a node is added to the graph, and another one for the activation after the arguments.

    >>> import netc
    >>> [node.label for node in netc.compile("input 3 -> dense 64 relu").program.main.nodes]
    ['dense1', 'relu1']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain

from netc.dsl import ast
from netc.dsl.record import replace
from netc.dsl.source import Span

from ...errors.argument_errors import ArgumentTwice, MissingTensor, WithoutEffect
from ...errors.learned_errors import NoOwnBias
from ...errors.parameter_errors import NoTie
from ...errors.problem import Location
from ...ir.graph import OpNode, SharedModule
from ...ir.graph_values import Value, flatten_parts
from ...ops.argument import Arg, UnusedArgument
from ...ops.operand import NAMED
from ...ops.operator import Operator, OpInputs
from ...ops.parametric import BIAS, Parametric
from ..scopes.compile_time_values import (
    UNKNOWN,
    Flow,
    TensorTuple,
    TrailingActivation,
    count_leading,
    flow_of,
    main_result,
    parts_of,
    tensors_of,
)
from ..scopes.early_exits import Failure
from ..scopes.scope import GraphFrame, Scope
from ..scopes.ties import PendingTie
from .argument_edits import remove_arguments
from .evaluator_protocol import EvaluatorPart, Interpreter
from .model_element_types import with_model_type
from .named_tensors import Named, NamedTensors
from .nodes import NodeText, add_operator, check_arity
from .stage_arguments import ArgumentBinder
from .stage_labels import StageLabels
from .stage_values import record_stage_parameter
from .tuple_sums import sum_sizes


class OperatorStages(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, arguments: ArgumentBinder, labels: StageLabels, named: NamedTensors) -> None:
        super().__init__(interpreter)
        self._arguments, self._labels, self._named = arguments, labels, named

    def apply_operator(self, node: ast.Apply, cls: type[Operator], flow: Flow, scope: Scope, shared: SharedModule | None) -> Flow:
        """Applies the operator that a stage names, and the activation after it."""
        assert scope.frame is not None
        written = node
        node, named = self._named.extract_for_operator(node, cls, scope)
        bound = self._arguments.bind_arguments(cls, node, scope, flow)
        if shared is None and self._labels.is_inline(node.label, scope):
            assert node.label is not None
            # `as _` says that the body is this operator alone; the frame checks it when it is complete.
            scope.frame.alone, node = node.label.span, replace(node, label=None)
        label = shared.label if shared is not None else self._labels.name_stage(node.label, cls.name, node.span, scope)
        inputs = tensors_of(flow)
        if inputs is None:
            return UNKNOWN
        is_tuple = isinstance(flow, TensorTuple) and flow.extras is None  # a main result with others is no tuple of one
        # The sum of a tuple of one tensor is that tensor, so that a block works for any number of branches.
        if cls.folds and len(inputs) == 1 and is_tuple and not (bound.op.scalars or named):
            return inputs[0]
        op, flow = bound.op, main_result(flow)
        if named:
            op = _add_named_inputs(op, inputs, named, written)
            flow = flow_of((*(parts_of(flow) or ()), *chain.from_iterable(named.values())))
            inputs = tensors_of(flow) or []
        if cls.folds and len(inputs) > 2:
            return self._fold_inputs(op, inputs, scope.frame, NodeText(node.span, label, lambda place: node.name_span, shared))
        check_arity(cls, inputs, node.name_span)
        op = with_model_type(op, inputs, bound.spans, self.session)
        _check_bias(op, inputs, bound.spans)

        def locate(place: Location) -> Span:
            return bound.spans.get(place.name, node.name_span) if place.kind == "argument" else node.name_span

        result = add_operator(op, inputs, scope.frame, self.session, NodeText(node.span, label, locate, shared))
        # The parts keep which inputs are a tuple, so that emitted code passes it on as one.
        if isinstance(flow, TensorTuple) and count_leading(flow.parts) is not None:
            node_added = scope.frame.graph.nodes[-1]
            assert isinstance(node_added, OpNode)
            node_added.parts = flow.parts
            _sum_tuple_sizes(node_added, scope.frame)
        if written.keywords:
            check_unused_arguments(op, op.bind_inputs(tuple(v.type for v in inputs), self.session.facts), written, bound.tie is not None)
        if bound.tie is not None:
            _add_tie(bound.op, self._evaluate_tie(bound.tie, scope), scope.frame)
        return result if bound.activation is None else self._apply_activation(bound.activation, result, scope)

    def _fold_inputs(self, op: Operator, inputs: Sequence[Value], frame: GraphFrame, text: NodeText) -> Flow:
        """The operator on the first two tensors, then on the result and the next. Only the first has the label of the stage."""
        result: Flow = inputs[0]
        for value in inputs[1:]:
            result = add_operator(op, [*(tensors_of(result) or ()), value], frame, self.session, text)
            text = NodeText(text.span, frame.labels.allocate_ordinal(op.name, text.span), text.locate)
        return result

    def _evaluate_tie(self, tie: ast.Keyword, scope: Scope) -> ast.Keyword:
        """A `tie` whose path has values in it, as one whose path is known."""
        if not isinstance(tie.value, ast.TemplateString):
            return tie
        return replace(tie, value=ast.String(tie.value.span, self.interpreter.evaluate(tie.value, scope)))

    def _apply_activation(self, activation: TrailingActivation, flow: Flow, scope: Scope) -> Flow:
        op, span, frame = activation.op, activation.span, scope.frame
        assert frame is not None
        text = NodeText(span, frame.labels.allocate_label(op.name, span), lambda place: span)
        with record_stage_parameter(span.text, scope, self.session):
            return add_operator(op, tensors_of(flow) or [], frame, self.session, text)


def _sum_tuple_sizes(node: OpNode, frame: GraphFrame) -> None:
    """Of tensors of tuples that are joined, the size of the result."""
    (result,) = node.outputs
    if node.op.name == "concat":  # which models without it do not import
        axis = node.op.args["axis"] % result.type.rank
        shape = result.type.shape
        total = sum_sizes(node.parts, axis, frame)
        result.type = result.type.with_shape((*shape[:axis], total, *shape[axis + 1 :]))


def _add_tie(op: Operator, tie: ast.Keyword, frame: GraphFrame) -> None:
    node = frame.graph.nodes[-1]
    if not isinstance(node, OpNode) or not any(s.name == "weight" for s in node.specs):
        raise Failure(NoTie(op.name), tie.span)
    frame.ties.append(PendingTie(node, tie))


def _check_bias(op: Operator, inputs: Sequence[Value], spans: Mapping[str, Span]) -> None:
    """Rejects `bias=true` where there is none, because the weight is given alone."""
    if not isinstance(op, Parametric) or BIAS not in spans or not op.args[BIAS]:
        return
    types = tuple(v.type for v in inputs)
    if op.has_weight_input(types) and BIAS not in op.assign_operands(types):
        raise Failure(NoOwnBias(op.name), spans[BIAS])


def _add_named_inputs(op: Operator, inputs: Sequence[Value], named: Named, node: ast.Apply) -> Operator:
    """The operator with its inputs and then the named ones: it notes which these are, unless the number of inputs says so."""
    types = tuple(v.type for v in inputs)
    before = op.assign_in_order(types)
    for name in named:
        if name in before:
            span = next(k for k in node.keywords if k.name in (name, op.operands[name].alias)).span
            raise Failure(ArgumentTwice(op.name, name), span, ((inputs[before.index(name)].span, "this is its input already"),))
    missing = [o.name for o in op.operands.values() if o.required and o.name not in (*before, *named)]
    if missing:
        raise Failure(MissingTensor(op.name, missing[0]), node.name_span)
    all_types = (*types, *(v.type for v in chain.from_iterable(map(flatten_parts, named.values()))))
    names = (*before, *named)
    return op if op.assign_in_order(all_types) == names else type(op)(**op.args, **{NAMED: tuple(named)})


_LITERALS = (ast.NumberLiteral, ast.Boolean, ast.String, ast.Dims)
_TIED = UnusedArgument("the weight belongs to another stage")


def check_unused_arguments(op: Operator, op_inputs: OpInputs, stage: ast.Apply, tied: bool) -> None:
    """Reject the first argument that is written on a stage and has no effect there.

    An argument that is not written on the stage itself is for other stages too, and may be without effect here: the `default`s of a model,
    and the arguments of a stage that is a value. So may be an argument next to one that decides it, if that one is no literal:
    `bias=bias bias_init=zeros` serves all uses of a block.
    """
    written = {op.aliases[k.name]: k for k in stage.keywords if k.name in op.aliases}
    if not written:
        return
    varying = {arg.name for arg, keyword in written.items() if not _is_literal(keyword.value, arg)}
    idle = (
        op.find_unused_arguments()
        | (op.find_unused_initializers(op_inputs) if isinstance(op, Parametric) else {})
        | ({"init": _TIED} if tied else {})
    )
    for arg, keyword in written.items():
        reason = idle.get(arg.name)
        is_own = keyword.span != stage.name_span
        if reason is not None and is_own and not varying.intersection(reason.decided_by):
            problem = WithoutEffect(keyword.name, reason.why, keyword.span.text)
            raise Failure(problem, keyword.span, edits=remove_arguments(stage, keyword.span, keyword.span, safe=True))


def _is_literal(value: ast.Expr, arg: Arg[object]) -> bool:
    is_word = isinstance(value, ast.Name) and value.name in arg.kind.words
    return is_word or isinstance(value, _LITERALS)
