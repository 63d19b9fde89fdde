"""Compare sizes along the dimension of a stream.

In: the sizes of the full model, over its dimensions. Out: how they compare with the length of the stream. Always: in the step, the symbol
T is the length of a chunk, at least 1, and another symbol is the number of positions before it, which may be 0. Where T is a multiple of a
number, both are multiples of it.

    >>> find_multiple(make_symbol("T"), "T"), find_multiple(2 * make_symbol("S"), "T")
    (1, None)
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
    """The dimension `name`: `whole` in the full model, `chunk` in a step, after `past` positions. All three are multiples of `rate`.
    Strides make tensors with fewer positions, and transposed convolutions make tensors with more: these have another rate."""

    name: str
    whole: Dim
    chunk: Dim
    past: Dim
    past_name: str
    rate: int = 1

    def scale_to_rate(self, rate: int) -> StreamLength:
        """Return the lengths of tensors with `rate` positions for each `self.rate` positions of this length."""
        if rate == self.rate:
            return self
        full, piece, past = (size // self.rate * rate for size in (self.whole, self.chunk, self.past))
        return StreamLength(self.name, full, piece, past, self.past_name, rate)

    def find_rate(self, size: Dim, of: Dim) -> int | None:
        """Return the rate of a tensor whose size is a multiple of the length, plus or minus a number. `of` is the full length or the
        length of the chunk. None if it has no rate."""
        unit = of // self.rate
        if not isinstance(size, SymDim) or not isinstance(unit, SymDim):
            return None
        # The factor of the unit's first term. Whether it is the factor of all terms shows in the difference below.
        rate = size.terms.get(next(iter(unit.terms)), 0)
        return rate if rate > 0 and isinstance(size - unit * rate, int) else None

    def measure_excess(self, size: Dim) -> int | None:
        """Return by how much a size exceeds the stream. None if that is no number."""
        difference = size - self.whole
        return difference if isinstance(difference, int) else None

    def occurs_in(self, size: Dim) -> bool:
        return self.name in free_symbols(size)

    def list_axes(self, type: TensorType) -> tuple[int, ...]:
        """List the axes whose size depends on the length."""
        return tuple(axis for axis, size in enumerate(type.shape) if self.occurs_in(size))

    def occurs_in_arguments(self, op: Operator) -> bool:
        """Whether an argument depends on the length."""
        return any(self.occurs_in(size) for size in iterate_sizes(tuple(op.args.values())))


def make_length(program: Program, name: str) -> StreamLength:
    used_names = {n for value in program.main.inputs for d in value.type.shape for n in free_symbols(d)} | set(program.symbols)
    # P is the usual letter for past positions; a spec that uses it gets a longer name.
    past = next(n for n in ("P", "PAST", *(f"PAST{i}" for i in range(len(used_names)))) if n not in used_names)
    full = program.dims.get(name, make_symbol(name))
    rate = find_multiple(full, name) or 1
    several = [Condition("==", make_symbol(n, lower=0) % rate, 0) for n in (name, past) if rate > 1]
    forms = declare_dims((name, past), (Condition(">=", make_symbol(past, lower=0), 0), *several), {}).dims
    return StreamLength(name, full, forms[name], forms[past], past, rate)


def find_multiple(full: Dim, name: str) -> int | None:
    """Return the number that a dimension is a multiple of, if that is all that its form says, and 1 for a plain symbol. Else None."""
    if not isinstance(full, SymDim) or free_symbols(full) != {name} or len(full.terms) != 1:
        return None
    ((atoms, rate),) = full.terms.items()
    return rate if len(atoms) == 1 and substitute_symbols(full, {name: rate * make_symbol(name)}) == rate * make_symbol(name) else None


def iterate_sizes(value: Any) -> Iterator[Dim]:
    """Iterate over the symbolic sizes in an argument, and in the formula of a table."""
    match value:
        case SymDim():
            yield value
        case tuple():
            for item in value:
                yield from iterate_sizes(item)
        case Formula():
            yield from (p.value for p in iterate_parts(value) if isinstance(p, Const) and isinstance(p.value, SymDim))


def substitute_sizes(value: Any, change: Mapping[Dim, Dim]) -> Any:
    """Replace sizes in an argument."""
    if isinstance(value, SymDim):
        return change.get(value, value)
    return tuple(substitute_sizes(item, change) for item in value) if isinstance(value, tuple) else value


# --- what is known of the dimensions -----------------------------------------------------------------------------------------


def collect_step_facts(program: Program, length: StreamLength) -> Facts:
    """Return the facts in a step: those without the length, and the limits that hold for all positions so far."""
    kept: dict[str, Any] = {}
    for field in ("zeros", "nonzeros", "nonnegatives"):
        kept[field] = tuple(d for d in getattr(program.facts, field) if not length.occurs_in(d))
    kept["multiples"] = tuple((k, p) for k, p in program.facts.multiples if not length.occurs_in(k) and not length.occurs_in(p))
    kept["choices"] = tuple((name, values) for name, values in program.facts.choices if name != length.name)
    past = (c for c, _ in list_step_conditions(program, length) if isinstance(c, Condition) and length.past_name in condition_symbols(c))
    # A limit on the positions so far, such as `P + T <= 1024`, bounds sizes in the step as well.
    return replace(program.facts, **kept | {"nonnegatives": (*kept["nonnegatives"], *(c.slack for c in past if c.slack is not None))})


def list_step_conditions(program: Program, length: StreamLength) -> tuple[tuple[WhereCondition, str], ...]:
    """Return the conditions of each step. Upper limits hold for all positions so far. Lower limits hold for no chunk in particular."""
    conditions: list[tuple[WhereCondition, str]] = []
    full_lengths = {length.name: length.past + length.chunk}
    for condition, text in program.conditions:
        if length.name not in condition_symbols(condition) or _is_multiple(condition, length):
            conditions.append((condition, text))
        elif isinstance(condition, Condition) and _is_limit(condition, length.name):
            moved = Condition(
                condition.op, substitute_symbols(condition.left, full_lengths), substitute_symbols(condition.right, full_lengths)
            )
            conditions.append((moved, text))
    return tuple(conditions)


def _is_multiple(condition: WhereCondition, length: StreamLength) -> bool:
    """Whether it says of the length only that it is a multiple of the rate."""
    if isinstance(condition, OneOf) or condition.op != "==" or condition_symbols(condition) != {length.name}:
        return False
    apart = condition.left - condition.right
    return all(evaluate_dim(apart, {length.name: count * length.rate}) == 0 for count in (1, 2, 3))


def _is_limit(condition: Condition, name: str) -> bool:
    """Whether large lengths break it."""
    room = condition.slack
    if room is None:
        return False
    # The other symbols are given one size, since only the direction matters: less room for a larger length.
    others = dict.fromkeys(free_symbols(room), 1000)
    return evaluate_dim(room, others | {name: 10**9}) < evaluate_dim(room, others | {name: 1})
