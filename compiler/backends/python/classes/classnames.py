"""Chooses the names of classes.

In: the classes of a program, called ones first, with the names that they should have. Out: their names. Always: all names differ, and none
is a name of Python, of the imports or of an argument. Of several classes of one block, the plainest has the block's name. The others add
their differences (`BottleneckDownsample`, `InvertedResidual`, `WindowAttentionShift`), and a number only if nothing else differs. Several
classes of a recursive block are numbered by level: `Tree`, `Tree2` with `Tree` inside, `Tree3`.
"""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Iterator, Mapping

from netc.dsl.trees import walk_tree

from ....ir.graph import CallNode, Graph, Node
from ....types.traced_ints import is_integer
from ..code.classes import ClassDef, ClassRef
from ..code.framework import Framework
from ..identifiers import RESERVED, make_unique, to_camel_case

_TAKEN = RESERVED | frozenset(dir(builtins))
MANY = 2
"""The largest number of additional parts that are put into a name."""
_WORD = re.compile(r"[A-Za-z]\w{2,15}")
RESIDUAL = "residual"
"""The word for adding the input to a result."""


def choose_main_name(base: str, framework: Framework) -> str:
    """Return the name of the main class. It is chosen first, so that it depends on nothing else."""
    return make_unique(to_camel_case(base), _TAKEN | framework.imported | framework.definitions.keys())


def name_classes(classes: list[ClassDef], main: ClassDef, labels: Mapping[int, str], reserved: Iterable[str] = ()) -> None:
    """Name all classes but the main one, which has its name. `labels`: by the id of a graph, the label of its first use. `reserved`: other
    names that the file imports and defines."""
    used_names = {main.name, *_TAKEN, *reserved, *(p.name for c in classes for p in c.all_arguments)}
    families: dict[str, list[ClassDef]] = {}
    for cls in classes:
        if cls is not main:
            # A block named like the model gets a suffix: the model keeps its name.
            families.setdefault(cls.base if cls.base != main.base else f"{cls.base}Block", []).append(cls)
    words = _Words()
    for base, family in families.items():
        _Family(base, family, words, labels).name(used_names)


class _Words:
    """The contents of a graph and of the sequences in it: the names of operators and blocks."""

    def __init__(self) -> None:
        self.known: dict[int, frozenset[str]] = {}

    def get_words(self, graph: Graph) -> frozenset[str]:
        if id(graph) not in self.known:
            words: set[str] = set()
            for called in {id(n.graph): n.graph for n in graph.nodes if isinstance(n, CallNode)}.values():
                words |= {called.name} if called.kind == "block" else self.get_words(called)
            words |= {_get_applied_name(n, graph) for n in graph.nodes if not isinstance(n, CallNode)}
            self.known[id(graph)] = frozenset(words - {"identity"})
        return self.known[id(graph)]


def _get_applied_name(node: Node, graph: Graph) -> str:
    """Return the name of the operator or block that the node applies. Adding an input of the graph is `residual`."""
    if isinstance(node, CallNode):
        return node.graph.name
    residual = node.op.name == "add" and any(i is v for i in node.inputs for v in graph.inputs)
    return RESIDUAL if residual else node.op.name


class _Family:
    """Classes that would all be called `base`."""

    def __init__(self, base: str, classes: list[ClassDef], words: _Words, labels: Mapping[int, str]) -> None:
        self.base, self.classes, self.words, self.labels = base, classes, words, labels
        self.plainest = min(
            classes,
            key=lambda c: (
                len(c.body.members),
                len(words.get_words(c.graphs[0])),
                len(_list_given_tensors(c)),
                len(self._list_member_suffixes(c)),
            ),
        )

    def name(self, used_names: set[str]) -> None:
        for cls in (self.plainest, *(c for c in self.classes if c is not self.plainest)):
            wanted = [*(f"{self.base}{suffix}" for suffix in self._suggest_suffixes(cls)), *self._suggest_use_labels(cls)]
            cls.name = next((n for n in wanted if n not in used_names), "") or make_unique(self.base, used_names)
            used_names.add(cls.name)

    def _suggest_suffixes(self, cls: ClassDef) -> Iterator[str]:
        """Yield the possible suffixes of the base, the best first."""
        if cls is self.plainest:
            yield ""
            return
        if (level := self._count_levels(cls)) > 1:
            yield str(level)
        optional = [t for t in _list_given_tensors(cls) if t not in _list_given_tensors(self.plainest)]
        if 0 < len(optional) <= MANY:
            yield "".join(map(to_camel_case, optional))
        labels, doings = self._list_extra_labels(cls), self._list_extra_operators(cls)
        # One extra member or operator names the class well; with several, arguments come first.
        yield from (to_camel_case(extra[0]) for extra in (labels, doings) if len(extra) == 1)
        yield from (to_camel_case(a) for a in self._list_switched_arguments(cls))
        if 1 < len(doings) <= MANY:
            yield "".join(map(to_camel_case, doings))
        yield from sorted(self._list_member_suffixes(cls) - self._list_member_suffixes(self.plainest))
        yield from self._list_word_values(cls)

    def _list_extra_labels(self, cls: ClassDef) -> list[str]:
        """List the members that the plainest class lacks. A member without a label is named after its operator."""
        own_labels = {m.label for m in self.plainest.body.members}
        nodes = {n.label: n for n in cls.graphs[0].nodes}
        extra = [m.label for m in cls.body.members if m.label not in own_labels and m.label[0].isalpha()]
        return [_strip_stage_number(label, nodes.get(label), cls.graphs[0]) for label in extra]

    def _list_extra_operators(self, cls: ClassDef) -> list[str]:
        """List the operators and blocks that the plainest class lacks."""
        return sorted(self.words.get_words(cls.graphs[0]) - self.words.get_words(self.plainest.graphs[0]))

    def _list_switched_arguments(self, cls: ClassDef) -> list[str]:
        """List the arguments that are none, zero or one in the plainest class, and something else here."""
        plain, values = self._collect_argument_values(self.plainest), self._collect_argument_values(cls)
        return [a for a in values if all(_is_nothing(v) for v in plain.get(a, ())) and not any(_is_nothing(v) for v in values[a])]

    def _list_word_values(self, cls: ClassDef) -> Iterator[str]:
        """Yield words that are the value of an argument here and nowhere in the plainest class."""
        plain = self._collect_argument_values(self.plainest)
        for argument, values in self._collect_argument_values(cls).items():
            word = next(iter(values))
            if len(values) == 1 and isinstance(word, str) and _WORD.fullmatch(word) and word not in plain.get(argument, set()):
                yield to_camel_case(word)

    def _collect_argument_values(self, cls: ClassDef) -> dict[str, set[object]]:
        """Collect the values of the block's arguments."""
        values: dict[str, set[object]] = {}
        for graph in cls.graphs:
            for argument, value in graph.arguments.items():
                plain = value is None or isinstance(value, (bool, int, float, str))
                # Other values, such as tuples, need not be hashable; the dash keeps their text from looking like a word.
                values.setdefault(argument, set()).add(value if plain else f"-{value!r}")
        return values

    def _suggest_use_labels(self, cls: ClassDef) -> Iterator[str]:
        """Suggest the label that all stages of the class have in the spec, and no stage of the plainest class has."""
        labels, plain = ({self.labels.get(id(g), "") for g in c.graphs} for c in (cls, self.plainest))
        if len(labels) == 1 and not labels & plain and (label := labels.pop())[-1:].isalpha():
            yield to_camel_case(label)

    def _count_levels(self, cls: ClassDef) -> int:
        """Count the classes of this block inside each other, including the class itself."""
        return 1 + max((self._count_levels(c) for c in _find_instantiated_classes(cls) if c in self.classes), default=0)

    def _list_member_suffixes(self, cls: ClassDef) -> set[str]:
        """Return the suffixes, after the blocks' names, of the classes that it instantiates."""
        return {s for c in _find_instantiated_classes(cls) if (s := c.name.removeprefix(c.base)) and s[0].isalpha()}


def _list_given_tensors(cls: ClassDef) -> list[str]:
    """List the names of the tensors that a block declares and gets."""
    graph = cls.graphs[0]
    own_inputs = graph.inputs[: len(graph.inputs) - graph.captures] if graph.kind == "block" else []
    return [v.name for v in own_inputs if not v.borrowed]


def _find_instantiated_classes(cls: ClassDef) -> set[ClassDef]:
    """Return the other classes that it instantiates."""
    return {p.cls for code in cls.body.list_constructor_code() for p in walk_tree(code) if isinstance(p, ClassRef)} - {cls}


def _is_nothing(value: object) -> bool:
    return value in (None, False, 0, "") or (is_integer(value) and value == 1)


def _strip_stage_number(label: str, node: Node | None, graph: Graph) -> str:
    """Return a label without the number of a stage that the spec does not label."""
    stem = re.sub(r"\d+$", "", label)
    return stem if node is not None and stem == _get_applied_name(node, graph) else label
