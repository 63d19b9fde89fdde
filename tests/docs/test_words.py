"""The project's texts use the vocabulary of PyTorch, ONNX and compilers: phrases that once were used instead do not come back.

In: all texts of the project, code included. Always: a phrase is in the list only if it has no other use here; where one is needed after
all, it is to be removed from the list.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("bench", "compiler", "docs", "dsl", "netc", "specs", "tests")
ENDINGS = {".err", ".lark", ".md", ".net", ".py", ".toml", ".txt"}
WORDS = {
    r"flows? (?:in|into|out|on)": "the input, the result",
    r"do(?:es)? not go with": "is invalid for, does not match",
    r"whole numbers?": "integer",
    r"truth values?": "boolean",
    r"work(?:s|ed)? out": "compute, evaluate",
    r"the face": "the public API and the command line",
    r"(?:is|are|be|been|was|were) told": "is reported",
    r"tells? of": "describe",
    r"besides?": "next to, in addition",
    r"behind": "after",
    r"stands? (?:alone|at|bare|before|in|last|on|right)": "is, comes",
    r"spoken for": "taken, reserved",
    r"kin": "similar models",
    r"goe?s? only with": "requires",
    r"almost like": "similar to",
    r"so many": "the number of",
    r"hand(?:s|ed)? on": "forward, pass",
    r"bent": "activated",
}
PHRASE = re.compile(rf"\b(?:{'|'.join(f'(?P<w{i}>{word})' for i, word in enumerate(WORDS))})\b", re.IGNORECASE)
REPLACEMENTS = tuple(WORDS.values())


def texts(folder: Path) -> Iterator[Path]:
    """The texts of a folder; links are not followed, so that none comes twice."""
    for path, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        yield from (Path(path, name) for name in names if Path(name).suffix in ENDINGS)


def findings(path: Path) -> Iterator[str]:
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        for match in PHRASE.finditer(line):
            instead = REPLACEMENTS[int(str(match.lastgroup)[1:])]
            yield f"{path.relative_to(ROOT)}:{number}: `{match[0]}`: write `{instead}`"


@pytest.mark.parametrize("folder", FOLDERS)
def test_words(folder: str) -> None:
    found = [one for path in sorted(texts(ROOT / folder)) if path != Path(__file__) for one in findings(path)]
    assert not found, "\n" + "\n".join(found)


def test_words_at_the_top() -> None:
    found = [one for path in sorted(ROOT.iterdir()) if path.is_file() and path.suffix in ENDINGS for one in findings(path)]
    assert not found, "\n" + "\n".join(found)
