"""The table of ONNX's operators is complete: each has an importer, or a reason why it has none. docs/import.md has it; `--update` writes it
anew."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx

from netc.compiler.frontends.onnx.float_forms import BECOMES
from netc.compiler.frontends.onnx.importer_table import COUNTERPARTS, REASONS, TABLE
from netc.compiler.ops import Operator

PAGE = Path(__file__).parents[2] / "docs" / "import.md"
BEGIN, END = "<!-- operators -->\n", "<!-- /operators -->"
IN_THE_IMPORTER = {
    "Constant": "",
    "If": "one branch if its condition is known; else both, and where",
    "Loop": "a scan, or its steps one after the other",
    "Scan": "a scan",
}
AT_IMPORT = "computed at import"
ANCHOR = re.compile(r"[a-z]\w*")


def test_every_operator_of_the_standard() -> None:
    names = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    assert names <= set(TABLE) | set(REASONS) | set(IN_THE_IMPORTER) | set(BECOMES)


def test_none_has_both() -> None:
    assert not set(TABLE) & set(REASONS)
    assert set(COUNTERPARTS) == set(TABLE)


def test_the_page_has_it(update: bool) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    written = f"{before}{BEGIN}{rendered()}{END}{rest.partition(END)[2]}"
    if update:
        PAGE.write_text(written, encoding="utf-8")
        text = written
    assert text == written


def rendered() -> str:
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "| ONNX | here |"
    yield "|---|---|"
    found = {**COUNTERPARTS, **IN_THE_IMPORTER}
    yield from _rows(found)
    yield ""
    yield "With `--dequantize`, these are in the float model that a quantized one represents:"
    yield ""
    yield "| ONNX | on floats |"
    yield "|---|---|"
    standard = {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    yield from _rows({(name if name in standard else f"com.microsoft:{name}"): to for name, to in BECOMES.items()})
    yield ""
    yield "Those that have no counterpart, and why:"
    yield ""
    reasons: dict[str, list[str]] = {}
    for name, why in sorted(REASONS.items()):
        reasons.setdefault(why, []).append(name)
    for why, names in sorted(reasons.items(), key=lambda pair: pair[1]):
        yield f"- {', '.join(names)}: {why}."


def _rows(found: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(found, key=lambda name: (":" in name, name)):
        yield f"| {name} | {_linked(found[name]) or AT_IMPORT} |"


def _linked(text: str) -> str:
    """Names of operators as links to their descriptions."""
    described = {name for name, operator in Operator.registry.items() if operator.operands}
    return ANCHOR.sub(lambda word: f"[{word[0]}](operators/{word[0]}.md)" if word[0] in described else word[0], text)
