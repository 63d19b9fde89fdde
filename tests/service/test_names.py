"""The names that are found in the tree alone are those that the compiler found."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from netc.analysis import Choice, SharedDefinitions, elaborate_model, parse_spec
from netc.compiler.binding.file_names import FileNames
from netc.dsl.record import replace
from netc.dsl.source import SourceFile
from netc.service.checked_text import CheckedText
from netc.service.workspace import Workspace

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.net"))
PAGES = [*sorted((ROOT / "tests" / "language").glob("*.md")), *sorted((ROOT / "docs" / "language").glob("*.md"))]
BY_VALUE = {
    *(("tcn.net", "dropout"), ("googlenet.net", "dropout")),  # a parameter without a default, called as an operator
    *(("dla.net", "stride"), ("resnet.net", "stride"), ("resnet.net", "groups"), ("resnet.net", "base")),  # of a stage that is an argument
    ("blocks.md", "S"),  # a size in the patterns of two optional tensors: the first one that is given decides
}
"""What only values decide."""


def differences(checked: CheckedText) -> Iterator[str]:
    """The names of which the compiler found another definition. The arguments of a stage value are noted at the value, which is no name."""
    found = {(one.span.start, one.span.end): one for one in checked.names.occurrences}
    for reference in checked.references:
        known = found.get((reference.span.start, reference.span.end))
        if reference.kind == "label" or reference.name == "in" or (known is None and reference.span.text.startswith("(")):
            continue
        assert known is not None, reference
        place = None if known.definition is None else known.definition.span
        if place != reference.definition and not (reference.kind == "argument" and place is not None):
            yield reference.name


@pytest.mark.long
def test_definitions_are_those_of_the_compiler() -> None:
    checks = [(path.name, Workspace().check_text(str(path))) for path in SPECS]
    different = {(name, one) for name, checked in checks if checked is not None for one in differences(checked)}
    assert different <= BY_VALUE


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.sample(3)
def test_definitions_in_pages_are_those_of_the_compiler(page: Path) -> None:
    workspace, different = Workspace(), set()
    for number, match in enumerate(re.finditer(r"```net[^\n]*\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)):
        path = str(page.with_name(f"{number}.net"))
        workspace.open_text(path, match[1])
        checked = workspace.check_text(path)
        assert checked is not None
        if all(one.severity != "error" for one in checked.collect_diagnostics()):
            different |= {(page.name, one) for one in differences(checked)}
    assert different <= BY_VALUE


def links(names: FileNames) -> list[tuple[object, ...]]:
    found = ((one.span, one.definition) for one in names.occurrences)
    return [(at.start, at.end, to and (Path(to.span.file.name).name, to.span.start, to.kind)) for at, to in found]


@pytest.mark.parametrize("text", [
    'use "std/attention.net"\nuse "std/mlp.net": mlp\nblock f(x: [N, T, d]) { x -> split_heads d }\ninput [T, 8] -> f -> mlp 3 as m',
    'use "sizes.net": d, unknown\nblock f(x: [N, d, e]) { x -> dense e }\ninput [d, 4] -> f -> dense unknown',
    'use "sizes.net"\nblock f(x: [N, d, e]) { x -> dense e }\ninput [d, 4] -> f -> twice',
    'use "missing.net": a\ninput 3 -> a',
])  # fmt: skip
def test_imports_are_the_same_for_the_compiler_and_the_editor(text: str, tmp_path: Path) -> None:
    (tmp_path / "sizes.net").write_text('use "more.net"\nlet d = 3\nmodel m { input 3 -> dense d }\n', encoding="utf-8")
    (tmp_path / "more.net").write_text("let e = 4\nblock twice { dense e -> dense e }\n", encoding="utf-8")
    path = tmp_path / "a.net"
    path.write_text(text, encoding="utf-8")
    checked = Workspace().check_text(str(path))
    assert checked is not None
    parsed = parse_spec(SourceFile(str(path), text), Choice(), str(path))
    whole = SharedDefinitions(parsed.file, parsed.source, Choice(), str(path))
    elaborate_model(replace(parsed, shared=whole))
    assert links(whole.definitions.names) == links(checked.names)
