"""Reads the definitions of a backend's library as text, which emitted files contain. Always: the library is not imported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_NAME = re.compile(r"(?:class|def) (\w+)")


@cache
def read_definitions(library: Path) -> Mapping[str, str]:
    """The texts of the classes and functions of a file by name. Two empty lines separate them."""
    blocks = library.read_text(encoding="utf-8").rstrip().split("\n\n\n")
    return {match.group(1): block for block in blocks if (match := _NAME.match(block))}
