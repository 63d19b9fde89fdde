"""The lowest versions are the ones in pyproject.toml, and the README's promise about PyTorch is one of them."""

from __future__ import annotations

import re

import pytest
from matrix.lowest import ROOT, constraints, project
from packaging.requirements import Requirement


def test_every_requirement_has_its_lowest_version() -> None:
    table = project()
    extras = table["optional-dependencies"].values()
    wanted = [Requirement(line) for line in (*table["dependencies"], *(line for extra in extras for line in extra))]
    lowest = [Requirement(line) for line in constraints(table)]
    assert [r.name for r in lowest] == [r.name for r in wanted]
    for low, range_ in zip(lowest, wanted, strict=True):
        (bound,) = low.specifier
        assert bound.operator == "=="
        assert bound.version in range_.specifier
        assert low.marker == range_.marker


def test_a_bound_with_a_marker() -> None:
    table = {"dependencies": ["a>=1.5,<2; python_version < '3.13'", "b[c] >= 2"], "optional-dependencies": {}}
    assert constraints(table) == ['a==1.5; python_version < "3.13"', "b==2"]


@pytest.mark.parametrize("line", ["a", "a<2", "a>1", "a>=1,>=2"])
def test_what_has_no_lowest_version(line: str) -> None:
    with pytest.raises(ValueError, match="needs one lower bound"):
        constraints({"dependencies": [line], "optional-dependencies": {}})


def test_the_readme_says_which_pytorch_is_needed() -> None:
    (torch,) = (r for r in map(Requirement, constraints(project())) if r.name == "torch")
    (bound,) = torch.specifier
    said = re.findall(r"PyTorch (\d[\d.]*\d) or later", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert said == [bound.version]
