"""Compile-time functions, and values that are evaluated at their first use.

A value does not refer to itself, and the nesting of functions and values and the number of calls are limited.

    >>> import netc
    >>> netc.compile("fn half(n) = n // 2; x = input 8; x -> dense half(x.features)").outputs
    {'output': TensorType([N, 4])}
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from netc.dsl import ast
from netc.dsl.source import Span

from ...errors.binding_errors import NotOptional, UnknownName
from ...errors.limit_errors import EndlessRecursion, Recursion, TooManyCalls, TooMuchNesting
from ...errors.value_errors import NotAFunction
from ...ops.initializers import INITIALIZERS
from ...ops.operator import Operator
from ..builtins import BUILTINS, IS_GIVEN, LAYER_FUNCTIONS, call_builtin, check_count
from ..elaboration_session import ElaborationSession
from ..resource_limits import CALLS, MAX_DEPTH, MAX_NESTING
from ..scopes.compile_time_values import UNKNOWN, Unknown
from ..scopes.early_exits import AlreadyReported, Failure
from ..scopes.scope import GIVEN, Binding, FnDef, LazyLet, Scope
from ..scopes.value_text import describe_kind
from .block_arguments import function_arguments
from .evaluator_protocol import EvaluatorPart
from .initializer_calls import evaluate_initializer

_HABITS = {"str": 'a number becomes text in a string: `"{n}"`'}
"""Functions of Python, and what is written for them."""
MAX_MARKS = 6
"""Of a long chain of calls, the inner ones and the outermost are shown."""


class CompileTimeFunctions(EvaluatorPart):
    def call_function(self, expr: ast.Call, scope: Scope) -> Any:
        """The value of a call of a builtin or a `fn`."""
        name = expr.function.name
        # A definition of the text hides a builtin of the same name.
        binding = scope.use_binding(name)
        self.session.index.record_name(expr.function.span, name, binding, kind="function" if binding is None else "")
        if binding is not None and isinstance(binding.value, FnDef):
            return self._call_fn(expr, binding.value, scope)
        if binding is None and name in INITIALIZERS:
            return evaluate_initializer(expr, scope, self.interpreter)
        if binding is None and name == IS_GIVEN:
            return self._is_given(expr, scope)
        if binding is None and name in LAYER_FUNCTIONS:
            return self.interpreter.layer_parameter(expr, scope)
        arguments = [self.interpreter.evaluate(a, scope) for a in expr.arguments]
        if binding is None and name in BUILTINS:
            if name != "len":  # which looks at no item
                self.session.count_items(sum(len(a) for a in arguments if isinstance(a, tuple)), expr.span)
            return call_builtin(name, arguments, expr, self.session.decisions)
        if binding is not None:
            marks = ((binding.span, "defined here"),) if binding.span is not None else ()
            raise Failure(NotAFunction(name, describe_kind(binding.value)), expr.function.span, marks)
        functions = [n for n in scope.visible_names() if isinstance((found := scope.find_binding(n)) and found[0].value, FnDef)]
        last_name = name.rpartition(".")[2]  # of `np.sqrt`
        known = [*BUILTINS, *LAYER_FUNCTIONS, *INITIALIZERS, *functions]
        candidates = (last_name,) if last_name != name and last_name in known else self.session.similar_names(name, known)
        hint = f"`{name}` is an operator: apply it with `->`" if name in Operator.registry else _HABITS.get(name, "")
        raise Failure(UnknownName(name, candidates, hint), expr.function.span)

    def _is_given(self, expr: ast.Call, scope: Scope) -> bool:
        """`given(mask)`: whether the use of the block gives this optional tensor."""
        check_count(IS_GIVEN, 1, 1, expr)
        tensor = expr.arguments[0]
        name = tensor.name if isinstance(tensor, ast.Name) else ""
        binding_and_scope, answer = scope.find_binding(name), scope.find_binding(name + GIVEN)
        if binding_and_scope is None and name:
            candidates = self.session.similar_names(name, scope.visible_names())
            hint = "" if candidates else f"declare it as an optional tensor of the block: `{name}?: [...]`"
            raise Failure(UnknownName(name, candidates, hint), tensor.span)
        # The answer must be in the scope of the tensor itself: an inner tensor of that name is always there.
        if binding_and_scope is None or answer is None or binding_and_scope[1] is not answer[1]:
            marks = (
                ((binding_and_scope[0].declared, "defined here"),)
                if binding_and_scope is not None and binding_and_scope[0].declared is not None
                else ()
            )
            raise Failure(NotOptional(tensor.span.text, name), tensor.span, marks)
        self.session.index.record_name(tensor.span, name, binding_and_scope[0])
        binding = scope.use_binding(name + GIVEN)
        if binding is None or isinstance(binding.value, Unknown):
            raise AlreadyReported
        return binding.value is True

    def _call_fn(self, expr: ast.Call, fn: FnDef, scope: Scope) -> Any:
        inner = Scope(fn.scope, fn.scope.frame)
        check_call(fn, expr, self.session)
        arguments = function_arguments(fn, expr)
        values: list[Any] = [None if argument is None else self.interpreter.evaluate(argument, scope) for _, argument, _ in arguments]
        with trace_call(fn, expr, self.session):  # a failing default is a failure of the function, a failing argument is not
            for (parameter, argument, default), value in zip(arguments, values, strict=True):
                actual = self.interpreter.evaluate(default, inner) if argument is None else value
                self.session.index.record_binding(parameter.name, inner.bind_name(parameter.name.name, actual, parameter.span))
            return self.interpreter.evaluate(fn.node.body, inner)

    def value_of(self, binding: Binding) -> Any:
        """The value of a binding; a file's `let` is evaluated at its first use."""
        return self._force_let(binding, binding.value) if isinstance(binding.value, LazyLet) else binding.value

    def _force_let(self, binding: Binding, let: LazyLet) -> Any:
        active, name = self.session.active, let.node.name
        first = next((i for i, a in enumerate(active) if a is let.node), None)
        if first is not None:
            # The values between the first use and this one are the circle.
            others = [a for a in active[first + 1 :] if isinstance(a, ast.Let)]
            marks = tuple((a.name.span, f"through `{a.name.name}`") for a in others)
            raise Failure(Recursion(name.name, "value"), name.span, marks)
        check_depth(self.session, name.span)
        active.append(let.node)
        try:
            self.session.bind_lazily(binding, self.interpreter.evaluate(let.node.value, let.scope))
        except (Failure, AlreadyReported):
            self.session.bind_lazily(binding, UNKNOWN)  # a further use must not report the failure again
            raise
        finally:
            active.pop()
        return binding.value


def check_call(fn: FnDef, expr: ast.Call, session: ElaborationSession) -> None:
    """Rejects a function that calls itself without end, and an excessive number of calls."""
    if session.count_levels(fn.node) == MAX_DEPTH:
        raise Failure(EndlessRecursion(fn.node.name.name, "function", MAX_DEPTH), expr.span)
    check_depth(session, expr.span)
    if not session.budget.try_spend(CALLS, 1):
        raise Failure(TooManyCalls(CALLS.limit), expr.span, final=True)


@contextmanager
def trace_call(fn: FnDef, expr: ast.Call, session: ElaborationSession) -> Iterator[None]:
    """While the body of a function is evaluated: failures within it get a mark at the call."""
    session.active.append(fn.node)
    try:
        yield
    except Failure as failure:
        outermost = not any(isinstance(a, ast.Fn) for a in session.active[:-1])
        # Of a deep recursion, marks in the middle say nothing new.
        here = ((expr.span, f"in `{fn.node.name.name}`, called here"),) if outermost or len(failure.marks) < MAX_MARKS else ()
        raise Failure(failure.problem, failure.span, (*failure.marks, *here), failure.label, failure.final, failure.edits) from None
    finally:
        session.active.pop()


def check_depth(session: ElaborationSession, span: Span) -> None:
    """Rejects functions and values that depend on too long a chain of others."""
    if len(session.active) > MAX_NESTING + MAX_DEPTH:
        raise Failure(TooMuchNesting(MAX_DEPTH, "functions and values"), span)
