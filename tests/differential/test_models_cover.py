"""What random models are made of: all constructs of the language that make graphs, most operators, up to 60 stages and more.

Each construct here was found in 8 to 198 of 300 models; 93 operators occurred; the largest model had 84 arrows, and 68 had 30 or more.
"""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from netc.compiler.ops import Operator
from tests.differential.models import models

DRAWN = 300
SEARCH = settings(max_examples=DRAWN, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True, database=None)
CONSTRUCTS = {
    "a branch": r"\w+ \+ \(\w+ -> ",
    "a merge": r"\(\w+, \w+\) -> (concat|maximum)",
    "a block": r"^block \w+\((width|hidden)",
    "a block of blocks": r"^block \w+\(hidden=4\) \{ in -> (repeat|block)",
    "a block of several tensors": r"^block \w+\(a: \[\.\.\.(, C)?\], b: ",
    "a shared stage": r"^shared \w+ = \(",
    "a shared stage of several tensors": r"^shared \w+ = repeat 1 \{ \(",
    "repeat of nothing": r"repeat 0 \{",
    "repeat with a label for each iteration": r"as part\d+\{i\}",
    "repeat with a label": r"repeat \w+ as \w+ \{",
    "repeat without a label": r"repeat \w+ \{",
    "repeat over a list": r"repeat w in \[",
    "repeat over an enumerated list": r"repeat \(i, w\) in enumerate\(sizes",
    "repeat over zipped lists": r"repeat w in zip\(",
    "each with a label": r"each w in \[[^\]]+\] as ",
    "each without a label": r"each w in \[[^\]]+\] \{",
    "if": r"-> if \S+ <= \d+ \{",
    "if within repeat": r"repeat i in [^{]+\{ if i == 0",
    "a loop that collects": r"\[\]",
    "a loop over a list of tensors": r"repeat item in list",
    "if training": r"if training \{",
    "a group with a label": r"\) as group",
    "a group without a label": r"-> \([a-z][^,]+\) ->",
    "a swap": r"\) = in; (out |\()b, a[,)} ]",
    "a swap in a loop": r"repeat [2-5][^{]*\{ \(a, b(, c)?\) = in; (out |\()b, a[,)} ]",
    "a swap in a block": r"^block \w+\(a: \[\.\.\.\], b: \[\.\.\.\](, c: \[\.\.\.\])?\) \{ (out |\()b, a[,)} ]",
    "a double": r"\) = in; (out |\()(a, a|b, b)",
    "an unpacked tuple": r"^\(\w+, \w+\) = \w+ -> chunk",
    "a symbolic size": r"input \[(\w+, )?[THW]",
    "where": r" where \w % 2 == 0",
    "a size that where allows": r'pixel_unshuffle 2|"n \(t p\) c',
    "a scan": r"scan \(h = ",
    "a parameter": r"param \[",
    "a constant": r"^let k\d",
}


@pytest.fixture(scope="module")
def texts() -> list[str]:
    found: list[str] = []

    @SEARCH
    @given(models())
    def draw(text: str) -> None:
        found.append(text)

    draw()
    return found


@pytest.mark.long
@pytest.mark.parametrize("construct", CONSTRUCTS)
def test_construct(construct: str) -> None:
    """What is drawn depends on the version of Hypothesis, so a rare one may need more examples."""
    longer = settings(SEARCH, max_examples=10 * DRAWN)
    find(models(), lambda text: re.search(CONSTRUCTS[construct], text, re.MULTILINE) is not None, settings=longer)


@pytest.mark.long
def test_operators(texts: list[str]) -> None:
    assert len({word for text in texts for word in re.findall(r"\b[a-z]\w+", text)} & set(Operator.registry)) >= 80


@pytest.mark.long
def test_sizes(texts: list[str]) -> None:
    arrows = Counter(text.count("->") for text in texts)
    assert max(arrows) >= 60
    assert sum(count for size, count in arrows.items() if size >= 30) >= DRAWN // 10
