"""`netc diff`: what differs between two models."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ..display.model_comparison import compare
from ..display.model_summary import Quotients
from .completion import FileName
from .program import compiled
from .records import as_json
from .shared_options import choose, other_model_option, spec_options
from .spec_sources import reader
from .terminal import colored, columns, expect_no_garbage, visible, write

if TYPE_CHECKING:
    from ..display.model_comparison import Change, Comparison, Difference

SIGNS = {"added": ("+", "green"), "removed": ("-", "red"), "changed": ("~", "yellow")}


@click.command("diff")
@click.argument("before", metavar="BEFORE", type=FileName())
@click.argument("after", metavar="AFTER", type=FileName())
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

    expect_no_garbage()
    one = compiled(reader(before, None), choose(model, params, dims, allow_paths))
    other = compiled(reader(after, None), choose(other_model or model, params, dims, allow_paths))
    found = compare(one.program, other.program)
    if as_data:
        write(as_json(_data(found)))
        return
    quotients = Quotients({*one.program.symbols, *other.program.symbols})
    write("\n".join(_lines(found, columns(sys.stdout), quotients)))


def _data(found: Comparison) -> dict[str, object]:
    def changes(of: tuple[Change, ...]) -> list[dict[str, object]]:
        return [{"change": c.kind, "path": c.path, "stage": c.words, "differences": _pairs(c.differences)} for c in of]

    return {"ends": changes(found.ends), "stages": changes(found.changes), "totals": _pairs(found.totals)}


def _pairs(differences: tuple[Difference, ...]) -> dict[str, list[str]]:
    return {what: [old, new] for what, old, new in differences}


def _lines(found: Comparison, width: int, quotients: Quotients) -> Iterator[str]:
    """The text. Rounded quotients of sizes have names, which the last lines explain."""
    short = quotients.shorten
    if found.is_same:
        yield "no stage differs"
    for change in (*found.ends, *found.changes):
        sign, color = SIGNS[change.kind]
        text = f"{change.path}  {short(change.words)}" if change.kind != "changed" else change.path
        yield from _wrapped(f"{sign} ", "    ", visible(text), width, color if colored(sys.stdout) else "")
        names = max((len(what) for what, _, _ in change.differences), default=0)
        for what, old, new in change.differences:
            yield from _wrapped(f"    {what.ljust(names)}  ", " " * (names + 6), visible(short(f"{old} -> {new}")), width)
    yield ""
    for what, old, new in found.totals:
        yield from _wrapped(f"{what.ljust(13)}  ", " " * 15, short(f"{old} -> {new}" if old != new else old), width)
    legend = ", ".join(quotients.legend())
    if legend:
        yield from _wrapped("where".ljust(15), " " * 15, legend, width)


def _wrapped(first: str, others: str, text: str, width: int, color: str = "") -> Iterator[str]:
    lines = textwrap.wrap(text, width, initial_indent=first, subsequent_indent=others, break_on_hyphens=False) or [first.rstrip()]
    yield from (click.style(line, fg=color) if color else line for line in lines)
