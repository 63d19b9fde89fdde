"""Compile-time expressions.

`Expressions` takes an expression and its scope, and returns a plain value. What is wrong raises a `Failure` with its span, or
`AlreadyReported` if an operand has failed before.

    >>> import netc
    >>> netc.compile("let sizes = [2 * n for n in 1..4]; x = input 8; x -> dense (sizes[2] if len(sizes) == 3 else 1)").outputs
    {'output': TensorType([N, 6])}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record
from netc.dsl.source import Span

from ...dims import Dim, EffortSpent, SymDim
from ...errors.binding_errors import NoIn, NotATensor, TensorNotGiven, UnknownName
from ...errors.limit_errors import LargeFormulas, TooManyNodes
from ...errors.structure_errors import TrainingMisplaced
from ...errors.value_errors import (
    BadListIndex,
    BadOperand,
    NoAttribute,
    NoSuchAxis,
    NotABool,
    NotAConstant,
    NotANumber,
    PipelineAsValue,
    TensorAsValue,
)
from ...ir.graph_values import Value
from ...ops.initializers import INIT
from ...ops.operator import Operator
from ...types.tensor_types import DTYPES, TensorType, show_shape
from ..builtins import CONSTANTS
from ..resource_limits import MAX_NODES, TERMS, check_list
from ..scopes.compile_time_values import CONST_TYPES, AbsentTensor, Const, ConstExpr, DimsTuple, OperatorRef, TensorTuple, Unknown
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import Binding, BlockDef, Scope, StageClosure
from ..scopes.value_text import describe_kind, format_value
from ..value_arithmetic import evaluate_binary, negate_value
from .compile_time_functions import CompileTimeFunctions
from .evaluator_protocol import EvaluatorPart, Interpreter
from .list_comprehensions import Comprehensions
from .tensor_arguments import pipeline_text

MISSPELLED = ("True", "False")
"""Names for which the parser has reported the right spelling."""


def _values_everywhere() -> list[str]:
    """Names that are values without a definition: element types, initializers, and operators that are often arguments."""
    return [*DTYPES, *INIT.words, *(name for name, operator in Operator.registry.items() if operator.is_activation)]


class Expressions(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, functions: CompileTimeFunctions) -> None:
        super().__init__(interpreter)
        self._functions = functions
        self._comprehensions = Comprehensions(interpreter)

    def evaluate(self, expr: ast.Expr, scope: Scope) -> Any:
        self.session.count_step(expr.span)
        try:
            return self._evaluate_expression(expr, scope)
        except EffortSpent:
            # The effort is spent, so that every further formula would fail too.
            raise Failure(LargeFormulas(TERMS.limit), expr.span, final=True) from None

    def _evaluate_expression(self, expr: ast.Expr, scope: Scope) -> Any:
        match expr:
            # The most frequent kinds come first: this `match` runs for every argument of every stage.
            case ast.NumberLiteral() | ast.String() | ast.Boolean() | ConstExpr():
                return expr.value
            case ast.Name():
                return self.require_constant(self.look_up(expr.name, expr.span, scope), expr.name, expr.span)
            case ast.Binary():
                return self._evaluate_binary(expr, scope)
            case ast.ListExpr():
                value = tuple([self.evaluate(item, scope) for item in expr.items])
                self.session.count_items(len(value), expr.span)
                check_list(value, expr.span)
                return value
            case ast.Dims():
                return DimsTuple([self.evaluate(part, scope) for part in expr.parts])
            case ast.Attribute():
                return self._evaluate_attribute(expr, scope)
            case ast.Call():
                return self._count_value(self._functions.call_function(expr, scope), expr)
            case ast.Unary():
                return self._evaluate_unary(expr, scope)
            case ast.IndexExpr():
                return self._count_value(self._evaluate_index(expr, scope), expr)
            case ast.Conditional():
                # Only the chosen side is evaluated, so that recursion can end.
                chosen = expr.then if self.evaluate_boolean(expr.test, scope) else expr.otherwise
                return self.evaluate(chosen, scope)
            case ast.Range():
                return self._evaluate_range(expr, scope)
            case ast.StageExpr():
                return self.interpreter.make_closure(expr, scope)
            case ast.PipelineExpr():
                raise Failure(PipelineAsValue(pipeline_text(expr)), expr.span)
        return self._comprehensions.evaluate(expr, scope)

    def _count_value(self, value: Any, expr: ast.Expr) -> Any:
        if isinstance(value, (tuple, str)):
            self.session.count_items(len(value), expr.span)
        return value

    def item_scopes(self, clause: ast.ForClause, scope: Scope) -> Iterator[Scope]:
        """A scope for each item that a `for` iterates over."""
        return self._comprehensions.item_scopes(clause, scope)

    def evaluate_boolean(self, expr: ast.Expr, scope: Scope) -> bool:
        """The value of an expression that must be a boolean."""
        value = self.evaluate(expr, scope)
        if not isinstance(value, bool):
            raise Failure(NotABool(format_value(value)), expr.span)
        return value

    def evaluate_shape(self, expr: ast.Expr, scope: Scope) -> tuple[Dim, ...]:
        """The dimensions of a shape: an integer or a list, whose items may be lists of dimensions."""
        return self.evaluate_written_shape(expr, scope).sizes

    def evaluate_written_shape(self, expr: ast.Expr, scope: Scope) -> WrittenShape:
        """The dimensions of a shape, with the items that they are written in."""
        is_list = isinstance(expr, ast.ListExpr)
        items = expr.items if isinstance(expr, ast.ListExpr) else (expr,)
        values = [self.evaluate(item, scope) for item in items]
        lists = [value if isinstance(value, tuple) else (value,) for value in values]
        parts = [(part, item) for value, item in zip(lists, items, strict=True) for part in value]
        sizes = tuple([require_dimension(part, item.span) for part, item in parts])
        return WrittenShape(sizes, tuple([item for _, item in parts]), not is_list and isinstance(values[0], DimsTuple))

    def look_up(self, name: str, span: Span, scope: Scope) -> Binding:
        """The binding of a name in an expression; dimensions, element types, operators and initializers are visible everywhere."""
        binding = scope.use_binding(name)
        if binding is not None:
            self.session.index.record_name(span, name, binding)
            if isinstance(binding.value, AbsentTensor):
                raise Failure(TensorNotGiven(name), span)
            return binding
        # After the scopes, so that a definition may hide a name of the language.
        predefined = self._find_language_name(name)
        if predefined is not None:
            self.session.index.record_name(span, name, predefined, self.session.declared.get(name))
            return predefined
        if name == "in":
            raise Failure(NoIn(expression=True), span)
        if name in MISSPELLED or scope.may_lack_names():
            raise AlreadyReported
        if name == "training":
            raise Failure(TrainingMisplaced(), span)
        later = scope.find_later(name, span)
        if later is not None:
            raise Failure(UnknownName(name, later=True), span, ((later, "defined here"),))
        candidates = self.session.similar_names(name, [*scope.visible_names(), *self.session.dims]) or self.session.similar_names(
            name, _values_everywhere()
        )
        hint = "declare the dimension in the shape of an `input`" if name.isupper() and not candidates else ""
        if re.fullmatch(r"[A-Z]+(x([0-9]+|[A-Z]+))+", name):
            scope.incomplete = True  # it would have declared them
            listed = f"[{', '.join(name.split('x'))}]"
            raise Failure(
                UnknownName(name, (), f"a shape that begins with a name is a list: `{listed}`"), span, edits=(Edit(span, listed),)
            )
        raise Failure(UnknownName(name, candidates, hint), span)

    def _find_language_name(self, name: str) -> Binding | None:
        if name in self.session.dims:
            return Binding(self.session.dims[name], None)
        if name in DTYPES:
            return Binding(DTYPES[name], None)
        if name in CONSTANTS:
            return Binding(CONSTANTS[name], None)
        if name in Operator.registry:
            return Binding(OperatorRef(name), None)
        if name in INIT.words:
            return Binding(INIT.convert_value(name), None)
        return None

    def require_constant(self, binding: Binding, name: str, span: Span) -> Const | OperatorRef | StageClosure | BlockDef:
        """The value of a binding that must be usable at compile time; operators, blocks and stages with arguments are."""
        value = self._functions.value_of(binding)
        if isinstance(value, CONST_TYPES):
            return value
        marks = ((binding.span, "defined here"),) if binding.span else ()
        match value:
            case Unknown():
                raise AlreadyReported
            case Value() | TensorTuple():
                raise Failure(TensorAsValue(name), span, marks)
            case OperatorRef() | StageClosure() | BlockDef():
                return value
            case _:
                raise Failure(NotAConstant(name, describe_kind(value)), span, marks)

    def _evaluate_attribute(self, expr: ast.Attribute, scope: Scope) -> Any:
        name = expr.value
        if not isinstance(name, ast.Name):
            value = self.evaluate(name, scope)
            raise Failure(NotATensor(format_value(value), "`.shape`, `.channels` and so on are attributes of a tensor"), name.span)
        binding = self.look_up(name.name, name.span, scope)
        value = binding.value
        # `x.shape` of an operator with extra results is about the main one.
        if isinstance(value, TensorTuple) and (value.extras is not None or len(value.values) == 1):
            value = value.values[0]
        if isinstance(value, Unknown):
            raise AlreadyReported
        if not isinstance(value, Value):
            marks = ((binding.span, f"`{name.name}` is defined here"),) if binding.span is not None else ()
            description = format_value(value) if isinstance(value, CONST_TYPES) else f"the {describe_kind(value)} `{name.name}`"
            raise Failure(NotATensor(description, f"`.{expr.name}` is an attribute of a tensor"), name.span, marks)
        return attribute_of(value.type, expr)

    def _evaluate_index(self, expr: ast.IndexExpr, scope: Scope) -> Any:
        value = self.evaluate(expr.value, scope)
        index = self.evaluate(expr.index, scope)
        if not isinstance(value, (tuple, str)):
            raise Failure(BadOperand("[ ]", format_value(value)), expr.span)
        # Which item a list has at an index is no formula of the index.
        self.session.decisions.pin_value(index)
        if isinstance(index, tuple) and isinstance(value, tuple):
            return tuple(_select_item(value, i, expr) for i in index)
        return _select_item(value, index, expr)

    def _evaluate_unary(self, expr: ast.Unary, scope: Scope) -> Any:
        if expr.op == "not":
            return not self.evaluate_boolean(expr.operand, scope)
        value = self.evaluate(expr.operand, scope)
        return negate_value(value, expr.span) if expr.op == "-" else value

    def _evaluate_binary(self, expr: ast.Binary, scope: Scope) -> Any:
        """`a + b + c ...`: a loop rather than recursion, so that the length of a chain is not limited."""
        chain = [expr]
        while isinstance(chain[-1].left, ast.Binary):
            chain.append(chain[-1].left)
        value = self.evaluate(chain[-1].left, scope)
        for node in reversed(chain):
            if node.op not in ("and", "or"):
                value = evaluate_binary(node, value, self.evaluate(node.right, scope), scope, self.session)
                continue
            if not isinstance(value, bool):
                # The right side may be skipped, so the left one is checked alone.
                raise Failure(NotABool(format_value(value)), node.left.span)
            if value == (node.op == "and"):
                value = self.evaluate_boolean(node.right, scope)
        return value

    def _evaluate_range(self, expr: ast.Range, scope: Scope) -> tuple[int, ...]:
        bounds = [self.evaluate(e, scope) for e in (expr.start, expr.stop)]
        for bound, part in zip(bounds, (expr.start, expr.stop), strict=True):
            if isinstance(bound, bool) or not isinstance(bound, int):
                raise Failure(NotANumber("an end of a range", "an integer", format_value(bound)), part.span)
        self.session.decisions.pin_value(tuple(bounds))
        start, stop = bounds
        if stop - start > MAX_NODES:
            raise Failure(TooManyNodes(stop - start, MAX_NODES, "list", "items"), expr.span)
        self.session.count_items(max(stop - start, 0), expr.span)
        return tuple(range(start, stop))


class WrittenShape(Record):
    """A shape: its sizes, the item of the text that each is from, and whether it is a dims literal or a name for one."""

    sizes: tuple[Dim, ...]
    items: tuple[ast.Expr, ...]
    is_dims: bool


def require_dimension(value: Any, span: Span) -> Dim:
    """The value, if it is an integer or a dimension."""
    if isinstance(value, bool) or not isinstance(value, (int, SymDim)):
        raise Failure(NotANumber("each part of a shape", "an integer or a dimension", format_value(value)), span)
    return value


_FOREIGN_ATTRIBUTES = {"ndim": "rank", "dim": "rank", "size": "shape"}
"""Attributes of tensors in PyTorch and NumPy, with their names here."""


def _stage_for(type_: TensorType, expr: ast.Attribute) -> str:
    """Return the help for an attribute that tensors have in other libraries, or that is an operator here."""
    owner, name = expr.value.span.text, expr.name
    if name in ("T", "mT", "H", "mH") and type_.rank > 1:
        return f"transpose it with a stage: `({owner} -> transpose {type_.rank - 2} {type_.rank - 1})`"
    if name in Operator.registry:
        return f"write the stage after an arrow: `{owner} -> {name}`"
    return f"write `{owner}.{_FOREIGN_ATTRIBUTES[name]}`" if name in _FOREIGN_ATTRIBUTES else ""


def attribute_of(type_: TensorType, expr: ast.Attribute) -> Any:
    attributes: dict[str, Callable[[], Any]] = {
        "shape": lambda: type_.shape,
        "rank": lambda: type_.rank,
        "channels": lambda: type_.shape[1],
        "features": lambda: type_.shape[-1],
        "dtype": lambda: type_.dtype,
    }
    if expr.name not in attributes:
        hint = _stage_for(type_, expr)
        raise Failure(NoAttribute(expr.name, tuple(find_similar_names(expr.name, list(attributes))), tuple(attributes), hint), expr.span)
    try:
        return attributes[expr.name]()
    except IndexError:
        which = "axis 1" if expr.name == "channels" else "the last axis"
        raise Failure(NoSuchAxis(expr.name, which, show_shape(type_.shape)), expr.span) from None


def _select_item(value: tuple[Any, ...] | str, index: Any, expr: ast.IndexExpr) -> Any:
    if isinstance(index, bool) or not isinstance(index, int):
        wanted = "an integer" if isinstance(value, str) else "an integer, or a list of integers"
        raise Failure(NotANumber("an index", wanted, format_value(index)), expr.index.span)
    try:
        return value[index]
    except IndexError:
        marks = ((expr.value.span, f"this is {format_value(value)}"),)
        raise Failure(BadListIndex(index, len(value)), expr.index.span, marks) from None
