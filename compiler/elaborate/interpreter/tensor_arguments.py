"""Refuses tensors as positional arguments of an operator, as in `x -> mul w`, because arguments are compile-time values.

`refuse_tensors` takes an operator class and its positional arguments, and raises a `Failure` whose help passes the tensor in the way that
the operator takes it. A name whose definition has failed is skipped, since that error has been reported.

    >>> from netc.analysis import Choice, analyze
    >>> from netc.dsl.source import SourceFile
    >>> (error,) = analyze(SourceFile("<text>", "x = input 3; w = input 3; x -> mul w"), Choice()).diagnostics
    >>> error.message, error.help
    ('expected a compile-time value, found the tensor `w`', ('pass the tensor by name: `mul other=w`',))
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.record import replace
from netc.dsl.source import Span

from ...errors.value_errors import PipelineAsValue, TensorAsValue
from ...ir.graph_values import Value
from ...ops.operator import Arg, Operator
from ..scopes.compile_time_values import TensorTuple
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope
from .argument_edits import Hint


def refuse_tensors(cls: type[Operator], slots: Sequence[Arg[Any]], positional: Sequence[ast.Expr], scope: Scope) -> None:
    """Raises a failure for the first argument that is a tensor."""
    for arg, expr in zip(slots, positional, strict=False):
        match expr:
            case ast.PipelineExpr():
                problem: PipelineAsValue | TensorAsValue = PipelineAsValue(pipeline_text(expr))
                marks: tuple[tuple[Span, str], ...] = ()
            case ast.Name(name=name) if (binding_and_scope := scope.find_binding(name)) is not None and isinstance(
                binding_and_scope[0].value, (Value, TensorTuple)
            ):
                problem, marks = TensorAsValue(name), ((binding_and_scope[0].span, "defined here"),) if binding_and_scope[0].span else ()
            case _:
                continue
        hint = tensor_hint(cls, arg, expr)
        raise Failure(replace(problem, hint=hint.help), expr.span, marks, edits=hint.edits)


def tensor_hint(cls: type[Operator], arg: Arg[Any] | None, expr: ast.Expr) -> Hint:
    """The help that passes a tensor as the operator takes it: by the name of an input, or as one of several before the arrow."""
    text = expr.span.text
    names = {name for operand in cls.operands.values() for name in (operand.name, operand.alias) if name and not operand.many}
    if arg is not None and arg.name in names:
        edits = (Edit(expr.span.shrink_to_start(), f"{arg.name}=", safe=True),)
        return Hint(f"pass the tensor by name: `{cls.name} {arg.name}={text}`", edits)
    least, most = cls.arity()
    if least > 1 or most is None:
        return Hint(f"pass several tensors with an arrow: `(..., {text}) -> {cls.name}`")
    return Hint()


def pipeline_text(expr: ast.PipelineExpr) -> str:
    """The pipeline without the brackets around it; `...` if it is too long for a help."""
    members = expr.group.members
    text = members[0].span.text if len(members) == 1 else expr.span.text
    return text if len(text) <= 60 and "\n" not in text else "..."
