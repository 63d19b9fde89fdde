"""Summarize a model: the result of `Model.summary()`, which `netc summary` and `netc check --shapes` print.

In: a program. Out: its stages and totals as data, and as a table of plain text. Always: the time grows with the distinct stages, not with
the number of repetitions. A number that depends on a symbolic dimension is a formula, in which rounded quotients have short names.

    >>> import netc
    >>> print(netc.compile("input 3 -> dense 4 relu -> dense 2").summary())
    net     operator  result  parameters  FLOPs  activation bytes
    input   input     [N, 3]
    dense1  dense     [N, 4]          16     28                16
    relu1   relu      [N, 4]           0      4                16
    dense2  dense     [N, 2]          10     18                 8
    <BLANKLINE>
    parameters     26  (104 B with buffers)
    FLOPs          50  (one sample, a multiply-add is two)
    multiply-adds  20  (matrix products and convolutions only)
    activations    40 B  (one sample, all results kept)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from netc.compiler.analysis.model_cost import StageCost, Totals
from netc.compiler.analysis.model_cost import summarize_costs as cost_of
from netc.compiler.dims import Dim, format_dim
from netc.dsl.record import Record, replace

from ..inputs.argument_types import check_methods
from .figures import format_bytes, format_number, format_types
from .text_table import align_columns, truncate_line, wrap_rows

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

INDENT = "  "
MAX_FORMULA = 40
"""The most characters of a formula in the table, which shows the first terms of a longer one. The totals below it are always complete."""
MAX_SHORT_FORMULA = 16
"""The same for a table that must fit a terminal."""
MAX_WIDTHS = ((44, 22), (32, 16), (24, 12), (16, 12))
"""The widths to which a table shortens names and shapes if it does not fit a terminal: the first pair that fits."""


class SummaryColumn(Record):
    """A column of the table: its title, a function that returns its text for a row, and whether the text is a number."""

    title: str
    show: Callable[[StageCost], str]
    is_number: bool = False


RESULT = SummaryColumn("result", format_types)
OPERATOR = SummaryColumn("operator", lambda row: row.name)
Layout = tuple[tuple[SummaryColumn, ...], int | None, tuple[int, int] | None]
"""The columns of a table, the most characters of its formulas, and the most characters of its names and shapes."""
COSTS = (
    SummaryColumn("parameters", lambda row: format_number(row.parameters), is_number=True),
    SummaryColumn("FLOPs", lambda row: format_number(row.flops), is_number=True),
    SummaryColumn("activation bytes", lambda row: format_number(row.activation_bytes), is_number=True),
)


@check_methods
class SpecSummary(Record):
    """The stages of a model, in order and nested, and its totals. `str()` is the table.

    A row for several equal stages has their number, and the costs of one. FLOPs and activations are for one sample.
    """

    name: str
    inputs: tuple[tuple[str, str], ...]
    rows: tuple[StageCost, ...]
    totals: Totals

    def __str__(self) -> str:
        return self.render()

    def to(self, depth: int) -> SpecSummary:
        """Return a summary with only this many levels of nested stages: 1 keeps the model's own."""
        return replace(self, rows=tuple(_limit_depth(row, depth - 1) for row in self.rows))

    def data(self) -> dict[str, object]:
        """Return the summary as numbers, strings, lists and dicts, as `netc summary --json` prints it. Formulas are strings."""
        return {
            "model": self.name,
            "inputs": [{"name": name, "type": type} for name, type in self.inputs],
            "stages": [_row_to_data(row) for row in self.rows],
            "totals": {name: _dim_to_data(getattr(self.totals, name)) for name in self.totals.__match_args__},
        }

    def lines(self) -> list[dict[str, object]]:
        """Return the stages one by one, with their paths, as `netc summary --csv` prints them."""
        lines: list[dict[str, object]] = []
        stack = [(row, row.label) for row in reversed(self.rows)]
        while stack:
            row, path = stack.pop()
            lines.append(
                {"path": path, **{name: value for name, value in _row_to_data(replace(row, detail=())).items() if name != "stages"}}
            )
            stack += [(inner, f"{path}.{inner.label}") for inner in reversed(row.detail)]
        return lines

    def render(self, width: int | None = None) -> str:
        """Return the table and the totals as text.

        To fit a `width`, formulas are cut after their first term. Then columns are left out, first the activations, then the operators.
        Then names and shapes are cut, and at last the FLOPs and the parameters are left out.
        """
        quotients = Quotients(self._find_symbols())
        lines = self._fit_table(width, _list_layouts(), quotients.shorten)
        totals = self._make_totals(quotients)
        return "\n".join(
            [*lines, "", *(align_columns(totals[0], totals[1:], (False, False)) if width is None else wrap_rows(totals, width))]
        )

    def shapes(self, width: int | None = None) -> str:
        """Return the table of stages and their results, without costs. To fit a `width`, leave out the operators, then shorten names and
        shapes."""
        layouts = [((OPERATOR, RESULT), None, None), *(((RESULT,), None, widest) for widest in (None, *MAX_WIDTHS))]
        return "\n".join(self._fit_table(width, layouts, str))

    def _fit_table(self, width: int | None, layouts: Iterable[Layout], shorten: Callable[[str], str]) -> list[str]:
        """Return the table in the first layout that fits, or in the last one with its lines cut."""
        table: list[str] = []
        for columns, longest, widest in layouts:
            table = self._make_table(columns, lambda text, most=longest: _first_terms(shorten(text), most), widest)  # type: ignore[misc]
            if width is None or max(map(len, table)) <= width:
                return table
        assert width is not None
        return [truncate_line(line, width) for line in table]

    def _make_table(
        self, columns: tuple[SummaryColumn, ...], shorten: Callable[[str], str], widest: tuple[int, int] | None = None
    ) -> list[str]:
        input_cells = {OPERATOR: "input"}
        lines = [(name, *(input_cells.get(c, type if c is RESULT else "") for c in columns)) for name, type in self.inputs]
        lines += [(stage, *(shorten(c.show(row)) for c in columns)) for stage, row in _list_rows(self.rows)]
        if widest is not None:
            lines = [(truncate_line(name, widest[0]), truncate_line(result, widest[1]), *rest) for name, result, *rest in lines]
        return align_columns((self.name, *(c.title for c in columns)), lines, (False, *(c.is_number for c in columns)))

    def total_lines(self) -> list[tuple[str, str]]:
        """Return the totals, each with its name. Formulas are complete."""
        return self._make_totals(Quotients(self._find_symbols()))

    def _repr_html_(self) -> str:
        """Return the HTML that notebooks show."""
        from .html_markup import add_styles, render_tree

        return add_styles(render_tree(self.name, self.inputs, self.rows, self.total_lines()))

    def _find_symbols(self) -> set[str]:
        return {word for _, type in self.inputs for word in re.findall(r"\w+", type)}

    def _make_totals(self, quotients: Quotients) -> list[tuple[str, str]]:
        totals = self.totals
        lines = [
            ("parameters", f"{format_number(totals.parameters)}  ({format_bytes(totals.parameter_bytes)} with buffers)"),
            ("FLOPs", f"{format_number(totals.flops)}  (one sample, a multiply-add is two)"),
            ("multiply-adds", f"{format_number(totals.multiply_adds)}  (matrix products and convolutions only)"),
            ("activations", f"{format_bytes(totals.activation_bytes)}  (one sample, all results kept)"),
        ]
        if totals.buffers:
            lines.insert(1, ("buffers", format_number(totals.buffers)))
        lines = [(what, quotients.shorten(text)) for what, text in lines]
        return lines + ([("where", ", ".join(quotients.make_legend()))] if quotients.names else [])


class Quotients:
    """Short names for rounded quotients, which are common in the shapes of convolutional networks: `(H + 31)//32` is `H32`."""

    # the form in brackets comes first, so that the brackets are replaced too
    _PATTERN = re.compile(r"\(\((?P<a>\w+) \+ \d+\)//(?P<b>\d+)\)|\((?P<c>\w+) \+ \d+\)//(?P<d>\d+)")

    def __init__(self, used: set[str]) -> None:
        self.used = used
        """The names in use: first the model's symbols, all of which its inputs show, then the short names."""
        self.names: dict[str, str] = {}

    def shorten(self, text: str) -> str:
        return self._PATTERN.sub(self._name_quotient, text) if "//" in text else text

    def _name_quotient(self, match: re.Match[str]) -> str:
        quotient = match[0].removeprefix("(").removesuffix(")") if match["a"] else match[0]
        if quotient not in self.names:
            name = (match["a"] or match["c"]) + (match["b"] or match["d"])
            while name in self.used:  # a symbol of the model may be called `H32`
                name += "_"
            self.used.add(name)
            self.names[quotient] = name
        return self.names[quotient]

    def make_legend(self) -> Iterable[str]:
        in_order = sorted(self.names.items(), key=lambda item: (int(item[0].rpartition("//")[2]), item[0]))
        return (f"{name} = {quotient}" for quotient, name in in_order)


def _list_layouts() -> Iterator[Layout]:
    """Yield the layouts of the table with costs, the widest first."""
    full: tuple[SummaryColumn, ...] = (OPERATOR, RESULT, *COSTS)
    yield full, MAX_FORMULA, None
    columns: tuple[SummaryColumn, ...]
    for columns in (full, full[:-1], full[1:-1]):
        yield columns, MAX_SHORT_FORMULA, None
    for columns in (full[1:-1], full[1:-2], (RESULT,)):
        yield from ((columns, MAX_SHORT_FORMULA, widest) for widest in MAX_WIDTHS)


def _first_terms(text: str, longest: int | None) -> str:
    """Return the first terms of a long sum, and dots."""
    if longest is None or len(text) <= longest or " + " not in text:
        return text
    end = text.rfind(" + ", 0, longest)
    return text[: end if end >= 0 else text.index(" + ")] + " + ..."


def summarize_program(program: Program) -> SpecSummary:
    """Return the summary of a program."""
    cost = cost_of(program)
    inputs = tuple((value.name, str(value.type)) for value in program.main.inputs)
    return SpecSummary(program.main.name, inputs, cost.rows, cost.totals)


def _list_rows(rows: tuple[StageCost, ...]) -> Iterator[tuple[str, StageCost]]:
    """Yield every row with its name, indented by its depth, from the outside inwards."""
    stack = [(row, 0) for row in reversed(rows)]
    while stack:
        row, depth = stack.pop()
        times = f" x {row.times:,}" if row.times > 1 else ""
        again = not row.parameters and any(inner.parameters for inner in row.detail)
        yield INDENT * depth + row.label + times + (" (shared)" if again else ""), row
        if not again:  # the inside of a shared stage is shown at its first use
            stack += [(inner, depth + 1) for inner in reversed(row.detail)]


def _limit_depth(row: StageCost, depth: int) -> StageCost:
    return replace(row, detail=tuple(_limit_depth(inner, depth - 1) for inner in row.detail) if depth > 0 else ())


def _row_to_data(row: StageCost) -> dict[str, object]:
    numbers = ("parameters", "flops", "multiply_adds", "activation_bytes", "times")
    return {
        "label": row.label,
        "operator": row.name,
        "results": [str(type) for type in row.results],
        **{name: _dim_to_data(getattr(row, name)) for name in numbers},
        "stages": [_row_to_data(inner) for inner in row.detail],
    }


def _dim_to_data(value: Dim) -> int | str:
    return value if isinstance(value, int) else format_dim(value)
