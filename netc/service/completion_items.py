"""Completion: what may be written at an offset.

In: a checked text and an offset. Out: `Suggestion`s, most likely first. Always: the tokens before the offset decide what kind of word is
needed, and the tree which names are visible; so a text that does not parse, as most texts that are being typed, has them as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from netc.compiler.binding.name_scopes import Definition, NameScope
from netc.compiler.elaborate.builtins import BUILTINS, CONSTANTS
from netc.compiler.elaborate.names.setting_words import SETTINGS
from netc.compiler.ops import Operator
from netc.compiler.ops.initializers import INITIALIZERS
from netc.compiler.ops.operator import Required
from netc.compiler.types.tensor_types import DTYPES
from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.tree_walk import find_enclosing_nodes

from ..reference.operator_reference import meaning, show_default, signature
from ..reference.word_pages import words
from .checked_text import Checked
from .context import Context, StageAt, context_at
from .doc_comments import above
from .label_completion import labels_before, parameters_at
from .repair import scope_at
from .use_paths import exported_names, paths

ATTRIBUTES = ("shape", "rank", "channels", "features", "dtype")
STATEMENTS = ("let", "out", "expect", "shared", "default")
ITEMS = ("block", "model", "fn", "use", "train")
SOURCES = ("input", "param", "table")
STAGES = ("repeat", "each", "scan", "if", "is")


class Suggestion(Record):
    """A word that may be written from the offset `start` on. `kind` is that of a definition, or `operator`, `argument`, `word`, `type`,
    `label`, `file`, `keyword`; `insert` is what to write if it is not the label; `detail` is one line, `page` Markdown about it."""

    label: str
    kind: str
    start: int
    detail: str = ""
    page: str = ""
    insert: str = ""


def complete(checked: Checked, offset: int) -> list[Suggestion]:
    """What may be written at an offset, the likely ones first."""
    context = context_at(checked.source.text, offset)
    found = {one.label: one for one in reversed([*_suggestions(checked, context, offset)])}
    return list(reversed(found.values()))


def _suggestions(checked: Checked, context: Context, offset: int) -> Iterator[Suggestion]:
    start = context.start
    if context.inside is not None:
        if context.inside.type == "UNTERMINATED_STRING" and context.kind() == "USE":
            at = context.inside.start + 1
            for path in paths(checked, checked.source.text[at:offset]):
                yield Suggestion(path, "file", at)
        return
    scope = scope_at(checked, context)
    if context.kind() == "AS":
        return
    if _imports(context):
        yield from (Suggestion(name, kind, start) for name, kind in exported_names(checked, _path_of(context)))
    elif context.kind() == "DOT":
        yield from _attributes(checked, context, scope)
    elif context.kind() == "EQUALS" and context.stage is not None and context.kind(2) == "NAME":
        yield from _values(checked, context, scope, context.stage, context.text(2))
    elif _needs_type(context):
        yield from (Suggestion(name, "type", start, "element type") for name in DTYPES)
    elif context.kind() == "DEFAULT":
        yield from _operators(start)
    elif context.kind() == "ARROW":
        yield from _stages(scope, start)
    elif context.begins_statement:
        yield from _statements(checked, scope, start)
    elif context.stage is not None:
        yield from _arguments(checked, context, scope, context.stage)
    else:
        yield from _heads(scope, start)


def _imports(context: Context) -> bool:
    """Whether the word is one of the names of a `use`."""
    back = 1
    while context.kind(back) in ("COMMA", "NAME"):
        back += 1
    return context.kind(back) == "COLON" and context.kind(back + 1) == "STRING" and context.kind(back + 2) == "USE"


def _path_of(context: Context) -> str:
    return next((token.text.strip('"') for token in reversed(context.before) if token.type == "STRING"), "")


def _needs_type(context: Context) -> bool:
    """Whether a shape of an `input`, `param` or `table` is before the word."""
    if context.kind() in ("NUMBER", "DIMS") and context.kind(2) in ("INPUT", "PARAM"):
        return True
    if context.kind() != "RBRACK":
        return False
    depth = 0
    for back in range(1, len(context.before) + 1):
        depth += (context.kind(back) == "RBRACK") - (context.kind(back) == "LBRACK")
        if depth == 0:
            return context.kind(back + 1) in ("INPUT", "PARAM") or (context.kind(back + 1) == "RPAR" and _is_table(context, back + 1))
    return False


def _is_table(context: Context, back: int) -> bool:
    while context.kind(back) not in ("LPAR", ""):
        back += 1
    return context.kind(back + 1) == "TABLE"


# --- names ---------------------------------------------------------------------------------------------------------------------


def _named(scope: NameScope, start: int, kinds: Iterable[str] = ()) -> Iterator[Suggestion]:
    """The visible names, of some kinds."""
    wanted = tuple(kinds)
    for name, one in scope.visible_names(start).items():
        if (not wanted or one.kind in wanted) and one.kind != "model":
            yield Suggestion(name, one.kind, start, _detail(one), above(one.span) if one.kind in ("block", "function", "let") else "")


def _detail(one: Definition) -> str:
    match one.node:
        case ast.Block(parameters=parameters) | ast.Fn(parameters=parameters):
            return f"{one.name}({', '.join(p.span.text for p in parameters)})"
        case ast.Let(value=value) | ast.ParameterDecl(default=ast.Expr() as value):
            return value.span.text.partition("\n")[0]
    return one.kind


def _operators(start: int) -> Iterator[Suggestion]:
    for name, operator in Operator.registry.items():
        if operator.operands:
            yield Suggestion(name, "operator", start, signature(operator), meaning(operator))


def _keywords(start: int, names: Iterable[str]) -> Iterator[Suggestion]:
    return (Suggestion(name, "keyword", start, "", words().get(name, "")) for name in names)


def _stages(scope: NameScope, start: int) -> Iterator[Suggestion]:
    yield from _named(scope, start, ("block", "shared", "parameter", "let"))
    yield from _operators(start)
    yield from _keywords(start, STAGES)


def _heads(scope: NameScope, start: int) -> Iterator[Suggestion]:
    yield from _named(scope, start)
    yield from _keywords(start, ("in", *SOURCES))
    yield from _operators(start)
    yield from (Suggestion(name, "function", start, f"takes {builtin.expects}") for name, builtin in BUILTINS.items())


def _statements(checked: Checked, scope: NameScope, start: int) -> Iterator[Suggestion]:
    path = find_enclosing_nodes(checked.file, start)
    if any(isinstance(node, ast.TrainDecl) for node in path):
        yield from (Suggestion(name, "keyword", start, "setting") for name in ("metric", *SETTINGS))
    yield from _keywords(start, STATEMENTS)
    if not any(isinstance(node, ast.Body) for node in path):
        yield from _keywords(start, ITEMS)
    yield from _heads(scope, start)
    yield from _keywords(start, STAGES)


def _attributes(checked: Checked, context: Context, scope: NameScope) -> Iterator[Suggestion]:
    """After a dot: attributes of a tensor, or parameters of a labelled stage."""
    names = parameters_at(checked, context.text(2), context.start) if scope.find_name(context.text(2)) is None else ()
    yield from (Suggestion(name, "label", context.start, "parameter of the stage") for name in names)
    yield from (Suggestion(name, "word", context.start, "attribute of a tensor") for name in ATTRIBUTES)


# --- arguments -------------------------------------------------------------------------------------------------------------------


def definition_of(scope: NameScope, name: str) -> Definition | None:
    """The block or function that a name is, also by way of a `let`."""
    found = scope.find_name(name, stage=True)
    if found is not None and isinstance(found.node, ast.Let) and isinstance(found.node.value, (ast.Name, ast.StageExpr)):
        value = found.node.value
        return scope.find_name(value.name if isinstance(value, ast.Name) else value.stage.name, stage=True) or found
    return found


def operator_of(scope: NameScope, name: str) -> type[Operator] | None:
    """The operator that a name is, also by way of a `let` or the default of a parameter."""
    found = scope.find_name(name, stage=True)
    if found is None:
        return Operator.registry.get(name)
    value = getattr(found.node, "value", None) or getattr(found.node, "default", None)
    named = value.name if isinstance(value, ast.Name) else value.stage.name if isinstance(value, ast.StageExpr) else ""
    return Operator.registry.get(named)


def _arguments(checked: Checked, context: Context, scope: NameScope, stage: StageAt) -> Iterator[Suggestion]:
    """After the name of a stage: words of the next argument, names of the others, activations, values."""
    start, found, operator = context.start, definition_of(scope, stage.name.text), operator_of(scope, stage.name.text)
    if operator is not None:
        if stage.values < len(operator.slots):
            yield from _kind_words(operator.slots[stage.values].kind.words, start)
        yield from _operator_arguments(operator, stage, start)
        if operator.takes_activation:
            yield from (Suggestion(name, "operator", start, meaning(one)) for name, one in Operator.registry.items() if one.is_activation)
    elif found is not None:
        yield from _parameters(found, stage, start)
    yield from _named(scope, start, ("let", "parameter", "variable", "dimension", "function", *(("tensor",) * stage.called)))
    if stage.called and operator is None and found is None and stage.name.text in INITIALIZERS:
        arguments = INITIALIZERS[stage.name.text].arguments
        yield from (Suggestion(f"{a.name}=", "argument", start, a.kind.describe()) for a in arguments)


def _operator_arguments(operator: type[Operator], stage: StageAt, start: int) -> Iterator[Suggestion]:
    positional = [arg.name for arg in operator.slots[: stage.values]]
    for arg in operator.signature.values():
        if arg.name not in stage.given and arg.name not in positional:
            default = "required" if isinstance(arg.default, Required) else f"default {show_default(arg)}"
            yield Suggestion(f"{arg.name}=", "argument", start, f"{arg.kind.describe()}; {default}")
    for operand in list(operator.operands.values())[1:]:
        if operand.name not in stage.given and operand.name not in operator.signature:
            yield Suggestion(f"{operand.name}=", "argument", start, "a tensor" + (", optional" if operand.optional else ""))
    if "init" in operator.signature:
        yield Suggestion("trainable=", "argument", start, "`true` or `false`; default true")
        yield Suggestion("tie=", "argument", start, "the label of the stage whose weight it uses")


def _parameters(found: Definition, stage: StageAt, start: int) -> Iterator[Suggestion]:
    parameters: tuple[ast.ParameterDecl | ast.TensorParameter, ...] = getattr(found.node, "parameters", ())
    constants = [p for p in parameters if isinstance(p, ast.ParameterDecl)]
    tensors = [p for p in parameters if isinstance(p, ast.TensorParameter)]
    left = [(p.name.name, p.span.text) for p in constants[stage.values :]] + [(p.name.name, p.span.text) for p in tensors]
    for name, text in left:
        if name not in stage.given:
            yield Suggestion(f"{name}=", "argument", start, text)


def _kind_words(names: Iterable[str], start: int) -> Iterator[Suggestion]:
    return (Suggestion(name, "word", start) for name in names)


def _values(checked: Checked, context: Context, scope: NameScope, stage: StageAt, name: str) -> Iterator[Suggestion]:
    """After `name=`: the words of the argument, labels for `tie`, values."""
    start, operator = context.start, operator_of(scope, stage.name.text)
    if name == "tie":
        yield from (Suggestion(label, "label", start, "label") for label in labels_before(checked, start))
        return
    arg = operator.signature.get(name) if operator is not None else None
    if arg is not None:
        if arg.kind.describe() == "`true` or `false`":
            yield from _kind_words(("true", "false"), start)
        yield from _kind_words(arg.kind.words, start)
    elif name in ("trainable", "batch", "reverse"):
        yield from _kind_words(("true", "false"), start)
    elif name.endswith("init"):
        yield from _kind_words(INITIALIZERS, start)
    else:
        yield from _stages(scope, start)
    yield from _named(scope, start)
    yield from (Suggestion(word, "word", start, "a number") for word in CONSTANTS)
