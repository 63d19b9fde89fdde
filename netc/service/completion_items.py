"""Completion: suggest words for an offset.

In: a checked text and an offset. Out: `Suggestion`s, most likely first. Always: the tokens before the offset decide which kind of word is
needed, and the tree decides which names are visible. So a text that does not parse has suggestions too, as most texts do while they are
typed.

    >>> from .workspace import Workspace
    >>> workspace = Workspace()
    >>> workspace.open_text("/a.net", "input 3 -> layer_")
    >>> suggestions = find_completions(workspace.check_text("/a.net"), 17)
    >>> [suggestion.label for suggestion in suggestions if suggestion.label.startswith("layer_")]
    ['layer_norm']
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

from ..reference.operator_reference import format_default, format_signature, get_meaning
from ..reference.word_pages import read_word_pages
from .checked_text import CheckedText
from .context import Context, StageContext, find_context
from .doc_comments import read_doc_comment
from .label_completion import list_labels, list_stage_parameters
from .repair import find_scope
from .use_paths import list_exported_names, list_paths

ATTRIBUTES = ("shape", "rank", "channels", "features", "dtype")
STATEMENTS = ("let", "out", "expect", "shared", "default")
ITEMS = ("block", "model", "fn", "use", "train")
SOURCES = ("input", "param", "table")
STAGES = ("repeat", "each", "scan", "if", "is")


class Suggestion(Record):
    """A word that may be written from the offset `start` on. `kind` is the kind of a definition, or `operator`, `argument`, `word`, `type`,
    `label`, `file`, `keyword`. `insert` is the text to insert if it differs from the label; `detail` is one line, `page` Markdown."""

    label: str
    kind: str
    start: int
    detail: str = ""
    page: str = ""
    insert: str = ""


def find_completions(checked: CheckedText, offset: int) -> list[Suggestion]:
    """Find the words that may be written at an offset, the likely ones first."""
    context = find_context(checked.source.text, offset)
    # Of suggestions with the same label, the first one stays: a local name hides an operator.
    suggestions = {suggestion.label: suggestion for suggestion in reversed([*_list_suggestions(checked, context, offset)])}
    return list(reversed(suggestions.values()))


def _list_suggestions(checked: CheckedText, context: Context, offset: int) -> Iterator[Suggestion]:
    start = context.start
    # Inside a string, only the path of a `use` can be completed; inside a comment, nothing.
    if context.inside is not None:
        if context.inside.type == "UNTERMINATED_STRING" and context.token_kind() == "USE":
            path_start = context.inside.start + 1
            for path in list_paths(checked, checked.source.text[path_start:offset]):
                yield Suggestion(path, "file", path_start)
        return
    scope = find_scope(checked, context)
    # A label is a new name, which nothing can suggest.
    if context.token_kind() == "AS":
        return
    if _is_imported_name(context):
        yield from (Suggestion(name, kind, start) for name, kind in list_exported_names(checked, _path_of(context)))
    elif context.token_kind() == "DOT":
        yield from _suggest_attributes(checked, context, scope)
    elif context.token_kind() == "EQUALS" and context.stage is not None and context.token_kind(2) == "NAME":
        yield from _suggest_values(checked, context, scope, context.stage, context.token_text(2))
    elif _needs_type(context):
        yield from (Suggestion(name, "type", start, "element type") for name in DTYPES)
    elif context.token_kind() == "DEFAULT":
        yield from _suggest_operators(start)
    elif context.token_kind() == "ARROW":
        yield from _suggest_stages(scope, start)
    elif context.begins_statement:
        yield from _suggest_statements(checked, scope, start)
    elif context.stage is not None:
        yield from _suggest_arguments(checked, context, scope, context.stage)
    else:
        yield from _suggest_expressions(scope, start)


def _is_imported_name(context: Context) -> bool:
    """Whether the word is one of the names that a `use` imports."""
    back = 1
    while context.token_kind(back) in ("COMMA", "NAME"):
        back += 1
    return context.token_kind(back) == "COLON" and context.token_kind(back + 1) == "STRING" and context.token_kind(back + 2) == "USE"


def _path_of(context: Context) -> str:
    return next((token.text.strip('"') for token in reversed(context.before) if token.type == "STRING"), "")


def _needs_type(context: Context) -> bool:
    """Whether the word follows the shape of an `input`, `param` or `table`, where an element type may be."""
    if context.token_kind() in ("NUMBER", "DIMS") and context.token_kind(2) in ("INPUT", "PARAM"):
        return True
    if context.token_kind() != "RBRACK":
        return False
    depth = 0
    for back in range(1, len(context.before) + 1):
        depth += (context.token_kind(back) == "RBRACK") - (context.token_kind(back) == "LBRACK")
        if depth == 0:
            # `table (i) [4]` has its indices in parentheses between the word and the shape.
            return context.token_kind(back + 1) in ("INPUT", "PARAM") or (
                context.token_kind(back + 1) == "RPAR" and _is_table(context, back + 1)
            )
    return False


def _is_table(context: Context, back: int) -> bool:
    while context.token_kind(back) not in ("LPAR", ""):
        back += 1
    return context.token_kind(back + 1) == "TABLE"


# --- names ---------------------------------------------------------------------------------------------------------------------


def _suggest_names(scope: NameScope, start: int, kinds: Iterable[str] = ()) -> Iterator[Suggestion]:
    """Suggest the visible names of some kinds, or of all."""
    wanted_kinds = tuple(kinds)
    for name, definition in scope.visible_names(start).items():
        if (not wanted_kinds or definition.kind in wanted_kinds) and definition.kind != "model":
            yield Suggestion(
                name,
                definition.kind,
                start,
                _format_detail(definition),
                read_doc_comment(definition.span) if definition.kind in ("block", "function", "let") else "",
            )


def _format_detail(definition: Definition) -> str:
    match definition.node:
        case ast.Block(parameters=parameters) | ast.Fn(parameters=parameters):
            return f"{definition.name}({', '.join(p.span.text for p in parameters)})"
        case ast.Let(value=value) | ast.ParameterDecl(default=ast.Expr() as value):
            return value.span.text.partition("\n")[0]
    return definition.kind


def _suggest_operators(start: int) -> Iterator[Suggestion]:
    for name, operator in Operator.registry.items():
        if operator.operands:
            yield Suggestion(name, "operator", start, format_signature(operator), get_meaning(operator))


def _suggest_keywords(start: int, names: Iterable[str]) -> Iterator[Suggestion]:
    return (Suggestion(name, "keyword", start, "", read_word_pages().get(name, "")) for name in names)


def _suggest_stages(scope: NameScope, start: int) -> Iterator[Suggestion]:
    yield from _suggest_names(scope, start, ("block", "shared", "parameter", "let"))
    yield from _suggest_operators(start)
    yield from _suggest_keywords(start, STAGES)


def _suggest_expressions(scope: NameScope, start: int) -> Iterator[Suggestion]:
    yield from _suggest_names(scope, start)
    yield from _suggest_keywords(start, ("in", *SOURCES))
    yield from _suggest_operators(start)
    yield from (Suggestion(name, "function", start, f"takes {builtin.expects}") for name, builtin in BUILTINS.items())


def _suggest_statements(checked: CheckedText, scope: NameScope, start: int) -> Iterator[Suggestion]:
    path = find_enclosing_nodes(checked.file, start)
    if any(isinstance(node, ast.TrainDecl) for node in path):
        yield from (Suggestion(name, "keyword", start, "setting") for name in ("metric", *SETTINGS))
    yield from _suggest_keywords(start, STATEMENTS)
    if not any(isinstance(node, ast.Body) for node in path):
        yield from _suggest_keywords(start, ITEMS)
    yield from _suggest_expressions(scope, start)
    yield from _suggest_keywords(start, STAGES)


def _suggest_attributes(checked: CheckedText, context: Context, scope: NameScope) -> Iterator[Suggestion]:
    """Suggest words after a dot: attributes of a tensor, or parameters of a labeled stage."""
    names = list_stage_parameters(checked, context.token_text(2)) if scope.find_name(context.token_text(2)) is None else ()
    yield from (Suggestion(name, "label", context.start, "parameter of the stage") for name in names)
    yield from (Suggestion(name, "word", context.start, "attribute of a tensor") for name in ATTRIBUTES)


# --- arguments -------------------------------------------------------------------------------------------------------------------


def resolve_stage(scope: NameScope, name: str) -> Definition | None:
    """Return the block or function that a name means, also through a `let`."""
    definition = scope.find_name(name, stage=True)
    if definition is not None and isinstance(definition.node, ast.Let) and isinstance(definition.node.value, (ast.Name, ast.StageExpr)):
        value = definition.node.value
        return scope.find_name(value.name if isinstance(value, ast.Name) else value.stage.name, stage=True) or definition
    return definition


def resolve_operator(scope: NameScope, name: str) -> type[Operator] | None:
    """Return the operator that a name means, also through a `let` or the default of a parameter."""
    definition = scope.find_name(name, stage=True)
    if definition is None:
        return Operator.registry.get(name)
    value = getattr(definition.node, "value", None) or getattr(definition.node, "default", None)
    named = value.name if isinstance(value, ast.Name) else value.stage.name if isinstance(value, ast.StageExpr) else ""
    return Operator.registry.get(named)


def _suggest_arguments(checked: CheckedText, context: Context, scope: NameScope, stage: StageContext) -> Iterator[Suggestion]:
    """Suggest words after the name of a stage: words of the next argument, names of the others, activations, values."""
    start, definition, operator = context.start, resolve_stage(scope, stage.name.text), resolve_operator(scope, stage.name.text)
    # `dense max(2, ` calls the function of numbers, whose arguments have no names, and `-> max ` is the operator.
    is_function = stage.called and definition is None and stage.name.text in BUILTINS
    if operator is not None and not is_function:
        if stage.values < len(operator.slots):
            yield from _suggest_words(operator.slots[stage.values].kind.words, start)
        yield from _suggest_operator_arguments(operator, stage, start)
        if operator.takes_activation:
            yield from (
                Suggestion(name, "operator", start, get_meaning(cls)) for name, cls in Operator.registry.items() if cls.is_activation
            )
    elif definition is not None:
        yield from _suggest_parameters(definition, stage, start)
    # only a call, `f(x)`, takes tensors as arguments
    yield from _suggest_names(scope, start, ("let", "parameter", "variable", "dimension", "function", *(("tensor",) * stage.called)))
    if stage.called and operator is None and definition is None and stage.name.text in INITIALIZERS:
        arguments = INITIALIZERS[stage.name.text].arguments
        yield from (Suggestion(f"{a.name}=", "argument", start, a.kind.describe_values()) for a in arguments)


def _suggest_operator_arguments(operator: type[Operator], stage: StageContext, start: int) -> Iterator[Suggestion]:
    positional = [arg.name for arg in operator.slots[: stage.values]]
    for arg in operator.signature.values():
        if arg.name not in stage.named and arg.name not in positional:
            default = "required" if isinstance(arg.default, Required) else f"default {format_default(arg)}"
            yield Suggestion(f"{arg.name}=", "argument", start, f"{arg.kind.describe_values()}; {default}")
    # the first input comes from the pipeline
    for operand in list(operator.operands.values())[1:]:
        if operand.name not in stage.named and operand.name not in operator.signature:
            yield Suggestion(f"{operand.name}=", "argument", start, "a tensor" + (", optional" if operand.optional else ""))
    # only a stage with learned parameters can be frozen, or use the weight of another stage
    if "init" in operator.signature:
        yield Suggestion("trainable=", "argument", start, "`true` or `false`; default true")
        yield Suggestion("tie=", "argument", start, "the label of the stage whose weight it uses")


def _suggest_parameters(definition: Definition, stage: StageContext, start: int) -> Iterator[Suggestion]:
    parameters: tuple[ast.ParameterDecl | ast.TensorParameter, ...] = getattr(definition.node, "parameters", ())
    constants = [p for p in parameters if isinstance(p, ast.ParameterDecl)]
    tensors = [p for p in parameters if isinstance(p, ast.TensorParameter)]
    remaining = [(p.name.name, p.span.text) for p in constants[stage.values :]] + [(p.name.name, p.span.text) for p in tensors]
    for name, text in remaining:
        if name not in stage.named:
            yield Suggestion(f"{name}=", "argument", start, text)


def _suggest_words(names: Iterable[str], start: int) -> Iterator[Suggestion]:
    return (Suggestion(name, "word", start) for name in names)


def _suggest_values(checked: CheckedText, context: Context, scope: NameScope, stage: StageContext, name: str) -> Iterator[Suggestion]:
    """Suggest words after `name=`: the words of the argument, labels for `tie`, values."""
    start, operator = context.start, resolve_operator(scope, stage.name.text)
    if name == "tie":
        yield from (Suggestion(label, "label", start, "label") for label in list_labels(checked, start))
        return
    arg = operator.signature.get(name) if operator is not None else None
    if arg is not None:
        if arg.kind.describe_values() == "`true` or `false`":
            yield from _suggest_words(("true", "false"), start)
        yield from _suggest_words(arg.kind.words, start)
    elif name in ("trainable", "batch", "reverse"):
        yield from _suggest_words(("true", "false"), start)
    elif name.endswith("init"):
        yield from _suggest_words(INITIALIZERS, start)
    else:
        yield from _suggest_stages(scope, start)
    yield from _suggest_names(scope, start)
    yield from (Suggestion(word, "word", start, "a number") for word in CONSTANTS)
