"""The protocol has a kind for each kind of definition of the language."""

from __future__ import annotations

from netc.compiler.binding.declarations import DECLARATIONS
from netc.lsp.questions import ITEMS


def test_each_definition_can_be_completed() -> None:
    assert {declaration.kind for declaration in DECLARATIONS.values()} <= ITEMS.keys()
