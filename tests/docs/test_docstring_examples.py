"""The examples in docstrings give the results that they show.

An example is a prompt `>>>` with what Python answers. It sees the names of its module.
"""

from __future__ import annotations

import doctest
import linecache
import re
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MISTAKE = re.compile(r"^ *(?:NameError|AttributeError|SyntaxError|ImportError): .*", re.MULTILINE)
"""How Python answers an example that is itself wrong, as opposed to one that shows an error of netc."""
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


def test_no_example_is_a_mistake() -> None:
    """An example whose first line failed once showed a NameError, and passed."""
    paths = [path for folder in PACKAGES for path in (ROOT / folder).rglob("*.py")]
    found = {str(path.relative_to(ROOT)): MISTAKE.findall(path.read_text(encoding="utf-8")) for path in paths}
    assert {path: lines for path, lines in found.items() if lines} == {}
