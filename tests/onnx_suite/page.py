"""The part of docs/import.md that says what ONNX's backend suite found.

In: the results of all tests. Out: the page, with its part between the marks replaced. Always: the rest of the page stays as it is.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from onnx_suite.judged import TIES
from suite_workers import CONSTANT, CRASHED, REFUSED, RIGHT, WRONG, Result, shorten_reason

PART = "suite"
SHOWN = 3
"""Reasons that are named for an operator."""


def write(results: Sequence[Result]) -> None:
    from imports.page import replace

    replace(PART, "\n".join(lines(results)))


def lines(results: Sequence[Result]) -> Iterator[str]:
    counts = Counter(result.outcome for result in results)
    yield (
        f"Of {len(results)} tests of onnx {version('onnx')}, "
        + ", ".join(
            f"{counts[outcome]} {words}"
            for outcome, words in (
                (RIGHT, "are right as they are"),
                (CONSTANT, "are right with all inputs but the first as constants"),
                (TIES, "are right but for the order of equal elements in `topk`"),
                (REFUSED, "are refused"),
                (WRONG, "are wrong"),
                (CRASHED, "end in an error of another kind"),
            )
        )
        + ". The reasons of the refusals:"
    )
    yield from ("", "| tests | why |", "|---:|---|")
    for why, count in Counter(_shown(result) for result in results if result.outcome == REFUSED).most_common(SHOWN * 8):
        yield f"| {count} | {why} |"
    yield from ("", "| operator | tests | right | with constants | refused | wrong |", "|---|---:|---:|---:|---:|---:|")
    whole: list[str] = []
    for operator in sorted({result.operator for result in results}, key=lambda name: (name.startswith("("), ":" in name, name)):
        own = Counter(result.outcome for result in results if result.operator == operator)
        if own[RIGHT] == own.total():
            whole.append(operator)
            continue
        wrong = own[WRONG] + own[CRASHED]
        yield f"| {operator} | {own.total()} | {own[RIGHT] + own[TIES]} | {own[CONSTANT]} | {own[REFUSED]} | {wrong} |"
    yield ""
    yield f"All tests of these operators are right: {', '.join(whole)}."


def _shown(result: Result) -> str:
    """The reason without the operator that it begins with."""
    why = shorten_reason(result.why).partition(": ... ")[0].replace("|", "\\|")
    words = why.split(" ", 1)
    return re.sub(r"\s+", " ", words[1] if words[0] in result.operator and len(words) > 1 else why)[:160]
