"""The condition of an `if` as data: see netc.compiler.ir.tests.

In: the expression, which has been evaluated, and its scope. Out: a formula over the symbols of the graph; None for what is no comparison of
integers. Always: nothing is reported, noted as decided, or indexed a second time.
"""

from __future__ import annotations

from netc.dsl import ast

from ...ir.walk import around
from ...ops.formula import COMPARISONS, BinaryFormula, Const, Formula, UnaryFormula
from ...types.traced_ints import is_integer
from ..index import Recorder
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import Scope
from .compile_time_expressions import Expressions


def condition(expr: ast.Expr, scope: Scope, expressions: Expressions) -> Formula | None:
    session = expressions.session
    before, session.index = session.index, Recorder()
    try:
        with session.decisions.within({}):
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
