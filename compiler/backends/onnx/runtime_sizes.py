"""Symbolic dimensions at run time: small int64 tensors computed from the shapes of the model's inputs.

In: a `Dim`. Out: the name of a one-element tensor. Always: each expression, and each part of one, is computed once in a model.
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
    """No axis of an input determines the size `name`: it occurs only in products, say."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no axis of an input is `{name}`, or determines it")
        self.name = name


class SizePart(Record):
    """A number, or a tensor of one element. `lowest` is a lower bound; None: unknown."""

    value: int | str
    lowest: int | None


class Origin(Record):
    """An axis from which a symbol can be read: it is `(size - offset) * divisor // factor` of that axis of the input `tensor`."""

    tensor: str
    axis: int
    factor: int
    divisor: int
    offset: int

    @property
    def plain(self) -> bool:
        return (self.factor, self.divisor, self.offset) == (1, 1, 0)


def origins(inputs: Iterable[tuple[str, TensorType]]) -> dict[str, Origin]:
    """The best axis for each symbol: one that is the symbol itself, else the first that determines it."""
    found: dict[str, Origin] = {}
    for tensor, type in inputs:
        for axis, d in enumerate(type.shape):
            inverse = None if isinstance(d, int) else invert_linear(d) or _itself(d)
            if inverse is None:
                continue
            name, *rest = inverse
            origin = Origin(tensor, axis, *rest)
            if name not in found or (origin.plain and not found[name].plain):
                found[name] = origin
    return found


def _itself(d: Dim) -> tuple[str, int, int, int] | None:
    """A symbol that is a multiple of others has no inverse: it is recognised by its text."""
    text = format_dim(d)
    return (text, 1, 1, 0) if text.isidentifier() else None


class OnnxSizes:
    """Writes the computation of dimensions into a builder."""

    def __init__(self, builder: GraphBuilder, inputs: Iterable[tuple[str, TensorType]]) -> None:
        self.builder = builder
        self.origins = origins(inputs)
        self._known: dict[Dim, str] = {}
        self._symbols: dict[str, SizePart] = {}
        self._steps: dict[tuple[object, ...], str] = {}

    def size(self, d: Dim) -> str:
        """`d` as a tensor of shape [1]."""
        if d not in self._known:
            whole = fold_dim(d, _number, self._symbol, self._add, self._multiply, self._divide, self._max, self._min)
            name = self._tensor(whole.value)
            self._known[d] = name
            self._call(name, d)
        return self._known[d]

    def scalar(self, d: Dim, dtype: DType) -> str:
        """`d` as a tensor without axes."""
        number = self._step("Squeeze", self.size(d), 0)
        return number if dtype == INT64 else self._node("Cast", (number,), to=dtype)

    def ints(self, values: tuple[Dim, ...]) -> str:
        """The values as a tensor of shape [len(values)]: a constant where all are known."""
        pieces: list[str] = []
        for known, group in groupby(values, key=lambda d: isinstance(d, int)):
            run = list(group)
            pieces += [self.builder.constant(np.array(run, dtype=np.int64))] if known else map(self.size, run)
        if not pieces:
            return self.builder.constant(np.zeros(0, dtype=np.int64))
        return pieces[0] if len(pieces) == 1 else self._node("Concat", tuple(pieces), axis=0)

    def _call(self, name: str, d: Dim) -> None:
        wanted = f"size/{format_dim(d)}".replace(" ", "")
        if name in self.builder.made and name != wanted and name not in self.builder.final and len(wanted) <= _LONGEST:
            self.builder.call(name, self.builder.value_names.unique(wanted))

    def _tensor(self, value: int | str) -> str:
        return value if isinstance(value, str) else self.builder.constant(np.array([value], dtype=np.int64))

    def _step(self, op_type: str, left: int | str, right: int | str) -> str:
        return self._node(op_type, (self._tensor(left), self._tensor(right)))

    def _node(self, op_type: str, inputs: tuple[str, ...], **attributes: object) -> str:
        key = (op_type, inputs, *attributes.values())
        if key not in self._steps:
            name = self.builder.node_names.unique(f"size/{op_type}")
            self._steps[key] = self._put(op_type, name, inputs, attributes)
        return self._steps[key]

    def _put(self, op_type: str, name: str, inputs: Sequence[str], attributes: dict[str, object]) -> str:
        """Sizes are of the whole model, and in no block."""
        frame, self.builder.frame = self.builder.frame, None
        node = self.builder.add(op_type, name, inputs, 1, attributes)
        self.builder.frame = frame
        return node.outputs[0]

    def _symbol(self, name: str) -> SizePart:
        if name not in self._symbols:
            self._symbols[name] = SizePart(self._read(name), 1)
        return self._symbols[name]

    def _read(self, name: str) -> str:
        origin = self.origins.get(name)
        if origin is None:
            raise UnresolvedSymbol(name)
        place = self.builder.node_names.unique(f"size/{name}")
        part = SizePart(self._put("Shape", place, [origin.tensor], {"start": origin.axis, "end": origin.axis + 1}), 1)
        if origin.offset:
            part = self._add(part, _number(-origin.offset))
        if origin.divisor != 1:
            part = self._multiply(part, _number(origin.divisor))
        if origin.factor != 1:
            part = SizePart(self._step("Div", part.value, origin.factor), 1)
        return str(part.value)

    def _add(self, a: SizePart, b: SizePart) -> SizePart:
        lowest = None if a.lowest is None or b.lowest is None else a.lowest + b.lowest
        if isinstance(a.value, int) and isinstance(b.value, int):
            return SizePart(a.value + b.value, lowest)
        return SizePart(self._step("Add", a.value, b.value), lowest)

    def _multiply(self, a: SizePart, b: SizePart) -> SizePart:
        known = a.lowest is not None and b.lowest is not None and a.lowest >= 0 and b.lowest >= 0
        lowest = (a.lowest or 0) * (b.lowest or 0) if known else None
        if isinstance(a.value, int) and isinstance(b.value, int):
            return SizePart(a.value * b.value, lowest)
        return SizePart(self._step("Mul", a.value, b.value), lowest)

    def _divide(self, a: SizePart, b: SizePart) -> SizePart:
        """Rounded down. ONNX's Div rounds towards zero, its Mod has the sign of the divisor."""
        if isinstance(a.value, int) and isinstance(b.value, int):
            return _number(a.value // b.value)
        if a.lowest is not None and a.lowest >= 0 and b.lowest is not None and b.lowest >= 1:
            return SizePart(self._step("Div", a.value, b.value), 0)
        whole = self._step("Sub", a.value, self._step("Mod", a.value, b.value))
        return SizePart(self._step("Div", whole, b.value), None)

    def _max(self, a: SizePart, b: SizePart) -> SizePart:
        known = [p.lowest for p in (a, b) if p.lowest is not None]
        return SizePart(self._step("Max", a.value, b.value), max(known, default=None))

    def _min(self, a: SizePart, b: SizePart) -> SizePart:
        lowest = None if a.lowest is None or b.lowest is None else min(a.lowest, b.lowest)
        return SizePart(self._step("Min", a.value, b.value), lowest)


def _number(value: int) -> SizePart:
    return SizePart(value, value)
