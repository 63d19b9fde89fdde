"""Random specs that compile: what other texts have, changed, and chains of stages.

In: a source of randomness. Out: a text and its model. Always: the model is small, so that all that is computed of it fits; what does not
compile is tried again with other changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from math import prod
from random import Random

import netc
from netc.compiler.dims import evaluate_dim, free_symbols
from netc.compiler.ir.flat_graph import FlatGraph, FlatNode
from netc.dsl.record import Record
from tests.fuzz.texts import TOKEN, texts

TRIES = 40
LONGEST = 3000
"""Characters of a text that is changed."""
LARGEST = 50_000
"""Elements of a tensor, where the sizes that are not known are `SIZE`."""
SIZE = 8
MOST = 400
"""Operators of a model."""
INPUTS = (
    *("3x8x8", "[T, 6]", "6", "4x9", "[3, 5]", "2x4x4x4", "[T, 4] int64", "[5] bool", "6x7x7 float64", "[N, 6] batch=false", "[H, W, 2]"),
    *("[T, 3] where T >= 3, T % 2 == 0", "4xT", "[]", "[1, 6]"),
)
VALUES = (
    *("0", "1", "2", "-1", "3", "7", "N", "T", "1.5", "inf", "nan", "true", "[1, 2]", "[]", "(1, 2)", '"a"', "in", "in.shape", "x"),
    *("none", "1 / 0", "2 ** 40", "relu", "{ relu }", "_"),
)
WORDS = (
    *("in", "shared", "x", "N", "T", "input", "out", "param 3", "(x, y)", "block b { relu }", "let"),
    "if x { relu } else { tanh }",
)


class Spec(Record):
    """A text, and the model that it is."""

    text: str
    model: netc.Model


@cache
def stages() -> list[str]:
    """Those of all texts that fit in a line."""
    found = {m for text in texts() for m in re.findall(r"->\s*([^\n>;{}()#]+?)\s*(?=->|\n|;|\}|$)", text)}
    return sorted(stage for stage in found if 2 < len(stage) < 60)


@cache
def statements() -> list[str]:
    """The lines of all texts that belong to no brackets."""
    return sorted({line for text in texts() for line in text.split("\n") if line and line[0] not in " }#"})


@cache
def _originals() -> list[str]:
    return [text for text in texts() if len(text) < LONGEST]


def spec(random: Random) -> Spec | None:
    """One that compiles and is small, if it is found soon."""
    for _ in range(TRIES):
        made = _changed(random) if random.random() < 0.5 else _chain(random)
        if made is not None and is_small(made.model):
            return made
    return None


class Crashed(Exception):
    """The compiler raised something else than a `CompileError` for this text."""


def compiled(text: str) -> Spec | None:
    try:
        return Spec(text, netc.compile(text))
    except netc.CompileError:
        return None
    except Exception as error:
        raise Crashed(text) from error


def is_small(model: netc.Model) -> bool:
    """Whether its tensors and parameters are, and their number."""
    flat = [item.node for item in FlatGraph(model.program.main) if isinstance(item, FlatNode)]
    values = [*model.inputs.values(), *(value.type for node in flat for value in node.outputs)]
    shapes = [value.shape for value in values] + [info.shape for info in model.parameters.values()]
    return len(flat) <= MOST and all(_elements(shape) <= LARGEST for shape in shapes)


def _elements(shape: tuple[object, ...]) -> int:
    sizes = {name: SIZE for dim in shape for name in free_symbols(dim)}
    try:
        return prod(evaluate_dim(dim, sizes) for dim in shape)
    except (ValueError, ArithmeticError):  # the size is no integer there
        return LARGEST


# --- chains ------------------------------------------------------------------------------------------------------------------


def _chain(random: Random) -> Spec | None:
    """An input and one to four stages, of which one may be applied to a tensor that has a name, and used again."""
    made = compiled(f"input {random.choice(INPUTS)}")
    for _ in range(random.choice((1, 2, 2, 3, 4))):
        for _ in range(8):
            longer = compiled(f"{made.text} -> {random.choice(stages())}") if made is not None else None
            if longer is not None:
                made = longer
                break
    if made is None or random.random() < 0.7:
        return made
    return _joined(made.text, random)


def _joined(text: str, random: Random) -> Spec | None:
    """The result of a chain and of another stage on it."""
    name = random.choice(("x", "y", "h"))
    for _ in range(8):
        stage, sign = random.choice(stages()), random.choice(("+", "*", "-", "/", "@", "=="))
        ends = (f"{name} {sign} ({name} -> {stage})", f"out {name}, {name} -> {stage}", f"({name}, {name} -> {stage}) -> concat axis=-1")
        found = compiled(f"{name} = {text}\n{random.choice(ends)}")
        if found is not None:
            return found
    return None


# --- changes -----------------------------------------------------------------------------------------------------------------


def _changed(random: Random) -> Spec | None:
    """A text with one to three changes."""
    text = random.choice(_originals())
    for _ in range(random.choice((1, 1, 2, 2, 3))):
        words = TOKEN.findall(text)
        if words:
            text = random.choice(CHANGES)(words, random)
    return compiled(text)


def _at(words: list[str], random: Random, which: Callable[[str], bool]) -> int | None:
    """The position of some such word."""
    found = [at for at, word in enumerate(words) if which(word)]
    return random.choice(found) if found else None


def _other_name(words: list[str], random: Random) -> str:
    """A word in place of another."""
    one, other = _at(words, random, str.isidentifier), _at(words, random, str.isidentifier)
    if one is not None and other is not None:
        words[one] = words[other]
    return "".join(words)


def _other_word(words: list[str], random: Random) -> str:
    at = _at(words, random, str.isidentifier)
    if at is not None:
        words[at] = random.choice(WORDS)
    return "".join(words)


def _other_value(words: list[str], random: Random) -> str:
    at = _at(words, random, lambda word: word[0].isdigit())
    if at is not None:
        words[at] = random.choice(VALUES)
    return "".join(words)


def _one_more_stage(words: list[str], random: Random) -> str:
    at = _at(words, random, "->".__eq__)
    if at is not None:
        words.insert(at, f"-> {random.choice(stages())} ")
    return "".join(words)


def _end_of_statement(words: list[str], random: Random) -> str:
    at = _at(words, random, "->".__eq__)
    if at is not None:
        words[at] = "; "
    return "".join(words)


def _in_a_loop(words: list[str], random: Random) -> str:
    """A stage as the body of a loop."""
    loop = random.choice(("repeat 2", "repeat i in 0..2 as r", "repeat 1 as r", "each t in [1, 2]"))
    begin, end = _stage(words, random)
    return "".join([*words[:begin], f" {loop} {{", *words[begin:end], " } ", *words[end:]]) if begin else "".join(words)


def _stage(words: list[str], random: Random) -> tuple[int, int]:
    """Where a stage begins and ends; two zeros if there is none."""
    at = _at(words, random, "->".__eq__)
    if at is None:
        return 0, 0
    ends = (i for i in range(at + 2, len(words)) if words[i] in ("->", ";", "}", ")") or "\n" in words[i])
    return at + 1, next(ends, len(words))


def written_otherwise(text: str, random: Random) -> str:
    """A text of the same meaning, if it has one: a stage in brackets, in a loop of one iteration, in a branch that is taken, or as the body
    of a block."""
    before, after = random.choice(ALIKE)
    words = TOKEN.findall(text)
    begin, end = _stage(words, random)
    if not begin or "{" in words[begin:end] or (end < len(words) and words[end] in (";", "}")):
        return text
    return "".join([*words[:begin], before, *words[begin:end], after, *words[end:]])


def _one_more_line(words: list[str], random: Random) -> str:
    lines = "".join(words).split("\n")
    lines.insert(random.randrange(len(lines) + 1), random.choice(statements()))
    return "\n".join(lines)


def _lines_exchanged(words: list[str], random: Random) -> str:
    lines = "".join(words).split("\n")
    one, other = random.randrange(len(lines)), random.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return "\n".join(lines)


ALIKE = (
    (" (", ") "),
    (" if true {", " } "),
    (" if 1 > 2 { relu } else {", " } "),
    (" repeat 1 {", " } "),
    (" each t in [1] {", " } "),
    (" repeat t in [1] as r {", " } "),
    (" (", ") as g1 "),
)
CHANGES: tuple[Callable[[list[str], Random], str], ...] = (
    _other_name,
    _other_word,
    _other_value,
    _one_more_stage,
    _one_more_stage,
    _end_of_statement,
    _in_a_loop,
    _one_more_line,
    _lines_exchanged,
)
