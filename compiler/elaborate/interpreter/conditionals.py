"""`if`: a branch that is chosen at compile time, and whose stages are inlined.

The graph keeps the condition as a formula (`Graph.choices`), so that a backend can write one class for uses that decide it differently. In
`if training { ... }`, both branches are elaborated, and an operator chooses between their results.

    >>> import netc
    >>> (call,) = netc.compile("block b(deep) { dense 4 -> if deep { relu } }; input 3 -> b true").program.main.nodes
    >>> [node.op.name for node in call.graph.nodes], call.graph.choices[0].taken
    (['dense', 'relu'], True)
"""

from __future__ import annotations

from netc.dsl import ast

from ...errors.binding_errors import NoIn
from ...ir.choices import Choice, iterate_choices
from ...ir.graph import OpNode, SharedModule
from ...ir.graph_values import Parts, Value, flatten_parts
from ...ir.walk import find_enclosing_block
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
from .evaluator_protocol import EvaluatorPart, Interpreter
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


class Conditionals(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, expressions: Expressions) -> None:
        super().__init__(interpreter)
        self._expressions = expressions

    def run_if(self, node: ast.If, flow: Flow | None, scope: Scope, shared: SharedModule | None = None) -> Flow:
        """The chosen branch on its input; without an `else`, the input."""
        if shared is not None:
            syntax = BodySyntax(node, lambda inner: self.run_if(node, None, inner), shared.label)
            entry = elaborate_body(syntax, flow, scope, self.session)
            return emit_call(entry, flow, scope, self.session, shared.label, node.span, shared)
        if (training := mode_test(node.test, scope)) is not None:
            return self._run_by_mode(node, training, flow, scope)
        inner = Scope(scope, scope.frame)
        if flow is not None:
            inner.bind_name("in", flow)
        is_taken = self._expressions.evaluate_boolean(node.test, inner)
        assert scope.frame is not None
        graph = scope.frame.graph
        before = len(graph.nodes), len(graph.choices)
        result = self._run_branch(node, node.then if is_taken else node.otherwise, flow, inner, scope)
        return self._record_choice(node, is_taken, inner, (flow, result), *before)

    def _run_branch(self, node: ast.If, branch: ast.Body | None, flow: Flow | None, inner: Scope, scope: Scope) -> Flow:
        if branch is not None:
            if flow is not None:
                inner = Scope(scope, scope.frame)
                inner.bind_name("in", main_result(flow))
            return self.interpreter.run_body(branch, inner, "this branch")
        return self._pass_input(node, inner)

    def _run_by_mode(self, node: ast.If, training: bool, flow: Flow | None, scope: Scope) -> Flow:
        """Run both branches: one gives the results in training, the other in evaluation."""
        assert scope.frame is not None
        # Both branches are in the graph; the backends choose one, or write an `if self.training`.
        scope.frame.graph.has_modes = True
        then = self._run_side(node.then, node, flow, scope)
        otherwise = self._run_side(node.otherwise, node, flow, scope)
        results = [parts_of(branch) for branch in ((then, otherwise) if training else (otherwise, then))]
        if results[0] is None or results[1] is None:
            return UNKNOWN
        first, second = flatten_parts(results[0]), flatten_parts(results[1])
        model = self.session.precision.dtype
        # As many tensors of the same types can be chosen between by an operator; anything else only the result of the model may be.
        if len(first) != len(second) or any(type_for(a, b, model) != type_for(b, a, model) for a, b in zip(first, second, strict=True)):
            return TensorTuple(results[1], training=results[0])
        return flow_of(tuple([self._merge_modes(a, b, node, scope) for a, b in zip(first, second, strict=True)]))

    def _run_side(self, body: ast.Body | None, node: ast.If, flow: Flow | None, scope: Scope) -> Flow:
        inner = Scope(scope, scope.frame)
        if flow is not None:
            inner.bind_name("in", main_result(flow))
        if body is None:
            return self._pass_input(node, inner)
        return self.recover(scope, self.interpreter.run_body, body, inner, "this branch")

    def _merge_modes(self, training: Value, evaluation: Value, node: ast.If, scope: Scope) -> Value:
        assert scope.frame is not None
        if training is evaluation:
            return training
        type_ = type_for(evaluation, training, self.session.precision.dtype)
        weak = training.weak and evaluation.weak
        merged = Value(type_, node.span, spatial=training.spatial and evaluation.spatial, weak=weak)
        input_types = (type_.dtype, type_.dtype)
        chosen = OpNode(ByMode(), (training, evaluation), (merged,), "", node.span, (), rule_dtypes=input_types)
        self.session.append_node(scope.frame.graph, chosen, node.span, scope.frame.trace)
        return merged

    def _record_choice(self, node: ast.If, is_taken: bool, scope: Scope, flows: tuple[Flow | None, Flow], nodes: int, choices: int) -> Flow:
        """The result of an `if`, which is noted. `nodes` and `choices` are the numbers of those before the branch. What the model itself
        decides is the same in all its uses."""
        assert scope.frame is not None
        graph = scope.frame.graph
        branch_input, result = flows
        chosen = graph.nodes[nodes:]
        is_fixed = find_enclosing_block(graph).kind == "model" or any(n.shared is not None for n in chosen)
        test = None if is_fixed else condition_formula(node.test, scope, self._expressions)
        if test is None:
            return result
        key = (node.span.start, sum(choice.key[0] == node.span.start for choice in iterate_choices(graph.choices)))
        if graph.kind == "block":
            taken_as = count_leading(branch_input.parts) if isinstance(branch_input, TensorTuple) else None
            result = join_trailing_tuple(result, key, scope.frame.leads.get(id(node), taken_as))
        after, inner = graph.nodes[nodes - 1].label if nodes else "", tuple(graph.choices[choices:])
        labels = tuple([n.label for n in chosen])
        graph.choices[choices:] = [Choice(key, test, is_taken, labels, after, inner, _flow_parts(branch_input), _flow_parts(result))]
        return result

    def record_labeled_choice(self, node: ast.If, flows: tuple[Flow | None, Flow], scope: Scope, nodes: int, choices: int) -> Flow:
        """The stages after the first `nodes` are those that this `if` has chosen, which gets a label as a whole: its result."""
        if mode_test(node.test, scope) is not None:
            return flows[1]
        inner = Scope(scope, scope.frame)
        if flows[0] is not None:
            inner.bind_name("in", flows[0])
        return self._record_choice(node, self._expressions.evaluate_boolean(node.test, inner), inner, flows, nodes, choices)

    def _pass_input(self, node: ast.If, inner: Scope) -> Flow:
        passed = inner.use_binding("in")
        if passed is None:
            raise Failure(NoIn("if"), node.span)
        return passed.value  # type: ignore[return-value]


def _flow_parts(flow: Flow | None) -> Parts:
    """The tensors of a flow, tuples as such; of a result with others that were not unpacked, the first."""
    match flow:
        case Value():
            return (flow,)
        case TensorTuple(parts=parts, values=values, extras=extras):
            return parts if extras is None else values[:1]
    return ()


def condition_formula(expr: ast.Expr, scope: Scope, expressions: Expressions) -> Formula | None:
    """Return the condition of an `if` as data: a formula over the symbols of the graph (see netc.compiler.ir.choices).

    The expression has been evaluated before. The result is None for a condition that is no comparison of integers. Nothing is reported,
    recorded as a decision, or indexed a second time.
    """
    session = expressions.session
    # The condition is evaluated again, this time as a formula, which must leave no second notes.
    before, session.index = session.index, Recorder()
    try:
        with session.decisions.collect_into({}):
            return _read_condition(expr, scope, expressions)
    except (Failure, AlreadyReported):
        return None  # a side that was not evaluated, since the other decided
    finally:
        session.index = before


def _read_condition(expr: ast.Expr, scope: Scope, expressions: Expressions) -> Formula | None:
    match expr:
        case ast.Binary(op="and" | "or" as op, left=left, right=right):
            first, other = _read_condition(left, scope, expressions), _read_condition(right, scope, expressions)
            return None if first is None or other is None else BinaryFormula(op, first, other)
        case ast.Unary(op="not", operand=operand):
            inner = _read_condition(operand, scope, expressions)
            return None if inner is None else UnaryFormula("not", inner)
        case ast.Binary(op=op, left=left, right=right) if op in COMPARISONS:
            a, b = expressions.evaluate(left, scope), expressions.evaluate(right, scope)
            return BinaryFormula(op, Const(a), Const(b)) if is_integer(a) and is_integer(b) else None
        case ast.Name(name=name):
            return _read_flag(name, expressions.evaluate(expr, scope), scope)
    return None


def _read_flag(name: str, value: object, scope: Scope) -> Formula | None:
    if not isinstance(value, bool) or scope.frame is None:
        return None
    # Compared by identity: the flag must be the block's own argument, not a value that happens to be equal.
    return Const(bool(value), name) if find_enclosing_block(scope.frame.graph).arguments.get(name) is value else None
