"""Finds symbolic dimensions for `forward`: read off the shapes of the inputs, or passed by the caller.

In: dimensions that occur in the code of one body. Out: `SizeRef`s, and in the body the `SizeSymbol`s to read and the numbers to be passed:
`T` becomes `x.shape[1]`. Always: a size that an input has is read off the first such axis, unchanged, as a fraction or a multiple, or
through `a*S/c + b`. It has the spec's name for it in this body, if there is one.

    >>> from ....dims import make_symbol
    >>> make_size_name(make_symbol("T")), make_size_name(2 * make_symbol("T") + 1)
    ('T', 'T_2_1')
"""

from __future__ import annotations

import re

from ....dims import Dim, SymDim, constant_ratio, dim_to_python, format_dim, free_symbols, invert_linear
from ....ir.graph_values import Value, ValueTuple
from ....types.tensor_types import Shape
from ..code.class_tree import SizeArg, SizeRef, SymbolRef
from ..code.classes import ClassBody, SizeSymbol
from ..code.python_expressions import Code, Lit, TupleCode


class ForwardSizes:
    """The run-time sizes that one body uses."""

    def __init__(self, body: ClassBody) -> None:
        self.body = body
        self.named: dict[Dim, str] = {size: name for name, size in reversed(body.graph.sizes.items())}
        self.known: dict[Dim, Code] = {}
        self.whole: dict[Dim, tuple[int, int]] = {}
        self.lines: dict[str, SizeSymbol] = {}
        self.takes = body.graph.grouped_inputs
        # Tensors before tuples, whose sizes are read off their first tensor: `x.shape[1]` rather than `xs[0].shape[1]`.
        for index, value in sorted(enumerate(self.takes), key=lambda taken: isinstance(taken[1], ValueTuple)):
            read = self._choose_tensor(value)
            for axis, d in enumerate(read.type.shape if read is not None else ()):
                self._record_axis(d, index, axis)

    def _choose_tensor(self, item: Value | ValueTuple) -> Value | None:
        """Return the tensor whose sizes are read. For a list of a model, which has the same number of tensors in each use, the first
        one."""
        if isinstance(item, Value):
            return item
        return item.values[0] if item.listed and item.values and self.body.graph.kind == "model" else None

    def _record_axis(self, d: Dim, index: int, axis: int) -> None:
        if not isinstance(d, SymDim):
            return
        self.whole.setdefault(d, (index, axis))
        line = invert_linear(d)
        if line is not None:
            symbol, by, times, minus = line
            self.lines.setdefault(symbol, SizeSymbol(symbol, index, axis, minus, times, by))

    def resolve_sizes(self, value: object) -> Code | None:
        """Return code for a literal with symbolic dimensions, or None for a literal without."""
        if isinstance(value, SymDim):
            if value not in self.known:
                self.known[value] = self._make_size_code(value)
            return self.known[value]
        if isinstance(value, tuple):
            items = [self.resolve_sizes(v) for v in value]
            if any(i is not None for i in items):
                return TupleCode(tuple(Lit(v) if i is None else i for v, i in zip(value, items, strict=True)))
        return None

    def _make_size_code(self, d: SymDim) -> Code:
        if d in self.whole:
            return SizeRef("{0}", (self._read_axis(d),))
        names = sorted(free_symbols(d))
        symbols = [self._find_symbol(name) for name in names]
        # A fraction of a whole axis comes before arithmetic with symbols: it is shorter, and the same at every resolution.
        if not all(s is not None and _is_whole(s) for s in symbols):
            share = self._express_as_fraction(d)
            if share is not None:
                return share
        sources = tuple(self._add_symbol(s) for s in symbols if s is not None)
        if len(sources) < len(names):
            return SizeRef("{0}", (self._pass_size(d),))
        text = dim_to_python(d, {name: f"{{{i}}}" for i, name in enumerate(names)})
        return SizeRef(text, sources, self.named.get(d, ""))

    def _express_as_fraction(self, d: SymDim) -> Code | None:
        """Write a size as a fraction or a multiple of an axis, so that blocks of the same layers are equal at every resolution."""
        for axis_size in self.whole:
            ratio = constant_ratio(d, axis_size)
            if ratio is not None:
                p, q = ratio
                text = ("" if p == 1 else f"{p} * ") + "{0}" + ("" if q == 1 else f" // {q}")
                return SizeRef(text, (self._read_axis(axis_size),), self.named.get(d, ""))
        return None

    def _read_axis(self, d: Dim) -> Code:
        return self._add_symbol(self._make_axis_symbol(d))

    def _make_axis_symbol(self, d: Dim) -> SizeSymbol:
        index, axis = self.whole[d]
        value = self._choose_tensor(self.takes[index])
        assert value is not None
        name = get_spec_axis_name(value, axis) or self.named.get(d, "")
        return SizeSymbol(name or choose_axis_name(value.type.shape, axis), index, axis, given=bool(name))

    def _find_symbol(self, symbol: str) -> SizeSymbol | None:
        """Return where the symbol can be read, preferably unchanged."""
        axis_size = next((d for d in self.whole if _is_plain(d, symbol)), None)
        return self._make_axis_symbol(axis_size) if axis_size is not None else self.lines.get(symbol)

    def _add_symbol(self, symbol: SizeSymbol) -> Code:
        if symbol not in self.body.symbols:
            self.body.symbols.append(symbol)
        return SymbolRef(self.body.symbols.index(symbol))

    def _pass_size(self, d: SymDim) -> Code:
        self.body.passed.append((self.named.get(d) or make_size_name(d), Lit(d)))
        return SizeArg(len(self.body.passed) - 1)


def _is_plain(d: Dim, name: str) -> bool:
    return invert_linear(d) == (name, 1, 1, 0)


def _is_whole(symbol: SizeSymbol) -> bool:
    return (symbol.minus, symbol.times, symbol.by) == (0, 1, 1)


def get_spec_axis_name(value: Value, axis: int) -> str:
    """Return the spec's name for the size of an axis, or an empty text."""
    return value.axes[axis] if value.axes else ""


def choose_axis_word(shape: Shape, axis: int) -> str:
    """Return a word for an axis whatever its size. The axes of an image, whose channels are first or last, go by their positions."""
    if len(shape) != 4 or axis == 0:
        return "length"
    # A symbolic second axis is taken for the height: sizes of images are open more often than numbers of channels.
    words = ("height", "width", "channels") if isinstance(shape[1], SymDim) else ("channels", "height", "width")
    return words[axis - 1]


def choose_axis_name(shape: Shape, axis: int) -> str:
    """Return a name for an axis's size: `T` if it is that symbol, else a word for the axis of an image, or a name made from its
    formula."""
    word = choose_axis_word(shape, axis)
    return make_size_name(shape[axis]) if word == "length" or format_dim(shape[axis]).isidentifier() else word


def make_size_name(d: Dim) -> str:
    """Make a variable name for a size: `T`, and `H_32` for `H/32`."""
    words = re.findall(r"[A-Za-z_]\w*|\d+", format_dim(d))
    words.sort(key=lambda w: w[0].isdigit())
    name = "_".join(words)
    return name if len(name) <= 12 else words[0]
