"""Computes symbolic dimensions at run time: small int64 tensors from the shapes of the model's inputs.

In: a `Dim`, such as `H/2`. Out: the name of a one-element tensor. Always: each expression, and each part of one, is computed once in a
model.

    >>> from ...dims import make_symbol
    >>> from ...types.tensor_types import DTYPES
    >>> find_origins([("x", TensorType(DTYPES["float32"], (make_symbol("N"), 2 * make_symbol("T") + 1)))])["T"]
    SymbolOrigin(tensor='x', axis=1, factor=2, divisor=1, offset=1)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import numpy as np

from netc.dsl.record import Record

from ...dims import Dim, fold_dim, format_dim, invert_linear
from ...types.tensor_types import INT64, DType, TensorType
from .onnx_builder import GraphBuilder

_LONGEST = 40


class UnresolvedSymbol(Exception):
    """No axis of an input determines the size `name`, for example because it occurs only in products."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no axis of an input is `{name}`, or determines it")
        self.name = name


class SizePart(Record):
    """A number, or a tensor of one element. `lowest` is a lower bound, or None if it is unknown."""

    value: int | str
    lowest: int | None


class SymbolOrigin(Record):
    """An axis from which a symbol can be read as `(size - offset) * divisor // factor` of that axis of the input `tensor`."""

    tensor: str
    axis: int
    factor: int
    divisor: int
    offset: int

    @property
    def is_plain(self) -> bool:
        return (self.factor, self.divisor, self.offset) == (1, 1, 0)


def find_origins(inputs: Iterable[tuple[str, TensorType]]) -> dict[str, SymbolOrigin]:
    """Find the best axis for each symbol: an axis of just this symbol, else the first that determines it."""
    origin_by_symbol: dict[str, SymbolOrigin] = {}
    for tensor, type in inputs:
        for axis, d in enumerate(type.shape):
            inverse = None if isinstance(d, int) else invert_linear(d) or _read_plain_symbol(d)
            if inverse is None:
                continue
            name, *rest = inverse
            origin = SymbolOrigin(tensor, axis, *rest)
            # Reading a plain axis needs one node; inverting a formula needs arithmetic.
            if name not in origin_by_symbol or (origin.is_plain and not origin_by_symbol[name].is_plain):
                origin_by_symbol[name] = origin
    return origin_by_symbol


def _read_plain_symbol(d: Dim) -> tuple[str, int, int, int] | None:
    """Recognize a plain symbol by its text. A symbol that is a multiple of others has no inverse."""
    text = format_dim(d)
    return (text, 1, 1, 0) if text.isidentifier() else None


class OnnxSizes:
    """Writes the computation of dimensions into a builder."""

    def __init__(self, builder: GraphBuilder, inputs: Iterable[tuple[str, TensorType]]) -> None:
        self.builder = builder
        self.origins = find_origins(inputs)
        self._sizes: dict[Dim, str] = {}
        self._symbols: dict[str, SizePart] = {}
        self._nodes: dict[tuple[object, ...], str] = {}

    def emit_size(self, d: Dim) -> str:
        """Emit `d` as a tensor of shape [1]."""
        if d not in self._sizes:
            folded = fold_dim(
                d,
                _make_part,
                self._emit_symbol,
                self._add_parts,
                self._multiply_parts,
                self._divide_parts,
                self._max_of_parts,
                self._min_of_parts,
            )
            name = self._to_tensor(folded.value)
            self._sizes[d] = name
            self._name_size(name, d)
        return self._sizes[d]

    def emit_scalar(self, d: Dim, dtype: DType) -> str:
        """Emit `d` as a tensor without axes."""
        number = self._emit_binary("Squeeze", self.emit_size(d), 0)
        return number if dtype == INT64 else self._emit_once("Cast", (number,), to=dtype)

    def emit_ints(self, values: tuple[Dim, ...]) -> str:
        """Emit the values as a tensor of shape [len(values)], a constant if all are known."""
        pieces: list[str] = []
        for known, group in groupby(values, key=lambda d: isinstance(d, int)):
            run = list(group)
            pieces += [self.builder.add_constant(np.array(run, dtype=np.int64))] if known else map(self.emit_size, run)
        if not pieces:
            return self.builder.add_constant(np.zeros(0, dtype=np.int64))
        return pieces[0] if len(pieces) == 1 else self._emit_once("Concat", tuple(pieces), axis=0)

    def _name_size(self, name: str, d: Dim) -> None:
        wanted = f"size/{format_dim(d)}".replace(" ", "")
        # A long formula says less than the name of its last operation.
        if name in self.builder.computed and name != wanted and name not in self.builder.final_names and len(wanted) <= _LONGEST:
            self.builder.set_final_name(name, self.builder.value_names.make_unique(wanted))

    def _to_tensor(self, value: int | str) -> str:
        return value if isinstance(value, str) else self.builder.add_constant(np.array([value], dtype=np.int64))

    def _emit_binary(self, op_type: str, left: int | str, right: int | str) -> str:
        return self._emit_once(op_type, (self._to_tensor(left), self._to_tensor(right)))

    def _emit_once(self, op_type: str, inputs: tuple[str, ...], **attributes: object) -> str:
        key = (op_type, inputs, *attributes.values())
        if key not in self._nodes:
            name = self.builder.node_names.make_unique(f"size/{op_type}")
            self._nodes[key] = self._add_node(op_type, name, inputs, attributes)
        return self._nodes[key]

    def _add_node(self, op_type: str, name: str, inputs: Sequence[str], attributes: dict[str, object]) -> str:
        """Add a node outside of all blocks, because sizes belong to the whole model."""
        frame, self.builder.frame = self.builder.frame, None
        node = self.builder.add_node(op_type, name, inputs, 1, attributes)
        self.builder.frame = frame
        return node.outputs[0]

    def _emit_symbol(self, name: str) -> SizePart:
        if name not in self._symbols:
            # A symbol is at least 1, so divisions of plain sizes need no correction of signs.
            self._symbols[name] = SizePart(self._read_symbol(name), 1)
        return self._symbols[name]

    def _read_symbol(self, name: str) -> str:
        origin = self.origins.get(name)
        if origin is None:
            raise UnresolvedSymbol(name)
        place = self.builder.node_names.make_unique(f"size/{name}")
        part = SizePart(self._add_node("Shape", place, [origin.tensor], {"start": origin.axis, "end": origin.axis + 1}), 1)
        if origin.offset:
            part = self._add_parts(part, _make_part(-origin.offset))
        if origin.divisor != 1:
            part = self._multiply_parts(part, _make_part(origin.divisor))
        if origin.factor != 1:
            part = SizePart(self._emit_binary("Div", part.value, origin.factor), 1)
        return str(part.value)

    def _add_parts(self, a: SizePart, b: SizePart) -> SizePart:
        lowest = None if a.lowest is None or b.lowest is None else a.lowest + b.lowest
        if isinstance(a.value, int) and isinstance(b.value, int):
            return SizePart(a.value + b.value, lowest)
        return SizePart(self._emit_binary("Add", a.value, b.value), lowest)

    def _multiply_parts(self, a: SizePart, b: SizePart) -> SizePart:
        known = a.lowest is not None and b.lowest is not None and a.lowest >= 0 and b.lowest >= 0
        lowest = (a.lowest or 0) * (b.lowest or 0) if known else None
        if isinstance(a.value, int) and isinstance(b.value, int):
            return SizePart(a.value * b.value, lowest)
        return SizePart(self._emit_binary("Mul", a.value, b.value), lowest)

    def _divide_parts(self, a: SizePart, b: SizePart) -> SizePart:
        """Divide, rounding down."""
        if isinstance(a.value, int) and isinstance(b.value, int):
            return _make_part(a.value // b.value)
        # Neither can be negative, so rounding towards zero is rounding down.
        if a.lowest is not None and a.lowest >= 0 and b.lowest is not None and b.lowest >= 1:
            return SizePart(self._emit_binary("Div", a.value, b.value), 0)
        # Div rounds towards zero. Mod has the sign of the divisor, so the dividend minus the remainder divides exactly.
        multiple = self._emit_binary("Sub", a.value, self._emit_binary("Mod", a.value, b.value))
        return SizePart(self._emit_binary("Div", multiple, b.value), None)

    def _max_of_parts(self, a: SizePart, b: SizePart) -> SizePart:
        known = [p.lowest for p in (a, b) if p.lowest is not None]
        return SizePart(self._emit_binary("Max", a.value, b.value), max(known, default=None))

    def _min_of_parts(self, a: SizePart, b: SizePart) -> SizePart:
        lowest = None if a.lowest is None or b.lowest is None else min(a.lowest, b.lowest)
        return SizePart(self._emit_binary("Min", a.value, b.value), lowest)


def _make_part(value: int) -> SizePart:
    return SizePart(value, value)
