"""Says which names a node binds: `(a, b) = x -> split 2` binds the tensors `a` and `b`, `for i in 0..3` the variable `i`.

`DECLARATIONS` is the one list of binding constructs: scopes, unused names, the outline of a text and "defined below" all read it.

    >>> from netc.dsl.parser import parse_source
    >>> from netc.dsl.source import SourceFile
    >>> statement = parse_source(SourceFile("<text>", "(a, b) = x -> split 2"))[0].items[0]
    >>> [name.name for name in declared_names(statement)], kind_of(statement)
    (['a', 'b'], 'tensor')
"""

from __future__ import annotations

from netc.dsl import ast
from netc.dsl.record import Record


class Declaration(Record):
    """The way in which a kind of node binds names. `field` has the names, and `kind` is the kind of their definitions.

    Only the fields in `seen_by` see the names. If there are none, everything after the node sees them.
    """

    field: str
    kind: str
    seen_by: tuple[str, ...] = ()


DECLARATIONS: dict[type[ast.Node], Declaration] = {
    ast.Fn: Declaration("name", "function"),
    ast.Block: Declaration("name", "block"),
    ast.ModelDecl: Declaration("name", "model"),
    ast.ParameterDecl: Declaration("name", "parameter"),
    ast.TensorParameter: Declaration("name", "tensor"),
    ast.Let: Declaration("name", "let"),
    ast.Assign: Declaration("targets", "tensor"),
    ast.Metric: Declaration("name", "tensor"),
    ast.Shared: Declaration("name", "shared"),
    ast.Broken: Declaration("names", "let"),
    ast.Repeat: Declaration("binders", "variable", seen_by=("label", "body")),
    ast.Each: Declaration("binders", "variable", seen_by=("label", "body")),
    ast.ForClause: Declaration("binders", "variable"),
    ast.TableDecl: Declaration("indices", "variable", seen_by=("formula",)),
    ast.ScanState: Declaration("name", "tensor"),
}


def declared_names(node: ast.Node) -> tuple[ast.Name, ...]:
    """The names that a node binds, in the order of the text."""
    declaration = DECLARATIONS.get(type(node))
    if declaration is None:
        return ()
    match getattr(node, declaration.field):
        case ast.Name() as name:
            return (name,)
        case ast.NamePattern(names=names) | names:
            return tuple(names)


def kind_of(node: ast.Node) -> str:
    """The kind of the definitions that a node makes."""
    return DECLARATIONS[type(node)].kind
