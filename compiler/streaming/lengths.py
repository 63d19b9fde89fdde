"""Sizes along the dimension of a stream.

In: the sizes of the whole, over its dimensions. Out: how they compare with the length of the stream. Always: in the step, the symbol T is
the length of a piece, at least 1, and another symbol is the number of positions before it, which may be 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from netc.dsl.record import Record, replace

from ..dims import Condition, Dim, Facts, OneOf, Stated, SymDim, evaluate, substitute, symbol, symbols
from ..ir.graph import Program
from ..ir.types import TensorType
from ..ops.base import Operator
from ..ops.formula import Const, Formula, parts


class Length(Record):
    """The dimension `name`: `whole` in the whole, `piece` in a step, after `past` positions."""

    name: str
    whole: Dim
    piece: Dim
    past: Dim
    past_name: str

    def over(self, size: Dim) -> int | None:
        """How much longer than the stream; None if that is no number."""
        difference = size - self.whole
        return difference if isinstance(difference, int) else None

    def has(self, size: Dim) -> bool:
        return self.name in symbols(size)

    def axes(self, type: TensorType) -> tuple[int, ...]:
        """The axes whose size depends on it."""
        return tuple(axis for axis, size in enumerate(type.shape) if self.has(size))

    def in_arguments(self, op: Operator) -> bool:
        """Whether an argument depends on it."""
        return any(self.has(size) for size in sizes_in(tuple(op.args.values())))


def length_of(program: Program, name: str) -> Length:
    taken = {n for value in program.main.inputs for d in value.type.shape for n in symbols(d)} | set(program.symbols)
    past = next(n for n in ("P", "PAST", *(f"PAST{i}" for i in range(len(taken) + 1))) if n not in taken)
    return Length(name, program.dims.get(name, symbol(name)), symbol(name), symbol(past, lower=0), past)


def sizes_in(value: Any) -> Iterator[Dim]:
    """The symbolic sizes in an argument, and in the formula of a table."""
    if isinstance(value, SymDim):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from sizes_in(item)
    elif isinstance(value, Formula):
        yield from (p.value for p in parts(value) if isinstance(p, Const) and isinstance(p.value, SymDim))


def mapped(value: Any, change: Mapping[Dim, Dim]) -> Any:
    """An argument with other sizes."""
    if isinstance(value, SymDim):
        return change.get(value, value)
    return tuple(mapped(item, change) for item in value) if isinstance(value, tuple) else value


# --- what is known of the dimensions -----------------------------------------------------------------------------------------


def facts_of(program: Program, length: Length) -> Facts:
    """What is known in a step: of the whole length, that it reaches no further than it may."""
    kept: dict[str, Any] = {}
    for field in ("zeros", "nonzeros", "nonnegatives"):
        kept[field] = tuple(d for d in getattr(program.facts, field) if not length.has(d))
    kept["multiples"] = tuple((k, p) for k, p in program.facts.multiples if not length.has(k) and not length.has(p))
    kept["choices"] = tuple((name, values) for name, values in program.facts.choices if name != length.name)
    limits = tuple(_room(condition) for condition, _ in conditions_of(program, length) if length.past_name in _names(condition))
    return replace(program.facts, **kept | {"nonnegatives": (*kept["nonnegatives"], *(d for d in limits if d is not None))})


def conditions_of(program: Program, length: Length) -> tuple[tuple[Stated, str], ...]:
    """The conditions of each step: the greatest lengths hold for all positions so far, the least ones for none in particular."""
    found: list[tuple[Stated, str]] = []
    whole = {length.name: length.past + length.piece}
    for condition, text in program.conditions:
        if length.name not in _names(condition):
            found.append((condition, text))
        elif isinstance(condition, Condition) and _is_limit(condition, length.name):
            moved = Condition(condition.op, substitute(condition.left, whole), substitute(condition.right, whole))
            found.append((moved, text))
    return tuple(found)


def _names(condition: Stated) -> frozenset[str]:
    return symbols(condition.left) | (frozenset() if isinstance(condition, OneOf) else symbols(condition.right))


def _is_limit(condition: Condition, name: str) -> bool:
    """Whether it is broken by lengths that are too large."""
    room = _room(condition)
    if room is None:
        return False
    others = dict.fromkeys(symbols(room), 1000)
    return evaluate(room, others | {name: 10**9}) < evaluate(room, others | {name: 1})


def _room(condition: Stated) -> Dim | None:
    """What is at least 0 where it holds."""
    if isinstance(condition, OneOf):
        return None
    left, right = condition.left, condition.right
    return {"<=": right - left, "<": right - left - 1, ">=": left - right, ">": left - right - 1}.get(condition.op)
