"""Calls of initializers: `trunc_normal(0.02)`, `kaiming_normal(mode=fan_out, nonlinearity=relu)`.

`evaluate_initializer` takes the call and its scope, and returns an `Init` with all values. The first argument that is wrong raises a
`Failure` with its span.

    >>> import netc
    >>> (dense,) = netc.compile("input 3 -> dense 2 init=trunc_normal(0.02)").program.main.nodes
    >>> dense.op.init.kind, dense.op.init.values
    ('trunc_normal', (0.02, 0.0, -2.0, 2.0))
"""

from __future__ import annotations

from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names

from ...errors.argument_errors import ArgumentTwice, MissingArgument, TooManyArguments, UnknownArgument, WrongArgument
from ...errors.constants import BadInitializer
from ...ops.initializers import INITIALIZERS, InitArgument, with_values
from ...ops.kinds import InvalidArgument
from ...ops.operator import Init
from ..resource_limits import check_number
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope
from ..scopes.value_text import format_value
from .block_arguments import did_you_mean
from .evaluator_protocol import Interpreter


def evaluate_initializer(call: ast.Call, scope: Scope, interpreter: Interpreter) -> Init:
    name = call.function.name
    declared = {a.name: a for a in INITIALIZERS[name].arguments}
    arguments: dict[str, Any] = {}
    for argument, expr in _match_expressions(call, declared).items():
        arguments[argument] = _evaluate_argument(name, declared[argument], expr, scope, interpreter)
    for parameter in declared.values():
        if parameter.default is None and parameter.name not in arguments:
            raise Failure(MissingArgument(name, parameter.name, parameter.kind.describe_values()), call.span)
    try:
        return with_values(name, arguments)
    except InvalidArgument as error:
        raise Failure(BadInitializer(name, str(error)), call.span) from None


def _match_expressions(call: ast.Call, declared: dict[str, InitArgument]) -> dict[str, ast.Expr]:
    """The expression of each argument."""
    name, positional = call.function.name, INITIALIZERS[call.function.name].positional
    names = list(declared)
    if len(call.arguments) > positional:
        hint = f"write their names: `{name}({', '.join(f'{n}=...' for n in names)})`" if len(names) > positional else ""
        raise Failure(TooManyArguments(name, positional, hint, accepts=tuple(names)), call.arguments[positional].span)
    expressions = dict(zip(names, call.arguments, strict=False))
    for keyword in call.keywords:
        if keyword.name not in declared:
            raise Failure(
                UnknownArgument(name, keyword.name, tuple(find_similar_names(keyword.name, names)), tuple(names)), keyword.name_span
            )
        if keyword.name in expressions:
            raise Failure(ArgumentTwice(name, keyword.name), keyword.span, ((expressions[keyword.name].span, "first here"),))
        expressions[keyword.name] = keyword.value
    return expressions


def _evaluate_argument(owner: str, argument: InitArgument, expr: ast.Expr, scope: Scope, interpreter: Interpreter) -> Any:
    kind = argument.kind
    match expr:
        # A word of the argument wins over a name of the text, as in `mode=fan_out`.
        case ast.Name(name=word) if word in kind.words:
            return word
        case ast.Name(name=word) if kind.words and scope.find_binding(word) is None:
            hint = did_you_mean(find_similar_names(word, kind.words))
            raise Failure(WrongArgument(owner, argument.name, kind.describe_values(), f"`{word}`", hint), expr.span)
    value = interpreter.evaluate(expr, scope)
    check_number(value, expr.span)
    try:
        return kind.convert_value(value)
    except InvalidArgument:
        raise Failure(WrongArgument(owner, argument.name, kind.describe_values(), format_value(value)), expr.span) from None
