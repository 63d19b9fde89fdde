"""The models of the zoo: those in the files of specs/, except for the standard library, the first examples and the objectives.

Out: entries, in the order of folders, files and models; and facts from the text only. Always: a new file or model is among them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

import netc
from netc.compiler.dims import bounds, free_symbols
from netc.compiler.elaborate import complete_models
from netc.dsl import ast
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile

SPECS = Path(__file__).parents[2] / "specs"
_FIRST = ("vision", "text")
_OTHERS = {"seed", "std", "training"}
IMAGE, LONGEST = 224, 512
"""The sizes for counting operations: rows and columns of an image unless published otherwise, and the maximum steps of a sequence."""
_IMAGES = {"ddpm_cifar10": 32}
"""Of models that are not torchvision's: the size of the images they were made for."""


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
    def image(self) -> int:
        """The rows and columns of the images with which operations are counted, where torchvision says nothing."""
        return _IMAGES.get(self.model, IMAGE)

    @property
    def takes(self) -> set[str]:
        """The names of its parameters."""
        model = definition(self)
        return {p.name.name for p in model.parameters} if model else set()


def files() -> list[str]:
    """The specs, relative to specs/: first those whose references are published."""
    found = [p.relative_to(SPECS).as_posix() for p in SPECS.glob("*/*.net") if p.parent.name not in _OTHERS]
    ranks = {folder: rank for rank, folder in enumerate(_FIRST)}
    return sorted(found, key=lambda f: (ranks.get(f.partition("/")[0], len(ranks)), f))


@cache
def tree(spec: str) -> ast.File:
    """The text of a spec, read."""
    path = SPECS / spec
    file, _ = parse_source(SourceFile(str(path), path.read_text(encoding="utf-8")))
    return file


def complete_names(path: Path) -> list[str | None]:
    """The models of a file that have all their arguments; None for the model of a file that gives it no name."""
    return [*complete_models(tree(path.relative_to(SPECS).as_posix()))] or [None]


def entries(spec: str) -> list[Entry]:
    """The complete models of a file; the file itself, if it has no `model`."""
    return [Entry(spec, name) for name in complete_models(tree(spec)) or [Path(spec).stem]]


def definition(entry: Entry) -> ast.ModelDecl | None:
    """The `model`; None if the file is one without saying so."""
    return next((item for item in tree(entry.spec).items if isinstance(item, ast.ModelDecl) and item.name.name == entry.model), None)


def compiled(entry: Entry, params: Mapping[str, object] | None = None) -> netc.Model:
    """The model with these parameters set."""
    return netc.compile_file(SPECS / entry.spec, model=entry.model if definition(entry) else None, params=dict(params or {}))


def sizes(model: netc.Model, image: int = IMAGE) -> dict[str, int]:
    """A size for each symbolic dimension of the inputs, where operations are counted: one sample, images of the size given, sequences of
    `LONGEST` steps, or as many as the model takes."""
    shapes = [t.shape for t in model.inputs.values()]
    found = {"H": image, "W": image} | {name: 1 for shape in shapes if shape for name in free_symbols(shape[0])}
    for dim in (d for shape in shapes for d in shape if not isinstance(d, int)):
        highest = bounds(dim)[1]
        for name in free_symbols(dim):
            found.setdefault(name, LONGEST if highest is None else min(LONGEST, highest))
    return found


def expects_params(entry: Entry) -> bool:
    """Whether the model asserts its number of parameters."""
    model = definition(entry)
    statements = model.body.statements if model else tree(entry.spec).items
    wanted = (s.condition.span.text for s in statements if isinstance(s, ast.ExpectCondition))
    return any(text.replace(" ", "").startswith("params==") for text in wanted)
