"""`python -m tests.fuzz.texts`: mangled specs and random programs. Each gives a graph or diagnostics, within a second of CPU time; the
formatter keeps the graph, and what it has formatted it leaves alone.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from random import Random
from time import process_time

from tests.fuzz.campaign import Found, main

SECONDS = 1.0
TOKEN = re.compile(r"\s+|->|//|\*\*|==|#.*|\"[^\"\n]*\"|\w+|.")
CHARACTERS = "\0\t\r\n\x0b\x1b\x85\u200b\u202e\ufeff\U0001f600éΩ²'\"\\`#{}[]()"
NUMBERS = ("0", "1", "-1", "7", "2.5", "1e300", "65536", "1000000", "99999999999999999999")


@cache
def texts() -> list[str]:
    """Specs, examples of the operators, and those of the tests of errors and of the language."""
    from netc.compiler.ops.base import Operator

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
        case _:
            return [random.choice(words or [""])]


def check(random: Random, stem: str) -> Found:
    """One text, analysed and formatted."""
    text = mangled(random)
    Path(f"{stem}.net").write_text(text, encoding="utf-8", errors="surrogatepass", newline="")
    begin = process_time()
    try:
        kind, wrong = _checked(text)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return Found(type(error).__name__, f"{error!s:.300} for {text!r:.500}")
    seconds = process_time() - begin
    if wrong:
        return Found(wrong, repr(text)[:1000])
    if seconds > SECONDS:
        seconds = min(seconds, _again(text))
    return Found("slow", f"{seconds:.1f} s for {text!r:.1000}") if seconds > SECONDS else Found(kind)


def _again(text: str) -> float:
    """The CPU time of a second attempt: another process on the same core can double that of the first."""
    begin = process_time()
    _checked(text)
    return process_time() - begin


def _checked(text: str) -> tuple[str, str]:
    """What became of the text, and what is wrong with that."""
    from netc.dsl.formatter import format_source
    from netc.dsl.source import SourceFile

    graph = _graph(text)
    formatted, _ = format_source(SourceFile("a.net", text))
    if formatted is None:
        return ("compiled" if graph else "refused"), ("compiled, not formatted" if graph else "")
    if format_source(SourceFile("a.net", formatted))[0] != formatted:
        return "formatted", "formatted otherwise the second time"
    if formatted != text and _graph(formatted) != graph:
        return "formatted", "another graph after formatting"
    return ("compiled" if graph else "formatted"), ""


def _graph(text: str) -> str:
    from netc.analysis import Choice, analyse
    from netc.dsl.diagnostics.render import render_text
    from netc.dsl.source import SourceFile
    from netc.graphtext import show_program

    found = analyse(SourceFile("a.net", text), Choice()).with_model()
    render_text(found.diagnostics, color=False)
    return "" if found.program is None else show_program(found.program)


if __name__ == "__main__":
    sys.exit(main(check, "mangled texts"))
