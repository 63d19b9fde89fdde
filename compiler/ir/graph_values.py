"""Values of a graph: tensors, tuples of tensors, and slices of tuples.

Always: a value belongs to one graph and is identified by object, not by name.
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.dsl.record import Record
from netc.dsl.source import Span

from ..types.tensor_types import TensorType


class Value:
    """A tensor within one graph. `name` is what the spec calls it, empty if it has no name; `span` is where it was made.

    `spatial` holds for what comes out of a convolution or pooling with its axes as they were: channels first, then space. `axes` are the
    names that a pattern such as `[N, rows, _, C]` gives to the sizes of a declared tensor, empty where it gives none. `borrowed`: an input
    whose name is that of a tensor outside, since the body gives it none. `weak`: in a model of another element type, it is float32 only
    until it meets a tensor of the model (elaborate/interpreter/model_element_types.py).
    """

    __slots__ = ("axes", "borrowed", "name", "span", "spatial", "type", "weak")

    def __init__(self, type: TensorType, span: Span, name: str = "", spatial: bool = False, weak: bool = False) -> None:
        self.type = type
        self.span = span
        self.name = name
        self.spatial = spatial
        self.weak = weak
        self.axes: tuple[str, ...] = ()
        self.borrowed = False

    def __repr__(self) -> str:
        return f"<{self.name or 'value'}: {self.type}>"


class ValueTuple:
    """Tensors in a row that are one tuple: inputs of a graph, or results of a call. How many they are may differ between uses of a body.

    `at` is the number of inputs or results before them. `from_end` is the number of tensors that the spec counts from the end. The name is
    `borrowed` as that of a `Value` is. `listed`: it is a list, of what a loop has collected or of inputs, which stays one wherever it is
    returned. A list that a graph makes of tensors of its own is neither among its inputs nor the results of a call; nor is the result of an
    `if` of a block, a `JoinedTuple`.
    """

    __slots__ = ("at", "borrowed", "from_end", "listed", "name", "values")

    def __init__(self, name: str, values: tuple[Value, ...], at: int, listed: bool = False) -> None:
        self.listed = listed
        self.name = name
        self.values = values
        self.at = at
        self.from_end = 0
        self.borrowed = False

    def __repr__(self) -> str:
        return f"<{self.name or 'tuple'}: {len(self.values)} tensors>"


class JoinedTuple(ValueTuple):
    """What an `if` gives as a tuple: one tuple whichever branch is taken. `parts` are what the branch makes it of; `key` is that of the
    `if`."""

    __slots__ = ("key", "parts")

    def __init__(self, parts: Parts, key: tuple[int, int]) -> None:
        super().__init__("", flatten_parts(parts), 0)
        self.parts = parts
        self.key = key


class TupleSlice(Record):
    """What is left of a tuple without `front` tensors at its beginning and `back` at its end."""

    of: ValueTuple
    front: int = 0
    back: int = 0

    @property
    def values(self) -> tuple[Value, ...]:
        return self.of.values[self.front : len(self.of.values) - self.back]

    @property
    def is_whole(self) -> bool:
        return not (self.front or self.back)


Part = Value | TupleSlice
Parts = tuple[Part, ...]
"""Tensors, some of them as parts of tuples."""


def find_list(parts: Parts) -> ValueTuple | None:
    """The list that the parts are, if they are one as a whole."""
    match parts:
        case (TupleSlice(of) as part,) if of.listed and part.is_whole:
            return of
    return None


class ReturnedTuple(Record):
    """Outputs of a graph that are one tuple; `listed` as of a `ValueTuple`."""

    parts: Parts
    listed: bool = False


def iterate_source_tuples(parts: Parts) -> Iterator[ValueTuple]:
    """The tuples that parts are from, and those that these are made of."""
    for part in parts:
        if isinstance(part, TupleSlice):
            yield part.of
            yield from iterate_source_tuples(part.of.parts) if isinstance(part.of, JoinedTuple) else ()


def flatten_parts(parts: Parts) -> tuple[Value, ...]:
    """The tensors one by one."""
    return tuple(v for part in parts for v in ((part,) if isinstance(part, Value) else part.values))
