"""docs/runtimes.md: the text of page.md with tables of the profiles and of what `make runtimes` has measured.

Always: the page is a function of the profiles and of measured.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from page_sections import Reasons

from netc.compiler.backends.onnx.runtime_profiles import PROFILES, RuntimeProfile
from runtimes.measure_zoo import read_measured

PAGE = Path(__file__).parents[2] / "docs" / "runtimes.md"
TEXT = Path(__file__).parent / "page.md"


def write() -> None:
    PAGE.write_text(render(), encoding="utf-8")


def render() -> str:
    measured = read_measured()
    reasons = Reasons()
    parts = {
        "limits": "\n".join(_list_limits()),
        "differences": "\n".join(f"- {_capitalize(known.sentence)}." for profile in PROFILES.values() for known in profile.differences),
        "table": "\n".join(_make_table(measured["models"], reasons)),
        "notes": reasons.format_notes(),
        "versions": ", ".join(f"{name} {version}" for name, version in sorted(measured["versions"].items())),
    }
    text = TEXT.read_text(encoding="utf-8")
    for mark, part in parts.items():
        text = text.replace(f"{{{mark}}}", part)
    return text


def _capitalize(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _list_limits() -> Iterator[str]:
    yield "| runtime | element type or operator | reason |"
    yield "|---|---|---|"
    for profile in PROFILES.values():
        for names, reason in _list_reasons(profile):
            yield f"| {profile.title} | {names} | {reason} |"


def _list_reasons(profile: RuntimeProfile) -> Iterator[tuple[str, str]]:
    for dtype, reason in profile.lacking.items():
        yield f"`{dtype}`", reason
    for limit in (*profile.stage_limits, *profile.limits):
        yield ", ".join(f"`{name}`" for name in limit.operators) or "any", limit.reason


def _make_table(models: Mapping[str, Mapping[str, Any]], reasons: Reasons) -> Iterator[str]:
    yield f"| network | {' | '.join(profile.title for profile in PROFILES.values())} |"
    yield "|---|" + "---|" * len(PROFILES)
    for name, results in sorted(models.items()):
        yield f"| {name} | {' | '.join(_format_cell(results.get(runtime), reasons) for runtime in PROFILES)} |"


def _format_cell(result: Mapping[str, Any] | None, reasons: Reasons) -> str:
    if result is None:
        return "not measured"
    if "refused" in result:
        return reasons.format_cell(result["refused"])
    fixed = ", fixed sizes" if "symbolic" in result else ""
    return f"{result['difference']:.0e}, {result['ratio']:.3g} ×{fixed}"
