"""A stage in other words: in parentheses, in a branch that is taken, as a call, as an operator symbol, with a name for its result.

In: a text. Out: the text with one stage or pipeline written otherwise.
"""

from __future__ import annotations

import re
from random import Random
from typing import Any

from netc.compiler.ops import Operator
from netc.dsl import ast
from tests.forms.blocks import _is_movable, _uses_in
from tests.forms.text import Edit, Form, ParsedText, Place, Same, bound_names, inserting, replacing

SYMBOLS = {"+": "add", "-": "sub", "*": "mul", "/": "div", "@": "matmul", "**": "pow", "//": "floor_div", "%": "remainder"}
SYMBOLS |= {"==": "eq", "!=": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge"}
OF_VALUES = frozenset(("not-a-tensor", "operand-count", "missing-argument", "wrong-number-of-tensors", "expected-value"))


def wrapped(source: ParsedText, random: Random) -> Form | None:
    """`-> relu` is `-> (relu)`, `-> if true { relu }`, `-> if 1 > 2 { sigmoid } else { relu }`."""
    stages = [place for place in source.all_of(ast.Apply, ast.Group, ast.If, ast.Repeat, ast.Scan) if _is_stage(place)]
    stages = [place for place in stages if not _uses_in((place.node,)) and _is_movable(source, source.of(place.node.span), *_ends(place))]
    if not stages:
        return None
    place = random.choice(stages)
    text = source.of(place.node.span)
    ways = [("if true { ", " }"), ("if 1 > 2 { sigmoid } else { ", " }"), ("if 1 > 2 { relu } else if 2 > 1 { ", " }")]
    if not isinstance(place.node, ast.Scan):
        ways.append(("(", ")"))
    before, after = random.choice(ways)
    edits = [replacing(place.node.span, f"{before}{text}{after}")]
    return Form(f"`{before}...{after}`", source.edited(edits), Same.KEYS, refusals=frozenset(("wrong-unpacking",)))


def _ends(place: Place) -> tuple[int, int]:
    return place.node.span.start, place.node.span.end


def _is_stage(place: Place) -> bool:
    """Whether it is a stage of a pipeline, none of a setting."""
    parent = place.parent
    if not isinstance(parent, ast.Pipeline) or place.node is parent.head or place.nearest(ast.Setting, ast.Shared):
        return False
    return getattr(place.node, "collected", None) is None


def called(source: ParsedText, random: Random) -> Form | None:
    """`x -> f 4 k=2` is `f((x), 4, k=2)`."""
    pipelines = [place.node for place in source.all_of(ast.Pipeline) if _is_callable(place, _stage_names(source))]
    if not pipelines:
        return None
    pipeline = random.choice(pipelines)
    stage = pipeline.stages[0]
    arguments = [source.of(one.span) for one in (*stage.positional, *stage.keywords)]
    label = f" as {source.of(stage.label.span)}" if stage.label is not None else ""
    text = f"{stage.name}({', '.join([_tensors(source, pipeline.head), *arguments])}){label}"
    edits = [Edit(pipeline.head.span.start, stage.span.end, text)]
    return Form(f"`{text}`", source.edited(edits), Same.KEYS)


def _stage_names(source: ParsedText) -> frozenset[str]:
    """The names that are stages without an arrow too: `(relu -> dense 4)` is a stage that begins with `relu`."""
    named = {place.node.name.name for place in source.all_of(ast.Block, ast.Shared)}
    return frozenset(named | (Operator.registry.keys() - bound_names(source.file)))


def _is_callable(place: Place, stages: frozenset[str]) -> bool:
    pipeline = place.node
    if not pipeline.stages or not isinstance(pipeline.stages[0], ast.Apply) or place.nearest(ast.Setting):
        return False
    stage = pipeline.stages[0]
    if stage.called or stage.activation is not None or isinstance(pipeline.head, ast.InputDecl | ast.TableDecl | ast.ParamDecl):
        return False
    if stage.positional and isinstance(stage.positional[-1], ast.Name | ast.StageExpr):
        return False  # it may be an activation
    if isinstance(pipeline.head, ast.Apply) and pipeline.head.name in _words(stage.name):
        return False  # `gelu(tanh)` has the word `tanh` for an argument
    return _is_argument(pipeline.head, stages)


def _words(operator: str) -> set[str]:
    """The words that are values of an operator's arguments."""
    known = Operator.registry[operator].signature.values() if operator in Operator.registry else ()
    return {word for arg in known for word in getattr(arg.kind, "words", ())}


def _is_argument(head: Any, stages: frozenset[str]) -> bool:
    """A name, arithmetic of such, or a pipeline or a tuple of such. `stages` are names of other things than tensors."""
    match head:
        case ast.Apply(name=name, positional=(), keywords=(), called=False):
            return name not in stages
        case ast.Scalar() | ast.ValueOperand():
            return True
        case ast.TensorBinary(left=left, right=right):
            return _is_argument(left, stages) and _is_argument(right, stages)
        case ast.Group(members=members, label=None):
            return all(_is_argument(member.head, stages) and not (len(members) == 1 and not member.stages) for member in members)
        case _:
            return False


def _tensors(source: ParsedText, head: Any) -> str:
    if isinstance(head, ast.Group) and len(head.members) > 1:
        return ", ".join(f"({source.of(member.span)})" for member in head.members)
    text = source.of(head.span)
    return text if re.fullmatch(r"\w+", text) else f"({text})"


def symbol_as_stage(source: ParsedText, random: Random) -> Form | None:
    """`a + b` is `((a, b) -> add)`, and `a * 2` is `(a -> mul 2)`."""
    found = [place.node for place in source.all_of(ast.TensorBinary) if place.node.op in SYMBOLS and not place.nearest(ast.Setting)]
    if not found:
        return None
    node = random.choice(found)
    left, right = source.of(node.left.span), source.of(node.right.span)
    if (
        isinstance(node.left, ast.Scalar | ast.TensorUnary)
        or isinstance(node.right, ast.TensorUnary)
        or (isinstance(node.left, ast.Apply) and node.left.positional)  # `batch 8 - 1`, a setting with a mistake
        or any(re.fullmatch(r"\w+", one) and _is_value(source, one) for one in (left, right))
    ):
        return None
    scalar = isinstance(node.right, ast.Scalar | ast.ValueOperand)
    if scalar:
        number = right if re.fullmatch(r"[\w.]+", right) else f"({right})"
        text = f"({left} -> {SYMBOLS[node.op]} {number})"
    else:
        text = f"(({left}, {right}) -> {SYMBOLS[node.op]})"
    # in a sequence, a stage has a number and a symbol has none: the stages after it have other keys
    return Form(f"`{text}`", source.edited([replacing(node.span, text)]), Same.ORDER, refusals=OF_VALUES)


def _is_value(source: ParsedText, name: str) -> bool:
    """Whether a name may name a number, which is no member of a tuple."""
    kinds = ast.Let | ast.ParameterDecl | ast.NamePattern
    return any(name in bound_names(place.node) for place in source.places if isinstance(place.node, kinds))


def named(source: ParsedText, random: Random) -> Form | None:
    """`x -> a -> b` is `t = x -> a`, and `t -> b`."""
    found = [place for place in source.all_of(ast.Pipeline) if _is_cut(place)]
    if not found:
        return None
    place = random.choice(found)
    pipeline, statement = place.node, place.parent
    at = random.randrange(len(pipeline.stages))
    end = (pipeline.stages[at - 1] if at else pipeline.head).span.end
    name = source.fresh(random)
    first = source.text[pipeline.span.start : end]
    edits = [Edit(pipeline.span.start, end, name), inserting(statement.span.start, f"{name} = {first}\n")]
    if statement.span.start == pipeline.span.start:
        edits = [Edit(pipeline.span.start, end, f"{name} = {first}\n{name}")]
    return Form(f"`{name} = {first}`", source.edited(edits), Same.KEYS)


def _is_cut(place: Place) -> bool:
    if not place.node.stages or not isinstance(place.parent, ast.Assign | ast.Flow | ast.Out | ast.Metric):
        return False
    if isinstance(place.parent, ast.Flow) and place.nearest(ast.TrainDecl):
        return False  # it may be a setting: `schedule warmup 2 * 3 -> cosine`
    return not isinstance(place.parent, ast.Out) or len(place.parent.results) == 1


def shared_once(source: ParsedText, random: Random) -> Form | None:
    """`x -> dense 4 as d` is `shared s = dense 4 as d`, and `x -> s`."""
    found = [place for place in source.all_of(ast.Apply) if _is_shareable(source, place)]
    if not found:
        return None
    place = random.choice(found)
    statement = place.nearest(ast.Assign, ast.Flow, ast.Out)
    name, text = source.fresh(random), source.of(place.node.span)
    edits = [inserting(statement.span.start, f"shared {name} = {text}\n"), replacing(place.node.span, name)]
    return Form(f"`shared {name} = {text}`", source.edited(edits), Same.KEYS, drawn=False)


def _is_shareable(source: ParsedText, place: Place) -> bool:
    stage = place.node
    if not _is_stage(place) or stage.label is None or stage.called or place.nearest(ast.Group, ast.Scan, ast.TrainDecl):
        return False
    label, text = source.of(stage.label.span), source.of(stage.span)
    if label == "_" or "{" in label or _uses_in((stage,)) or not isinstance(place.above[-2], ast.Assign | ast.Flow | ast.Out):
        return False
    return _is_movable(source, text, *_ends(place))


RELATIONS = (wrapped, called, symbol_as_stage, named, shared_once)
