"""Values of a graph: tensors, tuples of tensors, and slices of tuples.

Always: a value belongs to one graph and is identified by object, not by name.

    >>> from netc.dsl.source import SourceFile
    >>> from ..types.tensor_types import FLOAT32
    >>> span = Span(SourceFile("", ""), 0, 0)
    >>> a, b, c = (Value(TensorType(FLOAT32, (n,)), span, name) for n, name in enumerate("abc", 1))
    >>> several = ValueTuple("xs", (b, c), at=1)
    >>> flatten_parts((a, TupleSlice(several))), flatten_parts((TupleSlice(several, front=1),))
    ((<a: [1]>, <b: [2]>, <c: [3]>), (<c: [3]>,))
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.dsl.record import Record
from netc.dsl.source import Span

from ..types.tensor_types import TensorType


class Value:
    """A tensor within one graph. `name` is its name in the spec, empty if it has none. `span` is the text that made it.

    `spatial`: the tensor comes from a convolution or pooling and has its axes in their order, channels before space. `axes` has the names
    that a pattern such as `[N, rows, _, C]` gives to the sizes of a declared tensor, empty for an axis without a name. `borrowed`: the body
    gives this input no name, so it has the name of a tensor outside. `weak`: in a model of another element type, the tensor is float32
    only until it meets a tensor of the model (elaborate/interpreter/model_element_types.py). `differentiated`: a `gradient` by this tensor
    is computed.
    """

    __slots__ = ("axes", "borrowed", "differentiated", "name", "span", "spatial", "type", "weak")

    def __init__(self, type: TensorType, span: Span, name: str = "", spatial: bool = False, weak: bool = False) -> None:
        self.type = type
        self.span = span
        self.name = name
        self.spatial = spatial
        self.weak = weak
        # Set after the construction, by a pattern or a capture. Most values have neither.
        self.axes: tuple[str, ...] = ()
        self.borrowed = False
        self.differentiated = False

    def __repr__(self) -> str:
        return f"<{self.name or 'value'}: {self.type}>"


class ValueTuple:
    """Consecutive tensors that are one tuple: inputs of a graph, or results of a call. Uses of a body may differ in their number.

    `at` is the number of inputs or results before them. `from_end` is the number of tensors that the spec counts from the end. `borrowed`
    is as in a `Value`. `listed`: it is a list of inputs, or of results that a loop has collected, and stays a list wherever it is returned.
    A list that a graph makes of its own tensors is neither among its inputs nor the results of a call. The same holds for the result of an
    `if` in a block, a `JoinedTuple`.
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
    """The tuple that an `if` returns. It is one tuple whichever branch is taken. `parts` has the tensors and tuples of which the branch
    makes it, and `key` is the key of the `if`."""

    __slots__ = ("key", "parts")

    def __init__(self, parts: Parts, key: tuple[int, int]) -> None:
        super().__init__("", flatten_parts(parts), 0)
        self.parts = parts
        self.key = key


class TupleSlice(Record):
    """A tuple without `front` tensors at its beginning and `back` tensors at its end."""

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
"""Tensors and slices of tuples, in order."""


def find_list(parts: Parts) -> ValueTuple | None:
    """Return the list that the parts are, if they are one full list and nothing else."""
    match parts:
        case (TupleSlice(of) as part,) if of.listed and part.is_whole:
            return of
    return None


class ReturnedTuple(Record):
    """Outputs of a graph that are one tuple. `listed` is as in a `ValueTuple`."""

    parts: Parts
    listed: bool = False


def iterate_source_tuples(parts: Parts) -> Iterator[ValueTuple]:
    """Iterate over the tuples that the parts are slices of, and the tuples inside them."""
    for part in parts:
        if isinstance(part, TupleSlice):
            yield part.of
            yield from iterate_source_tuples(part.of.parts) if isinstance(part.of, JoinedTuple) else ()


def flatten_parts(parts: Parts) -> tuple[Value, ...]:
    """Return the tensors one by one."""
    return tuple(v for part in parts for v in ((part,) if isinstance(part, Value) else part.values))
