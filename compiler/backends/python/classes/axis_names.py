"""Names the axes of tensors in docstrings: `[N, 3, H, W]`, `[N, width, ceil(H/stride), W]`.

In: a class with its graphs, and where the channels of tensors are. Out: the shapes of the inputs and outputs, in brackets. Always: a size
that is the same for all graphs is written out. A size that differs, or that only the surrounding model explains, is written as the
constructor argument that it equals, or in terms of an argument or of an axis that has a name. Otherwise it gets the name in the block's
pattern, its symbol, or the letter that is usual there. Axes of which nothing is known are `...`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile

from netc.dsl.trees import find_literals

from ....dims import Dim, SymDim, format_dim, free_symbols, make_symbol
from ....ir.graph import Graph
from ....ir.graph_values import Value, ValueTuple, flatten_parts
from ....types.tensor_types import FLOAT32
from ....types.traced_ints import is_integer
from ..code.class_tree import StrictLiteral
from ..code.classes import ClassDef
from ..identifiers import make_unique
from .channel_axes import ChannelAxes, Channels

FACTORS = (2, 3, 4, 8, 16)
"""The factors that are tried between symbolic sizes."""
LETTERS: dict[tuple[Channels | None, int], str] = {
    (None, 1): "L",
    (None, 2): "ND",
    (None, 3): "NTD",
    ("first", 3): "NCL",
    ("first", 4): "NCHW",
    ("first", 5): "NCDHW",
    ("last", 2): "ND",
    ("last", 3): "NTD",
    ("last", 4): "NHWC",
    ("last", 5): "NDHWC",
}
"""The usual names of axes, by the place of the channels and the rank."""
LESS = range(1, 5)
"""The numbers of positions that an unpadded window may take off an axis before the division by the stride: `(H - 2)//stride`."""

LONG = 16
"""The length of a formula that is replaced by a shorter one for the same size of the same axis."""

_ANY = "any "
"""The beginning of the symbol for a size on which nothing in the class depends."""
Values = tuple[StrictLiteral, ...]
"""A size in all graphs."""


Given = Value | ValueTuple | tuple[Value, ...]
"""An input or an output."""


def _list_outputs(graph: Graph) -> list[Given]:
    """List the outputs. A model returns the tensors of a tuple one by one, and a list as one."""
    outputs: list[Given] = [*graph.single_outputs]
    for tail in graph.tails:
        tensors = flatten_parts(tail.parts)
        outputs += [tensors] if tail.listed or graph.kind != "model" else tensors
    return outputs


def _keep_tensors(items: Sequence[Given]) -> list[Value]:
    """Keep the tensors, without the tuples."""
    return [item for item in items if isinstance(item, Value)]


class AxisNames:
    def __init__(self, cls: ClassDef, channels: ChannelAxes) -> None:
        self.cls, self.channels = cls, channels
        self.is_whole = cls.graphs[0].kind == "model"
        self.written = _collect_numbers(cls)
        self.taken = {p.name for p in cls.all_arguments}
        self.inputs = [list(items) for items in zip(*(g.grouped_inputs for g in cls.graphs), strict=True)]
        # A symbol that is written out as the size of some axis must not be the letter of another one.
        self.outputs = [list(items) for items in zip(*(_list_outputs(g) for g in cls.graphs), strict=True)]
        for tensors in filter(None, map(_keep_tensors, (*self.inputs, *self.outputs))):
            for sizes in zip(*(v.type.shape for v in tensors), strict=False):
                if self._is_constant(sizes):
                    self.taken |= free_symbols(sizes[0])
        self.named: dict[Values, str] = {}
        """The sizes that have a name: the arguments, then letters."""
        for parameter in cls.parameters:
            self.named.setdefault(tuple(StrictLiteral(v) for v in parameter.values), parameter.name)
        self.arguments = dict(self.named)
        self.letters: dict[tuple[Values, int], str] = {}
        """The names by size and axis."""
        self.formulas_by_axis: dict[tuple[Values, int], str] = {}
        """The formulas by size and axis."""
        self.names_in_shape: set[str] = set()
        """The names in the current shape."""

    def format_shapes(self) -> tuple[list[str], list[str]]:
        """Return the shapes of the inputs and the outputs."""
        for items in (*self.inputs, *self.outputs):  # twice, because a later tensor may name the axes of an earlier one
            self._format_tensor_or_tuple(items)
        return list(map(self._format_tensor_or_tuple, self.inputs)), list(map(self._format_tensor_or_tuple, self.outputs))

    def _format_tensor_or_tuple(self, items: Sequence[Given]) -> str:
        """Format a tensor, or a tuple with the shape of its tensors if they are alike, given as it is in each of the graphs."""
        tensors = _keep_tensors(items)
        if tensors:
            return self._format_shape(tensors)
        tuples = [item if isinstance(item, tuple) else item.values for item in items if not isinstance(item, Value)]
        some = next(filter(None, tuples), ())
        if not some or not all(len({v.type for v in values}) < 2 for values in tuples):
            return "tuple"
        return f"tuple of {self._format_shape([(values or some)[0] for values in tuples])}"

    def _format_shape(self, tensors: Sequence[Value]) -> str:
        """Format the shape of a tensor, given as it is in each of the graphs. With several ranks, only the last axes are named."""
        types = [v.type for v in tensors]
        dtypes = {t.dtype for t in types}
        prefix = "" if dtypes == {FLOAT32} or len(dtypes) > 1 else f"{types[0].dtype} "
        self.names_in_shape = set()
        rank = types[0].rank
        if all(t.rank == rank for t in types):
            names = [self._name_axis(tensors, axis) for axis in range(rank)]
        else:
            last = (self._name_axis(tensors, -1 - i) for i in range(min(t.rank for t in types)))
            names = ["", *reversed(list(takewhile(bool, last)))]
        return f"{prefix}[{', '.join(name for known, run in groupby(names, bool) for name in (run if known else ['...']))}]"

    def _name_axis(self, tensors: Sequence[Value], axis: int) -> str:
        """Name an axis. Empty if nothing is known of it."""
        sizes = [v.type.shape[axis] for v in tensors]
        formula = self.cls.format_size(sizes) or self._find_passed_size(sizes)
        if formula:
            same = self.formulas_by_axis.setdefault((_to_strict_values(sizes), axis), formula)
            return same if len(formula) > LONG else formula
        varying = self._generalize_sizes(sizes)
        if self._is_constant(varying):
            if isinstance(varying[0], SymDim):
                self.letters[_to_strict_values(varying), axis] = format_dim(varying[0])
            return format_dim(varying[0])
        # The general formula comes first: a name found by it holds for other uses of the class as well.
        ways = [varying] if all(size == sizes[0] for size in sizes) else [varying, sizes]
        name = next(filter(None, (self._find_name(way, axis) for way in ways)), "") or self._make_letter(tensors, axis)
        if not name:
            return format_dim(sizes[0]) if len(ways) == 1 and varying is not sizes else ""
        self.names_in_shape.add(name)
        for way in ways:
            self.named.setdefault(_to_strict_values(way), name)
            self.letters.setdefault((_to_strict_values(way), axis), name)
        return name

    def _find_name(self, sizes: list[Dim], axis: int) -> str:
        """Find the name that follows from the names so far. Empty if none does."""
        values = _to_strict_values(sizes)
        return self.arguments.get(values) or self._reuse_name(values, axis) or self._derive_name(sizes, axis)

    def _generalize_sizes(self, sizes: list[Dim]) -> list[Dim]:
        """Return the formula of the sizes where the class also works for other sizes, even without an argument for them. Else the
        sizes."""
        if self.written is not None and all(isinstance(size, int) and size not in self.written for size in sizes):
            return [make_symbol(f"{_ANY}{sizes[0]}")] * len(sizes)
        formula = None if self.is_whole else self.cls.common_formula(sizes)
        return [formula] * len(sizes) if isinstance(formula, SymDim) else sizes

    def _is_constant(self, sizes: Sequence[Dim]) -> bool:
        """Whether the size is the same in all graphs, and clear when written out. Only the whole model shows formulas."""
        first = sizes[0]
        if isinstance(first, SymDim) and any(name.startswith(_ANY) for name in free_symbols(first)):
            return False
        plain = self.is_whole or not isinstance(first, SymDim) or format_dim(first).isidentifier()
        return plain and all(size == first for size in sizes)

    def _reuse_name(self, values: Values, axis: int) -> str:
        """Return the name that the size has already: at the same axis, or else a name that no other axis of the shape has."""
        names = (self.letters.get((values, axis)), self.named.get(values), *(n for (v, _), n in self.letters.items() if v == values))
        return next((name for name in names if name and name not in self.names_in_shape), "")

    def _find_passed_size(self, sizes: Sequence[Dim]) -> str:
        """Return the number that `forward` takes in a class without inputs."""
        graphs = self.cls.graphs
        names = (name for name in graphs[0].sizes if all(g.sizes.get(name) == s for g, s in zip(graphs, sizes, strict=True)))
        return "" if self.inputs else next(names, "")

    # --- in terms of other sizes -----------------------------------------------------------------------------------------

    def _derive_name(self, sizes: list[Dim], axis: int) -> str:
        """Write a size in terms of an argument or of an axis with a name, preferably the same axis: `4*width`, `H/2`, `ceil(H/stride)`."""
        same = [(values, name, True) for (values, letter_axis), name in self.letters.items() if letter_axis == axis]
        others = [(values, name, False) for values, name in self.named.items() if name not in self.names_in_shape]
        for values, name, at_same in (*same, *others):
            of = [v.value for v in values]
            symbolic = any(isinstance(size, SymDim) for size in of)
            # Between fixed sizes of different axes, a factor of 2 is more likely chance than a rule.
            if at_same or symbolic or values in self.arguments:
                derived = _format_multiple(sizes, of, name) or (self._format_quotient(sizes, of, name) if at_same or symbolic else "")
                if derived:
                    return derived
        return ""

    def _format_quotient(self, sizes: list[Dim], of: list[object], name: str) -> str:
        """Write a size as the quotient of an axis by a number or an argument, rounded or not, or as an axis plus or minus a number."""
        axes = [size for size in of if isinstance(size, (int, SymDim))]
        if len(axes) < len(sizes):
            return ""
        for divisors, text in self._list_divisors(len(sizes)):
            triples = list(zip(sizes, axes, divisors, strict=True))
            if all(size * d == total for size, total, d in triples):
                return f"{name}/{text}"
            if all(size == total // d for size, total, d in triples):
                return f"{name}//{text}"
            if all(size == (total + d - 1) // d for size, total, d in triples):
                return f"ceil({name}/{text})"
            less = next((k for k in LESS if all(size == (total - k) // d for size, total, d in triples)), 0)
            if less:
                return f"({name} - {less})//{text}"
        difference = sizes[0] - axes[0]
        if not isinstance(difference, int) or any(isinstance(s, int) or s - a != difference for s, a in zip(sizes, axes, strict=True)):
            return ""
        return f"{name} + {difference}" if difference > 0 else f"{name} - {-difference}"

    def _list_divisors(self, count: int) -> Iterator[tuple[list[int], str]]:
        for parameter in self.cls.parameters:
            numbers = [v for v in parameter.values if is_integer(v) and v > 0]
            if len(numbers) == count:
                yield numbers, parameter.name
        yield from (([k] * count, str(k)) for k in FACTORS)

    # --- letters -----------------------------------------------------------------------------------------------------------

    def _make_letter(self, tensors: Sequence[Value], axis: int) -> str:
        wanted = tensors[0].axes[axis] if tensors[0].axes else ""
        name = wanted or _find_symbol([v.type.shape[axis] for v in tensors]) or self._choose_usual_letter(tensors, axis)
        if name:
            name = make_unique(name, self.taken)
            self.taken.add(name)
        return name

    def _choose_usual_letter(self, tensors: Sequence[Value], axis: int) -> str:
        if axis < 0:
            return ""
        positions = {channels for v in tensors if (channels := self.channels.get_channels(v)) is not None}
        letters = LETTERS.get((positions.pop() if len(positions) == 1 else None, tensors[0].type.rank), "N" if axis == 0 else "")
        return letters[axis] if axis < len(letters) else ""


def _collect_numbers(cls: ClassDef) -> set[object] | None:
    """Collect the numbers in the code of a class that is only a function of tensors of any size. None for other classes."""
    body = cls.body
    if body.members or body.chain is not None or cls.parameters or cls.graphs[0].kind == "model":
        return None
    lits = [lit.value for step in body.steps for lit in find_literals(step.code)]
    return {n for value in lits for n in (value if isinstance(value, tuple) else (value,)) if is_integer(n)}


def _to_strict_values(sizes: Sequence[Dim]) -> Values:
    return tuple(StrictLiteral(s) for s in sizes)


def _find_symbol(sizes: list[Dim]) -> str:
    """Return the one symbol that the size is, or an empty text."""
    texts = {format_dim(size) for size in sizes}
    name = texts.pop()
    return name if not texts and name.isidentifier() else ""


def _format_multiple(sizes: Sequence[Dim], of: Sequence[object], name: str) -> str:
    """Return `4*width`, if all `sizes` are 4 times `of`."""
    pairs = [(s, o) for s, o in zip(sizes, of, strict=True) if isinstance(o, (int, SymDim)) and not isinstance(o, bool)]
    if len(pairs) < len(sizes):
        return ""
    first, base = pairs[0]
    plain = isinstance(first, int) and isinstance(base, int)
    factors = ([first // base] if base > 0 else []) if plain else FACTORS
    return next((f"{f}*{name}" for f in factors if isinstance(f, int) and f > 1 and all(s == f * o for s, o in pairs)), "")
