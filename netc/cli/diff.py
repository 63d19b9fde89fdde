"""`netc diff`: compare two models stage by stage, and their totals.

$ netc diff small.net large.net
~ dense1
    stage        dense 8 -> dense 16
    result       [N, 8] -> [N, 16]
    parameters   32 -> 64
    ...
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..display.model_comparison import compare_programs
from ..display.model_summary import Quotients
from .completion import SpecName
from .program import compile_spec
from .records import format_json
from .shared_options import make_choice, other_model_option, spec_options
from .spec_sources import make_reader
from .terminal import defer_garbage_collection, get_table_width, has_colors, to_printable, write_text

if TYPE_CHECKING:
    from ..display.model_comparison import Change, Comparison, Difference

SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


@click.command("diff")
@click.argument("before", metavar="BEFORE", type=SpecName())
@click.argument("after", metavar="AFTER", type=SpecName())
@other_model_option("Select a model of AFTER, if its name differs from --model.")
@click.option("--json", "as_data", is_flag=True, help="Print JSON.")
@spec_options
def command(
    before: str,
    after: str,
    other_model: str | None,
    as_data: bool,
    model: str | None,
    params: dict[str, object],
    dims: dict[str, int],
    allow_paths: tuple[str, ...],
) -> None:
    """Stages are compared by their keys in the state dict."""
    if before == after == "-":
        raise click.UsageError("only one of the two can be standard input")

    defer_garbage_collection()
    old = compile_spec(make_reader(before, None), make_choice(model, params, dims, allow_paths))
    new = compile_spec(make_reader(after, None), make_choice(other_model or model, params, dims, allow_paths))
    comparison = compare_programs(old.program, new.program)
    if as_data:
        write_text(format_json(_comparison_to_data(comparison)))
        return
    # one set of short names, none of which is a symbol of either model
    quotients = Quotients({*old.program.symbols, *new.program.symbols})
    write_text("\n".join(_format_lines(comparison, get_table_width(sys.stdout), quotients)))


def _comparison_to_data(comparison: Comparison) -> dict[str, object]:
    def changes_to_data(of: tuple[Change, ...]) -> list[dict[str, object]]:
        return [{"change": c.kind, "path": c.path, "stage": c.description, "differences": _differences_to_data(c.differences)} for c in of]

    return {
        "ends": changes_to_data(comparison.ends),
        "stages": changes_to_data(comparison.changes),
        "totals": _differences_to_data(comparison.totals),
    }


def _differences_to_data(differences: tuple[Difference, ...]) -> dict[str, list[str]]:
    return {what: [old, new] for what, old, new in differences}


def _format_lines(comparison: Comparison, width: int, quotients: Quotients) -> Iterator[str]:
    """Yield the lines of the table. Rounded quotients of sizes have short names, which the last lines explain."""
    short = quotients.shorten
    if comparison.is_same:
        yield "no stage differs"
    for change in (*comparison.ends, *comparison.changes):
        sign, color = SIGNS[change.kind]
        text = f"{change.path}  {short(change.description)}" if change.kind != "changed" else change.path
        yield from _wrap_text(f"{sign} ", "    ", to_printable(text), width, color if has_colors(sys.stdout) else "")
        names = max((len(what) for what, _, _ in change.differences), default=0)
        for what, old, new in change.differences:
            yield from _wrap_text(f"    {what.ljust(names)}  ", " " * (names + 6), to_printable(short(f"{old} -> {new}")), width)
    yield ""
    for what, old, new in comparison.totals:
        # 13 is the length of `multiply-adds`, the longest name; 2 more are the gap
        yield from _wrap_text(f"{what.ljust(13)}  ", " " * 15, short(f"{old} -> {new}" if old != new else old), width)
    legend = ", ".join(quotients.make_legend())
    if legend:
        yield from _wrap_text("where".ljust(15), " " * 15, legend, width)


def _wrap_text(first: str, others: str, text: str, width: int, color: str = "") -> Iterator[str]:
    lines = textwrap.wrap(text, width, initial_indent=first, subsequent_indent=others, break_on_hyphens=False) or [first.rstrip()]
    yield from (click.style(line, fg=color) if color else line for line in lines)
