"""`is [N, 196, 768]`: proves that a tensor has the shape that the spec declares, or reports the difference.

>>> import netc
>>> netc.compile("input 3 -> dense 4 -> is [N, 5]")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[is-mismatch]: expected shape [N, 5], found [N, 4]
 --> <text>:1:30
  |
1 | input 3 -> dense 4 -> is [N, 5]
  |            -------           ^ axis 1 is 4
  |            |
  |            this is [N, 4]
...
"""

from __future__ import annotations

from netc.dsl import ast

from ...dims import Dim, format_dim, suggest_equality
from ...errors.argument_errors import WrongTensors
from ...errors.assertion_errors import IsMismatch
from ...errors.operator_errors import Unprovable
from ...ir.graph_values import Value
from ...types.tensor_types import BATCH, TensorType
from ..scopes.compile_time_values import UNKNOWN, Flow, tensors_of
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope
from .compile_time_expressions import Expressions, require_dimension
from .evaluator_protocol import EvaluatorPart, Interpreter


class ShapeChecks(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, expressions: Expressions) -> None:
        super().__init__(interpreter)
        self._expressions = expressions

    def check_stage(self, node: ast.Is, flow: Flow, scope: Scope) -> Flow:
        """The input itself, once its shape is proved to be as stated. `_` means any size."""
        values = tensors_of(flow)
        if values is None:
            return UNKNOWN
        if len(values) != 1:
            raise Failure(
                WrongTensors("is", "one tensor", len(values)), node.span, tuple((v.span, f"this is {v.type}") for v in values[:3])
            )
        try:
            self.check_shape(node.shape, values[0], scope)
        except Failure as failure:
            # The author declared the shape, so later stages are checked with it instead of being unknown.
            failure.declared_type = self._declared_type(node.shape, values[0], scope)
            raise
        return flow

    def _declared_type(self, stated: ast.Expr, value: Value, scope: Scope) -> TensorType | None:
        """The type with the stated shape, where `_` is the actual size; None if there is none."""
        sizes, _ = self._evaluate_sizes(stated, scope)
        actual = value.type.shape
        if len(sizes) != len(actual) and None in sizes:
            return None
        return value.type.with_shape(tuple([actual[axis] if size is None else size for axis, size in enumerate(sizes)]))

    def check_shape(self, stated: ast.Expr, value: Value, scope: Scope) -> None:
        """Raises unless the tensor provably has the stated shape."""
        actual = value.type.shape
        sizes, items = self._evaluate_sizes(stated, scope)
        text = "[" + ", ".join("_" if size is None else format_dim(size) for size in sizes) + "]"
        marks = ((value.span, f"this is {value.type}"),)
        if len(sizes) != len(actual):
            raise Failure(IsMismatch(text, value.type), stated.span, marks)
        for axis, (size, real, item) in enumerate(zip(sizes, actual, items, strict=True)):
            if size is None:
                continue
            equal = self.session.deciding.are_equal(size, real)
            # No `where` is proposed for the batch: a declared batch size is a plain mismatch.
            if equal is None and real is not self.session.dims[BATCH]:
                need = "the stated shape must be the actual shape"
                raise Failure(Unprovable("is", size, real, need, suggest_equality(size, real) or "", (0, 0)), item.span, marks)
            if not equal:
                raise Failure(IsMismatch(text, value.type, axis), item.span, marks)

    def _evaluate_sizes(self, stated: ast.Expr, scope: Scope) -> tuple[tuple[Dim | None, ...], tuple[ast.Expr, ...]]:
        """The sizes of a stated shape, and the expression of each."""
        if isinstance(stated, ast.ListExpr):
            return tuple([self._evaluate_size(item, scope) for item in stated.items]), stated.items
        sizes = self._expressions.evaluate_shape(stated, scope)
        return sizes, (stated,) * len(sizes)

    def _evaluate_size(self, item: ast.Expr, scope: Scope) -> Dim | None:
        """A stated size; None for `_`."""
        if isinstance(item, ast.Name) and item.name == "_":
            return None
        return require_dimension(self.interpreter.evaluate(item, scope), item.span)
