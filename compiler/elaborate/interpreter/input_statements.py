"""`input`: a tensor that the caller of the model passes.

>>> import netc
>>> netc.compile("ids = input T int64 where T <= 8; bias = input [4] batch=false; out ids, bias").inputs
{'ids': TensorType(int64 [N, T]), 'bias': TensorType([4])}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.diagnostics.suggest import find_similar_names

from ...dims import bounds
from ...errors.argument_errors import ArgumentTwice, UnknownArgument, UnknownType
from ...errors.binding_errors import UnknownName
from ...errors.habit_errors import BatchAxisWritten, BatchSizeUnknown
from ...errors.structure_errors import InputMisplaced
from ...errors.value_errors import NonPositive, NotANumber
from ...ir.graph_values import TupleSlice, Value, ValueTuple
from ...ops.kinds import DTYPE
from ...types.tensor_types import BATCH, DTYPES, UNNAMED_INPUT, DType, TensorType, show_shape
from ..resource_limits import check_tensor, check_tuple
from ..scopes.body_tensors import name_tensor
from ..scopes.compile_time_values import Flow, TensorTuple
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope
from ..scopes.value_text import format_value
from .argument_hints import similar_words
from .compile_time_expressions import Expressions, WrittenShape
from .evaluator_protocol import EvaluatorPart, Interpreter
from .model_element_types import is_weak_type
from .stage_arguments import ArgumentBinder

_OPEN_BATCH = ("None", "-1", "batch", "batch_size", "bs")
"""Words of Keras, PyTorch and published models for a batch of any size."""
_BATCHES = (BATCH, "B", "BS", "BATCH", "BATCH_SIZE")
"""Common names for the dimension of the batch."""

_OF_TYPES = "write the type without a name after the shape, as in `input 3 int64`"
_KEYWORDS = {"dtype": _OF_TYPES, "type": _OF_TYPES, "name": "a name comes first: `NAME = input ...`"}
"""Arguments of other libraries, and what to write."""


class InputDeclarations(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, expressions: Expressions, arguments: ArgumentBinder) -> None:
        super().__init__(interpreter)
        self._expressions, self._arguments = expressions, arguments
        self._used_names: set[str] = set()
        self._unnamed = 0

    def _free_name(self) -> str:
        """A name that no input has yet: `input`, `input2`, ..."""
        while True:
            self._unnamed += 1
            name = UNNAMED_INPUT if self._unnamed == 1 else f"{UNNAMED_INPUT}{self._unnamed}"
            if name not in self._used_names:
                return name

    def make_input(self, node: ast.InputDecl, name: str, scope: Scope) -> Flow:
        """Adds an input to the model's graph. `name` is empty if the text gives it none."""
        frame = scope.frame
        given = self.session.find_stage_input(node, frame)
        if given is not None:
            if isinstance(given, Value) and name:
                name_tensor(name, given)
            return given
        # A block or loop may run several times, and the model would then have an input for each of them.
        if frame is None or frame.graph.kind != "model" or frame.inline_depth:
            raise Failure(InputMisplaced(), node.span)
        if node.each is not None:
            return self._make_list(node, node.each, name, scope)
        value = self._make_tensor(node, name or self._free_name(), scope)
        self._used_names.add(value.name)
        frame.graph.inputs.append(value)
        return value

    def _make_list(self, node: ast.InputDecl, each: ast.ForClause, name: str, scope: Scope) -> Flow:
        """An input for each item of a list, together a list of tensors."""
        assert scope.frame is not None
        graph = scope.frame.graph
        name = name or self._free_name()
        self._used_names.add(name)
        values = [self._make_tensor(node, f"{name}.{i}", inner) for i, inner in enumerate(self._expressions.item_scopes(each, scope))]
        check_tuple(tuple(values), node.span)
        value_tuple = ValueTuple(name, tuple(values), len(graph.inputs), listed=True)
        graph.tuples.append(value_tuple)
        graph.inputs += values
        return TensorTuple((TupleSlice(value_tuple),))

    def item_scopes(self, each: ast.ForClause, scope: Scope) -> Iterator[Scope]:
        """A scope for each tensor of a list of inputs."""
        return self._expressions.item_scopes(each, scope)

    def declare_type(self, node: ast.InputDecl, scope: Scope) -> TensorType:
        """The type that an input declares."""
        shape = self._expressions.evaluate_shape(node.shape, scope)
        batch = (self.session.dims[BATCH],) if self.is_batched(node, scope) else ()
        return TensorType(dtype_of(node.dtype, scope, self._expressions), (*batch, *shape))

    def _make_tensor(self, node: ast.InputDecl, name: str, scope: Scope) -> Value:
        self.session.count_stage(node.span, ())
        _check_batch(node.shape, scope)
        try:
            written = self._expressions.evaluate_written_shape(node.shape, scope)
        except Failure as failure:
            raise _suggest_dimension(failure) from None
        _check_positive(written)
        shape, items = written.sizes, written.items
        batched = self.is_batched(node, scope)
        first = items[0] if items else None
        # A warning only, because `B` may be any size that the author has in mind.
        has_batch = batched and isinstance(first, ast.Name) and first.name in _BATCHES
        if batched:
            shape = (self.session.dims[BATCH], *shape)
        check_tensor(shape, node.shape.span)
        if has_batch:
            assert isinstance(first, ast.Name)
            self.session.report_problem(BatchAxisWritten(first.name, show_shape(shape), _format_items(items[1:])), node.shape.span)
        type_ = TensorType(dtype_of(node.dtype, scope, self._expressions), shape)
        value = Value(type_, node.span, name, weak=is_weak_type(type_.dtype, self.session))
        if node.dtype is None:
            self.session.untyped.add(name)
        # Only a shape that is written with `x` is an image: `[3, 32, 32]` may as well be a stack of matrices.
        value.spatial = batched and written.is_dims and len(shape) > 3  # `3x224x224` is an image
        return value

    def is_batched(self, node: ast.InputDecl, scope: Scope) -> bool:
        """Whether the first axis of an input is the batch."""
        batched = True
        for index, keyword in enumerate(node.keywords):
            if index and keyword.name == "batch":
                raise Failure(ArgumentTwice("input", "batch"), keyword.span, ((node.keywords[0].span, "first here"),))
            if keyword.name != "batch":
                hint = _KEYWORDS.get(keyword.name, "")
                close = tuple(find_similar_names(keyword.name, ["batch"]))
                raise Failure(UnknownArgument("input", keyword.name, close, ("batch",), hint), keyword.name_span)
            batched = self._arguments.convert_flag("input", keyword, scope)
            self.session.index.record_name(keyword.name_span, keyword.name, None, None, "argument")
        return batched


def _suggest_dimension(failure: Failure) -> Failure:
    """The failure of a name in a shape, `input [seq]`, with the help to write a dimension in capitals."""
    match failure.problem:
        case UnknownName(name=name, near=(), hint="", later=False) if name.isidentifier() and not name.isupper():
            capital = name.upper()
            if capital == name.lower():  # `_` and `_3`, without letters
                problem = UnknownName(name, (), "give a dimension of any size a name in capitals, such as `T`")
                return Failure(problem, failure.span, failure.marks)
            problem = UnknownName(name, (), f"write a dimension of any size in capitals: `{capital}`")
            # `N` is the batch, which an input does not declare.
            edits = () if capital == BATCH else (Edit(failure.span, capital, safe=False),)
            return Failure(problem, failure.span, failure.marks, edits=edits)
    return failure


def _check_batch(shape: ast.Expr, scope: Scope) -> None:
    """Rejects what other libraries write for the size of the batch."""
    if not isinstance(shape, ast.ListExpr) or not shape.items:
        return
    first, *rest = shape.items
    text = first.span.text
    if text in _OPEN_BATCH and scope.find_binding(text) is None:
        raise Failure(BatchSizeUnknown(text, _format_items(rest)), shape.span)


def _format_items(items: Sequence[ast.Expr]) -> str:
    return f"[{', '.join(item.span.text for item in items)}]"


def _check_positive(shape: WrittenShape) -> None:
    for size, item in zip(shape.sizes, shape.items, strict=True):
        high = size if isinstance(size, int) else bounds(size)[1]
        if high is not None and high < 1:
            raise Failure(NonPositive(size), item.span)


def dtype_of(name: ast.Name | None, scope: Scope, expressions: Expressions) -> DType:
    """The element type that a name means, by itself or as a compile-time value; the model's where none is written."""
    if name is None:
        return expressions.session.dtype
    if name.name in DTYPES:
        expressions.session.index.record_name(name.span, name.name, None, None, "type")
        return DTYPES[name.name]
    if scope.find_binding(name.name) is None:
        raise Failure(UnknownType(name.name, tuple(similar_words(DTYPE, name.name)), tuple(DTYPES)), name.span)
    value = expressions.evaluate(name, scope)
    if not isinstance(value, DType):
        raise Failure(NotANumber(f"`{name.name}`", "an element type such as `float16` here", format_value(value)), name.span)
    return value
