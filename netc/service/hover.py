"""Hover: what is known of the name at an offset, as Markdown.

In: a checked text and an offset. Out: a `Hover` with the span it is about, None where there is nothing to say. An operator has its types
here and its page, a name its values and where it is bound, a word of the language its page, a dimension what is known of it. Text that no
shown model evaluates, such as a library's, has pages and definitions, without types and values.
"""

from __future__ import annotations

import re
from itertools import islice

from netc.compiler.analysis.model_cost import find_costs_at
from netc.compiler.dims import Dim, SymDim, bounds, format_dim
from netc.compiler.elaborate.builtins import BUILTINS
from netc.compiler.elaborate.index import Reference, StageResult
from netc.compiler.ops import Operator
from netc.dsl.brackets import OPENERS
from netc.dsl.grammar import END, load_tables
from netc.dsl.lexer import lex_text
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..reference.operator_reference import page
from ..reference.word_pages import words
from .checked_text import Checked
from .doc_comments import above
from .type_text import show_types, show_values

_MOST_LINES = 20
"""Of a definition that are shown."""
_CLOSERS = frozenset(("RPAR", "RBRACK"))


class Hover(Record):
    """Markdown about a span."""

    span: Span
    text: str


def hover(checked: Checked, offset: int) -> Hover | None:
    """What is known of the name, or the word, at an offset."""
    found = checked.reference(offset)
    if found is not None:
        return Hover(found.span, "\n\n".join(part for part in _about(checked, found) if part))
    return _unevaluated(checked, offset) or _word(checked, offset)


def _unevaluated(checked: Checked, offset: int) -> Hover | None:
    """What the text alone says of a name that nothing evaluated."""
    found = checked.occurrence(offset)
    if found is None:
        return None
    known, operator = found.definition, Operator.registry.get(found.name)
    if known is not None:
        return Hover(found.span, "\n\n".join(filter(None, (f"```net\n{known.kind} {known.name}\n```", *_defined_at(known.span)))))
    if found.role == "function" and found.name in BUILTINS:
        return Hover(found.span, f"```net\nfunction {found.name}\n```")
    return Hover(found.span, page(operator, 3)) if operator is not None and found.role != "argument" else None


def _about(checked: Checked, found: Reference) -> list[str]:
    operator = Operator.registry.get(found.name)
    stage = _stage_of(checked, found)
    if found.kind == "operator" and operator is not None:
        return [_result(stage), cost_at(checked, stage), page(operator, 3)]
    values = show_values(found.values)
    title = f"{found.kind} {found.name}" + (f" {'' if found.kind == 'tensor' else '= '}{values}" if values else "")
    parts = [f"```net\n{title}\n```", _times(found.count, len(found.values)), *(_known_of(value) for value in found.values)]
    if found.kind in ("block", "shared", "stage", "model", "function"):
        parts += [_result(stage), cost_at(checked, stage)]
    if found.definition is not None:
        parts += _defined_at(found.definition)
    elif found.kind == "name" and found.name in words():
        parts.append(words()[found.name])
    return parts


def _stage_of(checked: Checked, found: Reference) -> StageResult | None:
    """The stage whose operator or block is this name."""
    starting = [s for s in checked.stages if s.span.start == found.span.start and s.span.end >= found.span.end]
    return min(starting, key=lambda s: s.span.end, default=None)


def _result(stage: StageResult | None) -> str:
    return "" if stage is None or not stage.types else f"gives `{show_types(stage.types)}`"


def _times(count: int, different: int) -> str:
    return f"evaluated {count:,} times" if count > 1 and different > 1 else ""


def _known_of(value: object) -> str:
    """What is known of a dimension."""
    if not isinstance(value, SymDim):
        return ""
    low, high = bounds(value)
    return f"a size that is known at run time, at least {low}" + (f" and at most {high}" if high is not None else "")


def _defined_at(definition: Span) -> tuple[str, str]:
    """The line of a definition, and the comment above it."""
    return _signature(definition), above(definition)


def _signature(definition: Span) -> str:
    """The line that a definition begins on, for a block, a function or a `let`; with open parentheses, also the lines up to their ends."""
    text = definition.file.text
    start = text.rfind("\n", 0, definition.start) + 1
    line = text[start : _end(text, start)].strip().removesuffix("{").rstrip()
    return f"```net\n{line}\n```" if line else ""


def _end(text: str, start: int) -> int:
    """Where the first line after `start` ends in which no parenthesis is open; that of the first one, if none of the next lines does."""
    ends = [match.start() for match in islice(re.compile(r"\n|\Z").finditer(text, start), _MOST_LINES)]
    tokens, _ = lex_text(text, load_tables(), start, ends[-1])
    depth = 0
    for token in tokens:
        if depth <= 0 and token.type in ("NL", END):
            return token.start
        depth += (token.type in OPENERS) - (token.type in _CLOSERS)
    return ends[0]


def _word(checked: Checked, offset: int) -> Hover | None:
    """The page of a word of the language."""
    for token in checked.tokens:
        if token.start <= offset < max(token.end, token.start + 1) and token.text in words():
            return Hover(Span(checked.source, token.start, token.end), words()[token.text])
    return None


# Parameters and operations of one stage, for hovers. In: a checked text and a stage of it. Out: one line, empty if nothing is known.


LONGEST = 60


def cost_at(checked: Checked, stage: StageResult | None) -> str:
    """What a stage costs in the model that is shown: a range if it is used several times with different costs."""
    program = checked.view.program
    if stage is None or program is None:
        return ""
    rows = find_costs_at(program, checked.tree.within(stage.span))
    parameters = _range([row.parameters for row in rows])
    flops = _range([row.flops for row in rows])
    parts = [f"{parameters} parameters"] * bool(parameters) + [f"{flops} FLOPs for one sample"] * bool(flops)
    return ", ".join(parts)


def _range(numbers: list[Dim]) -> str:
    known = [number for number in numbers if isinstance(number, int)]
    if len(known) == len(numbers):
        low, high = min(known, default=0), max(known, default=0)
        return "" if not high else f"{low:,}" if low == high else f"{low:,} to {high:,}"
    shown = list(dict.fromkeys(format_dim(number) for number in numbers))
    return f"`{shown[0]}`" if len(shown) == 1 and len(shown[0]) <= LONGEST else ""
