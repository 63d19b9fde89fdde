"""What the generated tests have found once, as small as it gets: it agrees now, or is refused with the code in the first line,
`# error: CODE`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import netc
from tests.differential.comparison import compiled
from tests.parity import agree

FOUND = sorted((Path(__file__).parent / "found").glob("*.net"))


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_found(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    refused = re.match(r"# error: (\S+)\n", text)
    if refused is not None:
        assert compiled(text)[1] == (refused[1],)
        return
    agree(netc.compile(text))
