"""Hover: describe the name at an offset, as Markdown.

In: a checked text and an offset. Out: a `Hover` with its span, or None. For an operator, the hover has the types at this stage and the
operator's page; for a name, its values and its definition; for a word of the language, its page; for a dimension, its bounds. Text that the
shown model does not evaluate, such as a library's, has pages and definitions, but no types and values.

    >>> from .workspace import Workspace
    >>> workspace = Workspace()
    >>> workspace.open_text("/a.net", "x = input 3; y = x -> dense 4; y -> relu")
    >>> make_hover(workspace.check_text("/a.net"), 31).text.splitlines()[1]
    'tensor y [N, 4]'
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

from ..reference.operator_reference import format_page
from ..reference.word_pages import read_word_pages
from .checked_text import CheckedText
from .doc_comments import read_doc_comment
from .type_text import format_types, format_values

_MAX_LINES = 20
"""The number of lines of a definition that are shown."""
_CLOSERS = frozenset(("RPAR", "RBRACK"))


class Hover(Record):
    """Markdown about a span."""

    span: Span
    text: str


def make_hover(checked: CheckedText, offset: int) -> Hover | None:
    """Make the hover of the name or the word at an offset."""
    reference = checked.find_reference(offset)
    if reference is not None:
        return Hover(reference.span, "\n\n".join(part for part in _describe_reference(checked, reference) if part))
    return _hover_name(checked, offset) or _hover_word(checked, offset)


def _hover_name(checked: CheckedText, offset: int) -> Hover | None:
    """Make the hover of a name that was not evaluated, from the text alone."""
    occurrence = checked.find_occurrence(offset)
    if occurrence is None:
        return None
    known, operator = occurrence.definition, Operator.registry.get(occurrence.name)
    if known is not None:
        return Hover(
            occurrence.span, "\n\n".join(filter(None, (f"```net\n{known.kind} {known.name}\n```", *_describe_definition(known.span))))
        )
    if occurrence.role == "function" and occurrence.name in BUILTINS:
        return Hover(occurrence.span, f"```net\nfunction {occurrence.name}\n```")
    return Hover(occurrence.span, format_page(operator, 3)) if operator is not None and occurrence.role != "argument" else None


def _describe_reference(checked: CheckedText, reference: Reference) -> list[str]:
    operator = Operator.registry.get(reference.name)
    stage = _find_stage(checked, reference)
    if reference.kind == "operator" and operator is not None:
        return [_format_result(stage), format_cost(checked, stage), format_page(operator, 3)]
    values = format_values(reference.values)
    title = f"{reference.kind} {reference.name}" + (f" {'' if reference.kind == 'tensor' else '= '}{values}" if values else "")
    parts = [
        f"```net\n{title}\n```",
        _format_count(reference.count, len(reference.values)),
        *(_describe_dimension(value) for value in reference.values),
    ]
    if reference.kind in ("block", "shared", "stage", "model", "function"):
        parts += [_format_result(stage), format_cost(checked, stage)]
    if reference.definition is not None:
        parts += _describe_definition(reference.definition)
    elif reference.kind == "name" and reference.name in read_word_pages():
        parts.append(read_word_pages()[reference.name])
    return parts


def _find_stage(checked: CheckedText, reference: Reference) -> StageResult | None:
    """Find the stage whose operator or block is this name."""
    # Several stages may begin at one name, `f(2)` and `f`: the shortest is the name's own.
    starting = [s for s in checked.stages if s.span.start == reference.span.start and s.span.end >= reference.span.end]
    return min(starting, key=lambda s: s.span.end, default=None)


def _format_result(stage: StageResult | None) -> str:
    return "" if stage is None or not stage.types else f"gives `{format_types(stage.types)}`"


def _format_count(count: int, different: int) -> str:
    return f"evaluated {count:,} times" if count > 1 and different > 1 else ""


def _describe_dimension(value: object) -> str:
    """Describe the bounds of a dimension."""
    if not isinstance(value, SymDim):
        return ""
    low, high = bounds(value)
    return f"a size that is known at run time, at least {low}" + (f" and at most {high}" if high is not None else "")


def _describe_definition(definition: Span) -> tuple[str, str]:
    """Return the line of a definition, and the comment above it."""
    return _format_definition(definition), read_doc_comment(definition)


def _format_definition(definition: Span) -> str:
    """Format the first line of a definition; with open parentheses, also the lines up to their ends."""
    text = definition.file.text
    start = text.rfind("\n", 0, definition.start) + 1
    line = text[start : _find_definition_end(text, start)].strip().removesuffix("{").rstrip()
    return f"```net\n{line}\n```" if line else ""


def _find_definition_end(text: str, start: int) -> int:
    """Find the end of the first line after `start` at which no parenthesis is open; the end of the first line, if there is none."""
    # Limited, because with a missing parenthesis the definition would reach to the end of the file.
    ends = [match.start() for match in islice(re.compile(r"\n|\Z").finditer(text, start), _MAX_LINES)]
    tokens, _ = lex_text(text, load_tables(), start, ends[-1])
    depth = 0
    for token in tokens:
        if depth <= 0 and token.type in ("NL", END):
            return token.start
        depth += (token.type in OPENERS) - (token.type in _CLOSERS)
    return ends[0]


def _hover_word(checked: CheckedText, offset: int) -> Hover | None:
    """Make the hover of a word of the language: its page."""
    for token in checked.tokens:
        if token.start <= offset < max(token.end, token.start + 1) and token.text in read_word_pages():
            claim = _describe_claim_at(checked, token.start) if token.text == "expect" else ""
            return Hover(Span(checked.source, token.start, token.end), claim or read_word_pages()[token.text])
    return None


def _describe_claim_at(checked: CheckedText, start: int) -> str:
    """Say whether the claim of the `expect` at an offset is proved. Empty if it is no claim."""
    program = checked.view.program
    # The spans of a program are in a text that stays when the editor's text changes, so the words are compared.
    claims = () if program is None else program.claims
    stated = next((claim for claim in claims if checked.source.text.startswith(claim.span.text, start)), None)
    if program is None or stated is None:
        return ""
    from ..proving.claim_reports import describe_claim

    return describe_claim(program, stated)


MAX_FORMULA = 60


def format_cost(checked: CheckedText, stage: StageResult | None) -> str:
    """Format the parameters and operations of a stage in the shown model: a range if it is used several times with different costs."""
    program = checked.view.program
    if stage is None or program is None:
        return ""
    rows = find_costs_at(program, checked.tree.to_segment(stage.span))
    parameters = _format_range([row.parameters for row in rows])
    flops = _format_range([row.flops for row in rows])
    parts = [f"{parameters} parameters"] * bool(parameters) + [f"{flops} FLOPs for one sample"] * bool(flops)
    return ", ".join(parts)


def _format_range(numbers: list[Dim]) -> str:
    known = [number for number in numbers if isinstance(number, int)]
    if len(known) == len(numbers):
        low, high = min(known, default=0), max(known, default=0)
        return "" if not high else f"{low:,}" if low == high else f"{low:,} to {high:,}"
    formulas = list(dict.fromkeys(format_dim(number) for number in numbers))
    return f"`{formulas[0]}`" if len(formulas) == 1 and len(formulas[0]) <= MAX_FORMULA else ""
