"""A literal and a name for it: every way to give a value gives the same artifacts.

In: a text. Out: the text with one literal replaced by a name: a `let` of the file or of the body, a parameter of the model, block or train
section, `--set`, `--dim`, an item of a list, the result of a `fn`, arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

from netc.dsl import ast
from tests.forms.text import Edit, Form, ParsedText, Place, Same, bound_names, inserting, replacing

INITIALIZERS = frozenset(
    ("normal", "uniform", "constant", "trunc_normal", "orthogonal", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal")
)
OTHER_MEANING = (ast.Use, ast.StoredTableDecl)
"""Nodes whose texts are paths."""


class Literal:
    """A literal of a text: its node with its ancestors, and its text. `is_stage`: it is the name of an operator, or a stage."""

    def __init__(self, source: ParsedText, place: Place) -> None:
        self.place = place
        self.text = source.of(place.node.span)
        self.is_stage = isinstance(place.node, ast.StageExpr | ast.Name | ast.Apply)
        self.edit_span = place.node.span

    def becomes(self, name: str) -> Edit:
        """The literal replaced. A dims literal in the middle of a word needs no spaces, since names are bounded by what is around them."""
        return replacing(self.edit_span, name)


def literals(source: ParsedText) -> list[Literal]:
    return [Literal(source, place) for place in source.places if _is_literal(place)]


def _is_literal(place: Place) -> bool:
    if place.nearest(*OTHER_MEANING) or isinstance(place.parent, ast.Dims | ast.Unary) or place.nearest(ast.Label):
        return False
    match place.node:
        case ast.NumberLiteral() | ast.Scalar() | ast.Boolean():
            return True
        case ast.Dims(parts=parts):
            return all(isinstance(part, ast.NumberLiteral) for part in parts)
        case ast.String(value=value):
            return place.nearest(ast.Setting) is None and "{" not in value
        case ast.Unary(op="-", operand=ast.NumberLiteral()):
            return True
        case ast.ListExpr(items=items):
            numbers = bool(items) and all(isinstance(item, ast.NumberLiteral) for item in items)
            return numbers and not isinstance(place.parent, ast.Is) and not _is_index(place)
        case ast.Call(function=ast.Name(name=name), arguments=arguments):
            return name in INITIALIZERS and all(isinstance(one, ast.NumberLiteral) for one in arguments)
        case ast.StageExpr(stage=stage):
            return all(isinstance(one, ast.NumberLiteral) for one in stage.positional) and not stage.keywords and stage.activation is None
        case _:
            return False


def _is_index(place: Place) -> bool:
    """Whether a list is `[0]` in `kept[0]`, which is parsed as an argument without a space before it."""
    span = place.node.span
    return span.start > 0 and bool(re.match(r"[\w\])]", span.file.text[span.start - 1]))


def _pick(source: ParsedText, random: Random, suits: Callable[[Literal], bool] = lambda _: True) -> Literal | None:
    found = [one for one in literals(source) if suits(one)]
    return random.choice(found) if found else None


# --- let ---------------------------------------------------------------------------------------------------------------------


def let_of_file(source: ParsedText, random: Random) -> Form | None:
    """`dense 4` is `let k = 4` at the top of the file, and `dense k`."""
    literal = _pick(source, random)
    if literal is None:
        return None
    name = source.fresh(random)
    text = source.edited([_at_top(source, f"let {name} = {literal.text}\n"), literal.becomes(name)])
    return Form(f"`let {name} = {literal.text}` of the file", text)


def _at_top(source: ParsedText, text: str) -> Edit:
    """Text before the first item, so that comments stay with what follows them."""
    return inserting(source.file.items[0].span.start if source.file.items else 0, text)


def let_of_body(source: ParsedText, random: Random) -> Form | None:
    """The same in the innermost body, or in one around it."""
    literal = _pick(source, random, lambda one: one.place.nearest(ast.Body) is not None)
    if literal is None:
        return None
    bodies = [node for node in literal.place.above if isinstance(node, ast.Body)]
    body = random.choice(bodies)
    name = source.fresh(random)
    text = source.edited([_in_body(source, body, f"let {name} = {literal.text}; "), literal.becomes(name)])
    return Form(f"`let {name} = {literal.text}` of a body", text)


def _in_body(source: ParsedText, body: ast.Body, text: str) -> Edit:
    """Text before the first statement of a body."""
    return inserting(body.statements[0].span.start, text)


# --- parameters --------------------------------------------------------------------------------------------------------------


def parameter_of_definition(source: ParsedText, random: Random) -> Form | None:
    """A parameter of the model, block or train section around the literal, with the literal as its default."""
    literal = _pick(source, random, lambda one: _definition(one) is not None)
    if literal is None:
        return None
    name = source.fresh(random)
    edits = [_one_more_parameter(source, _definition(literal), f"{name}={literal.text}"), literal.becomes(name)]
    return Form(f"the parameter `{name}={literal.text}`", source.edited(edits))


def _definition(literal: Literal) -> Any:
    """The model, block or section whose body has the literal, if it can have parameters."""
    found = literal.place.nearest(ast.Block, ast.ModelDecl, ast.TrainDecl)
    if found is None or found.body not in literal.place.above:
        return None
    return None if isinstance(found, ast.TrainDecl) and found.name is None else found


def _one_more_parameter(source: ParsedText, definition: Any, text: str) -> Edit:
    if definition.parameters:
        return inserting(definition.parameters[-1].span.end, f", {text}")
    if source.text[definition.name.span.end :].lstrip(" ").startswith("("):
        return inserting(source.text.index("(", definition.name.span.end) + 1, text)
    return inserting(definition.name.span.end, f"({text})")


def argument_of_block(source: ParsedText, random: Random) -> Form | None:
    """A required parameter of a block, which every use is given."""
    literal = _pick(source, random, lambda one: _uses(source, _definition(one)) is not None)
    if literal is None:
        return None
    block = _definition(literal)
    name = source.fresh(random)
    edits = [_required_parameter(source, block, name), literal.becomes(name)]
    edits += [inserting(_end_of_arguments(use), f" {name}={_as_argument(literal.text)}") for use in _uses(source, block) or ()]
    return Form(f"`{name}={literal.text}`, an argument of `{block.name.name}`", source.edited(edits))


def _required_parameter(source: ParsedText, block: ast.Block, name: str) -> Edit:
    """It comes before the parameters that have defaults."""
    defaulted = _defaulted(block)
    return inserting(defaulted[0].span.start, f"{name}, ") if defaulted else _one_more_parameter(source, block, name)


def _defaulted(block: ast.Block) -> list[ast.ParameterDecl]:
    return [one for one in block.parameters if isinstance(one, ast.ParameterDecl) and one.default is not None]


def _uses(source: ParsedText, block: Any) -> list[ast.Apply] | None:
    """The stages that use a block; None if it is used in any other way, or if a further required parameter would change the meaning of
    positional arguments."""
    if not isinstance(block, ast.Block) or block.takes_none:
        return None
    if any(isinstance(one, ast.TensorParameter) and (one.optional or one.many) for one in block.parameters):
        return None
    name = block.name.name
    named = [place for place in source.all_of(ast.Name) if place.node.name == name and place.parent is not block]
    stages = [place.node for place in source.all_of(ast.Apply) if place.node.name == name]
    inside = [place for place in source.all_of(ast.Apply) if place.node.name == name and block in place.above]
    if named or inside or any(one.called for one in stages):
        return None
    required = sum(isinstance(one, ast.ParameterDecl) for one in block.parameters) - len(_defaulted(block))
    return None if _defaulted(block) and any(len(one.positional) > required for one in stages) else stages


def _end_of_arguments(use: ast.Apply) -> int:
    """After the last argument, before the activation."""
    last = [use.name_span, *(one.span for one in use.positional), *(one.span for one in use.keywords)][-1]
    return last.end


def _as_argument(text: str) -> str:
    return text if text[0] != "-" else f"({text})"


def set_parameter(source: ParsedText, random: Random) -> Form | None:
    """`--set k=4` of a parameter that has another default: of the file, or of the model."""
    models = source.items(ast.ModelDecl)
    if any(model.base is not None for model in models) or len(models) > 1:
        return None
    suits = lambda one: _number(one) is not None and (not models or models[0].body in one.place.above)  # noqa: E731
    literal = _pick(source, random, suits)
    if literal is None or "expect" in source.words:
        return None
    name, value = source.fresh(random), _number(literal)
    assert value is not None
    other = "true" if value is False else "false" if value is True else str(value + 1)
    edits = [literal.becomes(name)]
    if models:
        edits.append(_one_more_parameter(source, models[0], f"{name}={other}"))
    else:
        edits.append(_at_top(source, f"let {name} = {other}\n"))
    return Form(f"`--set {name}={literal.text}`", source.edited(edits), params={name: value})


def _number(literal: Literal) -> Any:
    match literal.place.node:
        case ast.NumberLiteral(value=value) | ast.Boolean(value=value) | ast.Scalar(value=value):
            return value
        case ast.Unary(operand=ast.NumberLiteral(value=value)):
            return -value
        case _:
            return None


def set_dimension(source: ParsedText, random: Random) -> Form | None:
    """`input 3x8x8` is `input 3xSxS` with `--dim S=8`."""
    inputs = [
        p.node for p in source.all_of(ast.InputDecl) if isinstance(p.node.shape, ast.Dims | ast.ListExpr) and not p.nearest(ast.TrainDecl)
    ]
    parts = [
        part
        for one in inputs
        for part in (one.shape.parts[1:] if isinstance(one.shape, ast.Dims) else one.shape.items)
        if isinstance(part, ast.NumberLiteral) and isinstance(part.value, int) and part.value > 0
    ]
    if not parts:
        return None
    chosen = random.choice(parts)
    name = next(name for name in ("S", "SIZE", "W2", "K") if name not in source.words)
    same = [part for part in parts if part.value == chosen.value and random.random() < 0.5]
    edits = [replacing(part.span, name) for part in {id(one): one for one in (chosen, *same)}.values()]
    return Form(f"`--dim {name}={chosen.value}`", source.edited(edits), dims={name: chosen.value})


# --- expressions -------------------------------------------------------------------------------------------------------------


def item_of_list(source: ParsedText, random: Random) -> Form | None:
    """`dense 4` is `let k = [4, 4]` and `dense k[1]`."""
    literal = _pick(source, random, lambda one: not one.is_stage)
    if literal is None:
        return None
    name = source.fresh(random)
    at = random.choice((0, 1, -1))
    edits = [_at_top(source, f"let {name} = [{literal.text}, {literal.text}]\n"), literal.becomes(f"{name}[{at}]")]
    return Form(f"an item of `{name}`", source.edited(edits))


def result_of_function(source: ParsedText, random: Random) -> Form | None:
    """`dense 4` is `fn k(v) = v` and `dense k(4)`, or a `fn` without parameters."""
    literal = _pick(source, random, lambda one: not one.is_stage)
    if literal is None:
        return None
    name = source.fresh(random)
    definition, call = random.choice(
        (
            (f"fn {name}() = {literal.text}\n", f"{name}()"),
            (f"fn {name}(v) = v\n", f"{name}({literal.text})"),
            (f"fn {name}(n) = {literal.text} if n <= 0 else {name}(n - 1)\n", f"{name}(3)"),
        )
    )
    return Form(f"the result of `{definition.strip()}`", source.edited([_at_top(source, definition), literal.becomes(call)]))


def arithmetic(source: ParsedText, random: Random) -> Form | None:
    """`dense 4` is `dense (2 * 4 - 4)`, or a choice."""
    literal = _pick(source, random, lambda one: not one.is_stage and not isinstance(one.place.node, ast.Scalar))
    if literal is None:
        return None
    value = _number(literal)
    if isinstance(value, int) and not isinstance(value, bool) and random.random() < 0.5:
        text = random.choice((f"({value} + 0)", f"({value} * 1)", f"({value + 3} - 3)", f"(2 * {value} // 2)", f"max({value}, {value})"))
    else:
        text = random.choice((f"({literal.text} if 1 < 2 else 5)", f"(7 if false else {literal.text})", f"([{literal.text}][0])"))
    same = Same.KEYS if literal.place.nearest(ast.TableDecl) else Same.FILE  # a formula is written as it is
    return Form(f"`{text}`", source.edited([literal.becomes(text)]), same)


def named_stage(source: ParsedText, random: Random) -> Form | None:
    """`-> relu` is `let k = relu` and `-> k`; `x -> dense 4 relu` has the activation `k`."""
    blocks = {block.name.name for block in source.items(ast.Block)}
    shared = {place.node.name.name for place in source.all_of(ast.Shared)}
    spans = [
        place.node.name_span
        for place in source.all_of(ast.Apply)
        if isinstance(place.parent, ast.Pipeline)
        and place.node is not place.parent.head
        and place.nearest(ast.Setting) is None
        and place.node.name not in shared | {"in", "where"}  # words of the language
    ]
    spans += [place.node.activation.span for place in source.all_of(ast.Apply) if isinstance(place.node.activation, ast.Name)]
    spans = [span for span in spans if source.of(span) not in bound_outside_blocks(source, blocks)]
    if not spans:
        return None
    span, name = random.choice(spans), source.fresh(random)
    edits = [_at_top(source, f"let {name} = {source.of(span)}\n"), replacing(span, name)]
    return Form(f"`let {name} = {source.of(span)}`", source.edited(edits))


def bound_outside_blocks(source: ParsedText, blocks: set[str]) -> set[str]:
    return bound_names(source.file) - blocks


def named_type(source: ParsedText, random: Random) -> Form | None:
    """`input 3 int64` is `let k = int64` and `input 3 k`."""
    kinds = (ast.InputDecl, ast.ParamDecl, ast.TableDecl)
    spans = [place.node.dtype.span for place in source.all_of(*kinds) if place.node.dtype is not None]
    spans = [span for span in spans if source.of(span) in ("int64", "float32", "float64", "bool", "int32", "float16")]
    if not spans:
        return None
    span, name = random.choice(spans), source.fresh(random)
    return Form(
        f"`let {name} = {source.of(span)}`", source.edited([_at_top(source, f"let {name} = {source.of(span)}\n"), replacing(span, name)])
    )


RELATIONS = (
    let_of_file,
    let_of_body,
    parameter_of_definition,
    argument_of_block,
    set_parameter,
    set_dimension,
    item_of_list,
    result_of_function,
    arithmetic,
    named_stage,
    named_type,
)
