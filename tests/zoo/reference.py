"""The source of a reference, as far as the model needs it.

In: the module, and the name of the model. Out: the number of lines of its package that define its classes, the function of that
name which builds it, if there is one, and what all these name in their own files. What they import, and tables of published weights, do
not count.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable
from functools import cache

import torch


def lines(reference: torch.nn.Module, model: str) -> int:
    """Lines that are neither blank nor a comment nor part of a docstring."""
    package = _package(type(reference))
    roots = {type(reference).__module__: {model}}
    for kind in {type(module) for module in reference.modules()}:
        if _package(kind) == package:
            roots.setdefault(kind.__module__, set()).add(kind.__name__)
    return sum(len(_needed(module, names)) for module, names in roots.items())


def _package(kind: type) -> str:
    return kind.__module__.partition(".")[0]


def _needed(module: str, names: Iterable[str]) -> set[int]:
    """The numbers of the lines of a module that define `names` and whatever they name in turn."""
    definitions, code = _parsed(module)
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found or name not in definitions:
            continue
        found.add(name)
        waiting += [node.id for node in ast.walk(definitions[name]) if isinstance(node, ast.Name)]
    spans = (definitions[name] for name in found)
    return {line for node in spans for line in range(_first(node), (node.end_lineno or node.lineno) + 1)} & code


@cache
def _parsed(module: str) -> tuple[dict[str, ast.stmt], frozenset[int]]:
    """What a module defines at its top level by name, and the numbers of its lines of code."""
    text = inspect.getsource(sys.modules[module])
    definitions = {name: node for node in ast.parse(text).body for name in _defines(node) if not _is_table(node)}
    return definitions, code_lines(text)


def code_lines(text: str) -> frozenset[int]:
    """The numbers of the lines of a Python text that are neither blank nor a comment nor part of a docstring."""
    code = {i for i, line in enumerate(text.splitlines(), 1) if line.strip() and not line.strip().startswith("#")}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            code -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return frozenset(code)


def _defines(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _is_table(node: ast.stmt) -> bool:
    return isinstance(node, ast.ClassDef) and any(isinstance(base, ast.Name) and base.id == "WeightsEnum" for base in node.bases)


def _first(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(d.lineno for d in decorators)])
