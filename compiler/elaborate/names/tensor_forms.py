"""Rewrites calls that make a tensor in other libraries, `arange(T)`, `zeros(2, 3)`, `weight [5, 1]`, as tables or parameters.

`tensor_form` takes an unknown stage and returns the text to write instead, for a help and its edit; the result is empty if the arguments do
not determine it. The text has the user's own arguments, never an example.

    >>> from netc.dsl.parser import parse_source
    >>> from netc.dsl.source import SourceFile
    >>> (statement,) = parse_source(SourceFile("<text>", "x -> arange(2, T)"))[0].items
    >>> tensor_form(statement.pipeline.stages[0])
    'table (i) [T - 2] int64 = i + 2'
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl import ast
from netc.dsl.diagnostics import Edit
from netc.dsl.source import Span

_INDICES = "ijkl"
_PARAMETERS = ("weight", "weights", "bias", "parameter", "variable")
_FILLED = {"zeros": "0", "ones": "1"}
_SIMPLE = (ast.NumberLiteral, ast.Name, ast.Attribute, ast.IndexExpr)


def tensor_form(node: ast.Apply) -> str:
    """The table or parameter to write instead of the stage; empty if there is none."""
    name, arguments = node.name.rpartition(".")[2].lower(), node.positional
    # A keyword such as `dtype=` would be lost in the rewritten form.
    if node.keywords or node.label is not None or not arguments:
        return ""
    if name in _PARAMETERS and not node.called:
        return f"param {arguments[0].span.text} as {name}" if len(arguments) == 1 else ""
    sizes = _listed_sizes(arguments)
    if name in _FILLED and 0 < len(sizes) <= len(_INDICES):
        return _table_text(sizes, "float32", _FILLED[name])
    if name == "eye" and len(sizes) == 1:
        return _table_text(sizes * 2, "float32", "1 if i == j else 0")
    if name == "arange" and len(sizes) == len(arguments):
        return _arange_text(sizes)
    return ""


def _listed_sizes(arguments: Sequence[ast.Expr]) -> list[str]:
    """The sizes among the arguments, or in their only list; empty if an argument is no number or name."""
    first = arguments[0]
    items = first.items if len(arguments) == 1 and isinstance(first, ast.ListExpr) else arguments
    return [item.span.text for item in items] if all(isinstance(item, _SIMPLE) for item in items) else []


def _table_text(sizes: Sequence[str], dtype: str, formula: str) -> str:
    return f"table ({', '.join(_INDICES[: len(sizes)])}) [{', '.join(sizes)}] {dtype} = {formula}"


def _arange_text(bounds: Sequence[str]) -> str:
    """`arange(stop)`, `arange(start, stop)` and `arange(start, stop, step)`, the last of literals."""
    match bounds:
        case [stop]:
            return _table_text([stop], "int64", "i")
        case [start, stop]:
            return _table_text([f"{stop} - {start}" if start != "0" else stop], "int64", f"i + {start}" if start != "0" else "i")
        case [start, stop, step] if all(bound.isdecimal() for bound in bounds) and int(step):
            count = len(range(int(start), int(stop), int(step)))
            return _table_text([str(count)], "int64", f"{step} * i" + (f" + {start}" if start != "0" else ""))
    return ""


def form_edit(node: ast.Apply, written: str) -> Edit:
    """The edit that replaces the stage by the form, in parentheses unless it is a whole pipeline or the head of one."""
    text, span = node.span.file.text, node.span
    before, after = text[: span.start].rstrip(" \t"), text[span.end :].lstrip(" \t")
    # A comparison ends in `=` too, but is the middle of an expression.
    begins = before[-1:] in ("", "\n", "=", ";", "{") and not before.endswith(("==", "!=", "<=", ">="))
    alone = begins and (after[:1] in ("", "\n", ";", "}", "#") or after.startswith("->"))
    return Edit(Span(span.file, span.start, span.end), written if alone else f"({written})", safe=False)
