"""Derive the reference of operators from their declarations, for `netc ops` and docs/operators/.

In: the registry of operators. Out: text. Always: nothing here is kept by hand. If a sentence is missing, it is missing from an operator's
class.

    >>> from netc.compiler.ops.operator import Operator
    >>> format_signature(Operator.registry["dense"])
    'dense units bias=true init=... bias_init=...'
"""

from __future__ import annotations

import re
import sys
from inspect import cleandoc
from textwrap import indent
from typing import Any

from netc.compiler.backends.backend_registry import list_backends
from netc.compiler.derivatives.missing_derivatives import describe_limit
from netc.compiler.ir.flat_graph import FlatGraph
from netc.compiler.ops import Operator
from netc.compiler.ops.element_types import ANY
from netc.compiler.ops.operand import Input
from netc.compiler.ops.operator import Arg, Init, Required
from netc.compiler.ops.parametric import Parametric
from netc.compiler.types.tensor_types import DType
from netc.dsl.source import SourceFile

from ..analysis import Choice, analyze
from ..display.text_table import wrap_rows

INTRODUCTION = """\
# Operators

netc has {count} operators, with a page each. `netc ops NAME` prints the same page. The pages are generated from the declarations of the
operators.

`axis` counts the batch as axis 0; negative axes count from the end. A default of `...` means that leaving the argument out has a meaning of
its own, which the text explains. [Conventions of operators](../language/conventions.md) applies to all of them."""


def group_by_family() -> dict[str, list[type[Operator]]]:
    """Return the operators that can be stages, by family, in the order of their declaration."""
    by_family: dict[str, list[type[Operator]]] = {}
    for operator in Operator.registry.values():
        if operator.operands:
            by_family.setdefault(get_family(operator), []).append(operator)
    return dict(sorted(by_family.items()))


def get_family(operator: type[Operator]) -> str:
    """Return the family of an operator: the last part of its module's name."""
    return operator.__module__.rsplit(".", 1)[-1]


def get_meaning(operator: type[Operator]) -> str:
    """Return the first line of the operator's docstring."""
    return cleandoc(operator.__doc__ or "").split("\n", 1)[0].rstrip(".:")


def format_signature(operator: type[Operator]) -> str:
    """Return the form of a stage with its arguments: `conv channels kernel stride=1`."""
    words = [operator.name]
    words += [arg.name if isinstance(arg.default, Required) else f"[{arg.name}]" for arg in operator.slots]
    words += [f"{arg.name}={format_default(arg)}" for arg in operator.signature.values() if not arg.positional]
    return " ".join(words)


def format_default(arg: Arg[Any]) -> str:
    """Return a default as a spec writes it, or `...` if leaving the argument out has a meaning that no value has."""
    value = arg.default
    match value:
        case Required() | None:
            return "..."
        case bool():
            return "true" if value else "false"
        case DType():
            return value.name
        case Init():
            return value.kind
        case tuple():
            return "[" + ", ".join(str(v) for v in value) + "]"
    return str(value)


def format_table() -> str:
    """Return a table of all operators with their families and meanings, in 80 columns."""
    rows = [(op.name, family, get_meaning(op)) for family, operators in group_by_family().items() for op in operators]
    return "\n".join(wrap_rows([("operator", "family", "meaning"), *rows]))


def format_page(operator: type[Operator], level: int = 1) -> str:
    """Return the page of an operator as Markdown."""
    parts = [f"{'#' * level} {operator.name}", cleandoc(operator.__doc__ or ""), f"    {format_signature(operator)}"]
    parts += _format_inputs(operator), _format_arguments(operator)
    if issubclass(operator, Parametric):
        parts.append(f"Initial values: {operator.drawn}.")
        if operator.as_tensors:
            parts.append("With a tensor for its weight, which has the shape of the learned one, it has no learned parameters.")
    targets = [(backend.title, backend.operator_target(operator)) for backend in list_backends()]
    # an empty target is composed of several; with None, the target has no operators of its own
    parts.append(" ".join(f"{title}: {target or 'composed'}." for title, target in targets if target is not None))
    parts += [" ".join(backend.differences(operator)) for backend in list_backends()]
    parts.append(describe_limit(operator.name))
    parts += _format_definition(operator)
    parts += [format_example(text) for text in operator.examples]
    return "\n\n".join(part for part in parts if part) + "\n"


def _format_definition(operator: type[Operator]) -> list[str]:
    """Return the definition in terms of other operators. If it depends on the inputs, it is the definition for the first example."""
    if operator.write_definition is Operator.write_definition:
        return ["In terms of other operators:", indent(cleandoc(operator.definition), "    ")] if operator.definition else []
    if not operator.examples:  # of a plugin: netc's own operators have some
        return []
    program = analyze(SourceFile("example", operator.examples[0]), Choice()).program
    assert program is not None, operator.examples[0]
    node = next(node for node in FlatGraph(program.main).iterate_operators() if isinstance(node.node.op, operator)).node
    inputs = node.op.bind_inputs(tuple(value.type for value in node.inputs), program.facts)
    return ["In terms of other operators, in the first example:", indent(cleandoc(node.op.write_definition(inputs)), "    ")]


def _format_input(operand: Input[Any]) -> str:
    """Return the description of one input, from its declaration."""
    facts = ["optional"] if operand.optional else []
    facts += ["or a number"] if operand.or_number else []
    if operand.like:
        facts.append(f"of the type of `{operand.like}`")
    elif operand.elements != ANY:
        facts.append(operand.elements.text)
    if operand.axes.needed:
        facts.append(re.sub(r"\[.*?\]", r"`\g<0>`", operand.axes.needed))
    name = f"any number of tensors `{operand.name}`" if operand.many else f"`{operand.name}`"
    name += f" (`{operand.alias}`)" if operand.alias else ""
    return name + (f" ({'; '.join(facts)})" if facts else "")


def _format_inputs(operator: type[Operator]) -> str:
    described = [_format_input(operand) for operand in operator.operands.values()]
    notes = ["may be followed by an activation: `" + operator.name + " ... relu`"] if operator.takes_activation else []
    notes += ["may follow another stage as a bare word"] if operator.is_activation else []
    notes += [f"written `a {operator.symbol} b` between tensors"] if operator.symbol else []
    # the notes begin with `may` or `written`: "It may be ...", "It is written ..."
    return "Takes " + ", ".join(described) + "." + "".join(f" It {note}." if note[0] != "w" else f" It is {note}." for note in notes)


def _format_arguments(operator: type[Operator]) -> str:
    if not operator.signature:
        return ""
    rows = [
        f"| `{arg.name}`{f' (`{arg.alias}`)' if arg.alias else ''} | {arg.kind.describe_values()} "
        f"| {'required' if isinstance(arg.default, Required) else f'`{format_default(arg)}`'} |"
        for arg in operator.signature.values()
    ]
    return "\n".join(["| argument | what it may be | default |", "|---|---|---|", *rows])


def format_example(text: str) -> str:
    """Return an example with the types that netc infers for it."""
    main = analyze(SourceFile("example", text), Choice()).program
    assert main is not None, text
    types = ", ".join(f"`{name}`: {value.type}" for name, value in zip(main.main.output_names, main.main.outputs, strict=True))
    lines = "\n".join(part.strip() for part in text.split(";"))
    return f"```net\n{lines}\n```\n\ngives {types}"


def format_reference() -> str:
    """Return all pages as one text, for `netc ops --markdown`."""
    return "\n".join(make_reference_pages().values())


def make_reference_pages() -> dict[str, str]:
    """Return the files of docs/operators/: an index, the introductions of the families, and a page for each operator."""
    by_title = {family.replace("_", " "): operators for family, operators in group_by_family().items()}
    index = [INTRODUCTION.format(count=sum(map(len, by_title.values()))), "", "| family | operators |", "|---|---|"]
    introductions = ["# Families of operators", "The operators of a family share these rules. [Operators](index.md) lists the members."]
    pages: dict[str, str] = {}
    for name, operators in by_title.items():
        link = f"[{name}](families.md#{name.replace(' ', '-')})"
        index.append(f"| {link} | {', '.join(f'[{op.name}]({op.name}.md)' for op in operators)} |")
        introductions += [f"## {name}", cleandoc(sys.modules[operators[0].__module__].__doc__ or "")]
        pages |= {f"{op.name}.md": f"{format_page(op)}\nFamily: {link}.\n" for op in operators}
    return {"index.md": "\n".join(index) + "\n", "families.md": "\n\n".join(introductions) + "\n", **pages}
