"""The result of `Model.summary()`, which `netc summary` and `netc check --shapes` print.

In: a program. Out: its stages and totals as data, and as a table of plain text. Always: time grows with the distinct stages, not with the
number of repetitions; a number that depends on a symbolic dimension is a formula, in which rounded quotients have short names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from netc.compiler.analysis.model_cost import StageCost, Totals
from netc.compiler.analysis.model_cost import summarize_costs as cost_of
from netc.compiler.dims import Dim, format_dim
from netc.dsl.record import Record, replace

from ..inputs.argument_types import checks_methods
from .figures import number, size, type_words
from .text_table import align, fitted, wrapped

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

INDENT = "  "
LONGEST = 40
"""The table shows the first terms of a longer formula; the totals below it are always complete."""
SHORTEST = 16
"""The same in a table that is to fit a terminal."""
WIDEST = ((44, 22), (32, 16), (24, 12), (16, 12))
"""The widest names and shapes of a table that does not fit a terminal without: the first that fits."""


class Column(Record):
    """A column of the table: its title, its text for a row, and whether that is a number."""

    title: str
    show: Callable[[StageCost], str]
    is_number: bool = False


RESULT = Column("result", type_words)
OPERATOR = Column("operator", lambda row: row.name)
Layout = tuple[tuple[Column, ...], int | None, tuple[int, int] | None]
"""The columns of a table, the letters of its formulas, and those of its names and shapes."""
COSTS = (
    Column("parameters", lambda row: number(row.parameters), is_number=True),
    Column("FLOPs", lambda row: number(row.flops), is_number=True),
    Column("activation bytes", lambda row: number(row.activation_bytes), is_number=True),
)


@checks_methods
class SpecSummary(Record):
    """The stages of a model, in order and nested, and its totals. `str()` is the table.

    A row for several equal stages has their number; its costs are those of one. FLOPs and activations are for one sample.
    """

    name: str
    inputs: tuple[tuple[str, str], ...]
    rows: tuple[StageCost, ...]
    totals: Totals

    def __str__(self) -> str:
        return self.render()

    def to(self, depth: int) -> SpecSummary:
        """The same with stages within each other to that depth: 1 for the model's own alone."""
        return replace(self, rows=tuple(_shallow(row, depth - 1) for row in self.rows))

    def data(self) -> dict[str, object]:
        """The same as numbers, texts, lists and dicts: what `netc summary --json` prints. Formulas are texts."""
        return {
            "model": self.name,
            "inputs": [{"name": name, "type": type} for name, type in self.inputs],
            "stages": [_data(row) for row in self.rows],
            "totals": {name: _plain(getattr(self.totals, name)) for name in self.totals.__match_args__},
        }

    def lines(self) -> list[dict[str, object]]:
        """The stages one by one, with their paths: what `netc summary --csv` prints."""
        found: list[dict[str, object]] = []
        stack = [(row, row.label) for row in reversed(self.rows)]
        while stack:
            row, path = stack.pop()
            found.append({"path": path, **{name: value for name, value in _data(replace(row, detail=())).items() if name != "stages"}})
            stack += [(inner, f"{path}.{inner.label}") for inner in reversed(row.detail)]
        return found

    def render(self, width: int | None = None) -> str:
        """The table, and the totals. To fit a `width`, formulas are cut after their first term, then columns are left out: first the
        activations, then the operators; then names and shapes are cut, and at last the FLOPs and the parameters are left out."""
        quotients = Quotients(self._symbols())
        lines = self._fitting(width, _layouts(), quotients.shorten)
        totals = self._totals(quotients)
        return "\n".join([*lines, "", *(align(totals[0], totals[1:], (False, False)) if width is None else wrapped(totals, width))])

    def shapes(self, width: int | None = None) -> str:
        """The table of stages and their results, without costs; to fit a `width`, without operators, and with shorter names and shapes."""
        layouts = [((OPERATOR, RESULT), None, None), *(((RESULT,), None, widest) for widest in (None, *WIDEST))]
        return "\n".join(self._fitting(width, layouts, str))

    def _fitting(self, width: int | None, layouts: Iterable[Layout], shorten: Callable[[str], str]) -> list[str]:
        """The table in the first layout that fits, or in the last one, cut."""
        table: list[str] = []
        for columns, longest, widest in layouts:
            table = self._table(columns, lambda text, most=longest: _first_terms(shorten(text), most), widest)  # type: ignore[misc]
            if width is None or max(map(len, table)) <= width:
                return table
        assert width is not None
        return [fitted(line, width) for line in table]

    def _table(self, columns: tuple[Column, ...], shorten: Callable[[str], str], widest: tuple[int, int] | None = None) -> list[str]:
        given = {OPERATOR: "input"}
        lines = [(name, *(given.get(c, type if c is RESULT else "") for c in columns)) for name, type in self.inputs]
        lines += [(stage, *(shorten(c.show(row)) for c in columns)) for stage, row in _stages(self.rows)]
        if widest is not None:
            lines = [(fitted(name, widest[0]), fitted(result, widest[1]), *rest) for name, result, *rest in lines]
        return align((self.name, *(c.title for c in columns)), lines, (False, *(c.is_number for c in columns)))

    def total_lines(self) -> list[tuple[str, str]]:
        """The totals, each with what it is; formulas in full."""
        return self._totals(Quotients(self._symbols()))

    def _repr_html_(self) -> str:
        """What notebooks show."""
        from .html_markup import framed, tree_html

        return framed(tree_html(self.name, self.inputs, self.rows, self.total_lines()))

    def _symbols(self) -> set[str]:
        return {word for _, type in self.inputs for word in re.findall(r"\w+", type)}

    def _totals(self, quotients: Quotients) -> list[tuple[str, str]]:
        totals = self.totals
        lines = [
            ("parameters", f"{number(totals.parameters)}  ({size(totals.parameter_bytes)} with buffers)"),
            ("FLOPs", f"{number(totals.flops)}  (one sample, a multiply-add is two)"),
            ("multiply-adds", f"{number(totals.multiply_adds)}  (matrix products and convolutions only)"),
            ("activations", f"{size(totals.activation_bytes)}  (one sample, all results kept)"),
        ]
        if totals.buffers:
            lines.insert(1, ("buffers", number(totals.buffers)))
        lines = [(what, quotients.shorten(text)) for what, text in lines]
        return lines + ([("where", ", ".join(quotients.legend()))] if quotients.names else [])


class Quotients:
    """Short names for sizes such as `(H + 31)//32`, here `H32`, which are common in the shapes of convolutional networks."""

    _PATTERN = re.compile(r"\(\((?P<a>\w+) \+ \d+\)//(?P<b>\d+)\)|\((?P<c>\w+) \+ \d+\)//(?P<d>\d+)")

    def __init__(self, taken: set[str]) -> None:
        self.taken = taken
        """The model's own symbols, all of which its inputs show."""
        self.names: dict[str, str] = {}

    def shorten(self, text: str) -> str:
        return self._PATTERN.sub(self._name, text) if "//" in text else text

    def _name(self, match: re.Match[str]) -> str:
        quotient = match[0].removeprefix("(").removesuffix(")") if match["a"] else match[0]
        if quotient not in self.names:
            name = (match["a"] or match["c"]) + (match["b"] or match["d"])
            while name in self.taken:
                name += "_"
            self.taken.add(name)
            self.names[quotient] = name
        return self.names[quotient]

    def legend(self) -> Iterable[str]:
        in_order = sorted(self.names.items(), key=lambda item: (int(item[0].rpartition("//")[2]), item[0]))
        return (f"{name} = {quotient}" for quotient, name in in_order)


def _layouts() -> Iterator[Layout]:
    """Of the table with costs, the widest first."""
    whole: tuple[Column, ...] = (OPERATOR, RESULT, *COSTS)
    yield whole, LONGEST, None
    columns: tuple[Column, ...]
    for columns in (whole, whole[:-1], whole[1:-1]):
        yield columns, SHORTEST, None
    for columns in (whole[1:-1], whole[1:-2], (RESULT,)):
        yield from ((columns, SHORTEST, widest) for widest in WIDEST)


def _first_terms(text: str, longest: int | None) -> str:
    """The first terms of a long sum, and dots."""
    if longest is None or len(text) <= longest or " + " not in text:
        return text
    end = text.rfind(" + ", 0, longest)
    return text[: end if end >= 0 else text.index(" + ")] + " + ..."


def summarize(program: Program) -> SpecSummary:
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
        if not again:  # the inside of a shared stage is shown at its first use
            stack += [(inner, depth + 1) for inner in reversed(row.detail)]


def _shallow(row: StageCost, depth: int) -> StageCost:
    return replace(row, detail=tuple(_shallow(inner, depth - 1) for inner in row.detail) if depth > 0 else ())


def _data(row: StageCost) -> dict[str, object]:
    numbers = ("parameters", "flops", "multiply_adds", "activation_bytes", "times")
    return {
        "label": row.label,
        "operator": row.name,
        "results": [str(type) for type in row.results],
        **{name: _plain(getattr(row, name)) for name in numbers},
        "stages": [_data(inner) for inner in row.detail],
    }


def _plain(value: Dim) -> int | str:
    return value if isinstance(value, int) else format_dim(value)
