"""The definitions of library.py as text. Always: no torch is imported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

_NAME = re.compile(r"(?:class|def) (\w+)")


@cache
def definitions() -> Mapping[str, str]:
    """The texts by name."""
    blocks = Path(__file__).with_name("library.py").read_text(encoding="utf-8").rstrip().split("\n\n\n")
    return {found.group(1): block for block in blocks if (found := _NAME.match(block))}
