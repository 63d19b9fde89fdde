"""What a name can stand for while a program is elaborated.

Compile-time values are plain Python: int, float, bool, str, SymDim, DType, `Init`, and tuples of them. Tensors are the graph's `Value`s;
`TensorTuple` holds several of them. `UNKNOWN` stands for the result of whatever failed and has been reported: it silences what follows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..dims import SymDim, show
from ..errors.base import Problem
from ..ir.graph import OpNode, SharedModule, Value
from ..ir.types import DType
from ..ops.base import Init

if TYPE_CHECKING:
    from .scope import Scope


class Unknown:
    """The result of something that has been reported already."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN = Unknown()


class TensorTuple:
    """Several tensors: a tuple, or the results of an operator. With `extras`, only the first flows on unless all are unpacked."""

    __slots__ = ("extras", "values")

    def __init__(self, values: tuple[Value, ...], extras: OpNode | None = None) -> None:
        self.values = values
        self.extras = extras


Const = int | float | bool | str | SymDim | DType | Init | tuple["Const", ...]
Flow = Value | TensorTuple | Unknown


class FnDef(Record):
    """A `fn`, with the scope it was written in."""

    node: ast.Fn
    scope: Scope


class BlockDef(Record):
    """A `block` or a `model`, with the scope it was written in."""

    node: ast.Block | ast.Model
    scope: Scope


class OperatorRef(Record):
    """An operator as a value, such as the argument of `activation=relu`: a name that stands for it is a stage."""

    operator: str


class ConstExpr(ast.Expr):
    """A value that has been worked out, where an expression is expected."""

    value: Any


class StageClosure(Record):
    """A stage with arguments as a value, `(batch_norm eps=0.001)`: a name that stands for it is the stage with these arguments.

    `activation` is the `Follower` behind it (partial.py), `span` where it is written, `size` how many stages are in it as values, itself
    included.
    """

    stage: OperatorRef | BlockDef
    positional: tuple[ConstExpr, ...]
    keywords: tuple[ast.Keyword, ...]
    activation: Any
    span: Span
    size: int = 1


class SharedDef(Record):
    """A `shared` stage: what it is, where it was declared, and the identity of its parameters."""

    stage: ast.Tensor
    scope: Scope
    module: SharedModule


class LazyLet(Record):
    """A file's `let`, evaluated when it is first asked for."""

    node: ast.Let
    scope: Scope


Entity = Const | Flow | FnDef | BlockDef | OperatorRef | StageClosure | SharedDef | LazyLet
CONST_TYPES = (int, float, str, SymDim, DType, Init, tuple)


class Failure(Exception):
    """A problem at a place: raised while an expression or a stage is worked out, caught and reported by the statement around it.

    `label` replaces the problem's own text under the carets, when that stands at a mark instead.
    """

    def __init__(self, problem: Problem, span: Span, marks: tuple[tuple[Span, str], ...] = (), label: str | None = None) -> None:
        super().__init__(problem.message())
        self.problem = problem
        self.span = span
        self.marks = marks
        self.label = label


class AlreadyReported(Exception):
    """Something needed is `UNKNOWN`: nothing more is to be said."""


class LimitExceeded(Exception):
    """The program is too large to go on with; it has been reported."""


_LONGEST = 60
_MOST_ITEMS = 8
_DEEPEST = 3


def show_value(value: object, depth: int = 0) -> str:
    """A compile-time value as it is written in a spec; of a long one the beginning."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, SymDim):
        return show(value)
    if isinstance(value, str):
        return f'"{value}"' if len(value) <= _LONGEST else f'"{value[: _LONGEST - 3]}..."'
    if isinstance(value, tuple):
        if depth == _DEEPEST:
            return "[...]"
        items = [show_value(v, depth + 1) for v in value[:_MOST_ITEMS]]
        return "[" + ", ".join(items + ["..."] * (len(value) > _MOST_ITEMS)) + "]"
    if isinstance(value, OperatorRef):
        return f"`{value.operator}`"
    if isinstance(value, BlockDef):
        return f"`{value.node.name.name}`"
    if isinstance(value, StageClosure):
        return f"`{value.span.text}`"
    if isinstance(value, Init):
        return f"{value.kind}({', '.join(map(str, value.values))})"
    return str(value)
