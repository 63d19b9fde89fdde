"""Read the pages about words of the language, docs/words/WORD.md, and make the page of the standard library from its files.

In: a word, or the path of a file of the library. Out: Markdown, or None if there is no such page. Always: the page of the library has the
comments of its files, so it has no text of its own that could become outdated.

    >>> list_library_files()[:2], "repeat" in read_word_pages()
    (['std/attention.net', 'std/convolution.net'], True)
"""

from __future__ import annotations

import os
import re
from functools import cache

from netc.dsl import ast
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile

from ..files.package_data import find_data_folder

_WORDS = find_data_folder("words", "docs/words")
_STD = find_data_folder("specs/std", "specs/std")
STD = "std"
_BLANK = "\n\n"


@cache
def read_word_pages() -> dict[str, str]:
    """Return the page of each word. One page may explain several words, which its title lists."""
    pages: dict[str, str] = {}
    for name in sorted(os.listdir(_WORDS)):
        if name.endswith(".md"):
            with open(os.path.join(_WORDS, name), encoding="utf-8") as file:
                text = file.read()
            pages |= dict.fromkeys(text.partition("\n")[0].removeprefix("# ").split(", "), text)
    return pages


def list_library_files() -> list[str]:
    """Return the files of the standard library as paths of a `use`, sorted: `std/attention.net`."""
    return sorted(f"{STD}/{name}" for name in os.listdir(_STD) if name.endswith(".net"))


def format_library(path: str = STD) -> str | None:
    """Return the page of the standard library, or of one file of it, such as `std/mlp`."""
    files = list_library_files()
    if path.rstrip("/") != STD:
        files = [file for file in files if file in (path, f"{path}.net")]
    if not files:
        return None
    title = '# The standard library\n\nUsed by the name of a file: `use "std/mlp.net"`, or `use "std/mlp.net": mlp`.\n'
    return title + "".join(_format_file(file) for file in files)


def _format_file(path: str) -> str:
    with open(os.path.join(_STD, path.removeprefix(f"{STD}/")), encoding="utf-8") as file:
        source = SourceFile(path, file.read())
    parts = [f"\n## {path}\n", f"\n{_strip_comment(source.text.partition(_BLANK)[0])}\n"]
    for item in parse_source(source)[0].items:
        if isinstance(item, (ast.Block, ast.Fn)):
            # up to the body of a block, or the value of an `fn`
            header = re.split(r" (?:\{|=) ?", source.text[item.span.start : item.span.end].partition(_BLANK)[0].replace("\n", " "))[0]
            description = _strip_comment(_get_comment_above(source.text, item.span.start))
            parts.append(f"\n- `{re.sub(r' +', ' ', header)}`{description and f': {description}'}\n")
    return "".join(parts)


def _get_comment_above(text: str, start: int) -> str:
    """Return the lines of comments directly before an offset."""
    lines: list[str] = []
    for line in reversed(text[:start].split("\n")[:-1]):
        if not line.startswith("#"):
            break
        lines.insert(0, line)
    return "\n".join(lines)


def _strip_comment(text: str) -> str:
    return " ".join(line.removeprefix("#").strip() for line in text.split("\n") if line.startswith("#"))
