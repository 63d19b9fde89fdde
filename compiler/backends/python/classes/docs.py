"""The docstring of a class: the comment of its block in the spec, inputs and outputs, with shapes.

In: a class and the graphs it is for. Out: its docstring's lines. Always: a size that is the same for all graphs is written out; one
that differs, or that only the surrounding model explains, is named after the constructor argument it depends on, or by a letter.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from textwrap import wrap

from ....dims import Dim, SymDim, show, symbols
from ....ir.graph import Graph, Value, ValueTuple, flat
from ....ir.origins import is_integer
from ....ir.types import FLOAT32, TensorType
from ..code.classes import ClassDef
from ..code.tree import StrictLiteral
from ..naming import unique
from ..printing.layout import STEP, WIDTH

FACTORS = (2, 3, 4, 8, 16)
"""The factors that are tried between symbolic sizes."""
LETTERS = {3: "TD", 4: "CHW", 5: "CDHW"}
"""The names of the axes after the batch, by rank."""


def docstring(cls: ClassDef, inputs: Sequence[str]) -> list[str]:
    """`\"\"\"x: [N, 3, H, W] -> [N, 1000].\"\"\"`, below the text of the comment above the block."""
    namer = _Sizes(cls)
    graphs = cls.graphs
    taken = zip(*(g.takes for g in graphs), strict=True)
    takes = [f"{name}: {namer.input(given)}" for name, given in zip(inputs, taken, strict=True)]
    gives = [_named(namer.type([g.leading[k].type for g in graphs]), graphs[0], k) for k in range(len(graphs[0].leading))]
    if graphs[0].rest is not None:
        gives += _rest(namer, graphs)
    remark = _remark(graphs[0])
    return _laid_out(remark, ", ".join(takes) or "nothing", f"-> {', '.join(gives)}.")


def _named(type_: str, graph: Graph, index: int) -> str:
    """The type of an output, after its name if it has one of several."""
    name = graph.output_names[index] if len(graph.outputs) > 1 and graph.output_names else ""
    return f"{name}: {type_}" if name else type_


def _rest(namer: _Sizes, graphs: Sequence[Graph]) -> list[str]:
    """The tuple with which the outputs end. Those of a model are returned one by one."""
    first, start = graphs[0], len(graphs[0].leading)
    if first.kind != "model":
        return [namer.several([flat(g.rest or ()) for g in graphs])]
    if namer.alike(first.outputs[start:]) and len(first.outputs) > start + 2:
        return [f"{first.output_names[start]} to {first.output_names[-1]}: {namer.type([first.outputs[-1].type])}"]
    return [_named(namer.type([v.type]), first, start + i) for i, v in enumerate(first.outputs[start:])]


def _remark(graph: Graph) -> str:
    """The comment right above a block, as the text of a docstring. The comment at the start of a file is about the file."""
    before = graph.span.file.text[: graph.span.start]
    if graph.kind != "block" or not graph.span.text.startswith("block") or not before.endswith("\n"):
        return ""
    lines: list[str] = []
    end = len(before) - 1
    while end > 0:
        start = before.rfind("\n", 0, end) + 1
        line = before[start:end].strip()
        if not line.startswith("#"):
            break
        if start == 0:
            return ""
        lines.insert(0, line.lstrip("#").strip())
        end = start - 1
    return re.sub(r'^"|"""|\\', lambda found: re.sub(r'(["\\])', r"\\\1", found.group()), " ".join(lines))


def _laid_out(remark: str, takes: str, gives: str) -> list[str]:
    """On one line, or the inputs on the first and the outputs on the next; a remark is a paragraph of its own, above."""
    line = f'{STEP}"""{takes} {gives}"""'
    if not remark and len(line) <= WIDTH:
        return [line]
    shapes = [f"{takes} {gives}"] if len(STEP + takes + gives) < WIDTH else [piece for words in (takes, gives) for piece in _filled(words)]
    words = [*wrap(remark, WIDTH - len(STEP) - 3), ""] if remark else []
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
        for values in zip(*((*g.takes, *g.leading) for g in cls.graphs), strict=True):
            if isinstance(values[0], ValueTuple):
                continue
            for sizes in zip(*(v.type.shape for v in values), strict=False):
                if all(d == sizes[0] for d in sizes) and self._is_plain(sizes[0]):
                    self.taken |= symbols(sizes[0])
        self.named: dict[tuple[StrictLiteral, ...], str] = {}
        """The sizes that are arguments."""
        for parameter in cls.parameters:
            self.named.setdefault(tuple(StrictLiteral(v) for v in parameter.values), parameter.name)
        self.known = dict(self.named)
        self.letters: dict[tuple[tuple[StrictLiteral, ...], int], str] = {}
        self.numbers: dict[TensorType, int] = {}
        self.kinds: dict[int, int] = {}
        """By the identity of a type, the number that it has among `numbers`."""
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

    def input(self, given: Sequence[Value | ValueTuple]) -> str:
        """The type of an input."""
        alone = [one for one in given if isinstance(one, Value)]
        return self.type([v.type for v in alone]) if alone else self.several([t.values for t in given if isinstance(t, ValueTuple)])

    def alike(self, values: Sequence[Value]) -> bool:
        """Whether all have one type. The tensors of long tuples are those of shorter ones, so that few types have to be compared."""
        unknown = {id(v.type): v.type for v in values if id(v.type) not in self.kinds}
        self.kinds.update((key, self.numbers.setdefault(one, len(self.numbers))) for key, one in unknown.items())
        return len({self.kinds[id(v.type)] for v in values}) < 2

    def several(self, given: Sequence[Sequence[Value]]) -> str:
        """The type of a tuple, with that of its tensors if they are all alike."""
        some = next((values for values in given if values), ())
        if not some or not all(map(self.alike, given)):
            return "tuple"
        return f"tuple of {self.type([(values or some)[0].type for values in given])}"

    def _axis(self, sizes: list[Dim], axis: int, rank: int) -> str:
        formula = self.cls.formula(sizes)
        if formula:
            return formula
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
            if all(is_integer(v) and v > 0 for v in parameter.values) and all(
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
