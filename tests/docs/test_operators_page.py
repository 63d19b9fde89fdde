"""docs/operators/ is up to date (`pytest tests/docs --update` rewrites it), and its examples compile."""

from __future__ import annotations

from pathlib import Path

import pytest

from netc.compiler.backends.backend_registry import list_backends
from netc.compiler.ops import Operator
from netc.reference.operator_reference import format_page, group_by_family, make_reference_pages

FOLDER = Path(__file__).parents[2] / "docs" / "operators"


def test_fresh(update: bool) -> None:
    pages = make_reference_pages()
    if update:
        for path in FOLDER.glob("*.md"):
            path.unlink()
        for name, text in pages.items():
            (FOLDER / name).write_text(text, encoding="utf-8")
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")} == pages


@pytest.mark.parametrize("name", [op.name for family in group_by_family().values() for op in family])
def test_page_says_all(name: str) -> None:
    operator = Operator.registry[name]
    text = format_page(operator)
    assert all((backend.operator_target(operator) or "") in text for backend in list_backends())
    assert operator.examples
    assert operator.__doc__
    assert all(f"`{argument}`" in text for argument in operator.signature)
