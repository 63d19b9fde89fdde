"""docs/formats.md: the table of small models, between two comments.

In: `measured.json`, which `python -m tests.formats.measure` writes. Out: the section's text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from page_sections import Reasons

from netc.compiler.backends.backend_registry import get_or_raise
from tests.formats.measure import PACKAGES, read_measured

PAGE = Path(__file__).parents[2] / "docs" / "formats.md"
SECTION = "models"


def render_section() -> str:
    """Write the table, its notes and the versions as Markdown."""
    measured = read_measured()
    reasons = Reasons()
    table = list(_make_table(measured["models"], reasons))
    versions = [_format_versions(name, versions) for name, versions in measured["versions"].items()]
    return "\n".join([*table, "", reasons.format_notes(), "", f"Measured with {'; '.join(versions)}."]) + "\n"


def _format_versions(name: str, versions: Mapping[str, str]) -> str:
    packages = ", ".join(f"{package} {version}" for package, version in sorted(versions.items()))
    return f"{packages} ({get_or_raise(name).title})"


def _make_table(models: Mapping[str, Mapping[str, Any]], reasons: Reasons) -> Iterator[str]:
    yield f"| network | {' | '.join(get_or_raise(name).title for name in PACKAGES)} |"
    yield "|---|" + "---|" * len(PACKAGES)
    for model, results in sorted(models.items()):
        yield f"| {model} | {' | '.join(_format_cell(results.get(name), reasons) for name in PACKAGES)} |"


def _format_cell(result: Mapping[str, Any] | None, reasons: Reasons) -> str:
    if result is None:
        return "not measured"
    if "refused" in result:
        return reasons.format_cell(result["refused"])
    return "written" if result["difference"] is None else f"{result['difference']:.0e}"
