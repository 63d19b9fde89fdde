"""A file and its parts; the text laid out otherwise, with other names, in another order, and made anew from the graph.

In: a text. Out: an equal one.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any

import netc
from netc.compiler.backends.net.spec_source import write_program
from netc.dsl import ast
from netc.dsl.formatter import format_source
from netc.dsl.source import SourceFile
from tests.forms.text import Edit, Form, ParsedText, Same, replacing

FORMS_OF_LINES = (("\n", "\r\n"), ("\n", "  # a note\n"), ("\n", "\n\n"), ("  ", "\t"), ("->", " -> "), ("->", "->\n  # below\n"))


def formatted(source: ParsedText, random: Random) -> Form | None:
    """The text laid out by the formatter."""
    text, _ = format_source(SourceFile("net.net", source.text))
    return None if text is None else Form("the formatted text", text)


def laid_out(source: ParsedText, random: Random) -> Form | None:
    """Other line ends, empty lines, comments, spaces."""
    if '"' in source.text or "#" in source.text:
        return None
    old, new = random.choice(FORMS_OF_LINES)
    return Form(f"{new!r} for {old!r}", source.text.replace(old, new))


def in_parts(source: ParsedText, random: Random) -> Form | None:
    """The definitions in a file of their own, which the text uses."""
    kinds = (ast.Block, ast.Fn, ast.Use)
    moved = [item for item in source.file.items if isinstance(item, (*kinds, ast.Let))]
    own = [item for item in moved if not isinstance(item, ast.Use)]
    if not own:
        return None
    parts = "\n".join(dict.fromkeys(source.of(item.span) for item in moved)) + "\n"
    names = [item.name.name for item in own]
    only = f": {', '.join(names)}" if random.random() < 0.5 else ""
    rest = source.edited(Edit(item.span.start, item.span.end, "") for item in own)
    if re.search(r"(?m)^\s*;|;\s*$", rest):
        rest = re.sub(r"(?m)^\s*;", "", rest)
    return Form("definitions in a file of their own", f'use "parts.net"{only}\n{rest}', files={"parts.net": parts})


def reordered(source: ParsedText, random: Random) -> Form | None:
    """The definitions of a file in another order; `let`s are parameters in the order of the text, and stay."""
    items = source.items(ast.Block, ast.Fn)
    if len(items) < 2 or any("#" in source.text[: item.span.start] for item in items):
        return None
    texts = [source.of(item.span) for item in items]
    random.shuffle(texts)
    edits = [replacing(item.span, text) for item, text in zip(items, texts, strict=True)]
    return Form("blocks in another order", source.edited(edits))


def renamed(source: ParsedText, random: Random) -> Form | None:
    """Another name for a tensor, a value, a block or a function."""
    names = sorted({span.text for span in _identifiers(source)} - {"in", "_", "N", "loss"})
    names = [name for name in names if _binds(source, name) and _everywhere(source, name)]
    if not names:
        return None
    old, new = random.choice(names), source.fresh(random)
    if old.isupper() != new.isupper() and old.isupper():
        new = next(name for name in ("S", "LEN", "Q") if name not in source.words)
    spans = [span for span in _identifiers(source) if span.text == old]
    text = source.edited(replacing(span, new) for span in spans)
    return Form(f"`{new}` for `{old}`", text, Same.ORDER)


def _identifiers(source: ParsedText) -> list[Any]:
    """The spans of names that are not labels, arguments or attributes."""
    found = {(p.node.span.start, p.node.span.end): p.node.span for p in source.all_of(ast.Name) if p.nearest(ast.Label) is None}
    for place in source.all_of(ast.Apply):
        found[place.node.name_span.start, place.node.name_span.end] = place.node.name_span
    return [span for span in found.values() if re.fullmatch(r"\w+", span.text)]


def _binds(source: ParsedText, name: str) -> bool:
    from tests.forms.text import bound_names

    blocks = {item.name.name for item in source.items(ast.Block, ast.Fn)}
    return name in bound_names(source.file) | blocks


def _everywhere(source: ParsedText, name: str) -> bool:
    """Whether the name is nothing else anywhere, such as a label or an argument."""
    count = len(re.findall(rf"(?<!\w){re.escape(name)}(?!\w)", source.text))
    return count == sum(span.text == name for span in _identifiers(source))


def in_a_model(source: ParsedText, random: Random) -> Form | None:
    """The statements of a file as statements of a `model`."""
    if source.items(ast.ModelDecl) or any(train.name is not None for train in source.items(ast.TrainDecl)):
        return None
    statements = [item for item in source.file.items if isinstance(item, ast.Statement) and not isinstance(item, ast.Let)]
    others = [item for item in source.file.items if item not in statements]
    if not statements:
        return None
    trains = [item for item in others if isinstance(item, ast.TrainDecl)]
    definitions = [item for item in others if not isinstance(item, ast.TrainDecl)]
    body = "\n".join(source.of(item.span) for item in statements)
    parts = [
        *dict.fromkeys(source.of(item.span) for item in definitions),
        f"model net {{\n{body}\n}}",
        *(source.of(item.span) for item in trains),
    ]
    return Form("the statements in a `model`", "\n".join(parts) + "\n")


def derived(source: ParsedText, random: Random) -> Form | None:
    """A model that is derived from the only one, with nothing set."""
    models = source.items(ast.ModelDecl)
    if len(models) != 1 or models[0].base is not None or source.items(ast.TrainDecl):
        return None
    if any(isinstance(one, ast.ParameterDecl) and one.default is None for one in models[0].parameters):
        return None
    name = source.fresh(random, "derived")
    return Form("a derived model", f"{source.text}\nmodel {name} = {models[0].name.name}\n", Same.KEYS, model=name)


def from_the_graph(source: ParsedText, random: Random) -> Form | None:
    """The `.net` text of the model, compiled."""
    try:
        model = netc.compile(source.text)
        if any(one.listed for one in model.program.main.tuples):
            return None  # refused: tests/net/test_round_trip.py
        text = write_program(model.program)
    except netc.CompileError:
        return None
    in_order = "param " not in source.text  # a `param` has a statement of its own, and may be drawn earlier
    return Form("the text of the graph", text, Same.KEYS, section=False, typed=False, drawn=in_order)


RELATIONS = (formatted, laid_out, in_parts, reordered, renamed, in_a_model, derived, from_the_graph)
