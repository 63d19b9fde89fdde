"""A spec's text with its syntax tree, and equal texts made from it by edits.

In: a text that parses. Out: its nodes with their ancestors, its words, and `Form`s: texts with some spans replaced. Always: an edit
replaces the text of nodes and leaves everything else, comments included, as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from functools import cached_property
from random import Random
from typing import Any, TypeVar

from netc.dsl import ast
from netc.dsl.parser import parse_source
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span

N = TypeVar("N", bound=ast.Node)

NAMES = (
    *("k", "size", "torch", "nn", "self", "forward", "lambda_", "class", "def", "super", "F", "math", "width2", "bias", "weight", "net"),
    *("import", "Tensor", "inputs", "np", "onnx", "eval", "device", "parameters", "modules", "state", "None", "output", "list", "type"),
    *("return", "isinstance", "nonlocal", "x9", "__init__", "_", "training_", "loss", "batch_size", "args", "data", "model_"),
)
"""Names for what a relation binds: ordinary ones, and names that mean something in Python, PyTorch or ONNX."""


class Same(Enum):
    """What two texts have in common."""

    FILE = "the same ONNX file, `.net` text and summary"
    KEYS = "the same keys, and the same numbers"
    ORDER = "the same parameters in the same order, and the same numbers"


class Edit(Record):
    """The text between two offsets, replaced."""

    start: int
    end: int
    text: str


class Form(Record):
    """An equal text: `what` says how it was made.

    `params`, `dims` and `model` are what it is compiled with in addition, and `files` are texts that it uses, by path. `drawn`: whether
    parameters are registered in the same order, so that one seed draws the same values. `refusals` are codes of errors that the language
    allows it. `section`: whether its train sections are the same too; `typed`: whether it says which tensors are float32 in a model of
    any type.
    """

    what: str
    text: str
    same: Same = Same.FILE
    params: Mapping[str, object] = {}
    dims: Mapping[str, int] = {}
    model: str | None = None
    files: Mapping[str, str] = {}
    drawn: bool = True
    refusals: frozenset[str] = frozenset()
    section: bool = True
    typed: bool = True


class Place(Record):
    """A node and its ancestors, the nearest last."""

    node: Any
    above: tuple[Any, ...]

    def nearest(self, *kinds: type[ast.Node]) -> Any:
        """The nearest ancestor of some kinds; None if there is none."""
        return next((node for node in reversed(self.above) if isinstance(node, kinds)), None)

    @property
    def parent(self) -> Any:
        return self.above[-1] if self.above else None


class ParsedText:
    """A text that parses."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.file, problems = parse_source(SourceFile("net.net", text))
        if problems:
            raise ValueError(f"does not parse: {problems[0].message}")

    @cached_property
    def places(self) -> list[Place]:
        """All nodes, in the order of the text."""
        return list(_places(self.file, ()))

    @cached_property
    def words(self) -> frozenset[str]:
        return frozenset(re.findall(r"\w+", self.text))

    def all_of(self, *kinds: type[ast.Node]) -> list[Place]:
        return [place for place in self.places if isinstance(place.node, kinds)]

    def items(self, *kinds: type[ast.Node]) -> list[Any]:
        """The items of the file of some kinds."""
        return [item for item in self.file.items if isinstance(item, kinds)]

    def fresh(self, random: Random, beginning: str = "") -> str:
        """A name that the text does not have."""
        names = [name for name in NAMES if name not in self.words and name != "_"]
        name = beginning or random.choice(names)
        return name if name not in self.words else f"{name}_{len(self.words)}"

    def of(self, span: Span) -> str:
        return self.text[span.start : span.end]

    def edited(self, edits: Iterable[Edit]) -> str:
        """The text with the edits, which do not overlap. Nodes may share a span, as the names of `let (a, b) = ...` do, which is edited
        once."""
        text = self.text
        for edit in sorted(dict.fromkeys(edits), key=lambda one: one.start, reverse=True):
            text = text[: edit.start] + edit.text + text[edit.end :]
        return text


def replacing(span: Span, text: str) -> Edit:
    return Edit(span.start, span.end, text)


def inserting(at: int, text: str) -> Edit:
    return Edit(at, at, text)


def bound_names(node: Any) -> set[str]:
    """The names that anything in the node binds."""
    found: set[str] = set()
    for place in _places(node, ()):
        match place.node:
            case ast.Let(name=name) | ast.Shared(name=name) | ast.ParameterDecl(name=name) | ast.ScanState(name=name):
                found.add(name.name)
            case ast.Assign(targets=targets):
                found |= {target.name for target in targets}
            case ast.NamePattern() as pattern:
                found |= {name.name for name in pattern.names}
            case ast.TensorParameter(name=name, pattern=items):
                found |= {name.name, *(item.name for item in items if isinstance(item, ast.Name))}
            case ast.TableDecl(indices=indices):
                found |= {index.name for index in indices}
            case _:
                pass
    return found - {"_", "...", "N"}


def labels_in(text: str) -> set[str]:
    """The words of the labels of a text."""
    return {word for label in re.findall(r"\bas\s+([\w.{}+\-]+)", text) for word in re.findall(r"\w+", label)}


def _places(node: Any, above: tuple[Any, ...]) -> Iterator[Place]:
    yield Place(node, above)
    inside = (*above, node)
    for field in type(node).__match_args__:
        value = getattr(node, field)
        for child in value if isinstance(value, tuple) else (value,):
            if isinstance(child, ast.Node):
                yield from _places(child, inside)
