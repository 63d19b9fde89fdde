"""Arguments that are written on a stage and have no effect there.

In: an operator with its inputs, and the stage as it is written. Out: nothing, or a `Failure` that says to remove the argument. Always: what
is not written on the stage itself is for other stages too, and may be idle here: the `default`s of a model, and the arguments of a stage
that is a value. So may be an argument next to one that decides it, if that is no literal: `bias=bias bias_init=zeros` serves all uses of a
block.
"""

from __future__ import annotations

from netc.dsl import ast

from ...errors.argument_errors import WithoutEffect
from ...ops.argument import Arg, Idle
from ...ops.operator import Operator, OpInputs
from ...ops.parametric import Parametric
from ..scopes.early_exits import Failure
from .argument_edits import removed

_LITERALS = (ast.NumberLiteral, ast.Boolean, ast.String, ast.Dims)
_TIED = Idle("the weight is that of another stage")


def check_idle(op: Operator, given: OpInputs, stage: ast.Apply, tied: bool) -> None:
    """Rejects the first of them."""
    written = {op.aliases[k.name]: k for k in stage.keywords if k.name in op.aliases}
    if not written:
        return
    varying = {arg.name for arg, keyword in written.items() if not _is_literal(keyword.value, arg)}
    idle = op.idle() | (op.idle_initialisers(given) if isinstance(op, Parametric) else {}) | ({"init": _TIED} if tied else {})
    for arg, keyword in written.items():
        found = idle.get(arg.name)
        is_own = keyword.span != stage.name_span
        if found is not None and is_own and not varying.intersection(found.decided_by):
            problem = WithoutEffect(keyword.name, found.why, keyword.span.text)
            raise Failure(problem, keyword.span, edits=removed(stage, keyword.span, keyword.span, safe=True))


def _is_literal(value: ast.Expr, arg: Arg[object]) -> bool:
    is_word = isinstance(value, ast.Name) and value.name in arg.kind.words
    return is_word or isinstance(value, _LITERALS)
