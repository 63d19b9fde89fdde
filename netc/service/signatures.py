"""Signature help: the arguments of the stage that an offset is in.

In: a checked text and an offset. Out: a `Signature` with the argument that is next, None outside of a stage. Works in broken texts.
"""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.record import Record

from ..reference.operator_reference import meaning, show_default
from .checked_text import Checked
from .completion_items import definition_of, operator_of
from .context import StageAt, context_at
from .doc_comments import above
from .repair import scope_at


class Argument(Record):
    """An argument, as it is shown in the label of the signature, and what it may be."""

    text: str
    about: str


class Signature(Record):
    """How a stage is written. `active` is the index of the argument at the offset, None if there are no more."""

    label: str
    about: str
    arguments: tuple[Argument, ...]
    active: int | None


def signature(checked: Checked, offset: int) -> Signature | None:
    """The signature of the stage or call that an offset is in."""
    context = context_at(checked.source.text, offset)
    stage = context.stage if context.inside is None else None
    if stage is None:
        return None
    scope = scope_at(checked, context)
    named = context.text(2) if context.kind() == "EQUALS" and context.kind(2) == "NAME" else ""
    operator = operator_of(scope, stage.name.text)
    if operator is not None:
        positional = operator.slots
        others = [arg for arg in operator.signature.values() if not arg.positional]
        arguments = [Argument(arg.name, arg.kind.describe()) for arg in positional]
        arguments += [Argument(f"{arg.name}={show_default(arg)}", arg.kind.describe()) for arg in others]
        names = [arg.name for arg in (*positional, *others)]
        return _made(stage, meaning(operator), arguments, names, len(positional), named)
    found = definition_of(scope, stage.name.text)
    parameters = getattr(found.node, "parameters", ()) if found is not None else ()
    constants = [p for p in parameters if isinstance(p, ast.ParameterDecl)]
    if found is None or not constants:
        return None
    arguments = [Argument(p.span.text, "") for p in constants]
    return _made(stage, above(found.span), arguments, [p.name.name for p in constants], len(constants), named)


def _made(stage: StageAt, about: str, arguments: list[Argument], names: list[str], positional: int, named: str) -> Signature:
    label = " ".join([stage.name.text, *(argument.text for argument in arguments)])
    active = names.index(named) if named in names else stage.values if stage.values < positional and not named else None
    return Signature(label, about, tuple(arguments), active)
