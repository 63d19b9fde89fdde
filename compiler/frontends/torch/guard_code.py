"""Reads the guards of an exported program, which a `.pt2` file has as texts, without running them.

`(L['x'].size()[1] % 2) == 0` is the condition `T % 2 == 0`, if the user called axis 1 of the input `x` T.

In: the text of a guard, and the size of each axis of the inputs. Out: a `Guard`, which can be evaluated for sizes, and has `conditions` if
a spec can state it. Raises `UnreadGuard` for another text.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any

from netc.dsl.record import Record

from ...dims import Condition, Dim, bounds, dim_max, dim_min, evaluate_dim, free_symbols

Evaluate = Callable[[Mapping[str, int]], Any]


class UnreadGuard(ValueError):
    """The text is no comparison of sizes."""


class Guard(Record):
    """A guard. `conditions` hold together if it does, and are None if a spec cannot state it."""

    text: str
    symbols: frozenset[str]
    evaluate: Evaluate
    conditions: tuple[Condition, ...] | None

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Return whether the guard holds. One that divides by zero does not."""
        try:
            return bool(self.evaluate(sizes))
        except (ArithmeticError, ValueError):
            return False


class _Term(Record):
    """A part of a guard. Its value is the quotient of `dim` and `divisor`, which is positive. `dim` is None if it is no such quotient."""

    evaluate: Evaluate
    dim: Dim | None
    symbols: frozenset[str] = frozenset()
    divisor: Dim = 1

    @property
    def is_size(self) -> bool:
        """Whether it is a dimension."""
        return self.dim is not None and self.divisor == 1


_BINARY: Mapping[type[ast.operator], tuple[Callable[[Any, Any], Any], Callable[[Dim, Dim], Dim] | None]] = {
    ast.Add: (operator.add, lambda a, b: a + b),
    ast.Sub: (operator.sub, lambda a, b: a - b),
    ast.Mult: (operator.mul, lambda a, b: a * b),
    ast.FloorDiv: (operator.floordiv, lambda a, b: a // b),
    ast.Mod: (operator.mod, lambda a, b: a % b),
    ast.Div: (operator.truediv, None),
    ast.Pow: (operator.pow, None),
}
_COMPARISONS: Mapping[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}
_CALLS: Mapping[str, tuple[Callable[..., Any], Callable[..., Dim] | None]] = {
    "max": (max, lambda *dims: reduce(dim_max, dims)),
    "min": (min, lambda *dims: reduce(dim_min, dims)),
    "abs": (abs, None),
    "round": (round, None),
    "float": (float, lambda dim: dim),
    "int": (int, None),
    "math.trunc": (math.trunc, None),
    "math.floor": (math.floor, None),
    "math.ceil": (math.ceil, None),
    "math.sqrt": (math.sqrt, None),
    "math.exp": (math.exp, None),
    "math.log": (math.log, None),
    "math.log2": (math.log2, None),
    "torch.sym_float": (float, lambda dim: dim),
    "torch._sym_sqrt": (math.sqrt, None),
}
_FINEST = 2**10
"""The greatest denominator of a number that a condition may have."""
_LARGEST_POWER = 64
"""The greatest exponent. With a larger one, or with a power of a power, the text of a guard could ask for numbers without end."""


def read_guard(text: str, sizes: Mapping[str, Dim]) -> Guard:
    """Read a guard. `sizes` has the size of each axis under the guard's own term for it, as `ast.unparse` writes it."""
    try:
        evaluate, conditions, symbols = _read_truth(ast.parse(text.strip(), mode="eval").body, sizes)
    # A KeyError is an operator that no guard has, such as `is`. The others come from texts that are no Python or no arithmetic.
    except (KeyError, SyntaxError, ValueError, TypeError, RecursionError, MemoryError, ArithmeticError) as error:
        raise UnreadGuard(text) from error
    return Guard(text, symbols, evaluate, conditions)


def _read_truth(node: ast.expr, sizes: Mapping[str, Dim]) -> tuple[Evaluate, tuple[Condition, ...] | None, frozenset[str]]:
    match node:
        case ast.BoolOp(op, values):
            parts = [_read_truth(value, sizes) for value in values]
            combine: Any = all if isinstance(op, ast.And) else any
            several = [conditions for _, conditions, _ in parts if conditions is not None]
            statable = isinstance(op, ast.And) and len(several) == len(parts)
            return (
                lambda known: combine(evaluate(known) for evaluate, _, _ in parts),
                tuple(condition for conditions in several for condition in conditions) if statable else None,
                frozenset().union(*(symbols for _, _, symbols in parts)),
            )
        case ast.UnaryOp(ast.Not(), operand):
            inner, _, symbols = _read_truth(operand, sizes)
            return lambda known: not inner(known), None, symbols
        case ast.Compare(left, [op], [right]):
            name, compare = _COMPARISONS[type(op)]
            a, b = _read_term(left, sizes), _read_term(right, sizes)
            stated = None if a.dim is None or b.dim is None else (Condition(name, a.dim * b.divisor, b.dim * a.divisor),)
            return lambda known: compare(a.evaluate(known), b.evaluate(known)), stated, a.symbols | b.symbols
    raise UnreadGuard(ast.unparse(node))


def _read_term(node: ast.expr, sizes: Mapping[str, Dim]) -> _Term:
    match node:
        case ast.Constant(bool()):
            raise UnreadGuard(ast.unparse(node))
        case ast.Constant(int() as number):
            return _Term(lambda _: number, number)
        case ast.Constant(float() as number):
            exact = Fraction(number) if math.isfinite(number) else Fraction(0)
            is_simple = math.isfinite(number) and exact.denominator <= _FINEST
            return _Term(lambda _: number, exact.numerator if is_simple else None, divisor=exact.denominator)
        case ast.UnaryOp(ast.USub(), operand):
            inner = _read_term(operand, sizes)
            return _Term(lambda known: -inner.evaluate(known), None if inner.dim is None else -1 * inner.dim, inner.symbols, inner.divisor)
        case ast.BinOp(left, op, right):
            return _combine_terms(op, _read_term(left, sizes), _read_term(right, sizes))
        case ast.Call(function, arguments, []) if ast.unparse(function) in _CALLS:
            call, combine = _CALLS[ast.unparse(function)]
            return _call_function(call, combine, [_read_term(argument, sizes) for argument in arguments])
    size = sizes.get(ast.unparse(node))
    if size is None:
        raise UnreadGuard(ast.unparse(node))
    return _Term(lambda known: evaluate_dim(size, known), size, frozenset(free_symbols(size)))


def _combine_terms(op: ast.operator, a: _Term, b: _Term) -> _Term:
    if isinstance(op, ast.Pow) and (a.dim is None or b.symbols or not isinstance(b.dim, int) or abs(b.dim) > _LARGEST_POWER):
        raise UnreadGuard("a power of a power, or of a size")
    compute, combine = _BINARY[type(op)]
    dim: Dim | None = None
    divisor: Dim = 1
    if a.dim is not None and b.dim is not None:
        if isinstance(op, ast.Mult):
            dim, divisor = a.dim * b.dim, a.divisor * b.divisor
        elif isinstance(op, ast.Div) and b.is_size and (bounds(b.dim)[0] or 0) > 0:
            dim, divisor = a.dim, a.divisor * b.dim
        elif combine is not None and a.is_size and b.is_size:
            dim = combine(a.dim, b.dim)
    return _Term(lambda known: compute(a.evaluate(known), b.evaluate(known)), dim, a.symbols | b.symbols, divisor)


def _call_function(call: Callable[..., Any], combine: Callable[..., Dim] | None, terms: list[_Term]) -> _Term:
    dims = [term.dim for term in terms if term.dim is not None and term.is_size]
    dim = combine(*dims) if combine is not None and len(dims) == len(terms) else None
    symbols = frozenset[str]().union(*(term.symbols for term in terms))
    return _Term(lambda known: call(*(term.evaluate(known) for term in terms)), dim, symbols)
