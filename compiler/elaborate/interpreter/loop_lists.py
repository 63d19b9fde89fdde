"""Lists of tensors along a loop: what `(h, keys[]) = x -> repeat ...` collects, and tensors among the items that a loop iterates over.

The result of a loop that collects is what its last iteration passes on, followed by one list for each result that is collected.

    >>> import netc
    >>> list(netc.compile("(h, steps[]) = input 8 -> repeat 3 { y = dense 8 relu; out y, y }; out h, steps").outputs)
    ['h', 'steps.0', 'steps.1', 'steps.2']
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from netc.dsl import ast

from ...errors.binding_errors import WrongUnpacking
from ...ir.graph_values import TupleSlice, Value, ValueTuple, flatten_parts
from ..resource_limits import MAX_TENSORS, check_tuple
from ..scopes.compile_time_values import Flow, TensorTuple, flow_of, parts_of, split_parts
from ..scopes.early_exits import Failure
from ..scopes.scope import Scope, dependency_key
from .call_syntax import has_tensor
from .evaluator_protocol import EvaluatorPart, Interpreter


class ListCollector:
    """The lists of one loop."""

    def __init__(self, collected: ast.CollectedResults) -> None:
        self._collected = collected
        self._lists: list[list[Value]] = [[] for _ in collected.lists]

    def collect_iteration(self, flow: Flow) -> Flow:
        """Adds the results of one iteration to the lists: those that are passed on."""
        pattern, parts = self._collected, parts_of(flow)
        if parts is None:
            return flow
        values, after = flatten_parts(parts), pattern.after or 0
        if len(values) < pattern.before + after or (pattern.after is None and len(values) > pattern.before):
            marks = tuple((v.span, f"this is {v.type}") for v in values[:1])
            hint = "the body of the loop needs a result for each name: `out h, key`"
            raise Failure(WrongUnpacking(pattern.before + after, len(values), pattern.after is not None, hint), pattern.span, marks)
        first, rest, last = split_parts(parts, pattern.before, after)
        for index, items in zip(pattern.lists, self._lists, strict=True):
            items.append((first if index >= 0 else last)[index])
            # Checked while the list grows, since an iteration may be cheap.
            if len(items) > MAX_TENSORS:
                check_tuple(tuple(items), pattern.span)
        front = [v for i, v in enumerate(first) if i not in pattern.lists]
        back = [v for i, v in enumerate(last) if i - after not in pattern.lists]
        return flow_of((*front, *rest, *back))

    def finish_lists(self, flow: Flow) -> Flow:
        """The results of the loop, of which `flow` is passed on."""
        parts = parts_of(flow)
        if parts is None:
            return flow
        lists = [TupleSlice(ValueTuple("", tuple(items), 0, listed=True)) for items in self._lists]
        return TensorTuple((*parts, *lists))


class LoopItems(EvaluatorPart):
    """The items of a loop, if tensors are among them: a list of tensors, and `zip` and `enumerate` of such lists."""

    def __init__(self, interpreter: Interpreter) -> None:
        super().__init__(interpreter)

    def evaluate(self, expr: ast.Expr, scope: Scope) -> Any:
        """Return the items, with tensors of the scope's graph."""
        if not has_tensor(expr, scope):
            return self.interpreter.evaluate(expr, scope)
        match expr:
            case ast.Name(name=name):
                binding = scope.use_binding(name)
                if binding is not None and isinstance(binding.value, TensorTuple):
                    self.session.index.record_name(expr.span, name, binding)
                    return binding.value.values
            case ast.Call(function=ast.Name(name="zip"), arguments=arguments, keywords=()) if arguments:
                lists = [self._evaluate_list(a, scope) for a in arguments]
                return tuple(zip(*lists, strict=False))
            case ast.Call(function=ast.Name(name="enumerate"), arguments=(argument,), keywords=()):
                return tuple(enumerate(self._evaluate_list(argument, scope)))
        return self.interpreter.evaluate(expr, scope)  # which reports what is wrong

    def _evaluate_list(self, expr: ast.Expr, scope: Scope) -> tuple[Any, ...]:
        items = self.evaluate(expr, scope)
        if isinstance(items, tuple):
            return items
        call = ast.Call(expr.span, ast.Name(expr.span, "zip"), (expr,))
        self.interpreter.evaluate(call, scope)  # which reports what is wrong
        raise AssertionError(f"no list: {items}")


def items_key(items: object) -> Hashable:
    """Return the part of a loop's items that its body depends on: of tensors only their types."""
    if isinstance(items, Value):
        return dependency_key(items)
    if isinstance(items, tuple) and _has_tensors(items):
        return tuple([items_key(item) for item in items])
    return dependency_key(items)  # type: ignore[arg-type]


def _has_tensors(items: tuple[Any, ...]) -> bool:
    return any(isinstance(item, Value) or (isinstance(item, tuple) and _has_tensors(item)) for item in items)
