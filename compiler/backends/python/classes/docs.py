"""The docstring of a class: the comment of its block in the spec, inputs and outputs, with shapes.

In: a class and the graphs it is for. Out: its docstring's lines. Always: a size that is the same for all graphs is written out; one
that differs, or that only the surrounding model explains, is named after the constructor argument it depends on, or by a letter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap

from ....dims import Dim, SymDim, show, symbols
from ....ir.types import FLOAT32, TensorType
from ..code.classes import ClassDef
from ..code.tree import StrictLiteral
from ..naming import unique
from ..printing.layout import STEP, WIDTH
from .remarks import remark

FACTORS = (2, 3, 4, 8, 16)
"""The factors that are tried between symbolic sizes."""
LETTERS = {3: "TD", 4: "CHW", 5: "CDHW"}
"""The names of the axes after the batch, by rank."""


def docstring(cls: ClassDef, inputs: Sequence[str]) -> list[str]:
    """`\"\"\"x: [N, 3, H, W] -> [N, 1000].\"\"\"`, below the text of the comment above the block."""
    namer = _Sizes(cls)
    graphs = cls.graphs
    takes = [f"{name}: {namer.type([g.inputs[i].type for g in graphs])}" for i, name in enumerate(inputs)]
    gives: list[str] = []
    for i in range(len(graphs[0].outputs)):
        name = graphs[0].output_names[i] if len(graphs[0].outputs) > 1 and i < len(graphs[0].output_names) else ""
        found = namer.type([g.outputs[i].type for g in graphs])
        gives.append(f"{name}: {found}" if name else found)
    above = remark(graphs[0], {p.name for p in cls.parameters})
    return _laid_out(above, ", ".join(takes) or "nothing", f"-> {', '.join(gives)}.")


def _laid_out(above: str, takes: str, gives: str) -> list[str]:
    """On one line, or the inputs on the first and the outputs on the next; the comment is a paragraph of its own, above."""
    line = f'{STEP}"""{takes} {gives}"""'
    if not above and len(line) <= WIDTH:
        return [line]
    shapes = [f"{takes} {gives}"] if len(STEP + takes + gives) < WIDTH else [piece for words in (takes, gives) for piece in _filled(words)]
    words = [*wrap(above, WIDTH - len(STEP) - 3), ""] if above else []
    first, *rest = (*words, *shapes)
    return [f'{STEP}"""{first}', *(f"{STEP}{line}" if line else "" for line in rest), f'{STEP}"""']


def _filled(words: str) -> list[str]:
    """In lines that end after a whole shape."""
    whole = re.sub(r", (?=[^\[\]]*\])", ",\N{NO-BREAK SPACE}", words).replace(": ", ":\N{NO-BREAK SPACE}")
    lines = wrap(whole, WIDTH - len(STEP) - 3, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


class _Sizes:
    """Names for sizes that are not the same in all graphs."""

    def __init__(self, cls: ClassDef) -> None:
        self.cls = cls
        self.is_whole = cls.graphs[0].kind == "model"
        self.taken = {p.name for p in cls.parameters}
        for values in zip(*((*g.inputs, *g.outputs) for g in cls.graphs), strict=True):
            for sizes in zip(*(v.type.shape for v in values), strict=False):
                if all(d == sizes[0] for d in sizes) and self._is_plain(sizes[0]):
                    self.taken |= symbols(sizes[0])
        self.named: dict[tuple[StrictLiteral, ...], str] = {}
        """The sizes that are arguments."""
        for parameter in cls.parameters:
            self.named.setdefault(tuple(StrictLiteral(v) for v in parameter.values), parameter.name)
        self.known = dict(self.named)
        self.letters: dict[tuple[tuple[StrictLiteral, ...], int], str] = {}
        self.here: set[str] = set()
        """The letters of the current shape."""

    def type(self, types: list[TensorType]) -> str:
        dtypes = {t.dtype for t in types}
        prefix = "" if dtypes == {FLOAT32} or len(dtypes) > 1 else f"{types[0].dtype} "
        rank = types[0].rank
        if any(t.rank != rank for t in types):
            return f"{prefix}[...]"
        self.here = set()
        return f"{prefix}[{', '.join(self._axis([t.shape[i] for t in types], i, rank) for i in range(rank))}]"

    def _axis(self, sizes: list[Dim], axis: int, rank: int) -> str:
        if all(s == sizes[0] for s in sizes) and self._is_plain(sizes[0]):
            return show(sizes[0])
        values = tuple(StrictLiteral(s) for s in sizes)
        name = self.named.get(values) or self._known(values, axis) or self._multiple(sizes, axis) or self._letter(sizes[0], axis, rank)
        self.known.setdefault(values, name)
        self.here.add(name)
        self.letters[values, axis] = name
        return name

    def _is_plain(self, size: Dim) -> bool:
        """Whether the size is clear when written out: formulas are in the whole model only."""
        return self.is_whole or not isinstance(size, SymDim) or show(size).isidentifier()

    def _known(self, values: tuple[StrictLiteral, ...], axis: int) -> str:
        """The letter that the size has: at the same axis, or else one that no other axis of the shape has."""
        name = self.letters.get((values, axis)) or self.known.get(values, "")
        return name if name not in self.here else ""

    def _multiple(self, sizes: list[Dim], axis: int) -> str:
        """In terms of an argument, or of a size that has a letter, preferably of the same axis: `4*width`, `H/2`, `H/stride`."""
        same = [(values, name) for (values, at), name in self.letters.items() if at == axis]
        candidates = [(values, name) for values, name in (*same, *self.known.items()) if name not in self.here]
        return next((found for values, name in candidates if (found := self._part(sizes, values, name))), "")

    def _part(self, sizes: list[Dim], values: tuple[StrictLiteral, ...], name: str) -> str:
        """The sizes as a multiple or a fraction of a size that has a name."""
        found = [v.value for v in values]
        factor = _ratio(sizes, found)
        if factor is not None:
            return f"{factor}*{name}"
        factor = _ratio(found, sizes)
        if factor is not None:
            return f"{name}/{factor}"
        for parameter in self.cls.parameters:
            if all(type(v) is int and v > 0 for v in parameter.values) and all(
                _times(s, p, v) for s, p, v in zip(sizes, parameter.values, found, strict=True)
            ):
                return f"{name}/{parameter.name}"
        return ""

    def _letter(self, size: Dim, axis: int, rank: int) -> str:
        letters = LETTERS.get(rank, "CDEFGHIJKL")
        wanted = "M" if axis == 0 else letters[min(axis, len(letters)) - 1]
        if isinstance(size, SymDim) and show(size).isidentifier():
            wanted = show(size)
        name = unique(wanted, self.taken)
        self.taken.add(name)
        return name


def _ratio(sizes: Sequence[object], of: Sequence[object]) -> int | None:
    """The k >= 2 with which all `sizes` are `k * of`."""
    pairs = [(s, o) for s, o in zip(sizes, of, strict=True) if isinstance(s, (int, SymDim)) and isinstance(o, (int, SymDim))]
    if len(pairs) < len(sizes):
        return None
    first, base = pairs[0]
    factors = [first // base] if isinstance(first, int) and isinstance(base, int) and base > 0 else FACTORS
    return next((f for f in factors if isinstance(f, int) and f > 1 and all(s == f * o for s, o in pairs)), None)


def _times(size: object, factor: object, whole: object) -> bool:
    return isinstance(size, (int, SymDim)) and isinstance(factor, int) and isinstance(whole, (int, SymDim)) and size * factor == whole
