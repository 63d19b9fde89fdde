"""Writes the arguments of a `forward`, and the lines that read sizes off their shapes.

In: a body. Out: the names of the arguments and run-time sizes, and the first lines of the method: `batch, length = tokens.shape`. Always:
tensors come first, then shared modules, then numbers. Sizes are read before any variable is reassigned.

    >>> import netc
    >>> source = netc.compile("tokens = input [T, 4]; tokens -> reshape [N, T, 2, 2] -> permute [0, 2, 1, 3]").source()
    >>> [line.strip() for line in source.splitlines() if ".shape" in line or "def forward" in line]
    ['def forward(self, tokens: Tensor) -> Tensor:', 'N = tokens.shape[0]']
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netc.dsl.trees import walk_tree

from ....ir.graph_values import Value, ValueTuple
from ..code.class_tree import SizeRef, SymbolRef, find_repeated_formulas
from ..code.classes import ClassBody, SizeSymbol, Step
from ..code.python_expressions import AnyInput, Code
from ..identifiers import RESERVED, make_unique
from ..printing.line_layout import STEP, Doc, LayoutBracket, layout_statement


class ForwardSignature:
    """The names at the start of `forward`."""

    def __init__(self, body: ClassBody, alive: Sequence[Step]) -> None:
        """`alive`: the steps that are written; only their sizes are read."""
        self.body = body
        self.framework = body.framework
        self._taken = {*RESERVED, *self.framework.imported}
        self.inputs = [self._make_name(n) for n in choose_input_names(body)]
        self.shared_labels = [self._make_name(n) for n in body.shared_labels]
        self.passed = [self._make_name(n) for n, _ in body.passed]
        sizes = [p for step in alive for p in walk_tree(step.code) if isinstance(p, (SizeRef, SymbolRef))]
        used = {p.index for p in sizes if isinstance(p, SymbolRef)}
        self.symbols = [self._make_name(s.name) if i in used else "" for i, s in enumerate(body.symbols)]
        self.computed = {size: self._make_name(size.name) for size in find_repeated_formulas(sizes)}
        """The formulas that the spec names and that are used several times. A formula within another one comes first."""

    def _make_name(self, name: str) -> str:
        unique = make_unique(self.framework.make_variable_name(name), self._taken)
        self._taken.add(unique)
        return unique

    @property
    def fixed_names(self) -> set[str]:
        """Names that are never reassigned."""
        return {*self.shared_labels, *self.passed, *self.symbols, *self.computed.values()}

    def write_lines(self) -> list[str]:
        inputs = list(zip(self.inputs, self.body.graph.grouped_inputs, strict=True))
        keywords = [f"**{n}: {self.framework.keywords[n]}" for n, _ in inputs if n in self.framework.keywords]
        annotated = [f"{n}: {self._annotate_input(t)}" for n, t in inputs if n not in self.framework.keywords]
        annotated += [f"{n}: {self.framework.module}" for n in self.shared_labels]
        annotated += [f"{n}: {self._annotate_passed(code)}" for n, (_, code) in zip(self.passed, self.body.passed, strict=True)]
        arguments = LayoutBracket("(", [Doc(a) for a in ("self", *annotated, *keywords)], ")")
        return layout_statement(f"def {self.framework.method}", Doc(arguments, f" -> {self.annotate_result()}:"), 1)

    def get_any_input(self) -> str:
        """Return a tensor among the inputs. Without inputs, the one that the caller passes."""
        if not self.inputs:
            return next(n for n, (_, code) in zip(self.passed, self.body.passed, strict=True) if isinstance(code, AnyInput))
        named = list(zip(self.inputs, self.body.graph.grouped_inputs, strict=True))
        return next((n for n, t in named if isinstance(t, Value)), f"{named[0][0]}[0]")

    def format_shape(self, index: int) -> str:
        """Write the shape of an input, or of the first tensor of a list."""
        name = self.inputs[index]
        return self.framework.shape.format(name if isinstance(self.body.graph.grouped_inputs[index], Value) else f"{name}[0]")

    def annotate_result(self) -> str:
        graph = self.body.graph
        tensor = self.framework.tensor
        # The branches of `if training` may return different numbers of tensors.
        if graph.training_outputs is not None:
            counts = sorted({len(graph.outputs), len(graph.training_outputs)})
            return " | ".join(tensor if count == 1 else f"tuple[{', '.join([tensor] * count)}]" for count in counts)
        alone = [tensor] * len(graph.single_outputs)
        # Five tensors or more would make the annotation longer than the `return`.
        if any(not tail.listed and graph.kind == "model" for tail in graph.tails) or (len(alone) > 4 and not graph.tails):
            return self._tuple_annotation
        alone += [self._tuple_annotation] * len(graph.tails)
        return alone[0] if len(alone) == 1 else f"tuple[{', '.join(alone)}]"

    def _annotate_input(self, item: Value | ValueTuple) -> str:
        return self._tuple_annotation if isinstance(item, ValueTuple) else self.framework.tensor

    def _annotate_passed(self, passed: Code) -> str:
        return self.framework.tensor if isinstance(passed, AnyInput) else "int"

    @property
    def _tuple_annotation(self) -> str:
        return f"tuple[{self.framework.tensor}, ...]"


def choose_input_names(body: ClassBody) -> list[str]:
    """Return the preferred names of the inputs: the names in the spec, and `x` for `in`, which is a keyword in Python."""
    return ["x" if name in ("in", "in_") else name for name in body.names[: body.inputs]]


def write_prelude(body: ClassBody, signature: ForwardSignature, formula: Callable[[SizeRef], str]) -> list[str]:
    """Write the lines that read the sizes, together for one tensor. `formula`: writes a formula that has a name."""
    direct: dict[int, list[tuple[int, str]]] = {}
    lines: list[str] = []
    for symbol, name in zip(body.symbols, signature.symbols, strict=True):
        if name and (symbol.minus, symbol.times, symbol.by) == (0, 1, 1):
            direct.setdefault(symbol.input, []).append((symbol.axis, name))
    for index, sizes in direct.items():
        item = body.graph.grouped_inputs[index]
        read = item if isinstance(item, Value) else item.values[0]
        lines.append(_write_size_read(signature.format_shape(index), sorted(sizes), read.type.rank))
    for symbol, name in zip(body.symbols, signature.symbols, strict=True):
        if name and (symbol.minus, symbol.times, symbol.by) != (0, 1, 1):
            lines.append(f"{name} = {_format_inverse(signature.format_shape(symbol.input), symbol)}")
    lines += [f"{name} = {formula(size)}" for size, name in signature.computed.items()]
    return [STEP * 2 + line for line in lines]


def _write_size_read(shape: str, sizes: list[tuple[int, str]], rank: int) -> str:
    """Write the line that reads sizes off a tensor, with `_` for sizes between them."""
    start, stop = sizes[0][0], sizes[-1][0] + 1
    if len(sizes) == 1:
        return f"{sizes[0][1]} = {shape}[{start}]"
    by_axis = dict(sizes)
    # `a, _, c = x.shape` reads better than a slice with a gap.
    if len(sizes) < stop - start:
        start, stop = 0, rank
    names = ", ".join(by_axis.get(axis, "_") for axis in range(start, stop))
    if (start, stop) == (0, rank):
        return f"{names} = {shape}"
    if stop == rank:
        return f"{names} = {shape}[{start - rank}:]"
    return f"{names} = {shape}[{start or ''}:{stop}]"


def _format_inverse(shape: str, symbol: SizeSymbol) -> str:
    value = f"{shape}[{symbol.axis}]"
    if symbol.minus:
        value = f"{value} {'-' if symbol.minus > 0 else '+'} {abs(symbol.minus)}"
        value = f"({value})" if symbol.times != 1 or symbol.by != 1 else value
    if symbol.times != 1:
        value = f"{value} * {symbol.times}"
    return f"{value} // {symbol.by}" if symbol.by != 1 else value
