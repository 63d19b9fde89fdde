"""The models of the zoo: what stands on its own in the files of specs/, but for the shared blocks and the first examples.

Out: entries, in the order of folders, files and models; what the text alone tells of them. Always: a new file or model is among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import netc
from netc.analysis import Choice, analyse
from netc.compiler.dims import bounds, symbols
from netc.compiler.elaborate import standing
from netc.dsl import ast
from netc.dsl.parser import parse
from netc.dsl.source import SourceFile

SPECS = Path(__file__).parents[2] / "specs"
WITH_REFERENCE = ("vision", "text")
"""The folders whose models are held against a published implementation."""
_OTHERS = {"seed", "std"}
IMAGE, LONGEST = 224, 512
"""Where operations are counted, an image has so many rows and columns unless published otherwise, a sequence so many steps at most."""


class Entry(NamedTuple):
    """A model, and its file relative to specs/."""

    spec: str
    model: str

    @property
    def folder(self) -> str:
        return self.spec.partition("/")[0]

    @property
    def key(self) -> str:
        return f"{self.spec} {self.model}"

    @property
    def takes(self) -> set[str]:
        """The names of its parameters."""
        return {p.name.name for p in _definition(self).parameters}


def files() -> list[str]:
    """The specs, relative to specs/: first the folders with a reference."""
    found = [p.relative_to(SPECS).as_posix() for p in SPECS.glob("*/*.net") if p.parent.name not in _OTHERS]
    ranks = {folder: rank for rank, folder in enumerate(WITH_REFERENCE)}
    return sorted(found, key=lambda f: (ranks.get(f.partition("/")[0], len(ranks)), f))


@cache
def tree(spec: str) -> ast.File:
    file, _ = parse(_source(spec))
    return file


def entries(spec: str) -> list[Entry]:
    """The models that stand on their own in a file; the file itself, if it has no `model`."""
    return [Entry(spec, name) for name in standing(tree(spec)) or [Path(spec).stem]]


def compiled(entry: Entry, params: Mapping[str, object] | None = None) -> netc.Model:
    """The model with these parameters set."""
    named = any(isinstance(item, ast.Model) for item in tree(entry.spec).items)
    return netc.compile_file(SPECS / entry.spec, model=entry.model if named else None, params=dict(params or {}))


def sizes(model: netc.Model, image: int = IMAGE) -> dict[str, int]:
    """A size for each symbolic dimension of the inputs, where operations are counted: one sample, images of the size given, sequences of
    `LONGEST` steps, or as many as the model takes."""
    shapes = [t.shape for t in model.inputs.values()]
    found = {"H": image, "W": image} | {name: 1 for shape in shapes if shape for name in symbols(shape[0])}
    for dim in (d for shape in shapes for d in shape if not isinstance(d, int)):
        highest = bounds(dim)[1]
        for name in symbols(dim):
            found.setdefault(name, LONGEST if highest is None else min(LONGEST, highest))
    return found


def lines(spec: str) -> int:
    """Lines of the spec and of the files it uses that are neither blank nor a comment."""
    sources = analyse(_source(spec), Choice(entries(spec)[0].model), str(SPECS / spec)).sources
    texts = [line.strip() for source in sources for line in source.text.splitlines()]
    return sum(1 for text in texts if text and not text.startswith("#"))


def expects_params(entry: Entry) -> bool:
    """Whether the model says how many parameters it has."""
    wanted = (s.condition.span.text for s in _definition(entry).body.statements if isinstance(s, ast.ExpectCondition))
    return any(text.replace(" ", "").startswith("params==") for text in wanted)


def _definition(entry: Entry) -> ast.Model:
    return next(item for item in tree(entry.spec).items if isinstance(item, ast.Model) and item.name.name == entry.model)


def _source(spec: str) -> SourceFile:
    path = SPECS / spec
    return SourceFile(str(path), path.read_text(encoding="utf-8"))
