"""Operators and blocks written as functions: `exp(0.5 * x)` is `0.5 * x -> exp`, `concat(a, b)` is `(a, b) -> concat`.

The arguments that are tensors come first and are what flows in; the others are the positional arguments.
"""

from __future__ import annotations

from typing import Any

from netc.dsl import ast

from ..errors.names import NotATensor, NotForTensors
from ..ir.graph import Value
from .evaluate import evaluate
from .infix import infix, prefix
from .operators import tensors
from .scope import Scope
from .session import Session
from .values import CONST_TYPES, UNKNOWN, Failure, Flow, TensorTuple, Unknown

ARITHMETIC = ("+", "-", "*", "/", "//", "%", "**", "==", "!=", "<", "<=", ">", ">=")


def on_tensors(node: ast.Apply, scope: Scope) -> bool:
    """Whether a called name is given tensors, rather than compile-time values."""
    return node.called and any(has_tensor(a, scope) for a in node.positional)


def has_tensor(expr: ast.Expr, scope: Scope) -> bool:
    """Whether an expression is one of tensors. What is only asked of a tensor, such as its shape, is not."""
    stack = [expr]
    while stack:
        match stack.pop():
            case ast.Attribute():
                continue
            case ast.Index(value=value):
                stack.append(value)
            case ast.Name(name=name):
                found = scope.find(name)
                if found is not None and isinstance(found[0].value, (Value, TensorTuple, Unknown)):
                    return True
            case other:
                children = [getattr(other, f) for f in other.__match_args__]
                flat = [c for child in children for c in (child if isinstance(child, tuple) else (child,))]
                stack += [c for c in flat if isinstance(c, ast.Expr)]
    return False


def split_call(node: ast.Apply, scope: Scope, session: Session) -> tuple[ast.Apply, Flow]:
    """The stage that a call is, and what flows into it."""
    count = next((i for i, a in enumerate(node.positional) if not has_tensor(a, scope)), len(node.positional))
    late = next((a for a in node.positional[count:] if has_tensor(a, scope)), None)
    if late is not None:
        raise Failure(NotATensor("a compile-time value", "tensors come first"), node.positional[count].span)
    flows = [mixed(a, scope, session) for a in node.positional[:count]]
    stage = ast.Apply(node.span, node.name, node.name_span, node.positional[count:], node.keywords, node.label, False, node.activation)
    found = [None if isinstance(f, CONST_TYPES) else tensors(f) for f in flows]
    if any(f is None for f in found):
        return stage, UNKNOWN
    values = tuple(v for f in found if f is not None for v in f)
    return stage, values[0] if len(values) == 1 else TensorTuple(values)


def mixed(expr: ast.Expr, scope: Scope, session: Session) -> Any:
    """The value of an expression in which tensors may occur: a tensor, or a compile-time value."""
    from .stages import operand

    if not has_tensor(expr, scope):
        return evaluate(expr, scope, session)
    match expr:
        case ast.Name(span, name):
            return operand(ast.Apply(span, name, span, (), ()), scope, session)
        case ast.Binary(op=op) if op in ARITHMETIC:
            return _mixed_spine(expr, scope, session)
        case ast.Unary(_, "-", inner):
            return prefix(expr, mixed(inner, scope, session), scope, session)
        case ast.Call(span, function, arguments, keywords):
            call = ast.Apply(span, function.name, function.span, arguments, keywords, called=True)
            return operand(call, scope, session)
    raise Failure(NotForTensors(*_refused(expr)), expr.span)


def _mixed_spine(expr: ast.Binary, scope: Scope, session: Session) -> Any:
    """`a + b + c ...`, however long, from the left."""
    spine = [expr]
    while isinstance(spine[-1].left, ast.Binary) and spine[-1].left.op in ARITHMETIC:
        spine.append(spine[-1].left)
    value = mixed(spine[-1].left, scope, session)
    for step in reversed(spine):
        value = infix(step, value, mixed(step.right, scope, session), scope, session)
    return value


def _refused(expr: ast.Expr) -> tuple[str, str]:
    """Why a construct takes no tensors, and what does."""
    match expr:
        case ast.ListExpr():
            return (
                "a list cannot hold tensors",
                "write them as a tuple, `(a, b) -> concat axis=1`, or one by one, `concat(a, b, axis=1)`",
            )
        case ast.Index():
            return "a tensor takes no index", "take a part by a stage: `x -> select axis=1 index=0`, `x -> slice axis=1 stop=8`"
        case ast.Conditional():
            return "`if` and `else` choose between compile-time values, not tensors", "element by element: `(condition, a, b) -> where`"
        case ast.Binary(op="and" | "or" as op):
            return f"`{op}` does not go with tensors", f"element by element: `(a, b) -> logical_{op}`"
        case ast.Unary(op="not"):
            return "`not` does not go with tensors", "element by element: `a -> logical_not`"
    return "tensors have no part in such an expression", ""
