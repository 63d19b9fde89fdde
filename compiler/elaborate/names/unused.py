"""Names that are never used, and results that go nowhere. A branch that is not taken counts as a use.

`find_unused_names` takes the names of a file, as `netc.compiler.binding` finds them, and returns its warnings. A name is used if something
refers to this very definition; another one with its name, in a body inside or next to it, does not count.

    >>> import netc
    >>> [warning.message for warning in netc.compile("let width = 4; x = input 3; y = x -> relu; x -> exp").diagnostics]
    ['the name `y` is never used']
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from netc.dsl import ast
from netc.dsl.source import Span

from ...binding.file_names import FileNames
from ...binding.item_binder import ItemNames
from ...binding.name_scopes import Definition, NameScope
from ...errors.binding_errors import UnusedName, UnusedResult
from ...errors.problem import Problem
from ...ir.training_program import LOSS
from .setting_words import is_mistaken_setting

_WORDS: dict[type[ast.Node], str] = {
    ast.Assign: "name",
    ast.Let: "name",
    ast.Shared: "shared stage",
    ast.ParameterDecl: "parameter",
    ast.TensorParameter: "parameter",
}
"""The word in the warning for a name that such a node binds. Other names may be unused: an index, a size in a pattern."""

UnusedWarning = tuple[Problem, Span]


def find_unused_names(names: FileNames) -> Iterator[UnusedWarning]:
    """The warnings for all bodies of a file. A file's own `let`s are its parameters, which other files may set or use."""
    if any(item.is_broken for item in names.items):
        return  # the names may be used in what did not parse
    used = {definition_id for item in names.items for definition_id in item.used}
    sections = [item for item in names.items if isinstance(item.item, ast.TrainDecl)]
    # A train section may compute with any tensor of the model by its name.
    of_sections = {definition_id.name for item in sections for definition_id in item.occurrences if not definition_id.is_declaration}
    purposes = {LOSS, *_input_names(names)} if sections else set()
    for item in names.items:
        yield from _check_item(item, used, of_sections, purposes)
    if not any(isinstance(item, ast.ModelDecl) for item in names.file.items):
        for scope in names.statement_scope.walk_scopes():
            yield from _check_scope(scope, scope.statements, used, of_sections if scope is names.statement_scope else ())


def _check_item(names: ItemNames, used: Container[int], of_sections: set[str], purposes: set[str]) -> Iterator[UnusedWarning]:
    """The warnings for a definition. A section may be derived from any other, and then it uses the names of that, and of its model. What
    it binds for `purposes`, its loss and the inputs of its model, is used."""
    item = names.item
    if not isinstance(item, (ast.Block, ast.ModelDecl, ast.TrainDecl)) or names.scope is None:
        return
    exempt = {id(next((p for p in item.parameters if isinstance(p, ast.TensorParameter)), None))}
    for scope in names.scope.walk_scopes():
        statements, elsewhere = scope.statements, of_sections
        if isinstance(item, ast.TrainDecl) and scope is names.body:  # what only looks like a setting is an error of its own
            exempt |= {id(s) for s in statements if is_mistaken_setting(s)}
            statements, elsewhere = tuple(s for s in statements if id(s) not in exempt), purposes.union(of_sections)
        elif isinstance(item, ast.Block) or scope not in (names.scope, names.body):
            elsewhere = set()
        yield from _check_scope(scope, statements, used, elsewhere, exempt)


def _check_scope(
    scope: NameScope,
    statements: tuple[ast.Statement, ...],
    used: Container[int],
    elsewhere: Container[str],
    exempt: Container[int] = (),
) -> Iterator[UnusedWarning]:
    """Yield warnings for names that nothing refers to, neither here nor by their name `elsewhere`, and for pipelines whose results go
    nowhere. The nodes that are `exempt`, by identity, may bind unused names."""
    last = _last_pipeline(statements)
    for name, definition in scope.names.items():
        if id(definition) in used or name in elsewhere or name.startswith("_") or type(definition.node) not in _WORDS:
            continue
        # The last statement is the result of the body, so its name needs no other use.
        if definition.node is not last and id(definition.node) not in exempt and not _is_number(definition.node):
            yield UnusedName(name, _WORDS[type(definition.node)]), definition.span
    for statement in statements:
        if isinstance(statement, ast.Flow) and statement is not last:
            yield UnusedResult(), statement.span


def _last_pipeline(statements: tuple[ast.Statement, ...]) -> ast.Statement | None:
    """The statement that gives the result of a body, if none says `out`."""
    if any(isinstance(s, ast.Out) for s in statements):
        return None
    return next((s for s in reversed(statements) if isinstance(s, (ast.Flow, ast.Assign))), None)


def _is_number(node: ast.Node) -> bool:
    """Whether a statement binds a number, which is an error of its own: a number is no tensor."""
    match node:
        case ast.Assign(value=ast.Pipeline(head=ast.Scalar(), stages=())):
            return True
    return False


def _input_names(names: FileNames) -> Iterator[str]:
    """The names of all inputs. A train section that binds one computes it for the model."""
    for item in names.items:
        for occurrence in item.occurrences:
            match occurrence.definition:
                case Definition(node=ast.Assign(value=ast.Pipeline(head=ast.InputDecl()))) if occurrence.is_declaration:
                    yield occurrence.name
