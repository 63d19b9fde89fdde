"""The mistakes that are made, by hand: all of a small file, and what the changed texts are."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from mutants.sites import entrances, mutated, mutations, probed

TEXT = b'''"""Text with 1 number."""
from typing import overload

LIMIT: int = 3


@overload
def f(x: int) -> int: ...
def f(x: int) -> int:
    """Doc."""
    assert x > 0
    for y in [v for v in range(x) if v]:
        if y < LIMIT and not y:
            continue
        raise NotImplementedError
    "\xc3\xa9"; g(x, key=f"{x + 1}", strict=True)
    return -x
'''
EXPECTED = {
    ("3", "4"),
    ("3", "2"),
    ("v", "(not v)"),
    ("y < LIMIT and not y", "(not (y < LIMIT and (not y)))"),
    ("y < LIMIT and not y", "(y < LIMIT or not y)"),
    ("y < LIMIT", "(y <= LIMIT)"),
    ("y < LIMIT", "(y >= LIMIT)"),
    ("not y", "(y)"),
    ("continue", "pass"),
    ('g(x, key=f"{x + 1}", strict=True)', "pass"),
    ('g(x, key=f"{x + 1}", strict=True)', "(g(x, strict=True))"),
    ("-x", "(0)"),
    ("-x", "(x)"),
}


def test_all_mistakes_of_a_text() -> None:
    assert {(TEXT[m.start : m.end].decode(), m.new) for m in mutations(TEXT)} == EXPECTED


def test_a_condition_returns_the_other_result() -> None:
    """`None` instead of False would be no mistake."""
    text = b"def f(x: int) -> bool:\n    return False\ndef g(x: int) -> bool:\n    return h(x)\n"
    assert {(text[m.start : m.end].decode(), m.new) for m in mutations(text)} == {("False", "True"), ("h(x)", "(False)")}


def test_each_is_python_and_another_program() -> None:
    for mutation in mutations(TEXT):
        assert ast.dump(ast.parse(mutated(TEXT, mutation))) != ast.dump(ast.parse(TEXT))


def test_probes_note_what_is_run() -> None:
    """With its probes the program does the same on the same lines, and each probe is reached by what runs its code."""
    text = b"def f(x):\n    y = 1\n    if x > 2 and x < 9:\n        y += x * 2\n    return y if x else -1\n"
    numbered = list(enumerate(mutations(text)))
    names = {number: text[m.start : m.end].decode() for number, m in numbered}
    hits: set[int] = set()
    changed = probed(text, numbered)
    assert changed.count(b"\n") == text.count(b"\n")
    space = {"__hit__": hits.add}
    exec(changed, space)

    def reached(x: int) -> set[str]:
        hits.clear()
        plain: dict[str, object] = {}
        exec(text, plain)
        assert space["f"](x) == plain["f"](x)  # type: ignore[operator]
        return {names[number] for number in hits}

    assert reached(0) == {"1", "x > 2 and x < 9", "x > 2", "2", "y if x else -1", "x", "-1"}
    assert "y += x * 2" in reached(4)
    assert "-1" not in reached(4)


def test_entrances_of_functions() -> None:
    text = b'''def f(x):
    """Doc."""
    return x
def g(x):
    for y in x:
        pass
def h(x):
    """Doc only."""
def k(x):
    try:
        return 1 / x
    finally:
        x += 1
class C:
    def m(self): return 2
'''
    found = entrances(text)
    assert {text[m.start : m.end].decode() for m in found} == {"return x", "x", "return 2"}
    hits: list[int] = []
    space: dict[str, Any] = {"__hit__": hits.append}
    exec(probed(text, list(enumerate(found))), space)
    assert (space["f"](3), space["g"]([]), space["h"](1), space["k"](1), space["C"]().m()) == (3, None, None, 1, 2)
    assert sorted(hits) == [0, 1, 2]
    assert space["h"].__doc__ == "Doc only."


def test_async_functions() -> None:
    """Their annotations stay, they have entrances, and no probe is put before one with a decorator."""
    text = b"""def register(server):
    @server.feature
    async def handle(x: int | None) -> list[int] | None:
        return [await x]
    async def other(): pass
"""
    assert {(text[m.start : m.end].decode(), m.new) for m in mutations(text)} == {("[await x]", "([])")}
    found = entrances(text)
    assert [text[m.start : m.end].decode() for m in found] == ["return [await x]", "pass"]
    ast.parse(probed(text, list(enumerate(found))))


def test_handlers_with_probes_can_be_parsed() -> None:
    for path in (Path(__file__).parents[2] / "netc" / "lsp").glob("*.py"):
        text = path.read_bytes()
        ast.parse(probed(text, list(enumerate([*mutations(text), *entrances(text)]))), str(path))


def test_the_tool_finds_mistakes_in_itself() -> None:
    text = (Path(__file__).parent / "sites.py").read_bytes()
    numbered = list(enumerate(mutations(text)))
    assert len(numbered) > 100
    ast.parse(probed(text, [*numbered, *((len(numbered), m) for m in entrances(text))]))
