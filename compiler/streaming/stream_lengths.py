"""Sizes along the dimension of a stream.

In: the sizes of the whole, over its dimensions. Out: how they compare with the length of the stream. Always: in the step, the symbol T is
the length of a piece, at least 1, and another symbol is the number of positions before it, which may be 0. Where T is a multiple of a
number, both are multiples of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from netc.dsl.record import Record, replace

from ..dims import (
    Condition,
    Dim,
    Facts,
    OneOf,
    SymDim,
    WhereCondition,
    condition_symbols,
    declare_dims,
    evaluate_dim,
    free_symbols,
    make_symbol,
    substitute_symbols,
)
from ..ir.graph import Program
from ..ops.formula import Const, Formula, iterate_parts
from ..ops.operator import Operator
from ..types.tensor_types import TensorType


class StreamLength(Record):
    """The dimension `name`: `whole` in the whole, `chunk` in a step, after `past` positions. All three are multiples of `rate`. Strides
    make tensors with fewer positions, and transposed convolutions such with more: these have another rate."""

    name: str
    whole: Dim
    chunk: Dim
    past: Dim
    past_name: str
    rate: int = 1

    def scale_to_rate(self, rate: int) -> StreamLength:
        """The lengths of tensors with `rate` positions where these have `self.rate`."""
        if rate == self.rate:
            return self
        whole, piece, past = (size // self.rate * rate for size in (self.whole, self.chunk, self.past))
        return StreamLength(self.name, whole, piece, past, self.past_name, rate)

    def find_rate(self, size: Dim, of: Dim) -> int | None:
        """The rate of a tensor that is as long as `size`, or shorter or longer by a number; `of` is the whole or the piece of this length.
        None if it has none."""
        unit = of // self.rate
        if not isinstance(size, SymDim) or not isinstance(unit, SymDim):
            return None
        rate = size.terms.get(next(iter(unit.terms)), 0)
        return rate if rate > 0 and isinstance(size - unit * rate, int) else None

    def measure_excess(self, size: Dim) -> int | None:
        """How much longer than the stream; None if that is no number."""
        difference = size - self.whole
        return difference if isinstance(difference, int) else None

    def occurs_in(self, size: Dim) -> bool:
        return self.name in free_symbols(size)

    def list_axes(self, type: TensorType) -> tuple[int, ...]:
        """The axes whose size depends on it."""
        return tuple(axis for axis, size in enumerate(type.shape) if self.occurs_in(size))

    def occurs_in_arguments(self, op: Operator) -> bool:
        """Whether an argument depends on it."""
        return any(self.occurs_in(size) for size in sizes_in(tuple(op.args.values())))


def make_length(program: Program, name: str) -> StreamLength:
    taken = {n for value in program.main.inputs for d in value.type.shape for n in free_symbols(d)} | set(program.symbols)
    past = next(n for n in ("P", "PAST", *(f"PAST{i}" for i in range(len(taken) + 1))) if n not in taken)
    whole = program.dims.get(name, make_symbol(name))
    rate = find_multiple(whole, name) or 1
    several = [Condition("==", make_symbol(n, lower=0) % rate, 0) for n in (name, past) if rate > 1]
    forms = declare_dims((name, past), (Condition(">=", make_symbol(past, lower=0), 0), *several), {}).dims
    return StreamLength(name, whole, forms[name], forms[past], past, rate)


def find_multiple(whole: Dim, name: str) -> int | None:
    """The number that a dimension is a multiple of, and which says all that its form does; 1 for a symbol of its own."""
    if not isinstance(whole, SymDim) or free_symbols(whole) != {name} or len(whole.terms) != 1:
        return None
    ((atoms, rate),) = whole.terms.items()
    return rate if len(atoms) == 1 and substitute_symbols(whole, {name: rate * make_symbol(name)}) == rate * make_symbol(name) else None


def sizes_in(value: Any) -> Iterator[Dim]:
    """The symbolic sizes in an argument, and in the formula of a table."""
    match value:
        case SymDim():
            yield value
        case tuple():
            for item in value:
                yield from sizes_in(item)
        case Formula():
            yield from (p.value for p in iterate_parts(value) if isinstance(p, Const) and isinstance(p.value, SymDim))


def substitute_sizes(value: Any, change: Mapping[Dim, Dim]) -> Any:
    """An argument with other sizes."""
    if isinstance(value, SymDim):
        return change.get(value, value)
    return tuple(substitute_sizes(item, change) for item in value) if isinstance(value, tuple) else value


# --- what is known of the dimensions -----------------------------------------------------------------------------------------


def facts_of(program: Program, length: StreamLength) -> Facts:
    """What is known in a step: of the whole length, that it reaches no further than it may."""
    kept: dict[str, Any] = {}
    for field in ("zeros", "nonzeros", "nonnegatives"):
        kept[field] = tuple(d for d in getattr(program.facts, field) if not length.occurs_in(d))
    kept["multiples"] = tuple((k, p) for k, p in program.facts.multiples if not length.occurs_in(k) and not length.occurs_in(p))
    kept["choices"] = tuple((name, values) for name, values in program.facts.choices if name != length.name)
    past = (c for c, _ in conditions_of(program, length) if isinstance(c, Condition) and length.past_name in condition_symbols(c))
    return replace(program.facts, **kept | {"nonnegatives": (*kept["nonnegatives"], *(c.slack for c in past if c.slack is not None))})


def conditions_of(program: Program, length: StreamLength) -> tuple[tuple[WhereCondition, str], ...]:
    """The conditions of each step: the greatest lengths hold for all positions so far, the least ones for none in particular."""
    found: list[tuple[WhereCondition, str]] = []
    whole = {length.name: length.past + length.chunk}
    for condition, text in program.conditions:
        if length.name not in condition_symbols(condition) or _is_multiple(condition, length):
            found.append((condition, text))
        elif isinstance(condition, Condition) and _is_limit(condition, length.name):
            moved = Condition(condition.op, substitute_symbols(condition.left, whole), substitute_symbols(condition.right, whole))
            found.append((moved, text))
    return tuple(found)


def _is_multiple(condition: WhereCondition, length: StreamLength) -> bool:
    """Whether it says of the length alone what its being a multiple of the rate implies."""
    if isinstance(condition, OneOf) or condition.op != "==" or condition_symbols(condition) != {length.name}:
        return False
    apart = condition.left - condition.right
    return all(evaluate_dim(apart, {length.name: count * length.rate}) == 0 for count in (1, 2, 3))


def _is_limit(condition: Condition, name: str) -> bool:
    """Whether it is broken by lengths that are too large."""
    room = condition.slack
    if room is None:
        return False
    others = dict.fromkeys(free_symbols(room), 1000)
    return evaluate_dim(room, others | {name: 10**9}) < evaluate_dim(room, others | {name: 1})
