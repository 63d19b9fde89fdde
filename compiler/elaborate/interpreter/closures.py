"""Stages with arguments as values: `(batch_norm eps=0.001)`, given to a block as `norm=...` or bound by `let`.

`make_closure` evaluates the arguments in the scope where the expression is written, so that the `StageClosure` means the same wherever it
is used. Where it is used, `apply_closure` adds the arguments that are written there. A wrong argument is reported where it is written.

    >>> import netc
    >>> main = netc.compile("block layer(norm) { dense 8 -> norm }; input 3 -> layer norm=(layer_norm eps=0.001)").program.main
    >>> main.nodes[0].graph.nodes[1].op.eps
    0.001
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netc.dsl import ast
from netc.dsl.source import Span

from ...errors.argument_errors import ArgumentTwice
from ...errors.binding_errors import NotAStage
from ...ir.graph_values import Value
from ...ops.kinds import Kind
from ...ops.operator import Operator
from ..names.name_errors import unbound_stage
from ..resource_limits import check_closure, count_stages
from ..scopes.compile_time_values import ConstExpr, OperatorRef, TensorTuple, TrailingActivation
from ..scopes.early_exits import Failure
from ..scopes.scope import BlockDef, Scope, StageClosure
from ..scopes.value_text import format_value
from .block_arguments import is_activation, match_arguments
from .compile_time_expressions import Expressions
from .compile_time_functions import CompileTimeFunctions
from .evaluator_protocol import EvaluatorPart, Interpreter
from .stage_arguments import ArgumentBinder


class Closures(EvaluatorPart):
    def __init__(
        self, interpreter: Interpreter, functions: CompileTimeFunctions, expressions: Expressions, arguments: ArgumentBinder
    ) -> None:
        super().__init__(interpreter)
        self._functions, self._expressions, self._arguments = functions, expressions, arguments

    def make_closure(self, expr: ast.StageExpr, scope: Scope) -> StageClosure:
        """The value of `(name arguments)`."""
        node = expr.stage
        if scope.find_binding(node.name) is None and node.name not in Operator.registry:
            raise unbound_stage(node, scope, self.session)
        if is_hidden_by_tensor(node.name, scope):
            target: Any = OperatorRef(node.name)
        else:
            binding = self._expressions.look_up(node.name, node.name_span, scope)
            target = self._expressions.require_constant(binding, node.name, node.name_span)
        # A closure of a closure is one closure: the outer arguments replace the inner ones.
        if isinstance(target, StageClosure):
            node, target = self.apply_closure(target, node, scope), target.stage
        if isinstance(target, OperatorRef):
            return self._closure_of_operator(target, node, expr.span, scope)
        if isinstance(target, BlockDef):
            return self._closure_of_block(target, node, expr.span, scope)
        raise Failure(NotAStage(node.name, f"the value {format_value(target)}"), node.name_span)

    def _closure_of_operator(self, target: OperatorRef, node: ast.Apply, span: Span, scope: Scope) -> StageClosure:
        cls = Operator.registry[target.operator]
        raw = self._arguments.convert_written(cls, node, scope)

        def evaluate_argument(name: str, kind: Kind[Any], value: ast.Expr) -> ConstExpr:
            if isinstance(value, ConstExpr):
                return value
            return ConstExpr(value.span, self._arguments.evaluate_raw(cls.name, name, kind, value, scope))

        positional = tuple(evaluate_argument(a.name, a.kind, e) for a, e in zip(cls.slots, raw.positional, strict=False))
        keywords = []
        for keyword in node.keywords:
            kind = cls.aliases[keyword.name].kind if keyword.name in cls.aliases else cls.open_keywords
            value = (
                keyword.value if kind is None else evaluate_argument(keyword.name, kind, keyword.value)
            )  # `tie` holds a path, not a value
            keywords.append(ast.Keyword(keyword.span, keyword.name, keyword.name_span, value))
        return _make_closure(target, positional, tuple(keywords), raw.activation, span)

    def _closure_of_block(self, target: BlockDef, node: ast.Apply, span: Span, scope: Scope) -> StageClosure:
        parameters = [p for p in target.node.parameters if isinstance(p, ast.ParameterDecl)]
        match_arguments(target.node.name.name, parameters, node)
        declared = {p.name.name: p.name.span for p in parameters}

        def evaluate_argument(value: ast.Expr) -> ConstExpr:
            return value if isinstance(value, ConstExpr) else ConstExpr(value.span, self.interpreter.evaluate(value, scope))

        for keyword in node.keywords:
            self.session.index.record_name(keyword.name_span, keyword.name, None, declared[keyword.name], "argument")
        keywords = tuple(ast.Keyword(k.span, k.name, k.name_span, evaluate_argument(k.value)) for k in node.keywords)
        return _make_closure(target, tuple(evaluate_argument(e) for e in node.positional), keywords, None, span)

    def apply_closure(self, closure: StageClosure, node: ast.Apply, scope: Scope) -> ast.Apply:
        """Return `node` with the arguments of the closure that its name is bound to. Arguments of `node` follow them, or replace them
        by name."""
        slots, names = _parameter_names(closure.stage)
        explicit = {names.get(k.name, k.name) for k in node.keywords}
        # Errors about an argument of the closure are shown at the name that refers to it: its own text may be in another file.
        here = node.name_span
        positional = tuple(ConstExpr(here, e.value) for e in closure.positional)
        before = {names.get(k.name, k.name): ast.Keyword(here, k.name, here, _move_to_span(k.value, here)) for k in closure.keywords}
        has_activation = isinstance(closure.stage, OperatorRef) and self._ends_in_activation(node.positional, scope)
        for slot, expr in zip(slots[len(positional) :], node.positional[: len(node.positional) - has_activation], strict=False):
            # By position in one place and by name in the other, the same parameter would be given twice.
            if slot in before:
                raise Failure(ArgumentTwice(node.name, slot), expr.span, ((here, "given by name in the stage that this refers to"),))
        keywords = (*(k for name, k in before.items() if name not in explicit), *node.keywords)
        activation: ast.Expr | None = node.activation
        if closure.activation is not None and activation is None and not has_activation:
            activation = ConstExpr(here, closure.activation.op)
        return ast.Apply(node.span, node.name, here, (*positional, *node.positional), keywords, node.label, False, activation)

    def _ends_in_activation(self, positional: Iterable[ast.Expr], scope: Scope) -> bool:
        last = tuple(positional)[-1:]
        return bool(last) and self.find_activation(last[0], scope) is not None

    def find_activation(self, expr: ast.Expr, scope: Scope) -> TrailingActivation | None:
        """The activation that an argument is: an operator's name, a name bound to one, or one with arguments in parentheses."""
        stage = self._stage_value(expr, scope)
        if isinstance(stage, Operator):
            return TrailingActivation(stage, expr.span)
        if isinstance(stage, OperatorRef) and is_activation(stage.operator):
            self._note_operator(expr, scope)
            return TrailingActivation(self._operator_with_defaults(stage.operator), expr.span)
        if isinstance(stage, StageClosure) and isinstance(stage.stage, OperatorRef) and is_activation(stage.stage.operator):
            bare = ast.Apply(expr.span, stage.stage.operator, expr.span, (), ())
            bound = self._arguments.bind_arguments(Operator.registry[bare.name], self.apply_closure(stage, bare, scope), scope)
            return TrailingActivation(bound.op, expr.span)
        return None

    def _operator_with_defaults(self, name: str) -> Operator:
        return self.session.inferences.make_operator(Operator.registry[name], self.session.defaults.get(name, {}))

    def _note_operator(self, expr: ast.Expr, scope: Scope) -> None:
        if isinstance(expr, ast.Name) and (scope.find_binding(expr.name) is None or is_hidden_by_tensor(expr.name, scope)):
            self.session.index.record_name(expr.span, expr.name, None, None, "operator")

    def _stage_value(self, expr: ast.Expr, scope: Scope) -> object:
        match expr:
            case ConstExpr(value=value):
                return value
            case ast.StageExpr():
                return self.make_closure(expr, scope)
            case ast.Name(name=name):
                binding_and_scope = scope.find_binding(name)
                if binding_and_scope is None or is_hidden_by_tensor(name, scope):
                    return OperatorRef(name)
                value = self._functions.value_of(binding_and_scope[0])
                # Any other value is an ordinary argument, and is counted as used where it is evaluated.
                if isinstance(value, (OperatorRef, StageClosure)):
                    scope.use_binding(name)
                    self.session.index.record_name(expr.span, name, binding_and_scope[0])
                return value
        return None


def _make_closure(
    target: OperatorRef | BlockDef,
    positional: tuple[ConstExpr, ...],
    keywords: tuple[ast.Keyword, ...],
    activation: TrailingActivation | None,
    span: Span,
) -> StageClosure:
    arguments = (*positional, *(k.value for k in keywords))
    size = 1 + sum(count_stages(e.value) for e in arguments if isinstance(e, ConstExpr))
    return check_closure(StageClosure(target, positional, keywords, activation, span, size))


def _parameter_names(stage: OperatorRef | BlockDef) -> tuple[list[str], dict[str, str]]:
    """The names of a stage's positional parameters, in order; and for each alias of a parameter its name."""
    if isinstance(stage, BlockDef):
        return [p.name.name for p in stage.node.parameters if isinstance(p, ast.ParameterDecl)], {}
    cls = Operator.registry[stage.operator]
    return [arg.name for arg in cls.slots], {alias: arg.name for alias, arg in cls.aliases.items()}


def _move_to_span(value: ast.Expr, here: Span) -> ast.Expr:
    return ConstExpr(here, value.value) if isinstance(value, ConstExpr) else value


def is_hidden_by_tensor(name: str, scope: Scope) -> bool:
    """Whether a stage's name means an operator although a tensor has the same name: a tensor is no stage."""
    binding_and_scope = scope.find_binding(name)
    return binding_and_scope is not None and isinstance(binding_and_scope[0].value, (Value, TensorTuple)) and name in Operator.registry
