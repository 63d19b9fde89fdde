"""Short texts that would take all memory, or no end of time: each ends with an error that names the limit.

The texts are written so that, without the limit, the test would run for minutes or take gigabytes. Nothing is timed.
"""

from __future__ import annotations

import pytest

import netc
from netc.analysis import Choice, analyze
from netc.compiler.elaborate import resource_limits
from netc.dsl.source import SourceFile

DOUBLED = 'fn f(s, n) = s if n < 1 else f("{s}{s}", n - 1)\n'
NAMES = [f"X{i}" for i in range(20)]
LISTED = ", ".join(NAMES)
TWICE = "".join(f"block b{i}(k) {{ b{i - 1} (2 * k) -> b{i - 1} (2 * k + 1) }}\n" for i in range(1, 60))

BOMBS = {
    "a string that doubles": (f'{DOUBLED}let a = f("a", 60)\ninput 4 -> dense 4', "characters"),
    "a sum of strings that doubles": ('fn f(s, n) = s if n < 1 else f(s + s, n - 1)\nlet a = f("a", 60)\ninput 4', "characters"),
    "long labels": (f'{DOUBLED}let s = f("a", 16)\ninput 4 -> repeat i in 3000 as q{{i}}{{s}} {{ dense 4 }}', "characters"),
    "many strings": (f'{DOUBLED}let a = [f("a", 16) for i in 300]\ninput 4 -> dense len(a)', "characters in its strings"),
    "labels within labels": (
        f'{DOUBLED}let s = f("a", 10)\ninput 4 -> '
        "repeat i in 90 as {s}{i} { repeat j in 90 as {s}{j} { repeat 90 { dense 4 } } }",
        "characters in the names of its parameters",
    ),
    "uses of blocks that differ": (f"block b0(k) {{ dense 4 }}\n{TWICE}input 4 -> b59 1", "different stages"),
    "uses of blocks without stages": (f"block b0(k) {{ in }}\n{TWICE}input 4 -> b59 1", "different stages"),
    "a long expression, often": (f"let a = [{' + '.join(['i'] * 1000)} for i in 40000]\ninput 4 -> dense len(a)", "evaluations"),
    "a product of sums": (
        f"x = input [{LISTED}]\nx -> reshape [{' * '.join(f'({n} + 1)' for n in NAMES)}]",
        "terms",
    ),
    "formulas that are short, but many": (
        f"x = input [{LISTED}]\nlet a = [(({' + '.join(NAMES)}) ** 3 + i) // 7 for i in 20000]\nx",
        "terms together",
    ),
    "the greatest of many": ("x = input [T]\nlet a = max([T % (i + 2) for i in 4000])\nx -> reshape [a]", "terms together"),
    "models of models": (
        "model m0(k=4) { input 4 -> dense k }\n" + "".join(f"model m{i}(k=4) = m{i - 1} k\n" for i in range(1, 200)) + "",
        "nested more than 100 levels",
    ),
    "a long list as an argument": ("let big = [1] * 100000\nblock b(k) { dense 4 }\ninput 4 -> b big -> b big", "items in its lists"),
    "an axis for each word": ('input 4 -> rearrange "' + "a " * 20_000 + '-> a"', "at most 64"),
}


SCALE = 20
"""By which the limits are lowered here, so that the test takes a twentieth of the time."""


@pytest.fixture
def lower_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    for resource in (resource_limits.STAGES, resource_limits.STEPS, resource_limits.TERMS, resource_limits.ITEMS, resource_limits.LETTERS):
        monkeypatch.setattr(resource, "limit", resource.limit // SCALE)


@pytest.mark.usefixtures("lower_limits")
@pytest.mark.parametrize("name", BOMBS)
@pytest.mark.sample(3)
def test_a_bomb_ends_with_its_limit(name: str) -> None:
    text, limit = BOMBS[name]
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text, model="m199" if "model m199" in text else None)
    messages = [d.message for d in caught.value.diagnostics if d.severity == "error"]
    assert any(limit in message for message in messages), messages


def test_a_product_of_the_greatest_of_many_is_not_multiplied_out() -> None:
    """What each symbol is at least would be 2 ** 40 terms here."""
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(f"x = input [{LISTED}]\nlet m = max({LISTED})\nx -> reshape [m, m]")
    assert [d.code for d in caught.value.diagnostics] == ["unprovable"]


def test_norms_of_nothing() -> None:
    with pytest.raises(netc.CompileError) as caught:
        netc.compile('x = input 4\na = param [4] norms_of="" as b\nx + a')
    assert [d.code for d in caught.value.diagnostics] == ["unknown-tie"]


@pytest.mark.long
def test_as_many_iterations_as_operators() -> None:
    """60,000 written stages compile, and so do 60,000 iterations."""
    found = analyze(SourceFile("a.net", "input 4 -> repeat 60_000 { relu }"), Choice())
    assert found.program is not None
    assert found.program.main.size == 60_000


def test_more_errors_than_are_looked_for_and_an_unused_result() -> None:
    """The warnings after the last error that is looked for are no reason to end otherwise."""
    with pytest.raises(netc.CompileError) as caught:
        netc.compile("".join(f"input {i + 1} -> unknwn{i}x\n" for i in range(1100)))
    assert {d.code for d in caught.value.diagnostics} == {"unknown-operator"}
