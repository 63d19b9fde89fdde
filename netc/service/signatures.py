"""Signature help: the arguments of the stage around an offset.

In: a checked text and an offset. Out: a `Signature` with the next argument, or None outside of a stage. Always: it works in a text that
does not parse.

    >>> from .workspace import Workspace
    >>> workspace = Workspace()
    >>> workspace.open_text("/a.net", "input 3x8x8 -> conv 16 ")
    >>> signature = find_signature(workspace.check_text("/a.net"), 23)
    >>> signature.label, signature.active
    ('conv channels kernel stride=1 groups=1 bias=true dilation=1 padding=0 padding_mode=zeros init=... bias_init=...', 1)
"""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.record import Record

from ..reference.operator_reference import format_default, get_meaning
from .checked_text import CheckedText
from .completion_items import resolve_operator, resolve_stage
from .context import StageContext, find_context
from .doc_comments import read_doc_comment
from .repair import find_scope


class SignatureArgument(Record):
    """An argument as the label of the signature shows it, and a description of its values."""

    text: str
    about: str


class Signature(Record):
    """The signature of a stage. `active` is the index of the argument at the offset, or None if there is none."""

    label: str
    about: str
    arguments: tuple[SignatureArgument, ...]
    active: int | None


def find_signature(checked: CheckedText, offset: int) -> Signature | None:
    """Find the signature of the stage or call around an offset."""
    context = find_context(checked.source.text, offset)
    stage = context.stage if context.inside is None else None
    if stage is None:
        return None
    scope = find_scope(checked, context)
    named = context.token_text(2) if context.token_kind() == "EQUALS" and context.token_kind(2) == "NAME" else ""
    operator = resolve_operator(scope, stage.name.text)
    if operator is not None:
        positional = operator.slots
        others = [arg for arg in operator.signature.values() if not arg.positional]
        arguments = [SignatureArgument(arg.name, arg.kind.describe_values()) for arg in positional]
        arguments += [SignatureArgument(f"{arg.name}={format_default(arg)}", arg.kind.describe_values()) for arg in others]
        names = [arg.name for arg in (*positional, *others)]
        return _make_signature(stage, get_meaning(operator), arguments, names, len(positional), named)
    definition = resolve_stage(scope, stage.name.text)
    parameters = getattr(definition.node, "parameters", ()) if definition is not None else ()
    constants = [p for p in parameters if isinstance(p, ast.ParameterDecl)]
    if definition is None or not constants:
        return None
    arguments = [SignatureArgument(p.span.text, "") for p in constants]
    return _make_signature(stage, read_doc_comment(definition.span), arguments, [p.name.name for p in constants], len(constants), named)


def _make_signature(
    stage: StageContext, about: str, arguments: list[SignatureArgument], names: list[str], positional: int, named: str
) -> Signature:
    label = " ".join([stage.name.text, *(argument.text for argument in arguments)])
    # after the positional arguments, any of the named ones may follow
    active = names.index(named) if named in names else stage.values if stage.values < positional and not named else None
    return Signature(label, about, tuple(arguments), active)
