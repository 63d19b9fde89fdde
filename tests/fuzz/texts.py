"""`python -m tests.fuzz.texts`: mangled specs and random programs. Each gives a graph or diagnostics, and is formatted, within a second of
CPU time; the formatter keeps the graph, and what it has formatted it leaves alone.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random
from time import process_time
from typing import NamedTuple, TypeVar

from tests.fuzz.campaign import Found, main, write_anew

T = TypeVar("T")

SECONDS = 1.0
"""The most for one analysis, and for one formatting."""
TOKEN = re.compile(r"\s+|->|//|\*\*|==|#.*|\"[^\"\n]*\"|\w+|.")
CHARACTERS = "\0\t\r\n\x0b\x1b\x85\u200b\u202e\ufeff\U0001f600éΩ²'\"\\`#{}[]()"
SHAPES = ("[N, 0]", "[2, 3]", "[N, 3, 4]", "[7]", "[N, _, 5]")
"""Those that `is` states: the stages after it are checked with them."""
NUMBERS = ("0", "1", "-1", "7", "2.5", "1e300", "65536", "1000000", "99999999999999999999")


@cache
def texts() -> list[str]:
    """Specs, examples of the operators, and the texts of the tests of errors and of the language."""
    from netc.compiler.ops.operator import Operator

    root = Path(__file__).parents[2]
    files = [path for folder in ("specs", "tests/errors") for path in sorted((root / folder).rglob("*.net"))]
    found = [path.read_bytes().decode(errors="replace") for path in files]
    for path in sorted((root / "tests/language").glob("*.md")):
        found += re.findall(r"```\w*\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    return [text for text in (*found, *(text for cls in Operator.registry.values() for text in cls.examples)) if len(text) < 20_000]


def mangled(random: Random) -> str:
    """A text with one to six changes to its words, lines or characters; or a random program."""
    from tests.property.programs import Writer

    if random.random() < 0.2:
        return Writer(random).program()
    words = TOKEN.findall(random.choice(texts()))
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        at = random.randrange(len(words)) if words else 0
        words[at : at + 1] = _changed(words, at, random)
    return "".join(words)


def _changed(words: list[str], at: int, random: Random) -> list[str]:
    word = words[at] if words else ""
    match random.randrange(9):
        case 0:
            return []
        case 1:
            return [word, word]
        case 2:
            return [word, random.choice(CHARACTERS)]
        case 3:
            return [random.choice(NUMBERS)]
        case 4:
            cut = random.randrange(len(word) + 1)
            return [word[:cut], "\n" if random.random() < 0.5 else " # c\n", word[cut:]]
        case 5:
            return [TOKEN.findall(random.choice(texts()) or " ")[0], word]
        case 6 if word == "->":
            return ["-> is ", random.choice(SHAPES), " ->"]
        case _:
            return [random.choice(words or [""])]


def check(random: Random, stem: str) -> Found:
    """One text, analysed and formatted."""
    text = mangled(random)
    write_anew(Path(f"{stem}.net"), text.encode(errors="surrogatepass"))
    try:
        found = _checked(text)
        if found.seconds > SECONDS:  # another process on the same core can double the time of the first attempt
            found = min(found, _checked(text), key=lambda one: one.seconds)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Found(type(error).__name__, f"{error!s:.300} for {text!r:.500}")
    if found.wrong:
        return Found(found.wrong, repr(text)[:1000])
    return Found("slow", f"{found.seconds:.1f} s for {text!r:.1000}") if found.seconds > SECONDS else Found(found.kind)


class _Checked(NamedTuple):
    """What became of a text, what is wrong with that, and the CPU time of the longest of its analyses and formattings."""

    kind: str
    wrong: str
    seconds: float


def _checked(text: str) -> _Checked:
    timed = _Timed()
    kind, wrong = _steps(text, timed)
    return _Checked(kind, wrong, timed.longest)


class _Timed:
    """Runs steps, and keeps the CPU time of the longest."""

    def __init__(self) -> None:
        self.longest = 0.0

    def graph(self, text: str) -> str:
        return self._run(_graph, text)

    def formatted(self, text: str) -> str | None:
        return self._run(_formatted, text)

    def _run(self, step: Callable[[str], T], text: str) -> T:
        begin = process_time()
        result = step(text)
        self.longest = max(self.longest, process_time() - begin)
        return result


def _steps(text: str, timed: _Timed) -> tuple[str, str]:
    """What became of the text, and what is wrong with that."""
    graph = timed.graph(text)
    formatted = timed.formatted(text)
    if formatted is None:
        return ("compiled" if graph else "refused"), ("compiled, not formatted" if graph else "")
    if timed.formatted(formatted) != formatted:
        return "formatted", "formatted otherwise the second time"
    if _comments(formatted) != _comments(text):
        return "formatted", "other comments after formatting"
    if formatted != text and timed.graph(formatted) != graph:
        return "formatted", "another graph after formatting"
    return ("compiled" if graph else "formatted"), ""


def _comments(text: str) -> list[str]:
    from netc.dsl.grammar import load_tables
    from netc.dsl.lexer import lex_text

    return [comment.text.rstrip() for comment in lex_text(text, load_tables())[1]]


def _formatted(text: str) -> str | None:
    from netc.dsl.formatter import format_source
    from netc.dsl.source import SourceFile

    return format_source(SourceFile("a.net", text))[0]


def _graph(text: str) -> str:
    from netc.analysis import Choice, analyze
    from netc.display.graph_text import format_program
    from netc.dsl.diagnostics.render import render_text
    from netc.dsl.source import SourceFile

    found = analyze(SourceFile("a.net", text), Choice()).require_model()
    render_text(found.diagnostics, color=False)
    return "" if found.program is None else format_program(found.program)


if __name__ == "__main__":
    sys.exit(main(check, "mangled texts"))
