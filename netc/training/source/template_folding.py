"""The template cut down to the lines that a section needs.

In: a function of template.py, and the tags that hold. Out: its lines, as a person would have written them. For example, these lines become
`yield batches(data)` where `draws` does not hold:

    if first:  # if: draws else data
        yield drawn(data)  # if: draws
        yield batches(
            data,
            first,  # if: draws
        )
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import lru_cache

from .lines import indent_of

LONGEST = 110
"""A call, or the head of a function, that is longer has a line for each argument."""
_TAG = re.compile(r"  # if: (?P<condition>.+?)(?: else (?P<value>\w+))?$")


@lru_cache(maxsize=1024)
def fold(text: str, tags: frozenset[str]) -> str:
    """The lines whose conditions hold, without their tags."""
    return "\n".join(_join(_fold(text.split("\n"), tags)))


def holds(condition: str, tags: Set[str]) -> bool:
    """Whether a condition such as `ema or run and not first` holds."""
    return any(all(_is_set(word, tags) for word in each.split(" and ")) for each in condition.split(" or "))


def _is_set(word: str, tags: Set[str]) -> bool:
    return (word.removeprefix("not ") in tags) != word.startswith("not ")


def _fold(lines: list[str], tags: Set[str]) -> list[str]:
    result: list[str] = []
    while lines:
        line, *lines = lines
        match = _TAG.search(line)
        if match is None:
            result.append(line)
            continue
        line = line[: match.start()]
        if holds(match["condition"], tags):
            result.append(line)
            continue
        length = _block_length(line, lines)
        if match["value"]:
            (variable,) = re.findall(r"for (\w+) in ", line)
            lines[:length] = [re.sub(rf"\b{variable}\b", match["value"], inner[4:]) for inner in lines[:length]]
        else:
            lines = lines[length:]
    return result


def _block_length(head: str, lines: list[str]) -> int:
    """The number of lines that belong to a head: its block, or the arguments of its call with the closing parenthesis."""
    if not head.endswith((":", "(")):
        return 0
    length = next((i for i, line in enumerate(lines) if line and indent_of(line) <= indent_of(head)), len(lines))
    return length + head.endswith("(")


def _join(lines: list[str]) -> list[str]:
    """Calls and heads with a line for each argument, in one line if they fit."""
    result: list[str] = []
    while lines:
        line, *lines = lines
        length = _block_length(line, lines) if line.endswith("(") else 0
        arguments = [argument.strip().rstrip(",") for argument in lines[: length - 1]]
        joined = f"{line}{', '.join(arguments)}{lines[length - 1].strip()}" if length else line
        if len(joined) > LONGEST or not length:
            result.append(line)
        else:
            result.append(joined)
            lines = lines[length:]
    return result


def rename(text: str, names: Mapping[str, str]) -> str:
    """The text with other names for some of its names."""
    return re.sub("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names), lambda match: names[match[0]], text) if names else text


def reachable(blocks: list[str], roots: Set[str]) -> list[str]:
    """The blocks whose names are among the roots, and those that these use, directly or not. A block that defines nothing has an empty
    name."""
    names = [_defined_name(block) for block in blocks]
    code = [re.sub(r'""".*?"""|#.*', "", block) for block in blocks]
    uses = {name: set(re.findall(r"(?<![.\w])\w+", block)) for name, block in zip(names, code, strict=True)}
    kept, new = set[str](), roots & uses.keys()
    while new:
        kept |= new
        new = {name for name in uses if any(name in uses[user] for user in new)} - kept
    return [block for name, block in zip(names, blocks, strict=True) if name in kept]


def _defined_name(block: str) -> str:
    match = re.search(r"^(?:def (\w+)|(\w+)(?::.*)? = )", block, re.MULTILINE)
    return (match[1] or match[2]) if match else ""
