"""Makes code for the tensors of one graph: by their numbers, or as elements and parts of tuples.

In: the tensors and tuples, in the order in which they are made. Out: their code: `x`, `features[-1]`, `features[1:]`. Always: an element
of a tuple is counted from the end where the spec does so. Bodies that differ in the length of a tuple then have the same code.
"""

from __future__ import annotations

from collections.abc import Callable

from ...ir.graph import CallNode
from ...ir.graph_values import JoinedTuple, Part, Parts, TupleSlice, Value, ValueTuple, flatten_parts
from .code.class_tree import NameCode, Starred
from .code.python_expressions import Code, SliceCode, Subscript, TupleCode


class TensorCodes:
    """Makes code for tensors. `ref` makes the code of the tensor or tuple with a number."""

    def __init__(self, ref: Callable[[int], Code]) -> None:
        self._ref = ref
        self._numbers: dict[int, int] = {}
        self._aliases: dict[int, Code] = {}
        """The code of tensors and tuples that are the same as others: in a loop, those from outside."""
        self._elements: dict[int, tuple[ValueTuple, int]] = {}
        self._unread: list[ValueTuple] = []
        """Tuples whose tensors are not yet among the elements."""

    def add_tensor(self, result: Value | ValueTuple) -> int:
        number = self._numbers[id(result)] = len(self._numbers)
        if isinstance(result, ValueTuple) and not isinstance(result, JoinedTuple):
            self._unread.append(result)
        return number

    def add_alias(self, result: Value | ValueTuple, code: Code) -> None:
        """Give a tensor or tuple the code of an existing one."""
        self._aliases[id(result)] = code

    def get_code(self, value: Value) -> Code:
        if id(value) in self._aliases:
            return self._aliases[id(value)]
        if id(value) in self._numbers:
            return self._ref(self._numbers[id(value)])
        # Tuples are indexed only when an element is asked for, because most are passed on as one.
        while id(value) not in self._elements:
            self._index_tuple()
        of, index = self._elements[id(value)]
        # Counted from the end where the spec does, so that bodies with tuples of other lengths have the same code.
        from_end = len(of.values) - index
        return Subscript(self._get_whole_tuple(of), (NameCode(str(-from_end if from_end <= of.from_end else index)),))

    def get_tuple_code(self, parts: Parts) -> Code:
        """Return the code of a tuple of tensors."""
        match parts:
            case (TupleSlice() as part,) if self._is_numbered(part.of):
                return self._slice_tuple(part)
            case (TupleSlice() as part,):
                return TupleCode(tuple(map(self.get_code, part.values)))
        return TupleCode(tuple(code for part in parts for code in self._list_items(part)))

    def _list_items(self, part: Part) -> tuple[Code, ...]:
        """Return the code of the tensors of a tuple. An existing tuple is starred as one."""
        if isinstance(part, TupleSlice) and self._is_numbered(part.of):
            return (self._slice_tuple(part, Starred),)
        return tuple(map(self.get_code, flatten_parts((part,))))

    def has_parts(self, parts: Parts) -> bool:
        """Whether all of the parts are made already."""
        while self._unread:
            self._index_tuple()
        return all(self._is_numbered(p.of) if isinstance(p, TupleSlice) else self._is_numbered(p) or id(p) in self._elements for p in parts)

    def _is_numbered(self, result: Value | ValueTuple) -> bool:
        return id(result) in self._numbers or id(result) in self._aliases

    def _index_tuple(self) -> None:
        of = self._unread.pop()
        self._elements.update((id(v), (of, i)) for i, v in enumerate(of.values))

    def list_call_inputs(self, node: CallNode) -> tuple[Code, ...]:
        """List the tensors and tuples that a call passes."""
        return tuple(self.get_code(p) if isinstance(p, Value) else self.get_tuple_code(p) for p in node.grouped_inputs)

    def _get_whole_tuple(self, of: ValueTuple) -> Code:
        return self._aliases[id(of)] if id(of) in self._aliases else self._ref(self._numbers[id(of)])

    def _slice_tuple(self, part: TupleSlice, among: Callable[[Code], Code] = lambda code: code) -> Code:
        full = self._get_whole_tuple(part.of)
        if part.is_whole:
            return among(full)
        start = NameCode(str(part.front)) if part.front else None
        stop = NameCode(str(-part.back)) if part.back else None
        return among(Subscript(full, (SliceCode(start, stop),)))
