"""The train sections of a file, and their names.

It is a module of its own, because a file without train sections needs nothing else about them.

    >>> from netc.dsl.parser import parse_source
    >>> from netc.dsl.source import SourceFile
    >>> file, _ = parse_source(SourceFile("<text>", "train for price { optimizer sgd }; train slow for price { optimizer sgd }"))
    >>> [section_name(section) for section in sections_of(file)]
    ['price', 'slow']
"""

from __future__ import annotations

from netc.dsl import ast

UNNAMED = "train"


def sections_of(file: ast.File) -> tuple[ast.TrainDecl, ...]:
    return tuple(item for item in file.items if isinstance(item, ast.TrainDecl))


def section_name(section: ast.TrainDecl) -> str:
    """Return the name of a section: its own, or the name of the model that it is for."""
    return section.name.name if section.name is not None else section.model.name if section.model is not None else UNNAMED
