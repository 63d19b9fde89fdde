"""Decides which literals of a block become parameters, and which follow from others, by their values at all uses.

In: for each literal of a block its value in each member, None where a member lacks it. Out: the expression written for it, and the
parameters: widths 64 and 128 with 256 and 512 give `width` and `4 * width`. Always: a relation between literals holds at every use, and at
least two uses differ. A number that is the same everywhere is written as a number.

    >>> import netc
    >>> from .spec_source import write_program
    >>> text = "block mlp(a, b) { dense a relu -> dense b }; input 3 -> mlp 64 256 -> mlp 128 512"
    >>> print(write_program(netc.compile(text).program), end="")
    block mlp(units) {
      in -> dense units relu as dense1 -> dense (4 * units) as dense2
    }
    <BLANKLINE>
    input 3 -> mlp 64 as mlp1 -> mlp 128 as mlp2
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import combinations_with_replacement, product
from typing import Any

from netc.dsl.trees import Tree

from ...dims import Dim, SymDim, make_symbol
from ...ir.graph import Graph
from ...ir.graph_values import Value
from ...ops.argument import REQUIRED
from ...ops.operator import strict_key
from ...types.tensor_types import BATCH
from .spec_tree import Binary, Literal
from .tensor_names import make_free_name, to_identifier

SIZES = ("channels", "units", "groups", "dim", "shape")
"""The arguments that are sizes of tensors. Only between these is a relation more than a coincidence."""
_DIGITS = "0123456789"
MULTIPLES = range(2, 17)
"""The factors that are tried between two parameters."""
LiteralColumn = Sequence[Literal | None]
Term = tuple[Any, Sequence[Dim]]
"""The expression for a size in the text, and its value at each use."""


class BlockParameter(Tree):
    """The value of a parameter of the block."""

    number: int


class SizeOfInput(Tree):
    """The size of an axis of an input."""

    input: int
    axis: int
    rank: int


class BlockParameters:
    """The parameters of a block. `given` has their values for each member, `defaults` their defaults. No parameter gets a name in `taken`,
    because it would hide the block or operator of that name."""

    def __init__(self, members: Sequence[Graph], taken: Collection[str] = ()) -> None:
        self.members = members
        self.taken = taken
        self.names: list[str] = []
        self.defaults: dict[str, Any] = {}
        self.given: list[list[Literal]] = [[] for _ in members]

    def add_parameter(self, column: LiteralColumn, stage: str = "") -> BlockParameter:
        """Add a parameter, for the stage of that name. A member that lacks it has the default."""
        present = [literal for literal in column if literal is not None]
        wanted = to_identifier((present[0].name or "value").lower(), "value")
        wanted = f"with_{wanted}" if wanted in self.taken else wanted
        name = make_free_name(f"{stage}_{wanted}" if wanted in self.names and stage else wanted, self.names)
        self.names.append(name)
        default = present[0].default
        # A member without the stage has no value of its own, and any value will do: the first one becomes the default.
        if len(present) < len(column):
            default = present[0].value
        if default is not REQUIRED and any(strict_key(literal.value) == strict_key(default) for literal in present):
            self.defaults[name] = default
        for arguments, literal in zip(self.given, column, strict=True):
            arguments.append(Literal(default if literal is None else literal.value, name, self.defaults.get(name, REQUIRED)))
        return BlockParameter(len(self.names) - 1)


class LiteralColumns:
    """All literals of a block."""

    def __init__(self, columns: Sequence[LiteralColumn], parameters: BlockParameters, stages: Sequence[str]) -> None:
        """`stages` are the names of the stages that the literals are in."""
        self.columns = columns
        self.parameters = parameters
        self.keys = [_make_key(column) for column in columns]
        self.by_key = dict(zip(self.keys, columns, strict=True))
        self.stages = dict(zip(reversed(self.keys), reversed(stages), strict=True))
        varying = [key for key in self.by_key if len({k for k in key[1:] if k is not None}) > 1]
        self.varying = sorted(varying, key=lambda key: None in key)
        """The columns whose values differ, beginning with the columns that all members have."""

    def make_parts(self) -> list[Any]:
        """Return the expression that is written for each literal."""
        known: dict[Any, Any] = {}
        related = {key: self._find_relation(key) for key in self.varying}
        order = {key: index for index, key in reversed(list(enumerate(self.keys)))}
        # Columns of all members come first, since a column with gaps may follow from one of them.
        for key in sorted(self.varying, key=lambda key: (None in key, order[key])):
            if related[key] is None:
                written = self._find_covering(key, known) or self._find_formula(key, known)
                known[key] = written or self.parameters.add_parameter(self._find_kernel(key) or self.by_key[key], self.stages[key])
        for key in self.varying:
            if key not in known:
                known[key] = self._write_relation(key, related, known)
        pairs = zip(self.keys, self.columns, strict=True)
        return [known[key] if key in known else next(literal for literal in column if literal is not None) for key, column in pairs]

    def _find_covering(self, key: Any, known: dict[Any, Any]) -> Any:
        """Return the expression of another literal that agrees with this one wherever this one exists."""
        for other, part in known.items():
            if all(k is None or k == o for k, o in zip(key[1:], other[1:], strict=True)) and self._may_be_one(key, other):
                return part
        return None

    def _may_be_one(self, key: Any, other: Any) -> bool:
        """Return whether literals with the same values are one: both are sizes or arguments of one name, or they are a kernel and a size of
        the weight."""
        names = {next(literal.name for literal in self.by_key[k] if literal is not None) for k in (key, other)}
        return key[0] == other[0] or names == {"kernel", "shape"}

    def _find_kernel(self, key: Any) -> LiteralColumn | None:
        """Return the kernels of a convolution that equal this size of its weight at every use."""
        alike = (other for other in self.varying if other[0] == "kernel" and other[1:] == key[1:] and self._may_be_one(key, other))
        return next((self.by_key[other] for other in alike), None)

    def _find_formula(self, key: Any, known: dict[Any, Any]) -> Any:
        """Return the product or quotient of input sizes and earlier parameters that equals the size of a `reshape` at every use, or None.
        The widths of layers stay parameters, as in the source: `down 64`."""
        sizes = _collect_sizes(self.by_key[key])
        if sizes is None or any(literal is not None and literal.name != "shape" for literal in self.by_key[key]):
            return None
        axes = self._list_input_axes()
        columns = [(part, _collect_sizes(self.by_key[other])) for other, part in known.items() if isinstance(part, BlockParameter)]
        return find_size_formula(sizes, axes, [(part, size) for part, size in columns if size is not None])

    def _list_input_axes(self) -> list[Term]:
        """List the sizes of the inputs' axes. Axis 0 is left out, since it is the batch."""
        members = [graph.inputs for graph in self.parameters.members]
        # Members with an optional input have other numbers for their inputs.
        if len({len(inputs) for inputs in members}) > 1:
            return []
        columns = enumerate(zip(*members, strict=True))
        alike = [(number, inputs) for number, inputs in columns if len({value.type.rank for value in inputs}) == 1]
        return [
            (SizeOfInput(number, axis, inputs[0].type.rank), [value.type.shape[axis] for value in inputs])
            for number, inputs in alike
            for axis in range(1, inputs[0].type.rank)
        ]

    def _find_relation(self, key: Any) -> Any:
        """Return the size of an input that equals the literal at every use, or another literal with a factor, or None."""
        return self._find_input_size(self.by_key[key]) or self._find_multiple(key)

    def _write_relation(self, key: Any, related: dict[Any, Any], known: dict[Any, Any]) -> Any:
        relation = related[key]
        if isinstance(relation, SizeOfInput):
            return relation
        other, factor = relation
        if other not in known:
            known[other] = self._write_relation(other, related, known)
        return Binary("*", Literal(factor), known[other])

    def _find_input_size(self, column: LiteralColumn) -> SizeOfInput | None:
        present = [(graph, literal) for graph, literal in zip(self.parameters.members, column, strict=True) if literal is not None]
        if not all(_is_size(literal.value) and _names_size(literal.name) for _, literal in present):
            return None
        if len({len(graph.inputs) for graph, _ in present}) > 1:
            return None
        for number, inputs in enumerate(zip(*(graph.inputs for graph, _ in present), strict=True)):
            axis = _find_axis(inputs, [literal.value for _, literal in present])
            if axis is not None:
                return SizeOfInput(number, axis, inputs[0].type.rank)
        return None

    def _find_multiple(self, key: Any) -> tuple[Any, int] | None:
        values = _collect_integers(self.by_key[key])
        if values is None:
            return None
        for other in self.varying:
            integers = _collect_integers(self.by_key[other]) if other != key else None
            if integers is None or any(f is None for v, f in zip(values, integers, strict=True) if v is not None):
                continue
            factors = {(v // f, v % f) for v, f in zip(values, integers, strict=True) if v is not None and f is not None}
            if len(factors) == 1 and (ratio := factors.pop())[1] == 0 and ratio[0] in MULTIPLES:
                return other, ratio[0]
        return None


def _make_key(column: LiteralColumn) -> tuple[object, ...]:
    """Make a key that is equal for literals with the same values that are sizes, or arguments of one name."""
    name = next(literal.name for literal in column if literal is not None)
    return ("size" if _names_size(name) else name, *(None if literal is None else strict_key(literal.value) for literal in column))


def find_size_formula(sizes: Sequence[Dim], axes: Sequence[Term], parameters: Sequence[Term]) -> Binary | None:
    """Find the formula for a size: `in.channels // 4`, `in.channels // heads`, `window * window`, `N * window * window`. None if there is
    none.

    The sizes of all uses are compared with their symbols, so the formula holds for every size of the inputs.
    """
    for part, sizes_of_axis in axes:
        for factor in MULTIPLES:
            if all(size * factor == of for size, of in zip(sizes, sizes_of_axis, strict=True)):
                return Binary("//", part, Literal(factor))
            if all(of * factor == size for size, of in zip(sizes, sizes_of_axis, strict=True)):
                return Binary("*", Literal(factor), part)
    # Formulas with a constant were tried first: they hold for every value of the parameters.
    for (part, sizes_of_axis), (divisor, by) in product(axes, parameters):
        if all(size * divided == of for size, divided, of in zip(sizes, by, sizes_of_axis, strict=True)):
            return Binary("//", part, divisor)
    batch: Dim = make_symbol(BATCH)
    for (left, first), (right, second) in combinations_with_replacement([*parameters, *axes], 2):
        if all(size == a * b for size, a, b in zip(sizes, first, second, strict=True)):
            return Binary("*", left, right)
        if all(size == batch * a * b for size, a, b in zip(sizes, first, second, strict=True)):
            return Binary("*", Binary("*", Literal(batch), left), right)
    return None


def _names_size(name: str) -> bool:
    """Return whether a name is an argument that is a size, or a block's parameter for one: `shape2`, `inner_units`."""
    return name.rstrip(_DIGITS).rpartition("_")[2] in SIZES


def _collect_sizes(column: LiteralColumn) -> list[Dim] | None:
    """Return the value of a size in each member. None if a member lacks it, or if it is no size."""
    values = [literal.value for literal in column if literal is not None and _names_size(literal.name)]
    return values if len(values) == len(column) and all(_is_size(value) or value == 1 for value in values) else None


def _collect_integers(column: LiteralColumn) -> list[int | None] | None:
    """Return the values of a size, with None where a member lacks it. None if it is no size."""
    values = [None if literal is None else literal.value for literal in column]
    if any(literal is not None and not _names_size(literal.name) for literal in column):
        return None
    return values if all(v is None or (isinstance(v, int) and not isinstance(v, bool) and v > 0) for v in values) else None


def _is_size(value: object) -> bool:
    return isinstance(value, SymDim) or (isinstance(value, int) and not isinstance(value, bool) and value > 1)


def _find_axis(inputs: Sequence[Value], sizes: Sequence[Dim]) -> int | None:
    ranks = {value.type.rank for value in inputs}
    if len(ranks) > 1:
        return None
    # The channels first: of two axes with the same size, the one that readers expect.
    order = sorted(range(1, ranks.pop()), key=lambda axis: axis != 1)
    return next((axis for axis in order if all(v.type.shape[axis] == s for v, s in zip(inputs, sizes, strict=True))), None)
