"""The table of docs/import.md: what `make import` found.

In: what was measured. Out: the page, with its part between the marks replaced. Always: the rest of the page stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

from imports.kept import Measured
from imports.measured import Result, reasons
from zoo import extent
from zoo.catalogue import Entry, entries, files

PAGE = Path(__file__).parents[2] / "docs" / "import.md"


def write(measured: Sequence[Measured]) -> None:
    replace("measured", rendered(measured).rstrip("\n"))


def replace(part: str, content: str) -> None:
    """Writes what is between the marks of a part."""
    begin, end = f"<!-- {part} -->\n", f"<!-- /{part} -->"
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(begin)
    PAGE.write_text(f"{before}{begin}{content}\n{end}{rest.partition(end)[2]}", encoding="utf-8")


def rendered(measured: Sequence[Measured]) -> str:
    return "\n".join(_lines(measured)) + "\n"


_WHAT = {
    "torchvision": "torchvision, a sample of classification and segmentation",
    "timm": "timm, a sample",
    "transformers": "transformers, small configurations",
    "zoo": "ONNX that netc writes for its zoo",
    "wheels": "ONNX files in wheels of PyPI",
}


def _lines(measured: Sequence[Measured]) -> Iterator[str]:
    results = [result for one in measured for result in one.results]
    yield "With " + ", ".join(_versions(("torch", *(one.of for one in measured)))) + ", each set as it was measured last."
    yield ""
    yield "| models | seed | tried | proved | lines, median | largest difference | seconds to read, median | to prove |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for one in measured:
        good = [result for result in one.results if not result.failure]
        bound = f", at most {one.most} million parameters" if one.most is not None else ""
        cells = [_WHAT.get(one.of, one.of) + bound, str(one.seed), str(len(one.results)), str(len(good))]
        if good:
            cells += [f"{median(r.lines for r in good):.0f}", f"{max(r.difference for r in good):.1e}"]
            cells += [f"{median(r.seconds[0] for r in good):.1f}", f"{median(r.seconds[2] for r in good):.1f}"]
        yield f"| {' | '.join(cells)} |"
    yield from _failures(results)
    yield from _against_specs(results)


def _versions(names: Sequence[str]) -> Iterator[str]:
    """Those of sets that are a package."""
    for name in names:
        with suppress(PackageNotFoundError):
            yield f"{name} {version(name)}"


def _failures(results: Sequence[Result]) -> Iterator[str]:
    failed = [result for result in results if result.failure]
    if failed:
        yield from ("", "What was not imported, and why:", "")
        for reason, count in reasons(failed).most_common():
            of = [f"`{r.name}`" for r in failed if r.failure.partition(" (in ")[0] == reason]
            yield f"- {count}: {reason} ({', '.join(of[:3])}{', ...' if count > 3 else ''})"


def _against_specs(results: Sequence[Result]) -> Iterator[str]:
    """The lines of the imported text, and of the spec of the same model that was written by hand with what it uses."""
    known = {entry.model: entry for spec in files() for entry in entries(spec)}
    pairs = [(result, known[result.name]) for result in results if not result.failure and result.name in known]
    if not pairs:
        return
    ratios = [result.lines / _written(entry) for result, entry in pairs]
    yield ""
    shown = f"{median(ratios):.2f} times (median), at most {max(ratios):.2f}"
    yield f"Lines against the specs that were written by hand, for {len(pairs)} models: {shown}."
    yield ""
    yield "| model | imported | by hand |"
    yield "|---|---:|---:|"
    for result, entry in pairs:
        yield f"| {result.name} | {result.lines} | {_written(entry)} |"


def _written(entry: Entry) -> int:
    return extent.lines(entry)
