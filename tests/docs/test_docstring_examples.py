"""The examples in docstrings give the results that they show.

An example is a prompt `>>>` with what Python answers. It sees the names of its module.
"""

from __future__ import annotations

import doctest
import linecache
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {"compiler": "netc.compiler", "dsl": "netc.dsl", "netc": "netc"}


def find_modules() -> list[str]:
    """The modules with examples. In a checkout, netc/compiler and netc/dsl are links to the other two folders."""
    result = []
    for folder, package in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if ">>> " in path.read_text(encoding="utf-8") and (folder != "netc" or parts[0] not in ("compiler", "dsl")):
                result.append(".".join((package, *parts)).removesuffix(".__init__"))
    return result


@pytest.mark.parametrize("name", find_modules())
def test_examples_give_what_is_shown(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # doctest prepares a debugger for each docstring, which looks at all source files that this process has shown.
    monkeypatch.setattr(linecache, "checkcache", lambda filename=None: None)
    result = doctest.testmod(import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 0, "the module has prompts, but none in a docstring"
    assert result.failed == 0
