"""The names that are found in the tree alone are those that the compiler found."""

from __future__ import annotations

from pathlib import Path

import pytest

from netc.service.workspace import Workspace

ROOT = Path(__file__).parents[2]
SPECS = sorted((ROOT / "specs").rglob("*.net"))
BY_VALUE = {
    *(("tcn.net", "dropout"), ("googlenet.net", "dropout")),  # a parameter without a default, called as an operator
    *(("dla.net", "stride"), ("resnet.net", "stride"), ("resnet.net", "groups"), ("resnet.net", "base")),  # of a stage that is an argument
}
"""What only values decide."""


@pytest.mark.long
def test_definitions_are_those_of_the_compiler() -> None:
    different: set[tuple[str, str]] = set()
    for path in SPECS:
        checked = Workspace().checked(str(path))
        assert checked is not None
        found = {(one.span.start, one.span.end): one for one in checked.names.occurrences}
        for reference in checked.references:
            if reference.kind != "label" and reference.name != "in":
                known = found[(reference.span.start, reference.span.end)].definition
                place = None if known is None else known.span
                if place != reference.definition and not (reference.kind == "argument" and place is not None):
                    different.add((path.name, reference.name))
    assert different <= BY_VALUE
