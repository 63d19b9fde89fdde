"""The arguments of a `forward`, and the sizes that it first reads off their shapes.

In: a body. Out: the names of the arguments and run-time sizes, the method's first lines. Always: tensors come first, then shared modules,
then numbers; sizes are read before any variable is reassigned.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..code.classes import ClassBody, SizeSymbol, Step
from ..code.tree import SymbolRef, parts
from ..naming import IMPORTED, local, unique
from ..printing.layout import STEP, Doc, LayoutBracket, statement


class Signature:
    """The names at the start of `forward`."""

    def __init__(self, body: ClassBody, alive: Sequence[Step]) -> None:
        """`alive`: the steps that are written; only their sizes are read."""
        self.body = body
        self._taken = set(IMPORTED)
        self.inputs = [self._new(n) for n in input_names(body)]
        self.shared_labels = [self._new(n) for n in body.shared_labels]
        self.passed = [self._new(n) for n, _ in body.passed]
        used = _read_sizes(alive) if body.symbols else set()
        self.symbols = [self._new(s.name) if i in used else "" for i, s in enumerate(body.symbols)]

    def _new(self, name: str) -> str:
        found = unique(local(name), self._taken)
        self._taken.add(found)
        return found

    @property
    def fixed(self) -> set[str]:
        """Names that are never reassigned."""
        return {*self.shared_labels, *self.passed, *self.symbols}

    def lines(self) -> list[str]:
        taken = [f"{n}: Tensor" for n in self.inputs]
        taken += [f"{n}: nn.Module" for n in self.shared_labels]
        taken += [f"{n}: int" for n in self.passed]
        arguments = LayoutBracket("(", [Doc(a) for a in ("self", *taken)], ")")
        return statement("def forward", Doc(arguments, f" -> {self.result()}:"), 1)

    def result(self) -> str:
        count = len(self.body.outputs)
        if count == 1:
            return "Tensor"
        return f"tuple[{', '.join(['Tensor'] * count)}]" if count <= 4 else "tuple[Tensor, ...]"


def _read_sizes(steps: Sequence[Step]) -> set[int]:
    """The sizes that the steps use."""
    return {p.index for step in steps for p in parts(step.code) if isinstance(p, SymbolRef)}


def input_names(body: ClassBody) -> list[str]:
    """The preferred names of the inputs: those of the spec, and `x` for `in`."""
    return ["x" if name in ("in", "in_") else name for name in body.names[: body.inputs]]


def prelude(body: ClassBody, signature: Signature) -> list[str]:
    """The lines that read the sizes: neighbouring axes of one tensor together."""
    direct: dict[int, list[tuple[int, str]]] = {}
    lines: list[str] = []
    for symbol, name in zip(body.symbols, signature.symbols, strict=True):
        if name and (symbol.minus, symbol.times, symbol.by) == (0, 1, 1):
            direct.setdefault(symbol.input, []).append((symbol.axis, name))
    for index, found in direct.items():
        rank = body.graph.inputs[index].type.rank
        lines += [_read(signature.inputs[index], run, rank) for run in _neighbours(sorted(found))]
    for symbol, name in zip(body.symbols, signature.symbols, strict=True):
        if name and (symbol.minus, symbol.times, symbol.by) != (0, 1, 1):
            lines.append(f"{name} = {_inverse(signature.inputs[symbol.input], symbol)}")
    return [STEP * 2 + line for line in lines]


def _neighbours(found: list[tuple[int, str]]) -> list[list[tuple[int, str]]]:
    runs: list[list[tuple[int, str]]] = []
    for axis, name in found:
        if runs and runs[-1][-1][0] == axis - 1:
            runs[-1].append((axis, name))
        else:
            runs.append([(axis, name)])
    return runs


def _read(tensor: str, run: list[tuple[int, str]], rank: int) -> str:
    names = ", ".join(name for _, name in run)
    start, stop = run[0][0], run[-1][0] + 1
    if len(run) == 1:
        return f"{names} = {tensor}.shape[{start}]"
    if (start, stop) == (0, rank):
        return f"{names} = {tensor}.shape"
    if stop == rank:
        return f"{names} = {tensor}.shape[{start - rank}:]"
    return f"{names} = {tensor}.shape[{start or ''}:{stop}]"


def _inverse(tensor: str, symbol: SizeSymbol) -> str:
    value = f"{tensor}.shape[{symbol.axis}]"
    if symbol.minus:
        value = f"{value} {'-' if symbol.minus > 0 else '+'} {abs(symbol.minus)}"
        value = f"({value})" if symbol.times != 1 or symbol.by != 1 else value
    if symbol.times != 1:
        value = f"{value} * {symbol.times}"
    return f"{value} // {symbol.by}" if symbol.by != 1 else value
