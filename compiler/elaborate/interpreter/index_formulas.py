"""The formula of a `table`: an expression over the table's indices.

`table_formula` takes the declaration and its scope, and returns a `Formula`. What does not depend on an index is evaluated as any other
expression.

    >>> import netc
    >>> main = netc.compile("x = input [2, 2]; t = table (i, j) [2, 2] = 1 if i == j else 2 * i; x + t").program.main
    >>> choice = main.nodes[0].op.formula
    >>> choice.function, choice.arguments[0]
    ('where', BinaryFormula(op='==', left=IndexFormula(number=0), right=IndexFormula(number=1)))
"""

from __future__ import annotations

from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.tree_walk import find_names

from ...dims import SymDim
from ...errors.binding_errors import UnknownName
from ...errors.constants import ItemIndexCount, UnevenList
from ...errors.value_errors import BadOperand, NotANumber, NoValue
from ...ops import formula as f
from ..builtins import BUILTINS, NONFINITE_CONSTANTS, check_count
from ..resource_limits import check_number
from ..scopes.compile_time_values import UNKNOWN
from ..scopes.early_exits import Failure
from ..scopes.scope import Binding, FnDef, Scope
from ..scopes.value_text import format_value
from .block_arguments import function_arguments
from .compile_time_functions import check_call, trace_call
from .evaluator_protocol import EvaluatorPart, Interpreter

MAX_PARTS = 10_000
"""The most parts of a formula after its functions have been inlined."""


def table_formula(node: ast.TableDecl, scope: Scope, interpreter: Interpreter) -> f.Formula:
    """The formula of a table in terms of its indices."""
    reader = _FormulaReader(interpreter, Scope(scope, scope.frame))
    for axis, name in enumerate(node.indices):
        reader.define_name(name, f.IndexFormula(axis))
    return reader.read_formula(node.formula)


_NO_NUMBERS = ("in", "@")
"""Operators that are not for the elements of a table."""


def _is_of_numbers(expr: ast.Binary) -> bool:
    """Whether it is an operation on elements. `kind == "causal"` is none: it is decided at compile time, as `kind in kinds` is."""
    return expr.op not in _NO_NUMBERS and not any(isinstance(side, ast.String | ast.TemplateString) for side in (expr.left, expr.right))


class _FormulaReader(EvaluatorPart):
    """Reads the expressions of one body: the table's, or the body of a function that it calls."""

    def __init__(self, interpreter: Interpreter, scope: Scope) -> None:
        super().__init__(interpreter)
        self._scope = scope
        self._names: dict[str, tuple[f.Formula, Binding]] = {}
        """The names that are formulas: the indices, or within a function its parameters."""

    def define_name(self, name: ast.Name, formula: f.Formula) -> None:
        binding = Binding(UNKNOWN, name.span)
        self._names[name.name] = (formula, binding)
        self.session.index.record_binding(name, binding)

    def read_formula(self, expr: ast.Expr) -> f.Formula:
        match expr:
            case ast.Name(name=name) if name in self._names:
                formula, binding = self._names[name]
                self.session.index.record_name(expr.span, name, binding)
                return formula
            case ast.Name(name=name) if name in NONFINITE_CONSTANTS and self._scope.find_binding(name) is None:
                return f.Const(NONFINITE_CONSTANTS[name], name)
            case ast.Unary(op="-", operand=ast.NumberLiteral()):
                return self._read_constant(expr)  # the least integer of int64, whose positive counterpart is none
            case ast.Unary(op=op, operand=operand):
                return f.UnaryFormula(op, self.read_formula(operand))
            case ast.Binary() if _is_of_numbers(expr):
                return self._read_binary(expr)
            case ast.Conditional(test=test, then=then, otherwise=otherwise):
                return f.CallFormula("where", (self.read_formula(test), self.read_formula(then), self.read_formula(otherwise)))
            case ast.Call():
                return self._read_call(expr)
            case ast.IndexExpr() if self._depends_on_index(expr):
                return self._read_item(expr)
        return self._read_constant(expr)

    def _read_constant(self, expr: ast.Expr) -> f.Formula:
        """Evaluate an expression that does not depend on an index to a number."""
        depends = self._depends_on_index(expr)
        value = None if depends else self.interpreter.evaluate(expr, self._scope)
        if not isinstance(value, (int, float, SymDim)):
            description = f"`{expr.span.text}`" if depends else format_value(value)
            functions = ", ".join(sorted(f"`{name}`" for name in (*f.FUNCTIONS, "ceil")))
            of_call = isinstance(expr, ast.Call)
            needed = f"made of numbers, indices, arithmetic and {functions if of_call else 'functions such as `sin`'}"
            raise Failure(NotANumber("the formula of a table", needed, description), expr.span)
        check_number(value, expr.span)
        return f.Const(value, expr.name if isinstance(expr, ast.Name) else "")

    def _read_item(self, expr: ast.IndexExpr) -> f.Formula:
        """`list[i][j]`: the list is evaluated, its indices are formulas."""
        indexed, indices = self._split_indices(expr)
        listed = self._read_list(self.interpreter.evaluate(indexed, self._scope), indexed)
        sizes = f.list_shape(listed)
        if sizes is None:
            raise Failure(UnevenList(), indexed.span)
        if len(sizes) != len(indices):
            raise Failure(ItemIndexCount(len(indices), sizes), expr.span)
        return f.ItemFormula(listed, tuple(self.read_formula(index) for index in indices))

    def _split_indices(self, expr: ast.IndexExpr) -> tuple[ast.Expr, list[ast.Expr]]:
        """Split `list[i][j]` into the part that does not depend on an index of the table, and the indices."""
        indices: list[ast.Expr] = []
        indexed: ast.Expr = expr
        while isinstance(indexed, ast.IndexExpr) and self._depends_on_index(indexed):
            indices.insert(0, indexed.index)
            indexed = indexed.value
        if self._depends_on_index(indexed):
            # What is indexed depends on an index itself, such as `i[0]`: this reports that it is no list.
            self._read_constant(indexed)
        return indexed, indices

    def _read_list(self, value: Any, expr: ast.Expr) -> f.ListFormula:
        if not isinstance(value, tuple):
            raise Failure(BadOperand("[ ]", format_value(value)), expr.span)
        return f.ListFormula(
            tuple(self._read_list(item, expr) if isinstance(item, tuple) else self._read_list_item(item, expr) for item in value)
        )

    def _read_list_item(self, value: Any, expr: ast.Expr) -> f.Const:
        if not isinstance(value, (int, float)):
            raise Failure(
                NotANumber("an item of a list in the formula of a table", "a number that is known", format_value(value)), expr.span
            )
        check_number(value, expr.span)
        return f.Const(value)

    def _depends_on_index(self, *exprs: ast.Expr) -> bool:
        return any(name in self._names for name in find_names(exprs))

    def _read_binary(self, expr: ast.Binary) -> f.Formula:
        chain = [expr]
        while isinstance(chain[-1].left, ast.Binary) and _is_of_numbers(chain[-1].left):
            chain.append(chain[-1].left)
        formula = self.read_formula(chain[-1].left)
        for step in reversed(chain):
            formula = f.BinaryFormula(step.op, formula, self.read_formula(step.right))
        return formula

    def _read_call(self, expr: ast.Call) -> f.Formula:
        name = expr.function.name
        function = f.FUNCTIONS.get(name)
        binding_and_scope = self._scope.find_binding(name)
        if (
            binding_and_scope is not None
            and isinstance(binding_and_scope[0].value, FnDef)
            and self._depends_on_index(*expr.arguments, *(k.value for k in expr.keywords))
        ):
            self._scope.use_binding(name)
            self.session.index.record_name(expr.function.span, name, binding_and_scope[0])
            return self._inline_function(expr, binding_and_scope[0].value)
        if name == "ceil" and binding_and_scope is None and self._depends_on_index(*expr.arguments):
            check_count(name, 1, 1, expr)
            self.session.index.record_name(expr.function.span, name, None, None, "function")
            # Formulas have `floor` only: ceil(x) is -floor(-x).
            return f.UnaryFormula("-", f.CallFormula("floor", (f.UnaryFormula("-", self.read_formula(expr.arguments[0])),)))
        if function is None or binding_and_scope is not None:
            if binding_and_scope is None and name not in BUILTINS:
                raise Failure(UnknownName(name, tuple(find_similar_names(name, [*f.FUNCTIONS, *BUILTINS]))), expr.function.span)
            return self._read_constant(expr)
        check_count(name, function.least, function.most, expr)
        self.session.index.record_name(expr.function.span, name, None, None, "function")
        return f.CallFormula(name, tuple([self.read_formula(a) for a in expr.arguments]))

    def _inline_function(self, expr: ast.Call, fn: FnDef) -> f.Formula:
        """The body of a `fn` with formulas in place of its parameters."""
        check_call(fn, expr, self.session)
        inner = _FormulaReader(self.interpreter, Scope(fn.scope, fn.scope.frame))
        arguments = function_arguments(fn, expr)
        values: list[Any] = [None if argument is None else self.read_formula(argument) for _, argument, _ in arguments]
        with trace_call(fn, expr, self.session):
            for (parameter, _, default), value in zip(arguments, values, strict=True):
                inner.define_name(parameter.name, inner.read_formula(default) if value is None else value)
            formula = inner.read_formula(fn.node.body)
        # Counted only up to the limit: a formula that is inlined ten times in itself would be too large to walk.
        if any(count == MAX_PARTS for count, _ in enumerate(f.iterate_parts(formula))):
            raise Failure(NoValue(fn.node.name.name, f"the formula would have more than {MAX_PARTS} parts"), expr.span)
        return formula
