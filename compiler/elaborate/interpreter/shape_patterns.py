"""Matches the tensors that a block declares, `x: [N, T, D]`, with its input.

A new name in a pattern is bound to the actual size; a name that is bound, or an expression, must be equal to it.

    >>> import netc
    >>> netc.compile("block b(x: [N, T, D]) { x -> dense (2 * D) }; input [4, 3] -> b").outputs
    {'output': TensorType([N, 4, 6])}
"""

from __future__ import annotations

from typing import Any

from netc.dsl import ast

from ...dims import Dim, SymDim, format_dim, suggest_equality
from ...errors.assertion_errors import PatternMismatch
from ...errors.operator_errors import Unprovable
from ...errors.value_errors import NotANumber
from ...ir.graph_values import Value
from ..scopes.compile_time_values import UNKNOWN
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope
from ..scopes.value_text import format_value
from .block_tensors import BlockTensors, declared_tensors
from .evaluator_protocol import EvaluatorPart


class ShapePatterns(EvaluatorPart):
    def match_tensors(self, block: ast.Block, tensors: BlockTensors | None, values: list[Value], node: ast.Apply, outside: Scope) -> None:
        """Checks the tensors of a block, and binds the dimensions of its patterns in `outside`. `values` are the tensors in the block's
        own symbols."""
        if tensors is None:
            _bind_unknown(declared_tensors(block), outside)
            return
        first = 0
        for parameter, count in zip(declared_tensors(block), tensors.counts, strict=False):
            for value in values[first : first + count]:
                self._match_tensor(_PatternTensor(block.name.name, parameter, value, node), outside)
            first += count

    def _match_tensor(self, tensor: _PatternTensor, outside: Scope) -> None:
        pattern, shape = tensor.parameter.pattern, tensor.value.type.shape
        ellipses = [i for i, item in enumerate(pattern) if isinstance(item, ast.Name) and item.name == "..."]
        if len(ellipses) > 1:
            raise tensor.pattern_mismatch("`...` may occur once in a pattern")
        front = pattern[: ellipses[0]] if ellipses else pattern
        back = pattern[ellipses[0] + 1 :] if ellipses else ()
        fixed = (*front, *back)
        if len(shape) < len(fixed) or (not ellipses and len(shape) != len(fixed)):
            raise tensor.pattern_mismatch(f"needs {len(fixed)}{' or more' if ellipses else ''} axes")
        for item, size in zip(fixed, (*shape[: len(front)], *shape[len(shape) - len(back) :]), strict=True):
            stated = self._evaluate_item(item, size, outside)
            if stated is None:
                continue
            # `deciding` records the answer: a memoized body is used again only for sizes with the same answer.
            equal = self.session.deciding.are_equal(stated, size)
            if equal is None:
                raise tensor.unprovable_size(item, stated, size)
            if not equal:
                raise tensor.pattern_mismatch(f"`{item.span.text}` is {format_dim(stated)}, but the tensor has {format_dim(size)}")

    def _evaluate_item(self, item: ast.Expr, size: Dim, outside: Scope) -> Dim | None:
        """The size that the pattern states for an axis; a name that is new is bound to the actual size."""
        if isinstance(item, ast.Name):
            if item.name == "_":
                return None
            # A new name in capitals is bound even if the file has one: the block's pattern is a scope of its own.
            if item.name not in outside.names and (item.name.isupper() or outside.find_binding(item.name) is None):
                self.session.index.record_binding(item, outside.bind_name(item.name, size, item.span))
                return None
        stated: Any = self.interpreter.evaluate(item, outside)
        # A bool is an int in Python, and `true` is no size.
        if isinstance(stated, bool) or not isinstance(stated, (int, SymDim)):
            raise Failure(NotANumber("each part of a pattern", "an integer or a dimension", format_value(stated)), item.span)
        return stated


def axis_names(parameter: ast.TensorParameter, rank: int) -> tuple[str, ...]:
    """The name that the pattern gives to each axis of a tensor that fits it; empty for an axis without one."""
    names = [item.name if isinstance(item, ast.Name) else "" for item in parameter.pattern]
    if "..." in names:
        index = names.index("...")
        names[index : index + 1] = [""] * (rank - len(names) + 1)
    return tuple("" if name == "_" else name for name in names)


class _PatternTensor:
    """One declared tensor and its actual value, for messages."""

    def __init__(self, block: str, parameter: ast.TensorParameter, value: Value, use: ast.Apply) -> None:
        self.block, self.parameter, self.value, self.use = block, parameter, value, use

    def pattern_mismatch(self, why: str) -> Failure:
        text = "[" + ", ".join(p.span.text for p in self.parameter.pattern) + "]"
        problem = PatternMismatch(self.block, self.parameter.name.name, text, self.value.type, why)
        return Failure(problem, self.use.name_span, (self._tensor_mark(), (self.parameter.span, "declared here")))

    def unprovable_size(self, item: ast.Expr, stated: Dim, size: Dim) -> Failure:
        need = f"`{item.span.text}` of `{self.parameter.name.name}` must be {format_dim(stated)}"
        problem = Unprovable(self.block, stated, size, need, suggest_equality(stated, size) or "")
        return Failure(problem, self.use.name_span, (self._tensor_mark(), (item.span, "declared here")))

    def _tensor_mark(self) -> tuple[Any, str]:
        return self.value.span, f"this is {self.value.type}"


def _bind_unknown(parameters: list[ast.TensorParameter], outside: Scope) -> None:
    """The dimensions of tensors that have failed before are unknown too."""
    for item in (item for parameter in parameters for item in parameter.pattern):
        if isinstance(item, ast.Name) and outside.find_binding(item.name) is None:
            outside.bind_name(item.name, UNKNOWN, item.span)
