"""Fold the template: keep only the lines that a section needs.

In: a function of a template and the tags of a section. Out: its lines, as a person would have written them.

>>> template = '''
... for batch in iterate_batches(
...     data,
...     start,  # if: draws
... ):
...     for micro_batch in split(batch):  # if: parts else batch
...         step(micro_batch)
... '''
>>> print(fold_template(template.strip(), frozenset()))
for batch in iterate_batches(data):
    step(batch)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from functools import lru_cache

from .lines import count_indent

LONGEST = 110
"""A longer call or head of a function keeps a line for each argument."""
_TAG = re.compile(r"  # if: (?P<condition>[^#]+?)(?: else (?P<value>\w+))?(?=  # if: |$)")
"""The first tag of a line."""


@lru_cache(maxsize=1024)
def fold_template(text: str, tags: frozenset[str]) -> str:
    """Return the lines whose conditions the tags satisfy, without the conditions."""
    return "\n".join(_join_lines(_fold_lines(text.split("\n"), tags)))


def is_satisfied(condition: str, tags: Set[str]) -> bool:
    """Whether the tags satisfy a condition such as `ema or run and not first`."""
    return any(all(_is_set(word, tags) for word in each.split(" and ")) for each in condition.split(" or "))


def _is_set(word: str, tags: Set[str]) -> bool:
    return (word.removeprefix("not ") in tags) != word.startswith("not ")


def _fold_lines(lines: list[str], tags: Set[str]) -> list[str]:
    result: list[str] = []
    while lines:
        line, *lines = lines
        match = _TAG.search(line)
        if match is None:
            result.append(line)
            continue
        line = line[: match.start()] + line[match.end() :]
        if is_satisfied(match["condition"], tags):
            lines.insert(0, line)  # it may have another tag
            continue
        length = _block_length(_TAG.sub("", line), lines)
        if match["value"]:
            (variable,) = re.findall(r"for (\w+) in ", line)
            # the block of the loop moves out by one level
            lines[:length] = [re.sub(rf"\b{variable}\b", match["value"], inner[4:]) for inner in lines[:length]]
        else:
            lines = lines[length:]
    return result


def _block_length(head: str, lines: list[str]) -> int:
    """Return the number of lines that belong to a head: its block, or the arguments of its call and the closing parenthesis."""
    if not head.endswith((":", "(")):
        return 0
    length = next((i for i, line in enumerate(lines) if line and count_indent(line) <= count_indent(head)), len(lines))
    # a call ends with one more line, its closing parenthesis
    return length + head.endswith("(")


def _join_lines(lines: list[str]) -> list[str]:
    """Join calls and heads that have a line for each argument into one line if they fit."""
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


def rename_words(text: str, names: Mapping[str, str]) -> str:
    """Replace names in a text. All at once, so that a replacement is not replaced again."""
    return re.sub("|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in names), lambda match: names[match[0]], text) if names else text


def select_reachable(blocks: list[str], roots: Set[str]) -> list[str]:
    """Return the blocks that the roots name, and those that these use, directly or not. A block that defines nothing has an empty name."""
    # Names in docstrings, in comments and after a dot are not uses: `x.split` does not use a function `split`.
    names = [_find_defined_name(block) for block in blocks]
    code = [re.sub(r'""".*?"""|#.*', "", block) for block in blocks]
    uses = {name: set(re.findall(r"(?<![.\w])\w+", block)) for name, block in zip(names, code, strict=True)}
    kept, new = set[str](), roots & uses.keys()
    while new:
        kept |= new
        new = {name for name in uses if any(name in uses[user] for user in new)} - kept
    return [block for name, block in zip(names, blocks, strict=True) if name in kept]


def _find_defined_name(block: str) -> str:
    match = re.search(r"^(?:(?:def|class) (\w+)|(\w+)(?::.*)? = )", block, re.MULTILINE)
    return (match[1] or match[2]) if match else ""
