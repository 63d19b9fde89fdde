"""The lowest versions that pyproject.toml allows, as constraints for pip.

In: pyproject.toml. Out: a line `name==version` for each requirement, with its marker. Always: nothing is kept by hand; a requirement
without a lower bound is an error, as no test could vouch for what it allows.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def project() -> dict[str, Any]:
    """The table `[project]` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


def constraints(table: Mapping[str, Any]) -> list[str]:
    """Of what netc needs and of what its tests need."""
    extras = [line for extra in table["optional-dependencies"].values() for line in extra]
    return [_lowest(Requirement(line)) for line in (*table["dependencies"], *extras)]


def _lowest(requirement: Requirement) -> str:
    bounds = [bound.version for bound in requirement.specifier if bound.operator == ">="]
    if len(bounds) != 1:
        raise ValueError(f"pyproject.toml: `{requirement}` needs one lower bound, as in `{requirement.name}>=1.0`")
    return f"{requirement.name}=={bounds[0]}" + (f"; {requirement.marker}" if requirement.marker else "")
