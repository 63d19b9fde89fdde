"""What is linear in the length of a text: four times the text takes about four times the function calls, not sixteen times.

Calls are counted, not seconds: the count is the same on every machine.
"""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable
from pathlib import Path

import pytest

from netc.analysis import Choice, analyze_models
from netc.dsl.source import SourceFile

MOST = 5.5
"""Times as many calls for four times the text; a part that grows with the square would soon be sixteen."""


def calls(action: Callable[[], object]) -> int:
    """The number of function calls that an action takes."""
    profile = cProfile.Profile()
    profile.enable()
    action()
    profile.disable()
    return pstats.Stats(profile).total_calls  # type: ignore[attr-defined, no-any-return]


def check(text: str) -> Callable[[], object]:
    return lambda: analyze_models(lambda: (SourceFile("a.net", text), None), Choice())


def models(n: int) -> str:
    return "".join(f"model m{i}(k=4) {{ input 4 -> dense k }}\n" for i in range(n))


def derived(n: int) -> str:
    return "model m(k=4) { input 4 -> dense k }\n" + "".join(f"model m{i} = m {i + 1}\n" for i in range(n))


def duplicates(n: int) -> str:
    return "model m { input 4 -> dense 4 }\n" * n


def blocks(n: int) -> str:
    return "".join(f"block b{i} {{ dense 4 }}\n" for i in range(n)) + "".join(f"model m{i} {{ input 4 -> b{i} }}\n" for i in range(n))


def lets(n: int) -> str:
    return "".join(f"let a{i} = {i + 1}\n" for i in range(n)) + "input 4" + "".join(f" -> dense a{i}" for i in range(n))


def statements(n: int) -> str:
    return "x0 = input 4\n" + "".join(f"x{i + 1} = x{i} -> dense 4\n" for i in range(n)) + f"x{n}"


def iterations(n: int) -> str:
    return f"input 4 -> repeat {20 * n} {{ dense 4 -> relu }}"


def comments(n: int) -> str:
    return "# a comment\n" * (20 * n) + "block b { dense 4 }\ninput 4 -> b"


def sections(n: int) -> str:
    own = "target = input 1\n loss = (y, target) -> mse_loss\n optimizer sgd lr=0.1\n batch 2\n epochs 1"
    return "model m { x = input 4\n y = x -> dense 1 }\n" + "".join(f"train t{i} for m {{ {own} }}\n" for i in range(n // 4))


def unpacked(n: int) -> str:
    names = [f"a{i}" for i in range(n)]
    return f"let ({', '.join(names)}) = [{', '.join(['1'] * n)}]\ninput 4 -> dense ({' + '.join(names)})"


TEXTS = [sections, unpacked, models, derived, duplicates, blocks, lets, statements, iterations, comments]


@pytest.mark.share(3)
@pytest.mark.parametrize("text", TEXTS)
def test_a_check_is_linear(text: Callable[[int], str]) -> None:
    check(text(10))()  # what is loaded once
    few, many = calls(check(text(60))), calls(check(text(240)))
    assert many < MOST * few


def test_files_that_use_all_of_another_are_limited(tmp_path: Path) -> None:
    """A chain of files is nested at most 100 levels deep; each has the names of all below it."""
    for i in range(150):
        (tmp_path / f"f{i}.net").write_text(f'use "f{i + 1}.net"\nblock b{i} {{ dense 4 }}')
    (tmp_path / "f150.net").write_text("block last { dense 4 }")
    (tmp_path / "main.net").write_text('use "f0.net"\ninput 4 -> b0')
    found = analyze_models(lambda: (SourceFile("main.net", (tmp_path / "main.net").read_text()), str(tmp_path / "main.net")), Choice())
    assert [d.code for d in found[0].diagnostics if d.severity == "error"] == ["too-much-nesting"]
