"""Writes a program that was elaborated from a text as one file that uses no other: the definitions that its model needs, as written.

In: the `ProgramText` of a program. Out: a text with one model. Always: blocks, functions and `let`s have their names, parameters,
conditions, loops, formulas and comments. A name that two files give to different definitions is changed in one of them.

For `model small = network 8 depth=2`, where `network` is `model network(width, depth, classes=10) { ... }`, the text has

    model small(width=8, depth=2, classes=10) { ... }
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from math import isfinite
from typing import Any

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.formatter import format_source
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile, Span
from netc.dsl.tree_walk import walk_nodes

from ...binding.item_binder import ItemNames
from ...elaborate import elaborate
from ...ir.graph import Program
from ...ir.program_equality import is_same_program
from ...ir.program_text import ProgramText
from ...ops import Operator
from .tensor_names import make_free_name
from .used_definitions import UsedDefinitions

_ATOM = re.compile(r"[\w.]+|\[[^\[\]]*\]|\"[^\"]*\"|\([^()]*\)")
"""A value that needs no parentheses as an argument."""


class CannotBundle(Exception):
    """The text cannot be written as one file. `str()` says why."""


def bundle_text(program: Program) -> str:
    """Return a formatted text that gives the same program. Raises `CannotBundle`."""
    if program.text is None:
        raise CannotBundle("it was made of no text")
    text = _BundleWriter(program.text).write_text()
    file, _ = parse_source(source := SourceFile(program.main.span.file.name, text))
    # A name may mean something else once all definitions are in one file, so the result is checked.
    again = elaborate(file, source).program
    if again is None or not is_same_program(program, again):
        raise CannotBundle("its names mean something else in one file")
    return text


class _BundleWriter:
    def __init__(self, text: ProgramText) -> None:
        self.text = text
        self.used = UsedDefinitions(text)
        self.names: dict[int, str] = {}
        """The names of definitions that had to be renamed, by the identity of their nodes."""
        if any(isinstance(node, ast.StoredTableDecl) for item in self.used.needed.values() for node in walk_nodes(item.item)):
            raise CannotBundle("a table has its numbers in a file, whose path depends on where the text is")

    def write_text(self) -> str:
        self._choose_names()
        models = [id(model) for model in self.used.list_model_chain()]
        pieces: list[str] = []
        before: ast.Item | None = None
        for item in self.used.iterate_items():
            if id(item.item) not in models:
                # Statements in a row stay together; definitions are separated by an empty line.
                is_row = all(isinstance(statement, ast.Statement) for statement in (before, item.item)) and not _read_comment(
                    item.item.span
                )
                pieces += ["\n" if is_row else "\n\n", _read_comment(item.item.span), self._write_definition(item)]
                before = item.item
        if models:
            pieces += ["\n\n", self._write_model(self.used.list_model_chain())]
        formatted, problems = format_source(SourceFile("", "".join(pieces).strip("\n") + "\n"))
        if formatted is None:
            raise CannotBundle(problems[0].message)
        return formatted

    def _choose_names(self) -> None:
        """Rename definitions whose names another definition has. Blocks keep their names if possible, because unlabeled stages have them
        in their keys. So does the main file."""
        used: dict[str, int] = {}
        definitions = [*self.used.iterate_definitions()][::-1]
        for definition in sorted(definitions, key=lambda d: d.kind not in ("block", "model")):
            node, name = id(definition.node), definition.name
            if used.setdefault(name, node) != node:
                name = self.names[node] = make_free_name(name, {*(d.name for d in definitions), *used, *Operator.registry})
                used[name] = node

    def _iterate_edits(self, item: ItemNames) -> Iterator[Edit]:
        """Iterate over the changes of names in an item."""
        for occurrence in item.occurrences:
            if occurrence.definition is not None and id(occurrence.definition.node) in self.names and occurrence.role != "argument":
                yield Edit(occurrence.span, self.names[id(occurrence.definition.node)])

    def _write_definition(self, item: ItemNames) -> str:
        node = item.item
        edits = [*self._iterate_edits(item)]
        if isinstance(node, ast.Let) and self.text.model is None and node.name.name in self.text.params:
            edits = [Edit(node.value.span, _write_value(self.text.params[node.name.name], node.value))]
        if isinstance(node, ast.Expect) and self.text.params:
            return ""  # it may hold only for the defaults
        return _apply_edits(node.span, edits)

    def _write_model(self, chain: list[ast.ModelDecl]) -> str:
        """Write the model, with the arguments of derived models as defaults."""
        model, base = chain[0], chain[-1]
        values = self._write_values(base, self._collect_arguments(chain))
        names = [parameter.name.name for parameter in base.parameters]
        head = ", ".join(f"{name}={values[name]}" if name in values else name for name in names)
        lines = [f"model {model.name.name}({head}) {self._write_body(chain)[:-1].rstrip()}", *self._write_expects(chain), "}"]
        return _read_comment(base.span) + "\n".join(lines)

    def _collect_arguments(self, chain: list[ast.ModelDecl]) -> dict[str, str]:
        """Collect the arguments of the last model of the chain."""
        defaults = {parameter.name.name: parameter.default for parameter in _iterate_parameters(chain[0])}
        arguments = {name: _write_value(value, defaults[name]) for name, value in self.text.params.items()}
        for model, base in pairwise(chain):
            arguments = self._write_arguments(model, base, self._write_values(model, arguments, is_closed=True))
        return arguments

    def _write_body(self, chain: list[ast.ModelDecl]) -> str:
        """Write the body, without checks that hold only for other values of its parameters."""
        base = chain[-1]
        others = len(chain) > 1 or self.text.params
        dropped = [Edit(statement.span, "") for statement in base.body.statements if others and isinstance(statement, ast.Expect)]
        names = self._iterate_edits(self.used.needed[id(base)])
        kept = [statement for statement in names if not any(d.span.start <= statement.span.start < d.span.end for d in dropped)]
        return _apply_edits(base.body.span, [*kept, *dropped])

    def _write_expects(self, chain: list[ast.ModelDecl]) -> Iterator[str]:
        """Write the `expect` checks of a derived model."""
        model = chain[0]
        if len(chain) > 1 and not self.text.params:
            item, values = self.used.needed[id(model)], self._write_values(model, {}, is_closed=True)
            for check in (statement for statement in model.body.statements if isinstance(statement, ast.Expect)):
                yield _apply_edits(check.span, [*self._iterate_edits(item), *_iterate_substitutions(item, model, values, check.span)])

    def _write_values(self, model: ast.ModelDecl, given: Mapping[str, str], *, is_closed: bool = False) -> dict[str, str]:
        """Write the defaults of a model's parameters. `given` replaces defaults. If `is_closed`, no value names another parameter."""
        item = self.used.needed[id(model)]
        values: dict[str, str] = {}
        for parameter in _iterate_parameters(model):
            name = parameter.name.name
            if name in given:
                values[name] = given[name]
            elif parameter.default is not None:
                edits = [
                    *self._iterate_edits(item),
                    *(_iterate_substitutions(item, model, values, parameter.default.span) if is_closed else ()),
                ]
                values[name] = _apply_edits(parameter.default.span, edits)
        return values

    def _write_arguments(self, model: ast.ModelDecl, base: ast.ModelDecl, values: Mapping[str, str]) -> dict[str, str]:
        """Write the arguments that a derived model passes to its base, with the model's parameters replaced by their values."""
        assert model.base is not None
        if model.base.activation is not None or len(model.base.positional) > len(base.parameters):
            raise CannotBundle("an argument of a base has no name")
        item = self.used.needed[id(model)]
        edits = [*self._iterate_edits(item), *_iterate_substitutions(item, model, values, model.base.span)]
        pairs = [*zip([p.name.name for p in base.parameters], model.base.positional, strict=False)]
        pairs += [(keyword.name, keyword.value) for keyword in model.base.keywords]
        return {name: _apply_edits(value.span, edits) for name, value in pairs}


def _iterate_parameters(model: ast.ModelDecl) -> Iterator[ast.ParameterDecl]:
    return (p for p in model.parameters if isinstance(p, ast.ParameterDecl))


def _iterate_substitutions(item: ItemNames, model: ast.ModelDecl, values: Mapping[str, str], span: Span) -> Iterator[Edit]:
    """Iterate over edits that replace a model's parameters by their values within a span."""
    own_parameters = {id(p) for p in model.parameters}
    for occurrence in item.occurrences:
        if occurrence.definition is None or id(occurrence.definition.node) not in own_parameters or occurrence.role == "argument":
            continue
        if not span.start <= occurrence.span.start < span.end:
            continue
        if occurrence.name not in values:
            raise CannotBundle(f"`{occurrence.name}` has no value")
        yield Edit(occurrence.span, values[occurrence.name] if _ATOM.fullmatch(values[occurrence.name]) else f"({values[occurrence.name]})")


def _apply_edits(span: Span, edits: list[Edit]) -> str:
    """Return the text of a span, after the edits within it."""
    inside = [edit for edit in edits if edit.span.file is span.file and span.start <= edit.span.start and edit.span.end <= span.end]
    text = span.file.text
    # From the end, so that earlier edits keep their positions.
    for edit in sorted(inside, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text[span.start : span.end + len(text) - len(span.file.text)]


def _read_comment(span: Span) -> str:
    """Return the lines of comments directly above a definition."""
    lines = span.file.text[: span.start].split("\n")[:-1]
    comment_lines: list[str] = []
    for line in reversed(lines):
        if not line.lstrip().startswith("#"):
            break
        comment_lines.insert(0, line + "\n")
    return "".join(comment_lines)


def _write_value(value: Any, default: ast.Expr | None) -> str:
    """Write a value that a user set."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float() if isfinite(value):
            return repr(value) if value >= 0 else f"({value!r})"
        case tuple() | list():
            return f"[{', '.join(_write_value(item, None) for item in value)}]"
        case str() if isinstance(default, (ast.Name, ast.StageExpr)):
            return value if _ATOM.fullmatch(value) else f"({value})"
        case str() if '"' not in value and "\n" not in value:
            return f'"{value}"'
    raise CannotBundle(f"{value!r} has no text")
