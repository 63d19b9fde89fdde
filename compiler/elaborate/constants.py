"""`param` and `table`: tensors that come from nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics.suggest import near
from netc.dsl.source import Span

from ..dims import SymDim
from ..errors.base import Location
from ..errors.names import ArgumentTwice, UnknownArgument, UnknownName, WrongArgument
from ..errors.values import NotANumber, NoValue
from ..ops import formula as f
from ..ops.base import Init, Operator
from ..ops.constants import INIT, Parameter, Table
from ..ops.kinds import InvalidArgument
from .arguments import flag, fn_arguments
from .builtins import BUILTINS, check_count, no_names
from .evaluate import calling, check_call, evaluate, evaluate_shape
from .inputs import dtype_of
from .limits import check_number
from .operators import add_operator, stage_label
from .scope import Scope, distinct
from .session import Session
from .unused import mentions
from .values import Failure, Flow, FnDef, show_value

Spans = dict[str, Span]
LARGEST = 10_000
"""So many parts may a formula have once its functions have been written out."""


def make_param(node: ast.Param, scope: Scope, session: Session) -> Flow:
    """A learned tensor, or a buffer, under its label."""
    args: dict[str, Any] = {"shape": evaluate_shape(node.shape, scope, session), "dtype": dtype_of(node.dtype)}
    spans: Spans = {"shape": node.shape.span}
    known = ("init", "trainable")
    for keyword in node.keywords:
        if keyword.name not in known:
            raise Failure(UnknownArgument("param", keyword.name, tuple(near(keyword.name, list(known))), known), keyword.name_span)
        if keyword.name in args:
            raise Failure(ArgumentTwice("param", keyword.name), keyword.span, ((spans[keyword.name], "first here"),))
        if keyword.name == "init":
            args["init"] = _init(keyword.value, scope, session)
        else:
            args[keyword.name] = flag("param", keyword, scope, session)
        spans[keyword.name] = keyword.value.span
    return _place(Parameter(**args), node, spans, scope, session)


def _init(expr: ast.Expr, scope: Scope, session: Session) -> Init:
    if isinstance(expr, ast.Name) and expr.name in INIT.words and scope.find(expr.name) is None:
        value: Any = expr.name
    elif isinstance(expr, ast.Call) and scope.find(expr.function.name) is None and expr.function.name in INIT.words:
        if expr.keywords:
            raise no_names(expr)
        value = Init(expr.function.name, tuple(evaluate(a, scope, session) for a in expr.arguments))
    elif isinstance(expr, ast.Name) and scope.find(expr.name) is None and expr.name not in session.dims:
        close = near(expr.name, list(INIT.words))
        hint = "did you mean " + " or ".join(f"`{n}`" for n in close) + "?" if close else ""
        raise Failure(WrongArgument("param", "init", INIT.describe(), f"`{expr.name}`", hint), expr.span)
    else:
        value = evaluate(expr, scope, session)
    try:
        return INIT.convert(value)
    except InvalidArgument:
        raise Failure(WrongArgument("param", "init", INIT.describe(), f"`{expr.span.text}`"), expr.span) from None


def make_table(node: ast.Table, scope: Scope, session: Session) -> Flow:
    """A tensor computed from its indices."""
    distinct(node.indices)
    names = tuple(n.name for n in node.indices)
    inner = Scope(scope, scope.frame)
    formula = _Formulas({n: f.IndexFormula(i) for i, n in enumerate(names)}, inner, session).read(node.formula)
    args: dict[str, Any] = {
        "indices": names,
        "shape": evaluate_shape(node.shape, scope, session),
        "formula": formula,
        "dtype": dtype_of(node.dtype) if node.dtype is not None else None,
        "labelled": node.label is not None,
    }
    return _place(Table(**args), node, {"shape": node.shape.span, "formula": node.formula.span}, scope, session)


def _place(op: Operator, node: ast.Param | ast.Table, spans: Spans, scope: Scope, session: Session) -> Flow:
    assert scope.frame is not None
    label = stage_label(node.label, op.name, node.span, scope, session)

    def locate(place: Location) -> Span:
        return spans.get(place.name, node.span) if place.kind == "argument" else node.span

    return add_operator(op, [], scope.frame, session, span=node.span, label=label, locate=locate)


class _Formulas:
    """Expressions over the indices of a table as formulas; what does not look at an index is worked out as any other expression.

    `given` are the names that stand for formulas: the indices, or within a `fn` its parameters.
    """

    def __init__(self, given: dict[str, f.Formula], scope: Scope, session: Session) -> None:
        self.given, self.scope, self.session = given, scope, session

    def read(self, expr: ast.Expr) -> f.Formula:
        """The formula that an expression is."""
        rules: dict[type[ast.Expr], Callable[[Any], f.Formula]] = {
            ast.Name: self._name,
            ast.Unary: lambda e: f.UnaryFormula(e.op, self.read(e.operand)),
            ast.Binary: self._binary,
            ast.Conditional: lambda e: f.CallFormula("where", (self.read(e.test), self.read(e.then), self.read(e.otherwise))),
            ast.Call: self._call,
        }
        return rules.get(type(expr), self._constant)(expr)

    def _constant(self, expr: ast.Expr) -> f.Formula:
        """What does not look at an index: a number."""
        looks = self._looks(expr)
        value = None if looks else evaluate(expr, self.scope, self.session)
        if not isinstance(value, (int, float, SymDim)):
            found = f"`{expr.span.text}`" if looks else show_value(value)
            needed = "made of numbers, indices, arithmetic and functions such as `sin`"
            raise Failure(NotANumber("the formula of a table", needed, found), expr.span)
        check_number(value, expr.span)
        return f.Const(value, expr.name if isinstance(expr, ast.Name) else "")

    def _name(self, expr: ast.Name) -> f.Formula:
        return self.given[expr.name] if expr.name in self.given else self._constant(expr)

    def _looks(self, *exprs: ast.Expr) -> bool:
        return any(name in self.given for name in mentions(exprs))

    def _binary(self, expr: ast.Binary) -> f.Formula:
        if expr.op == "in":
            return self._constant(expr)
        spine = [expr]
        while isinstance(spine[-1].left, ast.Binary) and spine[-1].left.op != "in":
            spine.append(spine[-1].left)
        made = self.read(spine[-1].left)
        for step in reversed(spine):
            made = f.BinaryFormula(step.op, made, self.read(step.right))
        return made

    def _call(self, expr: ast.Call) -> f.Formula:
        name = expr.function.name
        function = f.FUNCTIONS.get(name)
        found = self.scope.find(name)
        if found is not None and isinstance(found[0].value, FnDef) and self._looks(*expr.arguments, *(k.value for k in expr.keywords)):
            self.scope.use(name)
            return self._inline(expr, found[0].value)
        if function is None or found is not None:
            if found is None and name not in BUILTINS:
                raise Failure(UnknownName(name, tuple(near(name, [*f.FUNCTIONS, *BUILTINS]))), expr.function.span)
            return self._constant(expr)
        check_count(name, function.least, function.most, expr)
        return f.CallFormula(name, tuple(self.read(a) for a in expr.arguments))

    def _inline(self, expr: ast.Call, fn: FnDef) -> f.Formula:
        """The body of a `fn` with formulas in the place of its parameters."""
        check_call(fn, expr, self.session)
        inner = _Formulas({}, Scope(fn.scope, fn.scope.frame), self.session)
        arguments = fn_arguments(fn, expr)
        values = [None if given is None else self.read(given) for _, given, _ in arguments]
        with calling(fn, expr, self.session):
            for (parameter, _, default), value in zip(arguments, values, strict=True):
                inner.given[parameter.name.name] = inner.read(default) if value is None else value
            made = inner.read(fn.node.body)
        if any(count == LARGEST for count, _ in enumerate(f.parts(made))):
            raise Failure(NoValue(fn.node.name.name, f"the formula would have more than {LARGEST} parts"), expr.span)
        return made
