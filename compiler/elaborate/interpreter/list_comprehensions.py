"""Values made of other values: lists of `[... for i in ...]`, the items that `let (a, b) = ...` names, and strings with values in them.

>>> import netc
>>> list(netc.compile("let (a, b) = [4 * n for n in 1..5 if n % 2 == 0]; input 3 -> dense b bias=false as fc{a}").parameters)
['fc8.weight']
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from netc.dsl import ast

from ...errors.limit_errors import TooManyNodes
from ...errors.value_errors import NotABool, NotANumber
from ..resource_limits import MAX_NODES, check_list, check_string
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope, check_distinct, trace_of
from ..scopes.value_text import format_value
from .evaluator_protocol import EvaluatorPart, Interpreter
from .unpacking import unpack_pattern


class Comprehensions(EvaluatorPart):
    def __init__(self, interpreter: Interpreter) -> None:
        super().__init__(interpreter)
        self._unpacked: dict[tuple[int, int], tuple[Scope, dict[int, Any]]] = {}
        """The values of the names, by the ids of the list and the scope. The scope is kept alive, so that no other gets its id."""

    def evaluate(self, expr: ast.Expr, scope: Scope) -> Any:
        match expr:
            case ast.Comprehension():
                return self._evaluate_list(expr, scope)
            case ast.TemplateString():
                return self._evaluate_template(expr, scope)
            case ast.UnpackedItem():
                return self._evaluate_item(expr, scope)
        raise TypeError(f"no expression: {expr}")

    def _evaluate_list(self, expr: ast.Comprehension, scope: Scope) -> tuple[Any, ...]:
        """The list that a comprehension means. Each name is visible in the clauses after it, and in the item."""
        items: list[Any] = []
        for inner in self._item_scopes(expr.clauses, scope):
            items.append(self.interpreter.evaluate(expr.item, inner))
            self.session.count_items(1, expr.span)
            if len(items) > MAX_NODES:
                raise Failure(TooManyNodes(len(items), MAX_NODES, "list", "items"), expr.span)
        result = tuple(items)
        check_list(result, expr.span)
        return result

    def _item_scopes(self, clauses: tuple[ast.ForClause | ast.Expr, ...], scope: Scope) -> Iterator[Scope]:
        """A scope for each item."""
        if not clauses:
            yield scope
            return
        clause, rest = clauses[0], clauses[1:]
        if not isinstance(clause, ast.ForClause):
            if self._is_true(clause, scope):
                yield from self._item_scopes(rest, scope)
            return
        check_distinct(clause.binders.names)
        for value in self.clause_items(clause, scope):
            # Nested clauses multiply, and a condition may leave out every item, so the items alone are not enough to count.
            self.session.count_iteration(clause.over.span, trace_of(scope))
            inner = Scope(scope, scope.frame)
            for name, part in unpack_pattern(clause.binders, value):
                self.session.index.record_binding(name, inner.bind_name(name.name, part, name.span))
            yield from self._item_scopes(rest, inner)

    def clause_items(self, clause: ast.ForClause, scope: Scope) -> Sequence[Any]:
        """Return the items that a `for` iterates over. A number means a range, as in a loop."""
        value = self.interpreter.evaluate(clause.over, scope)
        if isinstance(value, tuple):
            return value
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            needed = "an integer of at least 0, a range or a list"
            raise Failure(NotANumber("what `for` iterates over", needed, format_value(value)), clause.over.span)
        # The number of items decides what is built, so the body holds for this value only, and no formula can vary it.
        self.session.decisions.pin_value(value)
        return range(value)

    def item_scopes(self, clause: ast.ForClause, scope: Scope) -> Iterator[Scope]:
        """A scope for each item of one clause."""
        return self._item_scopes((clause,), scope)

    def _is_true(self, condition: ast.Expr, scope: Scope) -> bool:
        value = self.interpreter.evaluate(condition, scope)
        if not isinstance(value, bool):
            raise Failure(NotABool(format_value(value)), condition.span)
        return value

    def _evaluate_template(self, expr: ast.TemplateString, scope: Scope) -> str:
        """A text with the values of its expressions."""
        text = "".join([part if isinstance(part, str) else self._format_part(part, scope) for part in expr.parts])
        self.session.count_items(len(text), expr.span)
        return check_string(text, expr.span)

    def _format_part(self, part: ast.Expr, scope: Scope) -> str:
        value = self.interpreter.evaluate(part, scope)
        if not isinstance(value, (int, float, str)):
            raise Failure(NotANumber("a value in a text", "a number, a boolean or a string", format_value(value)), part.span)
        self.session.decisions.pin_value(value)
        return value if isinstance(value, str) else format_value(value)

    def _evaluate_item(self, expr: ast.UnpackedItem, scope: Scope) -> Any:
        """The part of a list that a name of `let (a, b) = ...` means. The list is evaluated once, at the first use of any of its names."""
        key = (id(expr.value), id(scope))
        if key not in self._unpacked:
            check_distinct(expr.pattern.names)
            value = self.interpreter.evaluate(expr.value, scope)
            parts = {id(name): part for name, part in unpack_pattern(expr.pattern, value)}
            self._unpacked[key] = (scope, parts)
        return self._unpacked[key][1][id(expr.name)]
