"""Writes sizes of inputs where `forward` of a merged class needs them.

In: the bodies of one class. Out: symbols that `forward` reads from its inputs, as `channels` is in `channels = x.shape[1]`. Always: an axis
is read once, by one name, which is right in all bodies: the spec's, or else a word for the axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from netc.dsl.record import replace

from ....ir.graph_values import Value
from ..code.class_tree import SizeRef, StrictLiteral, SymbolRef
from ..code.classes import ClassBody, SizeSymbol
from ..code.python_expressions import Code, Lit
from .forward_sizes import choose_axis_word
from .relations import Relations


class InputSizes:
    """The sizes of the inputs of one class."""

    def __init__(self, bodies: Sequence[ClassBody], relations: Relations) -> None:
        self.bodies, self.relations = bodies, relations

    @cached_property
    def symbols(self) -> list[SizeSymbol]:
        """The symbols that `forward` reads. Starts with the first body's, whose numbers its code has already."""
        return [self._rename_symbol(symbol) for symbol in self.bodies[0].symbols]

    @cached_property
    def _input_tensors(self) -> list[list[Value]]:
        """For each input its tensors in all bodies, or none for a tuple."""
        return [[v for v in values if isinstance(v, Value)] for values in zip(*(b.graph.grouped_inputs for b in self.bodies), strict=True)]

    def _rename_symbol(self, symbol: SizeSymbol) -> SizeSymbol:
        """Return the symbol with a name that is right in all bodies."""
        shapes = [v.type.shape for v in self._input_tensors[symbol.input]]
        same = all(s[symbol.axis] == shapes[0][symbol.axis] for s in shapes)
        return symbol if same or symbol.given else replace(symbol, name=choose_axis_word(shapes[0], symbol.axis))

    def find_equal_size(self, lits: Sequence[Lit]) -> Code | None:
        """Return the size of an axis of an input, if the values are equal to it in all bodies."""
        for index, inputs in enumerate(self._input_tensors):
            for axis in range(inputs[0].type.rank if inputs else 0):
                sizes = [v.type.shape[axis] for v in inputs]
                if all(StrictLiteral(lit.value) == StrictLiteral(size) for lit, size in zip(lits, sizes, strict=True)):
                    return SizeRef("{0}", (self._read_size(index, axis),))
        return None

    def read_tensor_size(self, source: object, axis: int) -> SymbolRef | None:
        """Read the size of an axis of a tensor of the first body. None if the tensor is no input."""
        index = next((i for i, values in enumerate(self._input_tensors) if values and values[0] is source), None)
        return None if index is None else self._read_size(index, axis)

    def _read_size(self, index: int, axis: int) -> SymbolRef:
        """Read the size of an axis of an input in `forward`."""
        value = self._input_tensors[index][0]
        spec_name, word = self.relations.find_given_name(value, axis), choose_axis_word(value.type.shape, axis)
        # The last axis of a sequence or a table has features. The last axis of an image is its width.
        if axis == value.type.rank - 1 and axis > 0 and not self.relations.is_spatial(value):
            word = "features"
        symbol = SizeSymbol(spec_name or word, index, axis, given=bool(spec_name))
        if symbol not in self.symbols:
            self.symbols.append(symbol)
        return SymbolRef(self.symbols.index(symbol))
