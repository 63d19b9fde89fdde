"""Tensors without an input: `param [3, 4] as w` is learned, `table (i) [8] = i` computed, and `table ... file="x.safetensors"` read.

>>> import netc
>>> model = netc.compile("x = input 3; scale = param [3] init=ones as scale; index = table (i) [3] = i; x * scale + index")
>>> list(model.parameters), [node.op.name for node in model.program.main.nodes]
(['scale'], ['param', 'table', 'mul', 'add'])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import replace
from netc.dsl.source import Span

from ...errors.argument_errors import ArgumentTwice, MissingArgument, UnknownArgument, WithoutEffect
from ...errors.constants import NoStoredTable, StoredTableDiffers
from ...errors.file_errors import CannotUse
from ...errors.problem import Location
from ...ir.graph import OpNode
from ...ops.constants import ParamOperator, TableOperator
from ...ops.formula import make_stored_formula
from ...ops.kinds import STRING, Kind
from ...ops.operator import Operator
from ...ops.stored_tables import TableArray
from ...types.tensor_types import FLOAT32, TensorType
from ...types.traced_ints import strip_formulas
from ..elaboration_session import ArrayNotFound, CannotLoad
from ..scopes.compile_time_values import Flow
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope, check_distinct
from ..scopes.ties import PendingNorms, tie_path
from .compile_time_expressions import Expressions
from .evaluator_protocol import EvaluatorPart, Interpreter
from .index_formulas import table_formula
from .input_statements import dtype_of
from .nodes import NodeText, add_operator
from .stage_arguments import ArgumentBinder
from .stage_labels import StageLabels

_NORMS = "norms_of"
_KEYWORDS = ("init", "trainable", _NORMS)
_FROM_FILE: Mapping[str, Kind[Any]] = {"file": STRING, "name": STRING}
_EXAMPLE = 'table [49, 49] int64 file="x.safetensors" name="index"'


class TensorConstants(EvaluatorPart):
    def __init__(self, interpreter: Interpreter, expressions: Expressions, arguments: ArgumentBinder, labels: StageLabels) -> None:
        super().__init__(interpreter)
        self._expressions, self._arguments, self._labels = expressions, arguments, labels

    def make_param(self, node: ast.ParamDecl, scope: Scope) -> Flow:
        """A learned tensor, or a buffer, under its label."""
        args: dict[str, Any] = {
            "shape": self._expressions.evaluate_shape(node.shape, scope),
            "dtype": dtype_of(node.dtype, scope, self._expressions),
        }
        kinds = {name: ParamOperator.signature[name].kind for name in _KEYWORDS}
        arguments = self._convert_keywords("param", kinds, map(_path_as_string, node.keywords), scope)
        args |= {name: value for name, (value, _) in arguments.items()}
        spans = {"shape": node.shape.span, **{name: span for name, (_, span) in arguments.items()}}
        result = self._add_constant(ParamOperator(**args), node, spans, scope)
        if _NORMS in arguments and scope.frame is not None:
            _check_alone(node)
            (added,) = [n for n in scope.frame.graph.nodes[-1:] if isinstance(n, OpNode)]
            scope.frame.ties.append(PendingNorms(added, *arguments[_NORMS]))
        return result

    def make_table(self, node: ast.TableDecl, scope: Scope) -> Flow:
        """Make a tensor that is computed from its indices. Without a written type, real numbers are float32 until they meet a tensor of the
        model; in a model of a wider type, they have that type."""
        check_distinct(node.indices)
        formula = table_formula(node, scope, self.interpreter)
        args: dict[str, Any] = {
            "indices": tuple(n.name for n in node.indices),
            "shape": self._expressions.evaluate_shape(node.shape, scope),
            "formula": formula,
            "dtype": dtype_of(node.dtype, scope, self._expressions) if node.dtype is not None else None,
            "labeled": node.label is not None,
        }
        return self._add_constant(self._make_table_operator(args), node, {"shape": node.shape.span, "formula": node.formula.span}, scope)

    def make_stored_table(self, node: ast.StoredTableDecl, scope: Scope) -> Flow:
        """Make a tensor from a file. Its type and shape must be as written."""
        arguments = self._convert_keywords("table", _FROM_FILE, node.keywords, scope)
        for keyword in _FROM_FILE:
            if keyword not in arguments:
                raise Failure(MissingArgument("table", keyword, "a string", _EXAMPLE), node.span)
        shape = self._expressions.evaluate_shape(node.shape, scope)
        dtype = FLOAT32 if node.dtype is None else dtype_of(node.dtype, scope, self._expressions)
        array = self._read_array(*arguments["file"], *arguments["name"])
        # The numbers in the file have one size, which a parameter cannot change.
        for size in shape:
            self.session.decisions.pin_value(size)
        if array.shape != strip_formulas(shape) or array.dtype != dtype:
            wanted, actual = TensorType(dtype, shape), TensorType(array.dtype, array.shape)
            raise Failure(StoredTableDiffers(array.name, array.path, wanted, actual), node.shape.span)
        args: dict[str, Any] = {
            "indices": tuple(f"i{axis}" for axis in range(len(array.shape))),
            "shape": array.shape,
            "formula": make_stored_formula(array),
            "dtype": None if node.dtype is None else dtype,
            "labeled": node.label is not None,
        }
        return self._add_constant(self._make_table_operator(args), node, {"shape": node.shape.span}, scope)

    def _make_table_operator(self, args: dict[str, Any]) -> TableOperator:
        """Make a table. Real numbers without a type get the type of a wider model."""
        op, model = TableOperator(**args), self.session.dtype
        wider = op.dtype is None and model.size > FLOAT32.size and not op.find_shape_error()
        return TableOperator(**{**args, "dtype": model}) if wider and op.element_type.is_float else op

    def _read_array(self, path: str, path_span: Span, name: str, name_span: Span) -> TableArray:
        session = self.session
        if session.body_recorder is not None:
            # The file may change without the text, so a cached body would have old numbers.
            session.body_recorder.mark_transient()
        try:
            if session.arrays is None:
                raise CannotLoad("there are no files to be read here")
            return session.arrays(path, name, path_span.file)
        except ArrayNotFound as problem:
            raise Failure(NoStoredTable(name, path, problem.near), name_span) from None
        except CannotLoad as problem:
            raise Failure(CannotUse(path, problem.why, problem.near, problem.remedy), path_span) from None

    def _convert_keywords(
        self, owner: str, kinds: Mapping[str, Kind[Any]], keywords: Iterable[ast.Keyword], scope: Scope
    ) -> dict[str, tuple[Any, Span]]:
        """The values of keyword arguments, and where they are."""
        arguments: dict[str, tuple[Any, Span]] = {}
        for keyword in keywords:
            name = keyword.name
            if name not in kinds:
                raise Failure(UnknownArgument(owner, name, tuple(find_similar_names(name, list(kinds))), tuple(kinds)), keyword.name_span)
            if name in arguments:
                raise Failure(ArgumentTwice(owner, name), keyword.span, ((arguments[name][1], "first here"),))
            arguments[name] = self._arguments.convert_argument(owner, name, kinds[name], keyword.value, scope), keyword.value.span
            self.session.index.record_name(keyword.name_span, name, None, None, "argument")
        return arguments

    def _add_constant(
        self, op: Operator, node: ast.ParamDecl | ast.TableDecl | ast.StoredTableDecl, spans: dict[str, Span], scope: Scope
    ) -> Flow:
        assert scope.frame is not None
        label = self._labels.name_stage(node.label, op.name, node.span, scope)

        def locate(place: Location) -> Span:
            return spans.get(place.name, node.span) if place.kind == "argument" else node.span

        return add_operator(op, [], scope.frame, self.session, NodeText(node.span, label, locate))


def _path_as_string(keyword: ast.Keyword) -> ast.Keyword:
    """A label that is written without quotes, as text."""
    if keyword.name != _NORMS or not isinstance(keyword.value, (ast.Name, ast.Attribute)):
        return keyword
    return replace(keyword, value=ast.String(keyword.value.span, tie_path(keyword.value)))


def _check_alone(node: ast.ParamDecl) -> None:
    """Rejects an initializer of a parameter that starts from another one."""
    for keyword in node.keywords:
        if keyword.name == "init":
            problem = WithoutEffect("init", "the norms of another parameter are its first values", keyword.span.text)
            # The edit also removes the space in front of the keyword.
            before = max(span.end for span in (node.shape.span, *(k.span for k in node.keywords)) if span.end <= keyword.span.start)
            raise Failure(problem, keyword.span, edits=(Edit(Span(keyword.span.file, before, keyword.span.end), "", safe=True),))
