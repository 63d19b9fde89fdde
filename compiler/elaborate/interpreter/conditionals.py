"""`if`: a branch chosen at compile time. Its stages are inlined."""

from __future__ import annotations

from netc.dsl import ast

from ...errors.binding_errors import NoIn
from ...ir.graph import OpNode, SharedModule
from ...ir.graph_values import Parts, Value, flat
from ...ir.tests import Choice, every
from ...ir.walk import around
from ...ops.formula import COMPARISONS, BinaryFormula, Const, Formula, UnaryFormula
from ...ops.mode import ByMode
from ...types.traced_ints import is_integer
from ..index import Recorder
from ..scopes.compile_time_values import UNKNOWN, Flow, TensorTuple, count_leading, flow_of, join_trailing_tuple, main_result, parts_of
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import Scope
from .body_graphs import BodySyntax, elaborate_body
from .calls import emit_call
from .compile_time_expressions import Expressions
from .evaluator_protocol import Interpreter, Part
from .model_element_types import type_for

TRAINING = "training"


def mode_test(test: ast.Expr, scope: Scope) -> bool | None:
    """Whether a condition is `training` (True) or `not training` (False); None for any other, also if the name is defined otherwise."""
    match test:
        case ast.Name(name=name) if name == TRAINING and scope.find_binding(TRAINING) is None:
            return True
        case ast.Unary(op="not", operand=ast.Name(name=name)) if name == TRAINING and scope.find_binding(TRAINING) is None:
            return False
    return None


class Conditionals(Part):
    def __init__(self, interpreter: Interpreter, expressions: Expressions) -> None:
        super().__init__(interpreter)
        self._expressions = expressions

    def run(self, node: ast.If, flow: Flow | None, scope: Scope, shared: SharedModule | None = None) -> Flow:
        """The chosen branch on its input; without an `else`, the input."""
        if shared is not None:
            syntax = BodySyntax(node, lambda inner: self.run(node, None, inner), shared.label)
            entry = elaborate_body(syntax, flow, scope, self.session)
            return emit_call(entry, flow, scope, self.session, shared.label, node.span, shared)
        if (training := mode_test(node.test, scope)) is not None:
            return self._by_mode(node, training, flow, scope)
        inner = Scope(scope, scope.frame)
        if flow is not None:
            inner.bind_name("in", flow)
        taken = self._expressions.boolean(node.test, inner)
        assert scope.frame is not None
        graph = scope.frame.graph
        before = len(graph.nodes), len(graph.choices)
        result = self._branch(node, node.then if taken else node.otherwise, flow, inner, scope)
        return self._noted(node, taken, inner, (flow, result), *before)

    def _branch(self, node: ast.If, branch: ast.Body | None, flow: Flow | None, inner: Scope, scope: Scope) -> Flow:
        if branch is not None:
            if flow is not None:
                inner = Scope(scope, scope.frame)
                inner.bind_name("in", main_result(flow))
            return self.interpreter.body(branch, inner, "this branch")
        return self._passed(node, inner)

    def _by_mode(self, node: ast.If, training: bool, flow: Flow | None, scope: Scope) -> Flow:
        """Both branches: the results are those of one in training, of the other in evaluation."""
        assert scope.frame is not None
        scope.frame.graph.has_modes = True
        then = self._side(node.then, node, flow, scope)
        otherwise = self._side(node.otherwise, node, flow, scope)
        found = [parts_of(one) for one in ((then, otherwise) if training else (otherwise, then))]
        if found[0] is None or found[1] is None:
            return UNKNOWN
        first, second = flat(found[0]), flat(found[1])
        model = self.session.precision.dtype
        if len(first) != len(second) or any(type_for(a, b, model) != type_for(b, a, model) for a, b in zip(first, second, strict=True)):
            return TensorTuple(found[1], training=found[0])
        return flow_of(tuple([self._either(a, b, node, scope) for a, b in zip(first, second, strict=True)]))

    def _side(self, body: ast.Body | None, node: ast.If, flow: Flow | None, scope: Scope) -> Flow:
        inner = Scope(scope, scope.frame)
        if flow is not None:
            inner.bind_name("in", main_result(flow))
        if body is None:
            return self._passed(node, inner)
        return self.recover(scope, self.interpreter.body, body, inner, "this branch")

    def _either(self, training: Value, evaluation: Value, node: ast.If, scope: Scope) -> Value:
        assert scope.frame is not None
        if training is evaluation:
            return training
        type_ = type_for(evaluation, training, self.session.precision.dtype)
        weak = training.weak and evaluation.weak
        made = Value(type_, node.span, spatial=training.spatial and evaluation.spatial, weak=weak)
        taken = (type_.dtype, type_.dtype)
        chosen = OpNode(ByMode(), (training, evaluation), (made,), "", node.span, (), taken=taken)
        self.session.append_node(scope.frame.graph, chosen, node.span, scope.frame.trace)
        return made

    def _noted(self, node: ast.If, taken: bool, scope: Scope, flows: tuple[Flow | None, Flow], nodes: int, choices: int) -> Flow:
        """The result of an `if`, which is noted. `nodes` and `choices` are the numbers of those before the branch. What the model itself
        decides is the same in all its uses."""
        assert scope.frame is not None
        graph = scope.frame.graph
        given, result = flows
        made = graph.nodes[nodes:]
        is_fixed = around(graph).kind == "model" or any(n.shared is not None for n in made)
        test = None if is_fixed else condition(node.test, scope, self._expressions)
        if test is None:
            return result
        key = (node.span.start, sum(choice.key[0] == node.span.start for choice in every(graph.choices)))
        if graph.kind == "block":
            taken_as = count_leading(given.parts) if isinstance(given, TensorTuple) else None
            result = join_trailing_tuple(result, key, scope.frame.leads.get(id(node), taken_as))
        after, inner = graph.nodes[nodes - 1].label if nodes else "", tuple(graph.choices[choices:])
        labels = tuple([n.label for n in made])
        graph.choices[choices:] = [Choice(key, test, taken, labels, after, inner, _values(given), _values(result))]
        return result

    def note(self, node: ast.If, flows: tuple[Flow | None, Flow], scope: Scope, nodes: int, choices: int) -> Flow:
        """The stages after the first `nodes` are those that this `if` has chosen, which gets a label as a whole: its result."""
        if mode_test(node.test, scope) is not None:
            return flows[1]
        inner = Scope(scope, scope.frame)
        if flows[0] is not None:
            inner.bind_name("in", flows[0])
        return self._noted(node, self._expressions.boolean(node.test, inner), inner, flows, nodes, choices)

    def _passed(self, node: ast.If, inner: Scope) -> Flow:
        passed = inner.use_binding("in")
        if passed is None:
            raise Failure(NoIn("if"), node.span)
        return passed.value  # type: ignore[return-value]


def _values(flow: Flow | None) -> Parts:
    """The tensors of a flow, tuples as such; of a result with others that were not unpacked, the first."""
    match flow:
        case Value():
            return (flow,)
        case TensorTuple(parts=parts, values=values, extras=extras):
            return parts if extras is None else values[:1]
    return ()


# The condition of an `if` as data: see netc.compiler.ir.tests. In: the expression, which has been evaluated, and its scope. Out: a formula
# over the symbols of the graph; None for what is no comparison of integers. Always: nothing is reported, noted as decided, or indexed a
# second time.


def condition(expr: ast.Expr, scope: Scope, expressions: Expressions) -> Formula | None:
    session = expressions.session
    before, session.index = session.index, Recorder()
    try:
        with session.decisions.collect_into({}):
            return _condition(expr, scope, expressions)
    except (Failure, AlreadyReported):
        return None  # a side that was not evaluated, since the other decided
    finally:
        session.index = before


def _condition(expr: ast.Expr, scope: Scope, expressions: Expressions) -> Formula | None:
    match expr:
        case ast.Binary(op="and" | "or" as op, left=left, right=right):
            one, other = _condition(left, scope, expressions), _condition(right, scope, expressions)
            return None if one is None or other is None else BinaryFormula(op, one, other)
        case ast.Unary(op="not", operand=operand):
            inner = _condition(operand, scope, expressions)
            return None if inner is None else UnaryFormula("not", inner)
        case ast.Binary(op=op, left=left, right=right) if op in COMPARISONS:
            a, b = expressions.evaluate(left, scope), expressions.evaluate(right, scope)
            return BinaryFormula(op, Const(a), Const(b)) if is_integer(a) and is_integer(b) else None
        case ast.Name(name=name):
            return _flag(name, expressions.evaluate(expr, scope), scope)
    return None


def _flag(name: str, value: object, scope: Scope) -> Formula | None:
    if not isinstance(value, bool) or scope.frame is None:
        return None
    return Const(bool(value), name) if around(scope.frame.graph).arguments.get(name) is value else None
