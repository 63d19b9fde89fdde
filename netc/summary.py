"""What `Model.summary()` gives and `netc summary` and `netc check --shapes` print.

In: a program. Out: its stages and totals as data, and as a table of plain text. Always: time grows with the distinct stages, not with how
often they are repeated; what depends on a symbolic dimension is shown as a formula of it, in which rounded fractions have short names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from netc.compiler.analysis.cost import StageCost, Totals
from netc.compiler.analysis.cost import summary as cost_of
from netc.compiler.dims import Dim, show
from netc.dsl.record import Record

from .table import align

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

INDENT = "  "
LONGEST = 40
"""Of a longer formula the table shows the first terms; the totals below it are always whole."""
MANY = 4
"""Of more results than that of one stage the table shows the first."""


class Column(Record):
    """A column of the table: its title, what it shows of a row, and whether that is a number."""

    title: str
    show: Callable[[StageCost], str]
    number: bool = False


def _results(row: StageCost) -> str:
    """The types of the results; of more than `MANY` the first, and their number."""
    shown = [str(type) for type in row.results[: len(row.results) if len(row.results) <= MANY else MANY - 1]]
    return ", ".join(shown if len(shown) == len(row.results) else [*shown, f"... {len(row.results)} in all"])


RESULT = Column("result", _results)
OPERATOR = Column("operator", lambda row: row.name)
COSTS = (
    Column("parameters", lambda row: _number(row.parameters), number=True),
    Column("FLOPs", lambda row: _number(row.flops), number=True),
    Column("activation bytes", lambda row: _number(row.activation_bytes), number=True),
)


class SpecSummary(Record):
    """The stages of a model, in order and nested, and its totals. `str()` is the table.

    A row for several equal stages has their number; its other numbers are those of one. FLOPs and activations are for one sample.
    """

    name: str
    inputs: tuple[tuple[str, str], ...]
    rows: tuple[StageCost, ...]
    totals: Totals

    def __str__(self) -> str:
        fractions = Fractions({word for _, type in self.inputs for word in re.findall(r"\w+", type)})
        table = self._table((OPERATOR, RESULT, *COSTS), lambda text: _first_terms(fractions.shorten(text)))
        return "\n".join([*table, "", *self._totals(fractions)])

    def shapes(self) -> str:
        """The table of stages and their results alone."""
        return "\n".join(self._table((OPERATOR, RESULT), str))

    def _table(self, columns: tuple[Column, ...], shorten: Callable[[str], str]) -> list[str]:
        blanks = ("",) * (len(columns) - 2)
        lines = [(name, "input", type, *blanks) for name, type in self.inputs]
        lines += [(stage, *(shorten(c.show(row)) for c in columns)) for stage, row in _stages(self.rows)]
        return align((self.name, *(c.title for c in columns)), lines, (False, *(c.number for c in columns)))

    def _totals(self, fractions: Fractions) -> list[str]:
        totals = self.totals
        lines = [
            ("parameters", f"{_number(totals.parameters)}  ({size(totals.parameter_bytes)} with buffers)"),
            ("FLOPs", f"{_number(totals.flops)}  (one sample, a multiply-add is two)"),
            ("multiply-adds", f"{_number(totals.multiply_adds)}  (of matrix products and convolutions alone)"),
            ("activations", f"{size(totals.activation_bytes)}  (one sample, all results kept)"),
        ]
        if totals.buffers:
            lines.insert(1, ("buffers", _number(totals.buffers)))
        lines = [(what, fractions.shorten(text)) for what, text in lines]
        lines += [("where", ", ".join(fractions.legend()))] if fractions.names else []
        return align(lines[0], lines[1:], (False, False))


class Fractions:
    """Short names for sizes such as `(H + 31)//32`, here `H32`, which the shapes of a network of convolutions are full of."""

    _PATTERN = re.compile(r"\(\((?P<a>\w+) \+ \d+\)//(?P<b>\d+)\)|\((?P<c>\w+) \+ \d+\)//(?P<d>\d+)")

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        """The model's own symbols, all of which its inputs show."""
        self.names: dict[str, str] = {}

    def shorten(self, text: str) -> str:
        return self._PATTERN.sub(self._name, text) if "//" in text else text

    def _name(self, match: re.Match[str]) -> str:
        fraction = match[0].removeprefix("(").removesuffix(")") if match["a"] else match[0]
        if fraction not in self.names:
            name = (match["a"] or match["c"]) + (match["b"] or match["d"])
            while name in self.taken:
                name += "_"
            self.taken.add(name)
            self.names[fraction] = name
        return self.names[fraction]

    def legend(self) -> Iterable[str]:
        in_order = sorted(self.names.items(), key=lambda item: (int(item[0].rpartition("//")[2]), item[0]))
        return (f"{name} = {fraction}" for fraction, name in in_order)


def _first_terms(text: str) -> str:
    """A long sum up to a sign, and dots."""
    if len(text) <= LONGEST or " + " not in text[:LONGEST]:
        return text
    return text[: text.rindex(" + ", 0, LONGEST)] + " + ..."


def summarise(program: Program) -> SpecSummary:
    """The summary of a program."""
    cost = cost_of(program)
    inputs = tuple((value.name, str(value.type)) for value in program.main.inputs)
    return SpecSummary(program.main.name, inputs, cost.rows, cost.totals)


def _stages(rows: tuple[StageCost, ...]) -> Iterator[tuple[str, StageCost]]:
    """Every row with its name, indented by its depth, from the outside inwards."""
    stack = [(row, 0) for row in reversed(rows)]
    while stack:
        row, depth = stack.pop()
        times = f" x {row.times:,}" if row.times > 1 else ""
        again = not row.parameters and any(inner.parameters for inner in row.detail)
        yield INDENT * depth + row.label + times + (" (shared)" if again else ""), row
        if not again:  # the stages within a shared stage are listed at its first use
            stack += [(inner, depth + 1) for inner in reversed(row.detail)]


def _number(value: Dim) -> str:
    return f"{value:,}" if isinstance(value, int) else show(value)


def size(count: Dim) -> str:
    """Bytes as a person reads them."""
    if not isinstance(count, int):
        return f"{show(count)} B"
    amount, units = float(count), ["TB", "GB", "MB", "kB", "B"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop()
    return f"{amount:.4g} {units[-1]}"
