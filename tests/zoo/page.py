"""docs/zoo.md: tables of the specs, of the numbers that torchvision publishes, and of the results of the comparisons (`record`).

Always: the page is a function of the specs and the results.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from zoo import extent, record
from zoo.catalogue import Entry, compiled, entries, files, sizes
from zoo.published import as_published, published

from netc.compiler.dims import evaluate_dim

PAGE = Path(__file__).parents[2] / "docs" / "zoo.md"
TEXT = Path(__file__).parent / "page.md"
TITLES = {"vision": "Images", "text": "Text and audio"}
COLUMNS = ("model", "lines", "reference", "lines", "parameters", "FLOPs", "multiply-adds", "published", "difference", "in JAX", "in MLX")
NUMBERS = {"lines", "parameters", "FLOPs", "multiply-adds", "published"}
NONE = "–"


def write() -> None:
    PAGE.write_text(render(), encoding="utf-8")


def render() -> str:
    """The page: the text of page.md with the tables."""
    models = [entry for spec in files() for entry in entries(spec)]
    text = TEXT.read_text(encoding="utf-8")
    versions = ", ".join(f"{name} {version}" for name, version in record.versions().items())
    for mark, part in (("tables", "\n".join(_tables())), ("left out", "\n".join(_left_out(models))), ("versions", versions)):
        text = text.replace(f"{{{mark}}}", part)
    return text


def _tables() -> Iterator[str]:
    folders = list(dict.fromkeys(spec.partition("/")[0] for spec in files()))
    for folder in folders:
        yield f"### {TITLES.get(folder, folder.capitalize())}\n"
        yield _line(COLUMNS)
        yield _line(["---:" if column in NUMBERS else "---" for column in COLUMNS])
        for spec in files():
            if spec.startswith(f"{folder}/"):
                yield from rows(spec)
        yield ""


@cache
def rows(spec: str) -> tuple[str, ...]:
    """The rows of the models of a file."""
    return tuple(_line(_cells(entry)) for entry in entries(spec))


def _cells(entry: Entry) -> list[str]:
    known = record.measured().get(entry.key)
    theirs = published(entry)
    model = compiled(entry, as_published(entry))
    at = sizes(model, theirs.image if theirs else entry.image)
    totals = model.summary().totals
    return [
        f"[{entry.model}](../specs/{entry.spec})",
        str(extent.lines(entry)),
        known["reference"] if known else NONE,
        str(known["lines"]) if known else NONE,
        f"{totals.parameters:,}",
        _short(evaluate_dim(totals.flops, at)),
        _short(evaluate_dim(totals.multiply_adds, at)),
        _short(theirs.multiply_adds * 1e9) if theirs else NONE,
        _difference(known["difference"]) if known else NONE,
        *_in_others(known),
    ]


def measured_cells(entry: Entry) -> dict[str, str]:
    """The cells of a model's row that `record` has, by column: those that no model must be compiled for."""
    known = record.measured()[entry.key]
    return dict(zip(COLUMNS[-3:], [_difference(known["difference"]), *_in_others(known)], strict=True))


def written_cells() -> dict[tuple[str, str], dict[str, str]]:
    """Of the page as it is: the cells of each row by column. A row is known by its model and spec."""
    table = [
        [cell.strip() for cell in line.strip("|").split(" | ")]
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("| [")
    ]
    found = {}
    for cells in table:
        name, _, link = cells[0].removeprefix("[").partition("](../specs/")
        found[name, link.removesuffix(")")] = dict(zip(COLUMNS, cells, strict=True))
    return found


def _in_others(known: dict[str, Any] | None) -> list[str]:
    """The differences in JAX and in MLX."""
    return [_difference(known[column]) if known and known.get(column) is not None else NONE for column in ("in_jax", "in_mlx")]


def _left_out(models: list[Entry]) -> Iterator[str]:
    reasons: dict[tuple[str, str], list[str]] = {}
    known = record.measured()
    for entry in models:
        fact = known.get(entry.key)
        if fact and fact["left_out"]:
            reasons.setdefault((", ".join(f"`{name}`" for name in fact["left_out"]), fact["why"]), []).append(entry.model)
    for (names, why), which in reasons.items():
        yield f"- {', '.join(which)}: {names}. {why}"


def uncompared() -> list[str]:
    """The models that were not compared with a reference."""
    known = record.measured()
    return [e.key for spec in files() for e in entries(spec) if e.key not in known]


def _difference(value: float | None) -> str:
    if value is None:
        return "names and shapes"
    return f"{Decimal(str(value)):.0e}" if value else "0"


def _short(count: float) -> str:
    """Rounded to a million, as torchvision publishes it; a small number to a thousand."""
    return f"{count / 1e9:,.3f} G" if count >= 1e7 else f"{count / 1e6:,.3f} M"


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"
